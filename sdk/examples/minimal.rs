#![forbid(unsafe_code)]

use std::time::Duration;

use symbolon_sdk::{
    AccessTokenSpec, ConfigureError, DeviceSsoAuthorization, DeviceSsoHandler, DeviceSsoRequest, HandlerError, Properties,
    export_device_sso_handler,
};

/// Signs the next app in for ten minutes at a time, except for payments.
struct Minimal {
    enabled: bool,
}

impl DeviceSsoHandler for Minimal {
    const NAME: &'static str = "Minimal";
    const VERSION: &'static str = "1.0.0";
    const PREFIX: &'static str = "example.minimal.";
    const PROPERTIES: &'static [&'static str] = &["enable"];

    fn configure(properties: &Properties) -> Result<Self, ConfigureError> {
        Ok(Self { enabled: properties.flag("enable", false) })
    }

    fn enabled(&self) -> bool {
        self.enabled
    }

    fn authorize(&self, request: &DeviceSsoRequest<'_>) -> Result<DeviceSsoAuthorization, HandlerError> {
        if request.effective_scope().contains(&"payment") {
            return Err(HandlerError::interaction_required("payments need the person").missing_scope(["payment"]));
        }
        let ten_minutes = AccessTokenSpec::default().with_lifetime(Duration::from_mins(10));
        Ok(DeviceSsoAuthorization::allow(request).with_access_token(ten_minutes))
    }
}

export_device_sso_handler!(Minimal);
