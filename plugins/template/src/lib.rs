//! A device-SSO handler: what the next app of a vendor receives when a person is already signed in on the device.
//!
//! This one gives short access tokens, and sends the app to the browser when it asks for something delicate. The manual is the
//! documentation of `symbolon-sdk`.
#![forbid(unsafe_code)]

use std::time::Duration;

use symbolon_sdk::{
    AccessTokenSpec, ConfigureError, DeviceSsoAuthorization, DeviceSsoHandler, DeviceSsoRequest, HandlerError, Properties,
    export_device_sso_handler,
};

/// Decides by two properties.
#[derive(Debug)]
pub struct TemplateHandler {
    enable: bool,
    /// `None`: the server's default.
    lifetime: Option<Duration>,
    delicate: Vec<String>,
}

impl DeviceSsoHandler for TemplateHandler {
    const NAME: &'static str = "TemplateHandler";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PREFIX: &'static str = "template.";
    const PROPERTIES: &'static [&'static str] = &["enable", "accessToken.lifetime", "delicateScope"];
    const ABOUT: &'static str = "Short access tokens; the browser for what is delicate.";

    fn configure(properties: &Properties) -> Result<Self, ConfigureError> {
        Ok(Self {
            enable: properties.flag("enable", false),
            lifetime: properties.seconds("accessToken.lifetime"),
            delicate: properties.list("delicateScope"),
        })
    }

    fn enabled(&self) -> bool {
        self.enable
    }

    fn authorize(&self, request: &DeviceSsoRequest<'_>) -> Result<DeviceSsoAuthorization, HandlerError> {
        let missing: Vec<&str> = request.effective_scope().iter().copied().filter(|value| self.is_delicate(value)).collect();
        if !missing.is_empty() {
            return Err(HandlerError::interaction_required("this needs the person, in the browser").missing_scope(missing));
        }
        let mut access_token = AccessTokenSpec::default();
        access_token.lifetime = self.lifetime;
        Ok(DeviceSsoAuthorization::allow(request).with_access_token(access_token))
    }
}

impl TemplateHandler {
    fn is_delicate(&self, value: &str) -> bool {
        self.delicate.iter().any(|own| own == value)
    }
}

export_device_sso_handler!(TemplateHandler);

#[cfg(test)]
mod tests {
    use symbolon_sdk::host::{ConfigureFailure, HandlerFault};
    use symbolon_sdk::testing::{TestRequest, configure};

    use super::*;

    #[test]
    fn tokens_are_as_short_as_configured() -> Result<(), Box<dyn std::error::Error>> {
        let handler = configure::<TemplateHandler>([("template.enable", "true"), ("template.accessToken.lifetime", "300")])?;
        assert!(handler.enabled());
        let allowed = TestRequest::new().requested_scope("openid profile").ask(&handler)?;
        assert_eq!(allowed.scope, ["openid", "profile"]);
        assert_eq!(allowed.access_token.lifetime, Some(Duration::from_mins(5)));
        Ok(())
    }

    #[test]
    fn what_is_delicate_needs_the_browser() -> Result<(), ConfigureFailure> {
        let handler = configure::<TemplateHandler>([("template.enable", "true"), ("template.delicateScope", "payments")])?;
        match TestRequest::new().requested_scope("openid payments").ask(&handler) {
            Err(HandlerFault::Refused(error)) => {
                assert_eq!(error.code(), "interaction_required");
                assert_eq!(error.members()["scope"], "payments");
            }
            other => panic!("{other:?}"),
        }
        Ok(())
    }
}
