//! What an allowing answer changes of that which the server itself would allow. A member that is missing changes nothing.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use symbolon_sdk::{ClaimsTransport, DeviceSsoAuthorization, DeviceSsoRequest, Encoding, Map, RefreshLifetime, Value};

use crate::answer::is_text;
use crate::strict::{given, word};

/// A hundred years, in seconds: who says more means for ever, and every later addition stays far from overflow.
const LONGEST: u64 = 100 * 366 * 86_400;

/// The members of an allowing answer.
#[derive(Debug)]
pub(crate) struct Changes {
    pub(crate) scope: Option<String>,
    pub(crate) access_token: Option<AccessToken>,
    pub(crate) refresh_token: Option<RefreshToken>,
    pub(crate) id_token: Option<IdToken>,
    pub(crate) claims: Option<Claims>,
    pub(crate) data: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessToken {
    #[serde(default, deserialize_with = "given")]
    lifetime: Option<NonZeroU64>,
    #[serde(default, deserialize_with = "encoding")]
    encoding: Encoding,
    #[serde(default, deserialize_with = "given")]
    encrypt: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    audience: Option<Vec<String>>,
    #[serde(default, deserialize_with = "given")]
    data: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshToken {
    #[serde(default, deserialize_with = "given")]
    issue: Option<bool>,
    #[serde(default, deserialize_with = "lifetime")]
    lifetime: RefreshLifetime,
    #[serde(default, deserialize_with = "given")]
    max_idle: Option<NonZeroU64>,
    #[serde(default, deserialize_with = "given")]
    rotate: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdToken {
    #[serde(default, deserialize_with = "given")]
    issue: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    lifetime: Option<NonZeroU64>,
    #[serde(default, deserialize_with = "given")]
    claims: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claims {
    #[serde(default, deserialize_with = "given")]
    names: Option<Vec<String>>,
    #[serde(default, deserialize_with = "transport")]
    transport: ClaimsTransport,
    #[serde(default, deserialize_with = "given")]
    locales: Option<Vec<String>>,
}

fn encoding<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Encoding, D::Error> {
    word(deserializer, &[("SELF_CONTAINED", Encoding::SelfContained), ("IDENTIFIER", Encoding::Identifier)])
}

fn transport<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClaimsTransport, D::Error> {
    word(deserializer, &[("USERINFO", ClaimsTransport::UserInfo), ("ID_TOKEN", ClaimsTransport::IdToken)])
}

/// `"never"`, `"default"` or seconds. By way of a [`Value`]: where the server is built with numbers of any precision, serde would show a number
/// of unknown kind as an object.
fn lifetime<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RefreshLifetime, D::Error> {
    let value = Value::deserialize(deserializer)?;
    match (value.as_str(), value.as_u64().and_then(NonZeroU64::new)) {
        (Some("never"), _) => Ok(RefreshLifetime::Never),
        (Some("default"), _) => Ok(RefreshLifetime::Default),
        (_, Some(written)) => Ok(RefreshLifetime::For(seconds(written))),
        _ => Err(D::Error::custom("a lifetime is never, default or a number of seconds")),
    }
}

fn seconds(written: NonZeroU64) -> Duration {
    Duration::from_secs(written.get().min(LONGEST))
}

impl Changes {
    pub(crate) const fn is_empty(&self) -> bool {
        self.scope.is_none()
            && self.access_token.is_none()
            && self.refresh_token.is_none()
            && self.id_token.is_none()
            && self.claims.is_none()
            && self.data.is_none()
    }

    /// Itself, when its scope is one (RFC 6749 section 3.3).
    pub(crate) fn checked(self) -> Result<Self, String> {
        match &self.scope {
            Some(scope) if !scope.bytes().all(is_text) => Err("its scope has characters that no scope has".to_owned()),
            _ => Ok(self),
        }
    }

    /// What the server itself would allow, with these changes.
    pub(crate) fn applied_to(self, request: &DeviceSsoRequest<'_>) -> DeviceSsoAuthorization {
        let mut allowed = match &self.scope {
            Some(scope) => DeviceSsoAuthorization::allow_scope(request, scope.split(' ').filter(|value| !value.is_empty())),
            None => DeviceSsoAuthorization::allow(request),
        };
        if let Some(written) = self.access_token {
            let token = &mut allowed.access_token;
            token.lifetime = written.lifetime.map(seconds);
            token.encoding = written.encoding;
            token.encrypt = written.encrypt.unwrap_or(token.encrypt);
            token.audience = written.audience.unwrap_or_default();
            token.data = written.data;
        }
        if let Some(written) = self.refresh_token {
            let token = &mut allowed.refresh_token;
            token.issue = written.issue.unwrap_or(token.issue);
            token.lifetime = written.lifetime;
            token.max_idle = written.max_idle.map(seconds);
            token.rotate = written.rotate;
        }
        if let Some(written) = self.id_token {
            let token = &mut allowed.id_token;
            token.issue = written.issue.unwrap_or(token.issue);
            token.lifetime = written.lifetime.map(seconds);
            token.claims = written.claims.unwrap_or_default();
        }
        if let Some(written) = self.claims {
            let claims = &mut allowed.claims;
            if let Some(names) = written.names {
                claims.names = names;
            }
            claims.transport = written.transport;
            claims.locales = written.locales.unwrap_or_default();
        }
        allowed.data = self.data;
        allowed
    }
}
