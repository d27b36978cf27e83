#![forbid(unsafe_code)]

use std::time::Duration;

use symbolon_sdk::{ActionError, ConfigureError, PostLoginAction, Properties, SignIn, Verdict, export_post_login_action};

/// Wants a second factor of whoever comes from abroad, and lets nobody stay longer than a working day.
struct OfficeHours {
    enabled: bool,
    home: String,
}

impl PostLoginAction for OfficeHours {
    const NAME: &'static str = "OfficeHours";
    const VERSION: &'static str = "1.0.0";
    const PREFIX: &'static str = "op.postLoginAction.officeHours.";
    const PROPERTIES: &'static [&'static str] = &["enable", "country"];

    fn configure(properties: &Properties) -> Result<Self, ConfigureError> {
        let home = properties.text("country").unwrap_or("CH").to_owned();
        Ok(Self { enabled: properties.flag("enable", false), home })
    }

    fn enabled(&self) -> bool {
        self.enabled
    }

    fn judge(&self, sign_in: &SignIn) -> Result<Verdict, ActionError> {
        let working_day = Verdict::allow().limiting_session(Duration::from_hours(8));
        let country = sign_in.request().geoip.country_code;
        Ok(match country {
            Some("XX") => Verdict::deny("Nobody works there"),
            Some(country) if country == self.home => working_day.with_id_token_claim("at_home", true),
            _ => working_day.requiring_second_factor(),
        })
    }
}

export_post_login_action!(OfficeHours);
