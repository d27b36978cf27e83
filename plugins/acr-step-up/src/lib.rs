//! A device-SSO handler that knows which scope and which claim needs which authentication context class (`acr`), and how recent a
//! sign-in. By the properties `op.acrStepUpHandler.*`.
//!
//! It owns what the operator's levels and rules mean for one request. Too low or too old is `interaction_required`, with the parameters
//! of the authorization request that would help as members. It knows no storage, no clock and no network, so its calls run inline.
#![forbid(unsafe_code)]

mod configuration;
mod rules;
mod sign_in;
mod step_up;
#[cfg(test)]
mod tests;

use symbolon_sdk::{
    AccessTokenSpec, ConfigureError, DeviceSsoAuthorization, DeviceSsoHandler, DeviceSsoRequest, HandlerError, Properties,
    RefreshTokenSpec, export_device_sso_handler, log,
};

use crate::configuration::Configuration;

/// Decides by the levels of authentication that scope and claims need.
#[derive(Debug)]
pub struct AcrStepUpHandler {
    configuration: Configuration,
}

impl DeviceSsoHandler for AcrStepUpHandler {
    const NAME: &'static str = "AcrStepUpHandler";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PREFIX: &'static str = "op.acrStepUpHandler.";
    const PROPERTIES: &'static [&'static str] = configuration::NAMES;
    const ABOUT: &'static str = "Says which scope and claim needs which acr and how recent a sign-in, and sends the app to the front channel for what is missing.";

    fn configure(properties: &Properties) -> Result<Self, ConfigureError> {
        let configuration = Configuration::read(properties);
        if configuration.enable && configuration.rules.are_none() {
            log::warn("enabled without a rule: every app gets the scope that it may have at most, however the person signed in");
        }
        Ok(Self { configuration })
    }

    fn enabled(&self) -> bool {
        self.configuration.enable
    }

    fn authorize(&self, request: &DeviceSsoRequest<'_>) -> Result<DeviceSsoAuthorization, HandlerError> {
        let configuration = &self.configuration;
        let scope = step_up::judge(&configuration.rules, request)?;

        let mut access_token = AccessTokenSpec::default().with_audience(configuration.access_token_audience.iter().cloned());
        access_token.lifetime = configuration.access_token_lifetime;

        let mut refresh_token =
            if configuration.refresh_token_issue { RefreshTokenSpec::default() } else { RefreshTokenSpec::none() }
                .with_lifetime(configuration.refresh_token_lifetime);
        refresh_token.rotate = configuration.refresh_token_rotate;

        let allowed = DeviceSsoAuthorization::allow_scope(request, scope);
        let claims = allowed.claims.clone().with_transport(configuration.claims_transport);
        Ok(allowed.with_access_token(access_token).with_refresh_token(refresh_token).with_claims(claims))
    }
}

export_device_sso_handler!(AcrStepUpHandler);
