//! What a handler may see of one exchange: facts that the server has already verified, read-only. No credential is among them.

use std::cell::OnceCell;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use abi_stable::std_types::{RStr, RString, RVec};
use serde_json::{Map, Value};

use crate::abi::request::RequestRef;

/// Which key the issued tokens will be bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenBinding {
    /// None: bearer tokens.
    None,
    /// A key proved with `DPoP` (RFC 9449).
    Dpop,
    /// A client certificate (RFC 8705).
    MutualTls,
}

/// What applies where an authorization says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerDefaults {
    /// Lifetime of access tokens.
    pub access_token_lifetime: Duration,
    /// Lifetime of refresh tokens; `None` when they have no expiry of their own.
    pub refresh_token_lifetime: Option<Duration>,
    /// Whether each use of a refresh token replaces it.
    pub rotate_refresh_tokens: bool,
}

/// The session of one person on one device. Times are Unix seconds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeviceSession<'a> {
    /// Its identifier, the `sid` claim.
    pub sid: &'a str,
    /// When the person last authenticated.
    pub auth_time: u64,
    /// The authentication context class reached then.
    pub acr: Option<&'a str>,
    /// The authentication methods used then (RFC 8176).
    pub amr: Vec<&'a str>,
    /// When the session began.
    pub created: u64,
    /// When it was last used.
    pub last_used: u64,
    /// The clients the person is signed in to on the device.
    pub client_ids: Vec<&'a str>,
    /// The device in words, as the first app's sign-in described it.
    pub device: Option<&'a str>,
}

/// One exchange. Everything is verified; nothing can be changed.
pub struct DeviceSsoRequest<'a> {
    source: &'a RequestRef<'a>,
    requested_scope: OnceCell<Option<Vec<&'a str>>>,
    default_scope: OnceCell<Vec<&'a str>>,
    grantable_scope: OnceCell<Vec<&'a str>>,
    acr_values: OnceCell<Vec<&'a str>>,
    resources: OnceCell<Vec<&'a str>>,
    parameters: OnceCell<Vec<(&'a str, &'a str)>>,
}

impl<'a> DeviceSsoRequest<'a> {
    pub(crate) const fn new(source: &'a RequestRef<'a>) -> Self {
        Self {
            source,
            requested_scope: OnceCell::new(),
            default_scope: OnceCell::new(),
            grantable_scope: OnceCell::new(),
            acr_values: OnceCell::new(),
            resources: OnceCell::new(),
            parameters: OnceCell::new(),
        }
    }

