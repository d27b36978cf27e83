//! Access tokens: their claims, and the check of one that is presented to us.
//!
//! A JWT (RFC 9068) carries everything. An opaque token, and a JWT encrypted to somebody else, cannot be read back from
//! themselves, so what they stand for is kept in a record named by their digest.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::mint::Issuer;
use crate::foundation::{Digest, Timestamp, encoding};
use crate::sessions::{Grant, GrantId, Session};
use crate::storage::{Key, Kind, StorageError};
use crate::tokens::Confirmation;
use crate::tokens::session_id::SessionId;

/// `typ` of a JWT access token (RFC 9068 section 2.1).
pub const TYP: &str = "at+jwt";
/// Prefix of an opaque access token.
const OPAQUE_PREFIX: &str = "at_";
/// Longer texts are not ours.
const MAX_LENGTH: usize = 16 * 1024;

/// The claims of an access token (RFC 9068 section 2.2), in a JWT or in the record of an opaque one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The issuer.
    pub iss: String,
    /// The person, or the client where it acts for itself.
    pub sub: String,
    /// Whom it is for.
    pub aud: Audience,
    /// When it expires.
    pub exp: Timestamp,
    /// When it was issued.
    pub iat: Timestamp,
    /// `grant.random`: names the token, and the grant it belongs to.
    pub jti: String,
    /// The client it was issued to.
    pub client_id: String,
    /// What it permits.
    pub scope: String,
    /// The session it lives in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<SessionId>,
    /// When the person authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<Timestamp>,
    /// How well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// By what means.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// The keys whose holder alone may use it (RFC 7800).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// What the handler added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Map<String, Value>>,
    /// Claims of the person that the scope puts here, such as `roles` and `groups` (RFC 9068 section 2.2.3).
    #[serde(flatten)]
    pub person: Map<String, Value>,
}

/// One audience or several (RFC 7519 section 4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// Written as a string.
    One(String),
    /// Written as an array.
    Many(Vec<String>),
}

impl From<Vec<String>> for Audience {
    fn from(mut values: Vec<String>) -> Self {
        if values.len() == 1 { Self::One(values.remove(0)) } else { Self::Many(values) }
    }
}

impl Audience {
    /// The first of them.
    #[must_use]
    pub fn first(&self) -> Option<&str> {
        match self {
            Self::One(own) => Some(own),
            Self::Many(own) => own.first().map(String::as_str),
        }
    }

    /// Whether the audience is among them.
    #[must_use]
    pub fn contains(&self, value: &str) -> bool {
        match self {
            Self::One(own) => own == value,
            Self::Many(own) => own.iter().any(|own| own == value),
        }
    }
}

/// Proof that an access token is ours, unexpired, unrevoked, and that its session and grant live.
#[derive(Debug)]
pub struct VerifiedAccessToken {
    claims: AccessClaims,
    session: Option<Box<Session>>,
    stored: bool,
}

impl VerifiedAccessToken {
    /// Its claims.
    #[must_use]
    pub const fn claims(&self) -> &AccessClaims {
        &self.claims
    }

    /// The session it lives in; none for a client acting for itself.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        self.session.as_deref()
    }

    /// The grant it belongs to.
    #[must_use]
    pub fn grant(&self) -> Option<&Grant> {
        let id = self.claims.grant_id()?;
        self.session.as_ref()?.grant(&self.claims.client_id, &id)
    }
}

impl AccessClaims {
    /// The keys whose holder alone may use it.
    #[must_use]
    pub fn confirmation(&self) -> &Confirmation {
        const NONE: &Confirmation = &Confirmation::NONE;
        self.cnf.as_ref().unwrap_or(NONE)
    }

    /// The grant that the token was issued under; none for a client acting for itself.
    #[must_use]
    pub fn grant_id(&self) -> Option<GrantId> {
        self.sid?;
        self.jti.split_once('.').map(|(grant, _)| GrantId(grant.to_owned()))
    }
}

/// A new opaque access token: 256 random bits.
pub(super) fn opaque_text() -> String {
    format!("{OPAQUE_PREFIX}{}", encoding::encode(crate::foundation::random::secret().expose()))
}

