//! A post-login action: judges whoever is about to be signed in to an app.
//!
//! This one keeps some countries out, and lets sessions from everywhere else end soon. The manual is the documentation of `symbolon-sdk`.
#![forbid(unsafe_code)]

use std::time::Duration;

use symbolon_sdk::{ActionError, ConfigureError, PostLoginAction, Properties, SignIn, Verdict, export_post_login_action};

/// Judges by two properties.
#[derive(Debug)]
pub struct TemplateAction {
    enable: bool,
    blocked: Vec<String>,
    /// `None`: the server's default.
    session: Option<Duration>,
}

impl PostLoginAction for TemplateAction {
    const NAME: &'static str = "TemplateAction";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PREFIX: &'static str = "op.postLoginAction.template.";
    const PROPERTIES: &'static [&'static str] = &["enable", "blockedCountries", "session.lifetime"];
    const ABOUT: &'static str = "Keeps some countries out, and sessions short.";

    fn configure(properties: &Properties) -> Result<Self, ConfigureError> {
        Ok(Self {
            enable: properties.flag("enable", false),
            blocked: properties.list("blockedCountries"),
            session: properties.seconds("session.lifetime"),
        })
    }

    fn enabled(&self) -> bool {
        self.enable
    }

    fn judge(&self, sign_in: &SignIn) -> Result<Verdict, ActionError> {
        let country = sign_in.request().geoip.country_code.unwrap_or_default();
        if self.blocked.iter().any(|blocked| blocked == country) {
            return Ok(Verdict::deny("Not available in your country"));
        }
        Ok(match self.session {
            Some(lifetime) => Verdict::allow().limiting_session(lifetime),
            None => Verdict::allow(),
        })
    }
}

export_post_login_action!(TemplateAction);

#[cfg(test)]
mod tests {
    use symbolon_sdk::testing::{TestSignIn, configure_action};

    use super::*;

    #[test]
    fn who_is_blocked_is_told_so() -> Result<(), Box<dyn std::error::Error>> {
        let action = configure_action::<TemplateAction>([
            ("op.postLoginAction.template.enable", "true"),
            ("op.postLoginAction.template.blockedCountries", "XX, YY"),
        ])?;
        assert!(action.enabled());
        assert_eq!(TestSignIn::new().from_country("YY").judge(&action)?, Verdict::deny("Not available in your country"));
        assert_eq!(TestSignIn::new().from_country("CH").judge(&action)?, Verdict::allow());
        Ok(())
    }

    #[test]
    fn sessions_are_as_short_as_configured() -> Result<(), Box<dyn std::error::Error>> {
        let action = configure_action::<TemplateAction>([
            ("op.postLoginAction.template.enable", "true"),
            ("op.postLoginAction.template.session.lifetime", "600"),
        ])?;
        assert_eq!(TestSignIn::new().judge(&action)?.session_lifetime, Some(600));
        Ok(())
    }
}