    /// The person, as the requesting client will see it in `sub`.
    #[must_use]
    pub fn subject(&self) -> &'a str {
        self.source.subject().as_str()
    }

    /// The client that asks.
    #[must_use]
    pub fn client_id(&self) -> &'a str {
        self.source.client_id().as_str()
    }

    /// Whether that client authenticated; a public client did not.
    #[must_use]
    pub fn is_confidential(&self) -> bool {
        self.source.confidential()
    }

    /// The server's clock, in Unix seconds.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.source.now()
    }

    /// One claim of the verified ID token that was presented, e.g. `aud` for the app it comes from.
    #[must_use]
    pub fn id_token_claim(&self, name: &str) -> Option<Value> {
        parse(self.source.id_token_claim(name.into()).into_option())
    }

    /// One claim of that ID token, when it is text.
    #[must_use]
    pub fn id_token_text(&self, name: &str) -> Option<String> {
        match self.id_token_claim(name)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// One claim of that ID token, when it is a whole number, zero or more; times are Unix seconds.
    #[must_use]
    pub fn id_token_number(&self, name: &str) -> Option<u64> {
        self.id_token_claim(name)?.as_u64()
    }

    /// All claims of that ID token, as the text of a JSON object. It may be expired: the protocol allows that.
    #[must_use]
    pub fn id_token_claims_json(&self) -> String {
        self.source.id_token_claims().into_string()
    }

    /// The device session.
    #[must_use]
    pub fn device_session(&self) -> DeviceSession<'a> {
        DeviceSession {
            sid: self.source.sid().as_str(),
            auth_time: self.source.auth_time(),
            acr: self.source.acr().into_option().map(|text| text.as_str()),
            amr: strs(&self.source.amr()),
            created: self.source.session_created(),
            last_used: self.source.session_last_used(),
            client_ids: strs(&self.source.session_client_ids()),
            device: self.source.device_description().into_option().map(|text| text.as_str()),
        }
    }

    /// The requested scope; `None` when the parameter was absent.
    #[must_use]
    pub fn requested_scope(&self) -> Option<&[&'a str]> {
        self.requested_scope.get_or_init(|| self.source.requested_scope().into_option().map(|list| strs(&list))).as_deref()
    }

    /// What the server would take when no scope is requested.
    #[must_use]
    pub fn default_scope(&self) -> &[&'a str] {
        self.default_scope.get_or_init(|| strs(&self.source.default_scope()))
    }

    /// The requested scope, or the default scope when none was requested.
    #[must_use]
    pub fn effective_scope(&self) -> &[&'a str] {
        self.requested_scope().unwrap_or_else(|| self.default_scope())
    }

    /// What the client may have at most: registered for it, and below the ceiling set for the pair of clients.
    #[must_use]
    pub fn grantable_scope(&self) -> &[&'a str] {
        self.grantable_scope.get_or_init(|| strs(&self.source.grantable_scope()))
    }

    /// The `claims` parameter (`OpenID` Connect Core section 5.5), when there was one.
    #[must_use]
    pub fn requested_claims(&self) -> Option<Value> {
        parse(self.source.requested_claims().into_option())
    }

    /// The names in the `claims` parameter, whichever token they were meant for, each once.
    #[must_use]
    pub fn requested_claim_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let Some(Value::Object(claims)) = self.requested_claims() else { return names };
        for name in ["userinfo", "id_token"].iter().filter_map(|place| claims.get(*place)?.as_object()).flat_map(Map::keys) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// The requested authentication context classes, best first; empty when none were requested.
    #[must_use]
    pub fn acr_values(&self) -> &[&'a str] {
        self.acr_values.get_or_init(|| strs(&self.source.acr_values()))
    }

    /// The requested resources (RFC 8707); empty when none were requested.
    #[must_use]
    pub fn resources(&self) -> &[&'a str] {
        self.resources.get_or_init(|| strs(&self.source.resources()))
    }

    /// The token request's other parameters, names and values. Credentials are left out.
    #[must_use]
    pub fn parameters(&self) -> &[(&'a str, &'a str)] {
        self.parameters.get_or_init(|| self.source.parameters().iter().map(|pair| (pair.0.as_str(), pair.1.as_str())).collect())
    }

    /// One of these parameters.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters().iter().find(|(own, _)| *own == name).map(|(_, value)| *value)
    }

    /// One field of the client's metadata (RFC 7591 names). A dot reaches into an object: `contact.team`; a field whose own name has the dots
    /// comes first.
    #[must_use]
    pub fn metadata_field(&self, path: &str) -> Option<Value> {
        parse(self.source.client_metadata_field(path.into()).into_option())
    }

    /// All of the client's metadata, as the text of a JSON object. No client secret in it.
    #[must_use]
    pub fn client_metadata_json(&self) -> String {
        self.source.client_metadata().into_string()
    }

    /// Where the request came from, when the server knows.
    #[must_use]
    pub fn client_address(&self) -> Option<IpAddr> {
        self.source.client_address().into_option()?.as_str().parse().ok()
    }

    /// Which key the issued tokens will be bound to; `None` when this SDK is older than the kind.
    #[must_use]
    pub fn token_binding(&self) -> Option<TokenBinding> {
        match self.source.token_binding() {
            0 => Some(TokenBinding::None),
            1 => Some(TokenBinding::Dpop),
            2 => Some(TokenBinding::MutualTls),
            _ => None,
        }
    }

    /// The names of the claims that these scope values stand for.
    #[must_use]
    pub fn resolve_claim_names(&self, scope: &[&str]) -> Vec<String> {
        let scope: RVec<RStr<'_>> = scope.iter().map(|value| RStr::from(*value)).collect();
        self.source.resolve_claim_names(scope.as_rslice()).into_iter().map(RString::into_string).collect()
    }

    /// What applies where the authorization says nothing.
    #[must_use]
    pub fn server_defaults(&self) -> ServerDefaults {
        ServerDefaults {
            access_token_lifetime: Duration::from_secs(self.source.default_access_token_lifetime()),
            refresh_token_lifetime: self.source.default_refresh_token_lifetime().into_option().map(Duration::from_secs),
            rotate_refresh_tokens: self.source.default_rotation(),
        }
    }
}

impl fmt::Debug for DeviceSsoRequest<'_> {
    /// Which client and session; no personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceSsoRequest")
            .field("client_id", &self.client_id())
            .field("sid", &self.source.sid().as_str())
            .field("requested_scope", &self.requested_scope())
            .finish_non_exhaustive()
    }
}

fn strs<'a>(list: &RVec<RStr<'a>>) -> Vec<&'a str> {
    list.iter().map(RStr::as_str).collect()
}

fn parse(text: Option<RString>) -> Option<Value> {
    serde_json::from_str(text?.as_str()).ok()
}
