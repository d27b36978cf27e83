//! A handler that calls a function that is nowhere, for the test that its library is refused before that happens.

use symbolon_sdk::{
    ConfigureError, DeviceSsoAuthorization, DeviceSsoHandler, DeviceSsoRequest, HandlerError, Properties,
    export_device_sso_handler,
};

unsafe extern "C" {
    fn symbolon_there_is_no_such_function();
}

/// Calls it.
#[derive(Debug)]
pub struct UnboundHandler {
    enable: bool,
}

impl DeviceSsoHandler for UnboundHandler {
    const NAME: &'static str = "UnboundHandler";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PREFIX: &'static str = "test.unbound.";
    const PROPERTIES: &'static [&'static str] = &["enable"];

    fn configure(properties: &Properties) -> Result<Self, ConfigureError> {
        Ok(Self { enable: properties.flag("enable", false) })
    }

    fn enabled(&self) -> bool {
        self.enable
    }

    fn authorize(&self, request: &DeviceSsoRequest<'_>) -> Result<DeviceSsoAuthorization, HandlerError> {
        // SAFETY: there is no such function, so this is never reached.
        unsafe { symbolon_there_is_no_such_function() };
        Ok(DeviceSsoAuthorization::allow(request))
    }
}

export_device_sso_handler!(UnboundHandler);
