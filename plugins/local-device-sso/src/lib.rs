//! The default device-SSO handler: scope, claims and tokens of a device-SSO request by the properties `op.deviceSSOHandler.*`.
//!
//! It owns what the properties mean for one request. It knows no storage, no clock and no network, so its calls run inline.
#![forbid(unsafe_code)]

mod configuration;
mod metadata;
#[cfg(test)]
mod tests;

use symbolon_sdk::{
    AccessTokenSpec, ConfigureError, DeviceSsoAuthorization, DeviceSsoHandler, DeviceSsoRequest, HandlerError, IdTokenSpec,
    Properties, RefreshTokenSpec, export_device_sso_handler,
};

use crate::configuration::Configuration;

/// Decides by configuration alone.
#[derive(Debug)]
pub struct LocalDeviceSsoHandler {
    configuration: Configuration,
}

impl DeviceSsoHandler for LocalDeviceSsoHandler {
    const NAME: &'static str = "LocalDeviceSsoHandler";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PREFIX: &'static str = "op.deviceSSOHandler.";
    const PROPERTIES: &'static [&'static str] = configuration::NAMES;

    fn configure(properties: &Properties) -> Result<Self, ConfigureError> {
        Ok(Self { configuration: Configuration::read(properties) })
    }

    fn enabled(&self) -> bool {
        self.configuration.enable
    }

    fn authorize(&self, request: &DeviceSsoRequest<'_>) -> Result<DeviceSsoAuthorization, HandlerError> {
        let scope = self.scope(request)?;
        let configuration = &self.configuration;

        let mut access_token = AccessTokenSpec::default()
            .with_encoding(configuration.access_token_encoding)
            .with_encryption(configuration.access_token_encrypt)
            .with_audience(configuration.access_token_audience.iter().cloned());
        access_token.lifetime = configuration.access_token_lifetime;
        access_token.data = metadata::collect(&configuration.client_metadata_fields, |path| request.metadata_field(path));

        let mut refresh_token =
            if configuration.refresh_token_issue { RefreshTokenSpec::default() } else { RefreshTokenSpec::none() }
                .with_lifetime(configuration.refresh_token_lifetime);
        refresh_token.max_idle = configuration.refresh_token_max_idle;
        refresh_token.rotate = configuration.refresh_token_rotate;

        let allowed = DeviceSsoAuthorization::allow_scope(request, scope);
        let claims = allowed.claims.clone().with_transport(configuration.claims_transport);
        Ok(allowed
            .with_access_token(access_token)
            .with_refresh_token(refresh_token)
            .with_id_token(IdTokenSpec::default())
            .with_claims(claims))
    }
}

impl LocalDeviceSsoHandler {
    /// What was asked for, all or nothing; when nothing was asked for, what needs no interaction of the default.
    fn scope<'a>(&self, request: &DeviceSsoRequest<'a>) -> Result<Vec<&'a str>, HandlerError> {
        let interactive = |value: &&&str| self.configuration.scope_requiring_interaction.iter().any(|own| own == **value);
        let grantable = request.grantable_scope();
        let Some(requested) = request.requested_scope() else {
            let default = request.default_scope().iter();
            return Ok(default.filter(|value| !interactive(value) && grantable.contains(value)).copied().collect());
        };
        let missing: Vec<&str> = requested.iter().filter(interactive).copied().collect();
        if !missing.is_empty() {
            return Err(HandlerError::interaction_required(
                "The requested scope needs the person at the authorization endpoint.",
            )
            .missing_scope(&missing)
            .with_log_message(format!("scope that requires interaction: {}", missing.join(" "))));
        }
        let excess: Vec<&str> = requested.iter().filter(|value| !grantable.contains(value)).copied().collect();
        if !excess.is_empty() {
            return Err(HandlerError::invalid_scope(format!("The client may not have: {}.", excess.join(" "))));
        }
        Ok(requested.to_vec())
    }
}

export_device_sso_handler!(LocalDeviceSsoHandler);
