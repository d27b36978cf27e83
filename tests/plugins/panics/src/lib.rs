//! A handler that panics where its property `test.panics.where` says, for tests of the server.
#![forbid(unsafe_code)]

use symbolon_sdk::{
    ConfigureError, DeviceSsoAuthorization, DeviceSsoHandler, DeviceSsoRequest, HandlerError, Properties,
    export_device_sso_handler,
};

/// Where it panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    Configure,
    Authorize,
    Shutdown,
    Drop,
    Never,
}

/// Panics.
#[derive(Debug)]
pub struct PanickingHandler {
    enable: bool,
    place: Where,
}

impl DeviceSsoHandler for PanickingHandler {
    const NAME: &'static str = "PanickingHandler";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PREFIX: &'static str = "test.panics.";
    const PROPERTIES: &'static [&'static str] = &["enable", "where"];

    fn configure(properties: &Properties) -> Result<Self, ConfigureError> {
        let places = [
            ("configure", Where::Configure),
            ("authorize", Where::Authorize),
            ("shutdown", Where::Shutdown),
            ("drop", Where::Drop),
            ("never", Where::Never),
        ];
        let handler =
            Self { enable: properties.flag("enable", false), place: properties.choice("where", &places, Where::Authorize) };
        assert!(handler.place != Where::Configure, "the test handler panics in configure");
        Ok(handler)
    }

    fn enabled(&self) -> bool {
        self.enable
    }

    fn authorize(&self, request: &DeviceSsoRequest<'_>) -> Result<DeviceSsoAuthorization, HandlerError> {
        assert!(self.place != Where::Authorize, "the test handler panics in authorize");
        Ok(DeviceSsoAuthorization::allow(request))
    }

    fn shutdown(&self) {
        assert!(self.place != Where::Shutdown, "the test handler panics in shutdown");
    }
}

impl Drop for PanickingHandler {
    fn drop(&mut self) {
        assert!(self.place != Where::Drop, "the test handler panics in drop");
    }
}

export_device_sso_handler!(PanickingHandler);
