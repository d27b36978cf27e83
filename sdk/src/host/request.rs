//! A request as the server fills it, by borrowing, and its loan to a handler.

use std::cell::{OnceCell, RefCell};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use abi_stable::std_types::{ROption, RSlice, RStr, RString, RVec, Tuple2};
use serde_json::{Map, Value};

use crate::abi::request::RequestObject;
use crate::{Purpose, TokenBinding};

static NOTHING: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

/// One exchange, all borrowed. Times are Unix seconds, lifetimes seconds. Fill it with `..HostRequest::default()`.
#[derive(Clone, Copy)]
pub struct HostRequest<'a> {
    /// `sub`, as the client will see it.
    pub subject: &'a str,
    /// The requesting client.
    pub client_id: &'a str,
    /// Whether it authenticated.
    pub confidential: bool,
    /// The clock.
    pub now: u64,
    /// The claims of the verified ID token: the text of a JSON object.
    pub id_token_claims: &'a str,
    /// The client that the ID token was issued to.
    pub source_client_id: Option<&'a str>,
    /// What becomes of the decision.
    pub purpose: Purpose,
    /// The device session's identifier.
    pub sid: &'a str,
    /// When the person last authenticated.
    pub auth_time: u64,
    /// The class reached then.
    pub acr: Option<&'a str>,
    /// The methods used then.
    pub amr: &'a [&'a str],
    /// When the device session began.
    pub session_created: u64,
    /// When it was last used.
    pub session_last_used: u64,
    /// The clients signed in to.
    pub session_client_ids: &'a [&'a str],
    /// The device in words.
    pub device: Option<&'a str>,
    /// `None` when the parameter was absent.
    pub requested_scope: Option<&'a [&'a str]>,
    /// What the server would take then.
    pub default_scope: &'a [&'a str],
    /// Registered for the client and below the pair's ceiling.
    pub grantable_scope: &'a [&'a str],
    /// The `claims` parameter.
    pub requested_claims: Option<&'a Value>,
    /// Best first.
    pub acr_values: &'a [&'a str],
    /// RFC 8707.
    pub resources: &'a [&'a str],
    /// The other parameters of the token request, without credentials.
    pub parameters: &'a [(&'a str, &'a str)],
    /// The client's metadata, without its secret.
    pub client_metadata: &'a Map<String, Value>,
    /// Where the request came from.
    pub client_address: Option<IpAddr>,
    /// Which key the tokens will be bound to.
    pub token_binding: TokenBinding,
    /// What scope values stand for.
    pub resolve_claim_names: &'a dyn Fn(&[&str]) -> Vec<String>,
    /// Seconds.
    pub default_access_token_lifetime: u64,
    /// Seconds; `None` for no expiry.
    pub default_refresh_token_lifetime: Option<u64>,
    /// Whether refresh tokens rotate by default.
    pub default_rotation: bool,
}

impl Default for HostRequest<'_> {
    fn default() -> Self {
        Self {
            subject: "",
            client_id: "",
            confidential: false,
            now: 0,
            id_token_claims: "{}",
            source_client_id: None,
            purpose: Purpose::Exchange,
            sid: "",
            auth_time: 0,
            acr: None,
            amr: &[],
            session_created: 0,
            session_last_used: 0,
            session_client_ids: &[],
            device: None,
            requested_scope: None,
            default_scope: &[],
            grantable_scope: &[],
            requested_claims: None,
            acr_values: &[],
            resources: &[],
            parameters: &[],
            client_metadata: &NOTHING,
            client_address: None,
            token_binding: TokenBinding::None,
            resolve_claim_names: &|_| Vec::new(),
            default_access_token_lifetime: 600,
            default_refresh_token_lifetime: None,
            default_rotation: true,
        }
    }
}

impl std::fmt::Debug for HostRequest<'_> {
    /// Which client and session; no personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostRequest").field("client_id", &self.client_id).field("sid", &self.sid).finish_non_exhaustive()
    }
}

/// A request while it is lent to a handler. The getters run inside the handler's call, so none of them may panic.
pub(crate) struct Lent<'a> {
    request: &'a HostRequest<'a>,
    address: Option<String>,
    /// Read from the text when the first claim is asked for; most handlers ask for none.
    claims: OnceCell<Map<String, Value>>,
    /// The first thing that went wrong on our side; the call's result is then not used.
    fault: RefCell<Option<&'static str>>,
}

impl<'a> Lent<'a> {
    pub(crate) fn new(request: &'a HostRequest<'a>) -> Self {
        let address = request.client_address.map(|address| address.to_string());
        Self { request, address, claims: OnceCell::new(), fault: RefCell::new(None) }
    }

    pub(super) fn into_fault(self) -> Option<&'static str> {
        self.fault.into_inner()
    }
}

