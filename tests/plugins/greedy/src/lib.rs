//! A handler that wants more than anybody may have, for tests of the server's guard.
#![forbid(unsafe_code)]

use std::time::Duration;

use symbolon_sdk::{
    AccessTokenSpec, ClaimsSpec, ClaimsTransport, ConfigureError, DeviceSsoAuthorization, DeviceSsoHandler, DeviceSsoRequest,
    HandlerError, IdTokenSpec, Properties, RefreshLifetime, RefreshTokenSpec, export_device_sso_handler, json,
};

/// What it does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Wants too much.
    Everything,
    /// Answers an error code that RFC 6749 does not allow.
    BadError,
    /// Says what is the server's to say.
    BadMember,
    /// Wants data kept with the grant, and claims in two more languages.
    Words,
    /// Wants claims in the ID token, and no ID token.
    NoIdToken,
}

/// Wants everything.
#[derive(Debug)]
pub struct GreedyHandler {
    enable: bool,
    mode: Mode,
}

impl DeviceSsoHandler for GreedyHandler {
    const NAME: &'static str = "GreedyHandler";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PREFIX: &'static str = "test.greedy.";
    const PROPERTIES: &'static [&'static str] = &["enable", "mode"];

    fn configure(properties: &Properties) -> Result<Self, ConfigureError> {
        let modes = [
            ("everything", Mode::Everything),
            ("bad-error", Mode::BadError),
            ("bad-member", Mode::BadMember),
            ("words", Mode::Words),
            ("no-id-token", Mode::NoIdToken),
        ];
        Ok(Self { enable: properties.flag("enable", false), mode: properties.choice("mode", &modes, Mode::Everything) })
    }

    fn enabled(&self) -> bool {
        self.enable
    }

    fn authorize(&self, request: &DeviceSsoRequest<'_>) -> Result<DeviceSsoAuthorization, HandlerError> {
        match self.mode {
            Mode::Everything => Ok(everything(request)),
            Mode::BadError => Err(HandlerError::custom("not \"an\" error\r\ncode").with_description("greedy").with_status(500)),
            Mode::Words => Ok(words(request)),
            Mode::NoIdToken => {
                let claims = ClaimsSpec::default().with_names(["name"]).with_transport(ClaimsTransport::IdToken);
                Ok(DeviceSsoAuthorization::allow(request).with_id_token(IdTokenSpec::none()).with_claims(claims))
            }
            Mode::BadMember => Err(HandlerError::access_denied("greedy").with_member("error", "success")),
        }
    }
}

fn words(request: &DeviceSsoRequest<'_>) -> DeviceSsoAuthorization {
    let claims = ClaimsSpec::default().with_names(["name"]).with_locales(["de", "ja-Kana-JP"]);
    let data = json!({"ticket": 42, "source": request.source_client_id()});
    DeviceSsoAuthorization::allow(request).with_claims(claims).with_data(data.as_object().cloned().unwrap_or_default())
}

fn everything(request: &DeviceSsoRequest<'_>) -> DeviceSsoAuthorization {
    let thousand_years = Duration::from_hours(1000 * 366 * 24);
    let mut id_token = IdTokenSpec::default().with_lifetime(thousand_years).with_claim("harmless", "kept");
    for name in [
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "nbf",
        "nonce",
        "auth_time",
        "acr",
        "amr",
        "azp",
        "sid",
        "ds_hash",
        "at_hash",
        "c_hash",
        "jti",
        "cnf",
    ] {
        id_token = id_token.with_claim(name, "forged");
    }
    let data = json!({"sub": "forged", "scope": "admin"});
    let mut access_token =
        AccessTokenSpec::default().with_lifetime(Duration::from_secs(u64::MAX)).with_audience(["https://everything.example"]);
    access_token.data = data.as_object().cloned();
    let names = ["name", "email", "phone_number", "address", "sub", "salary", "password"];
    let mut scope = request.grantable_scope().to_vec();
    scope.extend(["admin", "not registered", "root\"", ""]);
    DeviceSsoAuthorization::allow_scope(request, scope)
        .with_access_token(access_token)
        .with_refresh_token(
            RefreshTokenSpec::default()
                .with_lifetime(RefreshLifetime::For(thousand_years))
                .with_max_idle(thousand_years)
                .with_rotation(false),
        )
        .with_id_token(id_token)
        .with_claims(ClaimsSpec::default().with_names(names))
}

export_device_sso_handler!(GreedyHandler);
