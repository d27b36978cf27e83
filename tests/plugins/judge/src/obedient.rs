//! What the two actions of the tests have in common: everything but their names.

use std::time::Duration;

use symbolon_sdk::{ActionError, Properties, SignIn, Value, Verdict, log};

/// Every property.
pub(crate) const NAMES: &[&str] = &["enable", "behave", "deny", "factor", "acr", "idToken.*", "accessToken.*", "session", "echo"];

/// What the properties say.
#[derive(Debug)]
pub(crate) struct Obedient {
    pub(crate) enable: bool,
    /// `well`, `panic`, `late`, `unable` or `abort`.
    behave: String,
    /// Whom to keep out, with which reason: `SUBJECT-OR-CLIENT-OR-COUNTRY REASON`, or `* REASON`.
    deny: Option<String>,
    factor: bool,
    acr: Vec<String>,
    id_token: Vec<(String, String)>,
    access_token: Vec<(String, String)>,
    session: Option<Duration>,
    /// Whether everything that it is told goes into the ID token as `seen`.
    echo: bool,
}

impl Obedient {
    pub(crate) fn configure(properties: &Properties) -> Self {
        let below = |prefix: &str| {
            let named = properties.names().filter_map(|name| Some((name.strip_prefix(prefix)?, properties.text(name)?)));
            named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        Self {
            enable: properties.flag("enable", false),
            behave: properties.text("behave").unwrap_or("well").to_owned(),
            deny: properties.text("deny").map(str::to_owned),
            factor: properties.flag("factor", false),
            acr: properties.list("acr"),
            id_token: below("idToken."),
            access_token: below("accessToken."),
            session: properties.seconds("session"),
            echo: properties.flag("echo", false),
        }
    }

    pub(crate) fn judge(&self, sign_in: &SignIn) -> Result<Verdict, ActionError> {
        match self.behave.as_str() {
            "panic" => panic!("judged badly"),
            "late" => std::thread::sleep(Duration::from_secs(1)),
            "unable" => return Err(ActionError::new("the service cannot be reached")),
            "abort" => std::process::abort(),
            _ => {}
        }
        log::debug(&format!("asked about {}", sign_in.subject()));
        if let Some((whom, reason)) = self.deny.as_deref().and_then(|text| text.split_once(' '))
            && (whom == "*"
                || [Some(sign_in.subject()), Some(sign_in.client_id()), sign_in.request().geoip.country_code]
                    .contains(&Some(whom)))
        {
            return Ok(Verdict::deny(reason));
        }
        let mut verdict = Verdict::allow();
        if self.factor {
            verdict = verdict.requiring_second_factor();
        }
        verdict = self.acr.iter().fold(verdict, Verdict::requiring_acr);
        verdict = self.id_token.iter().fold(verdict, |verdict, (name, value)| verdict.with_id_token_claim(name, value.as_str()));
        verdict = self
            .access_token
            .iter()
            .fold(verdict, |verdict, (name, value)| verdict.with_access_token_claim(name, value.as_str()));
        if let Some(session) = self.session {
            verdict = verdict.limiting_session(session);
        }
        if self.echo {
            verdict = verdict.with_id_token_claim("seen", Value::from(sign_in.as_json().cloned().unwrap_or_default()));
        }
        Ok(verdict)
    }
}

/// The action of that name.
macro_rules! action {
    ($type:ident, $name:literal, $prefix:literal) => {
        #[derive(Debug)]
        pub struct $type(obedient::Obedient);

        impl symbolon_sdk::PostLoginAction for $type {
            const NAME: &'static str = $name;
            const VERSION: &'static str = env!("CARGO_PKG_VERSION");
            const PREFIX: &'static str = $prefix;
            const PROPERTIES: &'static [&'static str] = obedient::NAMES;

            fn configure(properties: &symbolon_sdk::Properties) -> Result<Self, symbolon_sdk::ConfigureError> {
                Ok(Self(obedient::Obedient::configure(properties)))
            }

            fn enabled(&self) -> bool {
                self.0.enable
            }

            fn judge(&self, sign_in: &symbolon_sdk::SignIn) -> Result<symbolon_sdk::Verdict, symbolon_sdk::ActionError> {
                self.0.judge(sign_in)
            }
        }

        symbolon_sdk::export_post_login_action!($type);
    };
}
pub(crate) use action;
