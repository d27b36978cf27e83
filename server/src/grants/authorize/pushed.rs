//! Pushed authorization requests (RFC 9126): what a client said at `/par`, kept until the browser brings its reference. Owns the record
//! and its single use; must not know what the parameters mean.
//!
//! A reference is good for one answer. The first browser that brings it has it to itself; as that browser may load the page again (RFC
//! 9126 section 4 allows it), the reference is used up by the answer, not by the page.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::arrival::{PARAMETERS as TRANSFER_TOKENS, brought_by};
use super::request::Refusal;
use crate::clients::Client;
use crate::foundation::{Clock, Digest, Secret, Timestamp, encoding, random};
use crate::grants::engine::Engine;
use crate::grants::parameters::Parameters;
use crate::grants::pipeline::{Facts, TokenCall};
use crate::protocol::{ErrorCode, OAuthError};
use crate::storage::{Key, Kind, SharedStore, StorageError};

/// What every reference begins with (RFC 9126 section 2.2).
pub(super) const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// Parameters of `/par` that are for the client's authentication, and no part of the request.
const CREDENTIALS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// The answer of `/par`.
#[derive(Debug)]
pub struct Pushed {
    /// The reference. Whoever brings it first has the request.
    pub request_uri: Secret<String>,
    /// For how long it may be brought, in seconds.
    pub expires_in: u64,
}

/// A pushed request as stored, by the digest of its reference.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PushedRequest {
    /// The client that pushed it.
    pub(super) client_id: String,
    /// What it asks for.
    pub(super) parameters: Parameters,
    /// Whether it came in a signed request object.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) signed: bool,
    /// When it came.
    pub(super) received: Timestamp,
    /// Digest of the binding cookie of the browser that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) browser: Option<Digest>,
    /// Digest of the session transfer token that came with it. The token itself is kept nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) brought: Option<Digest>,
}

/// The pushed requests of the store.
#[derive(Debug, Clone)]
pub struct PushedRequests {
    store: SharedStore,
    clock: Clock,
}

impl PushedRequests {
    /// The requests kept in `store`.
    #[must_use]
    pub const fn new(store: SharedStore, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Keeps a request; gives its reference: what it begins with, and 256 random bits.
    pub(super) async fn keep(
        &self,
        prefix: &str,
        request: &PushedRequest,
        lifetime: Duration,
    ) -> Result<Secret<String>, StorageError> {
        let reference = Secret::new(format!("{prefix}{}", encoding::encode(random::secret().expose())));
        let key = key(&Digest::of(reference.expose()));
        self.store.insert(key, encode(request)?, Some(self.clock.now().plus(lifetime))).await?;
        Ok(reference)
    }

    /// The request of that reference, for one browser: the first that brings it. From then on it is kept for `lifetime`, because the
    /// person may take their time.
    pub(super) async fn claim(
        &self,
        reference: &Digest,
        client: &Client,
        browser: Digest,
        lifetime: Duration,
    ) -> Result<Option<PushedRequest>, StorageError> {
        // One that was pushed by an earlier client of the same id is not this one's.
        let own = |request: &PushedRequest| request.client_id == client.id && client.stood_at(request.received);
        self.claim_if(reference, own, browser, lifetime).await
    }

    /// The same for a request of which something else is to hold.
    pub(super) async fn claim_if(
        &self,
        reference: &Digest,
        holds: impl Fn(&PushedRequest) -> bool,
        browser: Digest,
        lifetime: Duration,
    ) -> Result<Option<PushedRequest>, StorageError> {
        loop {
            let Some(stored) = self.store.get(&key(reference)).await? else { return Ok(None) };
            let mut request = decode(&stored.value)?;
            if !holds(&request) {
                return Ok(None);
            }
            match request.browser {
                Some(own) => return Ok((own == browser).then_some(request)),
                None => request.browser = Some(browser),
            }
            let expires = stored.expires.max(Some(self.clock.now().plus(lifetime)));
            if self.store.compare_and_swap(key(reference), stored.version, encode(&request)?, expires).await? {
                return Ok(Some(request));
            }
        }
    }

    /// Uses a reference up: one caller of many is told true.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn finish(&self, reference: &Digest) -> Result<bool, StorageError> {
        Ok(self.store.take(key(reference), None).await?.is_some())
    }
}

impl Engine {
    /// Answers a pushed authorization request (RFC 9126 section 2): the client proves who it is, and its request is validated as it would be
    /// at the authorization endpoint.
    ///
    /// # Errors
    /// The refusal, with the cause for the log in it.
    pub async fn push(&self, call: &TokenCall<'_>, facts: &mut Facts) -> Result<Pushed, OAuthError> {
        let client = self.authenticate(call, facts).await?;
        let client = client.client();
        if call.parameters.get("request_uri").is_some() {
            return Err(OAuthError::invalid_request("A pushed request must not have request_uri."));
        }
        let given = call.parameters.without(&CREDENTIALS).with("client_id", &client.id);
        let (parameters, provenance) = self.resolve_pushed(&given, client).await?;
        // RFC 9449 section 10.1: a proof binds the code to its key, as dpop_jkt does.
        let parameters = match (self.shown_key(call, facts).await?, parameters.get("dpop_jkt")) {
            (Some(key), Some(named)) if key != named => {
                return Err(OAuthError::new(
                    ErrorCode::InvalidDpopProof,
                    "The DPoP proof is by another key than dpop_jkt names.",
                ));
            }
            (Some(key), None) => parameters.with("dpop_jkt", &key),
            _ => parameters.into_owned(),
        };
        let brought = brought_by(call.parameters).or_else(|| brought_by(&parameters)).map(|brought| brought.token);
        let parameters = parameters.without(&TRANSFER_TOKENS);
        self.parse_authorization_request(&parameters).await.map_err(Refusal::into_error)?;
        let lifetime = self.settings().authorization.pushed_lifetime;
        let request = PushedRequest {
            client_id: client.id.clone(),
            parameters,
            signed: provenance.signed,
            received: self.clock().now(),
            browser: None,
            brought,
        };
        Ok(Pushed { request_uri: self.pushed().keep(PREFIX, &request, lifetime).await?, expires_in: lifetime.as_secs() })
    }

    /// Uses up the reference of a request that is being answered, so that none is answered twice.
    pub(super) async fn finish_pushed(&self, reference: Option<&Digest>) -> Result<(), OAuthError> {
        match reference {
            Some(reference) if !self.pushed().finish(reference).await? => Err(gone()),
            _ => Ok(()),
        }
    }
}

/// What a reference is refused with, whatever is wrong with it: a stranger shall not learn whose it is.
pub(super) fn gone() -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequestUri, "The request_uri is unknown, has expired, was used before, or is not yours.")
}

fn key(reference: &Digest) -> Key {
    Key::new(Kind::PushedRequest, reference.as_bytes())
}

/// Whether a stored request can be read.
///
/// # Errors
/// Why not.
pub fn check(bytes: &[u8]) -> Result<(), StorageError> {
    decode(bytes).map(drop)
}

fn decode(bytes: &[u8]) -> Result<PushedRequest, StorageError> {
    Kind::PushedRequest.read_json(bytes)
}

fn encode(request: &PushedRequest) -> Result<Vec<u8>, StorageError> {
    Kind::PushedRequest.write_json(request)
}
