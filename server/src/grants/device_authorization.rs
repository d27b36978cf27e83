//! Device authorization (RFC 8628): a device without a browser is given a code for its person, and polls until they have decided.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::engine::Engine;
use super::parameters::Parameters;
use super::pipeline::{Facts, TokenCall};
use super::request::{AuthorizationCode, DeviceCode};
use super::target;
use crate::clients::AuthenticatedClient;
use crate::issuance::TokenResponse;
use crate::protocol::{ErrorCode, OAuthError, names};
use crate::sessions::device::Device;
use crate::sessions::device_code::{DeviceRequest, Poll};
use crate::telemetry::{AuditEvent, codes};
use crate::tokens::Confirmation;

/// The answer to a device (RFC 8628 section 3.2).
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct DeviceAuthorization(Map<String, Value>);

impl Engine {
    /// Answers a device that wants to be signed in.
    ///
    /// # Errors
    /// The refusal, as at the token endpoint.
    pub async fn authorize_device(
        &self,
        call: &TokenCall<'_>,
        user_agent: &str,
        facts: &mut Facts,
    ) -> Result<DeviceAuthorization, OAuthError> {
        let client = self.authenticate(call, facts).await?;
        let client = client.client();
        if !client.allows_grant(names::DEVICE_CODE) {
            return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "The client is not registered for the device grant."));
        }
        let parameters: &Parameters = call.parameters;
        let settings = &self.settings().device_authorization;
        let request = DeviceRequest {
            client_id: client.id.clone(),
            scope: self.requested_scope(parameters, client)?,
            resources: target::check(parameters.all("resource"), self.settings())?,
            acr_values: super::authorize::request::acr_values(parameters, client),
            description: Device::described(user_agent),
            received: self.clock().now(),
        };
        let pair = self.device_codes().issue(request, settings.lifetime, settings.interval).await?;
        AuditEvent::granted(codes::DEVICE_AUTHORIZATION_STARTED).client_id(&client.id).address(call.address).emit();
        let page = self.settings().server.issuer.endpoint("/device");
        let answer = json!({
            "device_code": pair.device_code.expose(),
            "user_code": pair.user_code.expose(),
            "verification_uri": page,
            "verification_uri_complete": format!("{page}?user_code={}", pair.user_code.expose()),
            "expires_in": settings.lifetime.as_secs(),
            "interval": settings.interval.as_secs(),
        });
        Ok(DeviceAuthorization(answer.as_object().cloned().unwrap_or_default()))
    }

    /// Answers a device that asks whether its person has decided (RFC 8628 section 3.4).
    pub(super) async fn poll_device(
        &self,
        client: &AuthenticatedClient,
        request: DeviceCode,
        confirmation: &Confirmation,
        facts: &mut Facts,
    ) -> Result<TokenResponse, OAuthError> {
        match self.device_codes().poll(&request.device_code, &client.client().id).await? {
            Poll::Pending => Err(OAuthError::new(ErrorCode::AuthorizationPending, "The person has not decided yet.")),
            Poll::TooFast => {
                Err(OAuthError::new(ErrorCode::SlowDown, "The device asks too often: wait five seconds more each time."))
            }
            Poll::Denied => Err(OAuthError::new(ErrorCode::AccessDenied, "The person did not agree.")),
            // Whether it has expired or never was is not kept.
            Poll::Unknown => Err(OAuthError::new(ErrorCode::ExpiredToken, "The device_code has expired; begin anew.")),
            Poll::Approved => self.redeem_code(client, AuthorizationCode::of_device(request), confirmation, facts).await,
        }
    }
}
