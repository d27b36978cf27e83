//! A handler of the release before, for the test that a newer server still loads it.
#![forbid(unsafe_code)]

use symbolon_sdk::{
    AccessTokenSpec, ConfigureError, DeviceSsoAuthorization, DeviceSsoHandler, DeviceSsoRequest, HandlerError, Properties,
    export_device_sso_handler, json,
};

/// Allows what the server would allow, and says what it saw.
#[derive(Debug)]
pub struct PreviousHandler {
    enable: bool,
}

impl DeviceSsoHandler for PreviousHandler {
    const NAME: &'static str = "PreviousHandler";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PREFIX: &'static str = "test.previous.";
    const PROPERTIES: &'static [&'static str] = &["enable"];

    fn configure(properties: &Properties) -> Result<Self, ConfigureError> {
        Ok(Self { enable: properties.flag("enable", false) })
    }

    fn enabled(&self) -> bool {
        self.enable
    }

    fn authorize(&self, request: &DeviceSsoRequest<'_>) -> Result<DeviceSsoAuthorization, HandlerError> {
        if request.effective_scope().contains(&"payments") {
            return Err(HandlerError::interaction_required("as it was").missing_scope(["payments"]));
        }
        let seen = json!({"sdk": symbolon_sdk::SDK_VERSION, "apps": request.device_session().client_ids});
        let mut token = AccessTokenSpec::default();
        token.data = seen.as_object().cloned();
        Ok(DeviceSsoAuthorization::allow(request).with_access_token(token))
    }
}

export_device_sso_handler!(PreviousHandler);