impl RequestObject for Lent<'_> {
    fn subject(&self) -> RStr<'_> {
        self.request.subject.into()
    }

    fn client_id(&self) -> RStr<'_> {
        self.request.client_id.into()
    }

    fn confidential(&self) -> bool {
        self.request.confidential
    }

    fn now(&self) -> u64 {
        self.request.now
    }

    fn id_token_claims(&self) -> RString {
        self.request.id_token_claims.into()
    }

    fn id_token_claim(&self, name: RStr<'_>) -> ROption<RString> {
        let claims = self.claims.get_or_init(|| serde_json::from_str(self.request.id_token_claims).unwrap_or_default());
        claims.get(name.as_str()).map(json).into()
    }

    fn sid(&self) -> RStr<'_> {
        self.request.sid.into()
    }

    fn auth_time(&self) -> u64 {
        self.request.auth_time
    }

    fn acr(&self) -> ROption<RStr<'_>> {
        self.request.acr.map(RStr::from).into()
    }

    fn amr(&self) -> RVec<RStr<'_>> {
        lend(self.request.amr)
    }

    fn session_created(&self) -> u64 {
        self.request.session_created
    }

    fn session_last_used(&self) -> u64 {
        self.request.session_last_used
    }

    fn session_client_ids(&self) -> RVec<RStr<'_>> {
        lend(self.request.session_client_ids)
    }

    fn device_description(&self) -> ROption<RStr<'_>> {
        self.request.device.map(RStr::from).into()
    }

    fn requested_scope(&self) -> ROption<RVec<RStr<'_>>> {
        self.request.requested_scope.map(lend).into()
    }

    fn default_scope(&self) -> RVec<RStr<'_>> {
        lend(self.request.default_scope)
    }

    fn grantable_scope(&self) -> RVec<RStr<'_>> {
        lend(self.request.grantable_scope)
    }

    fn requested_claims(&self) -> ROption<RString> {
        self.request.requested_claims.map(json).into()
    }

    fn acr_values(&self) -> RVec<RStr<'_>> {
        lend(self.request.acr_values)
    }

    fn resources(&self) -> RVec<RStr<'_>> {
        lend(self.request.resources)
    }

    fn parameters(&self) -> RVec<Tuple2<RStr<'_>, RStr<'_>>> {
        self.request.parameters.iter().map(|(name, value)| Tuple2(RStr::from(*name), RStr::from(*value))).collect()
    }

    fn client_metadata(&self) -> RString {
        object_json(self.request.client_metadata)
    }

    fn client_metadata_field(&self, path: RStr<'_>) -> ROption<RString> {
        field(self.request.client_metadata, path.as_str()).map(json).into()
    }

    fn client_address(&self) -> ROption<RStr<'_>> {
        self.address.as_deref().map(RStr::from).into()
    }

    fn token_binding(&self) -> u8 {
        self.request.token_binding.number()
    }

    fn resolve_claim_names(&self, scope: RSlice<'_, RStr<'_>>) -> RVec<RString> {
        let scope: Vec<&str> = scope.iter().map(RStr::as_str).collect();
        if let Ok(names) = catch_unwind(AssertUnwindSafe(|| (self.request.resolve_claim_names)(&scope))) {
            names.into_iter().map(RString::from).collect()
        } else {
            self.fault.replace(Some("the server could not resolve claim names"));
            RVec::new()
        }
    }

    fn default_access_token_lifetime(&self) -> u64 {
        self.request.default_access_token_lifetime
    }

    fn default_refresh_token_lifetime(&self) -> ROption<u64> {
        self.request.default_refresh_token_lifetime.into()
    }

    fn default_rotation(&self) -> bool {
        self.request.default_rotation
    }

    fn purpose(&self) -> u8 {
        self.request.purpose.number()
    }

    fn source_client_id(&self) -> ROption<RStr<'_>> {
        self.request.source_client_id.map(RStr::from).into()
    }
}

fn lend<'a>(list: &'a [&'a str]) -> RVec<RStr<'a>> {
    list.iter().map(|value| RStr::from(*value)).collect()
}

/// JSON in memory can always be written.
fn json(value: &Value) -> RString {
    value.to_string().into()
}

/// As [`json`], for an object.
fn object_json(object: &Map<String, Value>) -> RString {
    serde_json::to_string(object).unwrap_or_default().into()
}

/// A field by its own name, else by the part before a dot and the rest within it.
fn field<'a>(object: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    object.get(path).or_else(|| {
        let mut dots = path.match_indices('.');
        dots.find_map(|(at, _)| field(object.get(&path[..at])?.as_object()?, &path[at + 1..]))
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dots_reach_into_objects_and_own_names_come_first() {
        let metadata = json!({"a": {"b": {"c": 1}, "x.y": 2}, "a.b": {"d": 3}, "flat": "f", "a.b.c.d": null});
        let metadata = metadata.as_object().unwrap();
        assert_eq!(field(metadata, "flat"), Some(&json!("f")));
        assert_eq!(field(metadata, "a.b.c"), Some(&json!(1)));
        assert_eq!(field(metadata, "a.x.y"), Some(&json!(2)));
        assert_eq!(field(metadata, "a.b"), Some(&json!({"d": 3})));
        assert_eq!(field(metadata, "a.b.d"), Some(&json!(3)));
        assert_eq!(field(metadata, "a.b.c.d"), Some(&Value::Null));
        for absent in ["", ".", "a.", ".a", "flat.x", "a.b.c.x", "a..b"] {
            assert_eq!(field(metadata, absent), None, "{absent}");
        }
    }
}
