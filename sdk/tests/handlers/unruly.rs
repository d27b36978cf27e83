//! A handler library that panics, in a call or in a thread of its own, and writes to the log.
#![forbid(unsafe_code)]

use std::thread;

use symbolon_sdk::{
    ConfigureError, DeviceSsoAuthorization, DeviceSsoHandler, DeviceSsoRequest, HandlerError, Properties,
    export_device_sso_handler, log,
};

/// Does what it is asked to by the scope.
struct Unruly;

impl DeviceSsoHandler for Unruly {
    const NAME: &'static str = "Unruly";
    const VERSION: &'static str = "1.0.0";
    const PREFIX: &'static str = "test.unruly.";
    const PROPERTIES: &'static [&'static str] = &[];

    fn configure(_: &Properties) -> Result<Self, ConfigureError> {
        log::info("configured");
        Ok(Self)
    }

    fn enabled(&self) -> bool {
        true
    }

    fn authorize(&self, request: &DeviceSsoRequest<'_>) -> Result<DeviceSsoAuthorization, HandlerError> {
        assert!(!request.effective_scope().contains(&"panic"), "in a call");
        if request.effective_scope().contains(&"thread") {
            let _ = thread::spawn(|| panic!("in a thread")).join();
        }
        Ok(DeviceSsoAuthorization::allow(request))
    }
}

export_device_sso_handler!(Unruly);
