//! What another site's form has posted, kept until the browser has come once more by itself. Owns the reference in the address; must not
//! know why the browser has to come again.

use std::time::Duration;

use super::pushed::PushedRequest;
use crate::foundation::{Digest, Secret};
use crate::grants::engine::Engine;
use crate::grants::parameters::Parameters;
use crate::protocol::OAuthError;

/// What every reference begins with. It is no `request_uri`: what came through a browser was never pushed by a client.
pub const PREFIX: &str = "po_";

/// For how long a reference waits for its browser, which is on its way.
const WAITS: Duration = Duration::from_mins(1);

impl Engine {
    /// Keeps what was posted to an endpoint; gives the reference for the address that the browser is sent to.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keep_posted(&self, endpoint: &str, parameters: Parameters) -> Result<Secret<String>, OAuthError> {
        let client_id = endpoint.to_owned();
        let received = self.clock().now();
        let request = PushedRequest { client_id, parameters, signed: false, received, browser: None, brought: None };
        Ok(self.pushed().keep(PREFIX, &request, WAITS).await?)
    }

    /// What was posted to that endpoint. The first browser that brings the reference has it for as long as a sign-in may take, because
    /// it may load the page again; for any other there is nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn posted(
        &self,
        endpoint: &str,
        reference: &str,
        binding: &Secret<String>,
    ) -> Result<Option<Parameters>, OAuthError> {
        let (reference, browser) = (Digest::of(reference), Digest::of(binding.expose()));
        let lifetime = self.settings().sign_in.transaction_lifetime;
        let kept = self.pushed().claim_if(&reference, |request| request.client_id == endpoint, browser, lifetime).await?;
        Ok(kept.map(|request| request.parameters))
    }
}