/// Whether the stored record of an access token can be read.
///
/// # Errors
/// Why not.
pub fn check(bytes: &[u8]) -> Result<(), StorageError> {
    decode(bytes).map(drop)
}

/// The record of an access token. In the newest format when it is bound: a server of the release before would let everybody use it.
pub(super) fn encode(claims: &AccessClaims) -> Result<Vec<u8>, StorageError> {
    if claims.cnf.is_some() { Kind::AccessToken.write_json_with_more(claims) } else { Kind::AccessToken.write_json(claims) }
}

fn decode(bytes: &[u8]) -> Result<AccessClaims, StorageError> {
    Kind::AccessToken.read_json(bytes)
}

/// The record in which an access token's claims are kept when the token does not carry them readably.
pub(super) fn record_key(text: &str) -> Key {
    Key::new(Kind::AccessToken, Digest::of(text).as_bytes())
}

/// Whether the claims of an access token are in the store. Three parts are a JWS; an opaque token has one and a JWE five.
fn is_stored(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() != 2
}

/// Where it stands that an access token was revoked which carries its claims itself.
fn revoked_key(claims: &AccessClaims) -> Key {
    Key::new(Kind::RevokedAccessToken, &claims.jti)
}

impl Issuer {
    /// Checks a presented access token; `None` = it is worth nothing, for whatever reason.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn verify_access_token(&self, text: &str) -> Result<Option<VerifiedAccessToken>, StorageError> {
        if text.is_empty() || text.len() > MAX_LENGTH {
            return Ok(None);
        }
        let stored = is_stored(text);
        let claims = if stored { self.read_access_record(text).await? } else { self.read_access_jwt(text).await? };
        let Some(claims) = claims else { return Ok(None) };
        if claims.iss != self.settings().server.issuer.text || claims.exp <= self.clock().now() {
            return Ok(None);
        }
        if !stored && self.store().get(&revoked_key(&claims)).await?.is_some() {
            return Ok(None);
        }
        let session = match claims.sid {
            None => None,
            Some(sid) => match self.sessions().find(sid).await? {
                None => return Ok(None),
                Some(loaded) => Some(loaded.session),
            },
        };
        let verified = VerifiedAccessToken { claims, session, stored };
        // A grant that was revoked takes its access tokens along (RFC 7009 section 2.1).
        let lives = verified.session.is_none() || verified.grant().is_some();
        Ok(lives.then_some(verified))
    }

    async fn read_access_jwt(&self, text: &str) -> Result<Option<AccessClaims>, StorageError> {
        let verified = self.keys().recognise::<AccessClaims>(text).await?.ok();
        Ok(verified.filter(|verified| verified.typ.as_deref() == Some(TYP)).map(|verified| verified.claims))
    }

    async fn read_access_record(&self, text: &str) -> Result<Option<AccessClaims>, StorageError> {
        let Some(stored) = self.store().get(&record_key(text)).await? else { return Ok(None) };
        decode(&stored.value).map(Some)
    }

    /// Revokes one access token before its time (RFC 7009).
    ///
    /// # Errors
    /// When the store fails.
    pub async fn revoke_access_token(&self, text: &str, token: &VerifiedAccessToken) -> Result<(), StorageError> {
        if token.stored {
            self.store().delete(record_key(text)).await?;
        } else {
            self.store().insert(revoked_key(&token.claims), Vec::new(), Some(token.claims.exp)).await?;
        }
        Ok(())
    }

    /// Waits until whatever has ended an access token holds for good.
    ///
    /// # Errors
    /// When the store fails, or may still lose it.
    pub async fn settle_access_token(&self, text: &str) -> Result<(), StorageError> {
        if text.is_empty() || text.len() > MAX_LENGTH {
            return Ok(());
        }
        let claims = if is_stored(text) {
            self.store().settle(&record_key(text)).await?;
            self.read_access_record(text).await?
        } else {
            let claims = self.read_access_jwt(text).await?;
            if let Some(claims) = &claims {
                self.store().settle(&revoked_key(claims)).await?;
            }
            claims
        };
        match claims.and_then(|claims| claims.sid) {
            Some(sid) => self.sessions().settle(sid).await,
            None => Ok(()),
        }
    }
}
