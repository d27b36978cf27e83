//! The page on which a person lets a device in (RFC 8628 section 3.3). From the code that they typed on it is an authorization request
//! like every other, only that its answer waits for the device and does not travel through this browser.

use std::net::IpAddr;

use super::answer::{Answer, ReturnTo};
use super::browser::Browser;
use super::flow::{Outcome, is_final};
use super::request::{AuthorizationRequest, Prompt};
use super::sign_in::NOWHERE;
use crate::accounts::RetryAfter;
use crate::foundation::{Digest, Secret};
use crate::grants::engine::Engine;
use crate::protocol::{ErrorCode, OAuthError};
use crate::sessions::CodeGrant;
use crate::telemetry::{AuditEvent, codes};

/// What came of a user code.
#[derive(Debug)]
pub enum Typed {
    /// Nobody waits under it.
    Unknown,
    /// Too many were wrong: when to try again.
    Throttled(RetryAfter),
    /// Go on: sign in, and agree.
    Waits(Box<Outcome>),
}

impl Engine {
    /// Begins the sign-in for the device whose code a person typed.
    ///
    /// # Errors
    /// When the store fails, or the client was removed.
    pub async fn let_device_in(
        &self,
        user_code: &Secret<String>,
        browser: &Browser,
        address: Option<IpAddr>,
    ) -> Result<Typed, OAuthError> {
        // A user code is short: guessing is counted by address (RFC 8628 section 5.1).
        let address = address.unwrap_or(NOWHERE);
        let attempt = match self.throttle().begin(&format!("\0user codes\0{address}"), address, self.clock().now_millis()) {
            Ok(attempt) => attempt,
            Err(retry) => return Ok(Typed::Throttled(retry)),
        };
        let Some((device, waiting)) = self.device_codes().waiting(user_code).await? else { return Ok(Typed::Unknown) };
        attempt.succeeded();
        let request = AuthorizationRequest {
            client_id: waiting.client_id,
            redirect_uri: self.settings().server.issuer.endpoint("/device"),
            scope: waiting.scope,
            resources: waiting.resources,
            acr_values: waiting.acr_values,
            // Whoever typed a code that somebody sent them must see what it is about (RFC 8628 section 5.4).
            prompt: Prompt { consent: true, ..Prompt::default() },
            received: Some(waiting.received),
            device: Some(device),
            device_description: waiting.description,
            ..AuthorizationRequest::default()
        };
        let proceeded = self.proceed(request, browser).await;
        if proceeded.as_ref().is_err_and(is_final) {
            self.device_codes().decide(&device, false).await?;
        }
        proceeded.map(|outcome| Typed::Waits(Box::new(outcome)))
    }

    /// Puts what was granted where the device finds it; the browser is told that it may be closed.
    pub(super) async fn let_in(&self, device: &Digest, grant: CodeGrant, to: ReturnTo) -> Result<Answer, OAuthError> {
        let issuer = &self.settings().server.issuer.text;
        let (client_id, sub) = (grant.client_id.clone(), grant.sub.clone());
        // The grant first: a device that is told that it was let in must find it.
        let lifetime = self.settings().device_authorization.lifetime;
        let put = self.codes().issue_under(device, grant, lifetime).await?;
        if !put || !self.device_codes().decide(device, true).await? {
            return Ok(to.answer([("error", ErrorCode::ExpiredToken.as_str().to_owned())], issuer));
        }
        AuditEvent::granted(codes::DEVICE_LET_IN).client_id(&client_id).subject(&sub).emit();
        Ok(to.answer([("result", "signed_in".to_owned())], issuer))
    }

    /// Tells the device of a request, if there is one, that it was not let in.
    pub(super) async fn turn_away(&self, request: &AuthorizationRequest) -> Result<(), OAuthError> {
        if let Some(device) = &request.device {
            self.device_codes().decide(device, false).await?;
        }
        Ok(())
    }
}
