//! Token revocation (RFC 7009), for access tokens, refresh tokens and device secrets. Revoking a device secret ends the
//! device session: every app on the device is signed out.

use super::engine::Engine;
use super::pipeline::{Facts, TokenCall};
use crate::clients::Client;
use crate::foundation::{Digest, Secret};
use crate::protocol::OAuthError;
use crate::sessions::Presented;
use crate::telemetry::codes;
use crate::tokens::handle::{HandleKind, RefreshHandle, SessionHandle};

/// What ended with an app's grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignedOut {
    /// Nothing: the grant had ended before.
    Nothing,
    /// The grant.
    App,
    /// The grant, and the session that was there for it alone.
    Session,
}

impl Engine {
    /// Answers a revocation request. A token that is worth nothing already is no error (RFC 7009 section 2.2).
    ///
    /// # Errors
    /// `invalid_request` without a token, `invalid_client`, or when the store fails.
    pub async fn revoke(&self, call: &TokenCall<'_>, facts: &mut Facts) -> Result<(), OAuthError> {
        let client = self.authenticate(call, facts).await?;
        let client = client.client();
        let token = call.parameters.require("token", "The parameter token is missing.")?;
        if token.starts_with("ds_") {
            facts.grant = "device_secret";
            self.revoke_device_secret(client, token, facts).await?;
        } else if token.starts_with("rt_") {
            facts.grant = "refresh_token";
            self.revoke_refresh_token(client, token, facts).await?;
        } else {
            facts.grant = "access_token";
            self.revoke_own_access_token(client, token, facts).await?;
        }
        if facts.change.is_none() { self.settle_revoked(token).await } else { Ok(()) }
    }

    /// Nothing was there to revoke: sees that it stays so, for it may be this same request that was refused a moment ago.
    async fn settle_revoked(&self, token: &str) -> Result<(), OAuthError> {
        let session = if token.starts_with("ds_") {
            SessionHandle::parse(HandleKind::DeviceSecret, token).map(|handle| handle.session)
        } else if token.starts_with("rt_") {
            RefreshHandle::parse(token).map(|handle| handle.session)
        } else {
            return Ok(self.issuer().settle_access_token(token).await?);
        };
        match session {
            Some(session) => Ok(self.sessions().settle(session).await?),
            None => Ok(()),
        }
    }

    async fn revoke_own_access_token(&self, client: &Client, text: &str, facts: &mut Facts) -> Result<(), OAuthError> {
        if let Some(token) = self.verify_access_token(text).await?
            && token.claims().client_id == client.id
        {
            facts.subject = Some(token.session().map_or(&token.claims().sub, |session| &session.sub).clone());
            facts.sid = token.claims().sid;
            self.issuer().revoke_access_token(text, &token).await?;
            facts.change = Some(codes::TOKEN_REVOKED);
        }
        Ok(())
    }

    async fn revoke_refresh_token(&self, client: &Client, text: &str, facts: &mut Facts) -> Result<(), OAuthError> {
        let Some(handle) = RefreshHandle::parse(text) else { return Ok(()) };
        let Some(loaded) = self.sessions().find(handle.session).await? else { return Ok(()) };
        let tag = Digest::of(handle.tag);
        let grant = loaded.session.apps.get(&client.id).and_then(|app| {
            app.grants.iter().find(|grant| {
                // An old token of the grant revokes nothing here; presented for refresh it would.
                grant
                    .refresh
                    .as_ref()
                    .is_some_and(|refresh| refresh.tag == tag && refresh.classify(&handle.secret) != Presented::Replay)
            })
        });
        if grant.is_none() && loaded.session.grown {
            // Revoked before, perhaps by a request that was cut off.
            self.sessions().end_uncarried(loaded.id, &loaded.session.sub).await?;
        }
        if let Some(grant) = grant {
            facts.subject = Some(loaded.session.sub.clone());
            facts.sid = Some(loaded.id);
            let id = grant.id.clone();
            match self.sign_out_app(loaded.id, &client.id, &id).await? {
                SignedOut::Nothing => {}
                SignedOut::App => facts.change = Some(codes::REFRESH_REVOKED),
                SignedOut::Session => {
                    facts.change = Some(codes::REFRESH_REVOKED);
                    facts.note = Some(codes::SESSION_ENDED);
                }
            }
        }
        Ok(())
    }

    /// Ends one app's grant; says what ended. The device stays signed in for its other apps; a session that no app is left in ends, and
    /// with it the pair of ID token and device secret (Native SSO section 4.3, item 4).
    pub(super) async fn sign_out_app(
        &self,
        session: crate::tokens::session_id::SessionId,
        client_id: &str,
        grant: &crate::sessions::GrantId,
    ) -> Result<SignedOut, OAuthError> {
        use crate::sessions::{Change, SessionKind};
        let ended = self
            .sessions()
            .update(session, |session, _| {
                if !session.remove_grant(client_id, grant) {
                    return Change::Settle(SignedOut::Nothing);
                }
                if session.kind != SessionKind::Browser && session.apps.is_empty() {
                    Change::End(SignedOut::Session)
                } else {
                    Change::Write(SignedOut::App)
                }
            })
            .await?;
        Ok(ended.unwrap_or(SignedOut::Nothing))
    }

    async fn revoke_device_secret(&self, client: &Client, text: &str, facts: &mut Facts) -> Result<(), OAuthError> {
        let Some(device) = self.sessions().verify_device_secret(&Secret::new(text.to_owned())).await? else { return Ok(()) };
        // Whoever holds the secret may sign the device out, provided that it is an app of the device or of its family.
        if !self.belongs_to_device(client, device.session()).await? {
            return Ok(());
        }
        facts.subject = Some(device.session().sub.clone());
        facts.sid = Some(device.id());
        if self.sessions().end(device.id()).await?.is_some() {
            facts.change = Some(codes::SESSION_ENDED);
        }
        Ok(())
    }

    async fn belongs_to_device(&self, client: &Client, session: &crate::sessions::Session) -> Result<bool, OAuthError> {
        if session.apps.contains_key(&client.id) {
            return Ok(true);
        }
        for stored in session.device.iter().flat_map(|device| &device.secrets) {
            if let Some(holder) = self.clients().find(&stored.client_id).await?
                && (holder.id == client.id
                    || (holder.device_sso_family.is_some() && holder.device_sso_family == client.device_sso_family))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
