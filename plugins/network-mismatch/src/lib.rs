//! A post-login action that denies a sign-in in a session that a session transfer token began, when the country is not that in which the token was
//! made: an app asks for the token, and a browser on the same device shows it seconds later. By the properties `op.postLoginAction.networkMismatch.*`.
//!
//! It runs at every sign-in, and lets those pass whose session began otherwise. It knows no storage, no clock and no network, so its
//! calls run inline; where an address is, the server's databases say (`network.databases`).
#![forbid(unsafe_code)]

use symbolon_sdk::{
    ActionError, ConfigureError, PostLoginAction, Properties, RequestContext, SignIn, Verdict, export_post_login_action, log,
};

/// What the app is told.
const REASON: &str = "Network mismatch detected";

/// Compares countries.
#[derive(Debug)]
pub struct NetworkMismatch {
    enable: bool,
    reason: String,
    /// Whether both countries must be known.
    require_country: bool,
}

impl PostLoginAction for NetworkMismatch {
    const NAME: &'static str = "NetworkMismatch";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PREFIX: &'static str = "op.postLoginAction.networkMismatch.";
    const PROPERTIES: &'static [&'static str] = &["enable", "reason", "requireCountry"];
    const ABOUT: &'static str = "Denies a session transfer whose country is not that of the request that brings it.";

    fn configure(properties: &Properties) -> Result<Self, ConfigureError> {
        Ok(Self {
            enable: properties.flag("enable", false),
            reason: properties.text("reason").unwrap_or(REASON).to_owned(),
            require_country: properties.flag("requireCountry", false),
        })
    }

    fn enabled(&self) -> bool {
        self.enable
    }

    fn judge(&self, sign_in: &SignIn) -> Result<Verdict, ActionError> {
        let Some(token) = sign_in.session_transfer_token() else { return Ok(Verdict::allow()) };
        let (then, now) = (country(&token.request), country(&sign_in.request()));
        let unknown = then.is_none() || now.is_none();
        if then == now && !(unknown && self.require_country) {
            return Ok(Verdict::allow());
        }
        log::info(&format!("the token of {} was asked for in {} and is shown in {}", token.client_id, told(then), told(now)));
        Ok(Verdict::deny(&self.reason))
    }
}

/// Case does not matter in ISO 3166-1.
fn country(context: &RequestContext<'_>) -> Option<String> {
    context.geoip.country_code.filter(|code| !code.is_empty()).map(str::to_ascii_uppercase)
}

fn told(country: Option<String>) -> String {
    country.unwrap_or_else(|| "an unknown country".to_owned())
}

export_post_login_action!(NetworkMismatch);

#[cfg(test)]
mod tests {
    use symbolon_sdk::host::{ConfigureFailure, Configured};
    use symbolon_sdk::testing::{TestSignIn, configure_action};

    use super::*;

    type Tested = Result<(), Box<dyn std::error::Error>>;

    fn action(more: &[(&str, &str)]) -> Result<Configured, ConfigureFailure> {
        let name = |name: &str| format!("{}{name}", NetworkMismatch::PREFIX);
        let more = more.iter().map(|(own, value)| (name(own), (*value).to_owned()));
        configure_action::<NetworkMismatch>(std::iter::once((name("enable"), "true".to_owned())).chain(more))
    }

    fn transfer() -> TestSignIn {
        TestSignIn::new().transferred_from("phone-app")
    }

    #[test]
    fn ordinary_sign_ins_pass() -> Tested {
        let action = action(&[("requireCountry", "true")])?;
        assert!(action.enabled());
        assert_eq!(TestSignIn::new().judge(&action)?, Verdict::allow());
        assert_eq!(TestSignIn::new().from_country("DE").judge(&action)?, Verdict::allow());
        Ok(())
    }

    #[test]
    fn a_transfer_must_come_from_its_country() -> Tested {
        let action = action(&[])?;
        let from_germany = transfer().transferred_from_country("DE");
        assert_eq!(from_germany.clone().from_country("DE").judge(&action)?, Verdict::allow());
        assert_eq!(from_germany.clone().from_country("de").judge(&action)?, Verdict::allow());
        assert_eq!(from_germany.from_country("FR").judge(&action)?, Verdict::deny("Network mismatch detected"));
        Ok(())
    }

    #[test]
    fn one_unknown_country_is_another_and_two_are_the_operators_choice() -> Tested {
        let (usual, strict) = (action(&[])?, action(&[("requireCountry", "true"), ("reason", "Not from here")])?);
        let one = transfer().transferred_from_country("DE");
        assert_eq!(one.judge(&usual)?.deny.as_deref(), Some("Network mismatch detected"));
        assert_eq!(transfer().from_country("DE").judge(&usual)?.deny.as_deref(), Some("Network mismatch detected"));
        assert_eq!(transfer().judge(&usual)?, Verdict::allow());
        assert_eq!(transfer().judge(&strict)?, Verdict::deny("Not from here"));
        Ok(())
    }

    #[test]
    fn it_is_off_until_it_is_switched_on_and_knows_its_properties() -> Tested {
        let none: [(&str, &str); 0] = [];
        assert!(!configure_action::<NetworkMismatch>(none)?.enabled());
        match action(&[("requirecountry", "true")]) {
            Err(ConfigureFailure::Refused { findings, .. }) => {
                assert_eq!(findings[0].key, "op.postLoginAction.networkMismatch.requirecountry");
                assert!(findings[0].remedy.contains("requireCountry"), "{findings:?}");
            }
            other => panic!("{other:?}"),
        }
        // The server's own: when it is asked, and how it is run.
        assert!(action(&[("order", "5"), ("isolation", "pool")])?.enabled());
        Ok(())
    }
}
