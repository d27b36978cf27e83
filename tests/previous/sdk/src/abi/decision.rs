//! The decision as it crosses: an object of getters that the handler gives away. The server asks for what it knows; the rest is absent to it.

use std::time::Duration;

use abi_stable::std_types::{RBox, ROption, RStr, RString, RVec};
use abi_stable::{StableAbi, sabi_trait};
use serde_json::{Map, Value};

use crate::{ClaimsTransport, DeviceSsoAuthorization, Encoding, RefreshLifetime};

/// A decision that is given away.
pub type DecisionBox = DecisionObject_TO<'static, RBox<()>>;

/// Frozen. Times in seconds; encoding 0 default, 1 self-contained, 2 identifier.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy)]
pub struct AccessTokenRecord {
    /// None for the default.
    pub lifetime: ROption<u64>,
    /// How it is written.
    pub encoding: u8,
    /// Whether it is encrypted.
    pub encrypt: bool,
}

/// Frozen. Times in seconds; `lifetime_kind` 0 default, 1 never, 2 `lifetime`.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy)]
pub struct RefreshTokenRecord {
    /// Whether one is issued.
    pub issue: bool,
    /// Which lifetime.
    pub lifetime_kind: u8,
    /// When the kind is 2.
    pub lifetime: u64,
    /// None for no limit.
    pub max_idle: ROption<u64>,
    /// None for the default.
    pub rotate: ROption<bool>,
}

/// Frozen. Times in seconds.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy)]
pub struct IdTokenRecord {
    /// Whether one is issued.
    pub issue: bool,
    /// None for the default.
    pub lifetime: ROption<u64>,
}

/// The getters. JSON travels as text. New methods go to the end, with a default body.
#[sabi_trait]
pub trait DecisionObject: Send {
    /// The scope granted.
    fn scope(&self) -> RVec<RStr<'_>>;
    /// The access token.
    fn access_token(&self) -> AccessTokenRecord;
    /// Its audience.
    fn access_token_audience(&self) -> RVec<RStr<'_>>;
    /// Its data, a JSON object.
    fn access_token_data(&self) -> ROption<RString>;
    /// The refresh token.
    fn refresh_token(&self) -> RefreshTokenRecord;
    /// The ID token.
    fn id_token(&self) -> IdTokenRecord;
    /// Its further claims, a JSON object.
    fn id_token_claims(&self) -> ROption<RString>;
    /// The claims released.
    fn claim_names(&self) -> RVec<RStr<'_>>;
    /// 0 `UserInfo`, 1 ID token.
    fn claims_transport(&self) -> u8;
    /// Best first.
    fn claims_locales(&self) -> RVec<RStr<'_>>;
    /// Kept with the grant, a JSON object.
    #[sabi(last_prefix_field)]
    fn data(&self) -> ROption<RString>;
}

/// The handler's side of the object.
pub(super) struct Decision(pub(super) DeviceSsoAuthorization);

impl DecisionObject for Decision {
    fn scope(&self) -> RVec<RStr<'_>> {
        lend(&self.0.scope)
    }

    fn access_token(&self) -> AccessTokenRecord {
        let spec = &self.0.access_token;
        AccessTokenRecord {
            lifetime: spec.lifetime.map(whole_seconds).into(),
            encoding: match spec.encoding {
                Encoding::Default => 0,
                Encoding::SelfContained => 1,
                Encoding::Identifier => 2,
            },
            encrypt: spec.encrypt,
        }
    }

    fn access_token_audience(&self) -> RVec<RStr<'_>> {
        lend(&self.0.access_token.audience)
    }

    fn access_token_data(&self) -> ROption<RString> {
        self.0.access_token.data.as_ref().map(text).into()
    }

    fn refresh_token(&self) -> RefreshTokenRecord {
        let spec = &self.0.refresh_token;
        let (lifetime_kind, lifetime) = match spec.lifetime {
            RefreshLifetime::Default => (0, 0),
            RefreshLifetime::Never => (1, 0),
            RefreshLifetime::For(lifetime) => (2, whole_seconds(lifetime)),
        };
        RefreshTokenRecord {
            issue: spec.issue,
            lifetime_kind,
            lifetime,
            max_idle: spec.max_idle.map(whole_seconds).into(),
            rotate: spec.rotate.into(),
        }
    }

    fn id_token(&self) -> IdTokenRecord {
        IdTokenRecord { issue: self.0.id_token.issue, lifetime: self.0.id_token.lifetime.map(whole_seconds).into() }
    }

    fn id_token_claims(&self) -> ROption<RString> {
        let claims = &self.0.id_token.claims;
        (!claims.is_empty()).then(|| text(claims)).into()
    }

    fn claim_names(&self) -> RVec<RStr<'_>> {
        lend(&self.0.claims.names)
    }

    fn claims_transport(&self) -> u8 {
        match self.0.claims.transport {
            ClaimsTransport::UserInfo => 0,
            ClaimsTransport::IdToken => 1,
        }
    }

    fn claims_locales(&self) -> RVec<RStr<'_>> {
        lend(&self.0.claims.locales)
    }

    fn data(&self) -> ROption<RString> {
        self.0.data.as_ref().map(text).into()
    }
}

fn lend(list: &[String]) -> RVec<RStr<'_>> {
    list.iter().map(|value| RStr::from(value.as_str())).collect()
}

/// A map with text keys can always be written.
fn text(map: &Map<String, Value>) -> RString {
    serde_json::to_string(map).unwrap_or_default().into()
}

/// Rounded up, so that half a second does not become zero, which means something else.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}
