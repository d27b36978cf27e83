//! Run a handler without a server, through the same boundary as in one.
//!
//! ```
//! # use symbolon_sdk::*;
//! # struct Mine;
//! # impl DeviceSsoHandler for Mine {
//! #     const NAME: &'static str = "Mine";
//! #     const VERSION: &'static str = "1.0.0";
//! #     const PREFIX: &'static str = "mine.";
//! #     const PROPERTIES: &'static [&'static str] = &["enable"];
//! #     fn configure(_: &Properties) -> Result<Self, ConfigureError> { Ok(Self) }
//! #     fn enabled(&self) -> bool { true }
//! #     fn authorize(&self, request: &DeviceSsoRequest<'_>) -> Result<DeviceSsoAuthorization, HandlerError> {
//! #         Ok(DeviceSsoAuthorization::allow(request))
//! #     }
//! # }
//! use symbolon_sdk::testing::{TestRequest, configure};
//!
//! let handler = configure::<Mine>([("mine.enable", "true")])?;
//! let allowed = TestRequest::new().requested_scope("openid device_sso profile").ask(&handler)?;
//! assert_eq!(allowed.scope, ["openid", "device_sso", "profile"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod sign_in;

pub use sign_in::{TestSignIn, configure_action};

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use crate::host::{ConfigureFailure, Configured, Described, HandlerFault, HostRequest};
use crate::{DeviceSsoAuthorization, DeviceSsoHandler, Purpose, TokenBinding};

/// Makes an instance from full property names and their values.
///
/// # Errors
/// What the server would report to its operator.
pub fn configure<H: DeviceSsoHandler>(
    properties: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
) -> Result<Configured, ConfigureFailure> {
    let described = Described::linked_in::<H>()
        .map_err(|error| ConfigureFailure::Refused { message: Some(error.to_string()), findings: Vec::new() })?;
    described.configure(&properties.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
}

/// A request to ask a handler with. It begins as a public client that may have
/// `openid device_sso offline_access profile email`, takes `openid device_sso offline_access profile` by default, and asks for nothing.
#[must_use]
#[derive(Debug, Clone)]
pub struct TestRequest {
    subject: String,
    client_id: String,
    confidential: bool,
    now: u64,
    id_token_claims: Map<String, Value>,
    sid: String,
    auth_time: u64,
    acr: Option<String>,
    amr: Vec<String>,
    client_ids: Vec<String>,
    device: Option<String>,
    requested_scope: Option<Vec<String>>,
    default_scope: Vec<String>,
    grantable_scope: Vec<String>,
    requested_claims: Option<Value>,
    acr_values: Vec<String>,
    resources: Vec<String>,
    parameters: Vec<(String, String)>,
    client_metadata: Map<String, Value>,
    client_address: Option<IpAddr>,
    token_binding: TokenBinding,
    purpose: Purpose,
}

impl Default for TestRequest {
    fn default() -> Self {
        Self::new()
    }
}

/// The claims of the scope values of `OpenID` Connect Core section 5.4, in short.
fn standard_claims(scope: &[&str]) -> Vec<String> {
    let names = scope.iter().flat_map(|value| match *value {
        "profile" => ["name", "given_name", "family_name"].as_slice(),
        "email" => &["email", "email_verified"],
        "phone" => &["phone_number", "phone_number_verified"],
        "address" => &["address"],
        _ => &[],
    });
    names.map(|name| (*name).to_owned()).collect()
}

impl TestRequest {
    /// The beginning.
    pub fn new() -> Self {
        Self {
            subject: "alice".to_owned(),
            client_id: "app-two".to_owned(),
            confidential: false,
            now: 1_800_000_600,
            id_token_claims: Map::new(),
            sid: "session-1".to_owned(),
            auth_time: 1_800_000_000,
            acr: None,
            amr: vec!["pwd".to_owned()],
            client_ids: vec!["app-one".to_owned()],
            device: None,
            requested_scope: None,
            default_scope: words("openid device_sso offline_access profile"),
            grantable_scope: words("openid device_sso offline_access profile email"),
            requested_claims: None,
            acr_values: Vec::new(),
            resources: Vec::new(),
            parameters: Vec::new(),
            client_metadata: Map::new(),
            client_address: None,
            token_binding: TokenBinding::None,
            purpose: Purpose::Exchange,
        }
    }

    /// The person.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// The requesting client and whether it is confidential.
    pub fn client(mut self, client_id: impl Into<String>, confidential: bool) -> Self {
        self.client_id = client_id.into();
        self.confidential = confidential;
        self
    }

    /// The clock, in Unix seconds.
    pub const fn now(mut self, now: u64) -> Self {
        self.now = now;
        self
    }

    /// One more claim of the ID token, beside `sub`, `aud` and `sid`.
    pub fn id_token_claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.id_token_claims.insert(name.into(), value.into());
        self
    }

    /// When and how the person authenticated.
    pub fn authentication(mut self, auth_time: u64, acr: Option<&str>, amr: &str) -> Self {
        self.auth_time = auth_time;
        self.acr = acr.map(str::to_owned);
        self.amr = words(amr);
        self
    }

    /// The clients signed in to, separated by spaces.
    pub fn client_ids(mut self, client_ids: &str) -> Self {
        self.client_ids = words(client_ids);
        self
    }

    /// The device in words.
    pub fn device(mut self, device: impl Into<String>) -> Self {
        self.device = Some(device.into());
        self
    }

    /// The `scope` parameter.
    pub fn requested_scope(mut self, scope: &str) -> Self {
        self.requested_scope = Some(words(scope));
        self
    }

    /// What the server would take when there is no `scope` parameter.
    pub fn default_scope(mut self, scope: &str) -> Self {
        self.default_scope = words(scope);
        self
    }

    /// What the client may have at most.
    pub fn grantable_scope(mut self, scope: &str) -> Self {
        self.grantable_scope = words(scope);
        self
    }

    /// The `claims` parameter.
    pub fn requested_claims(mut self, claims: Value) -> Self {
        self.requested_claims = Some(claims);
        self
    }

    /// The `acr_values` parameter.
    pub fn acr_values(mut self, values: &str) -> Self {
        self.acr_values = words(values);
        self
    }

    /// The `resource` parameters, separated by spaces.
    pub fn resources(mut self, resources: &str) -> Self {
        self.resources = words(resources);
        self
    }

    /// One more parameter.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// One field of the client's metadata.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.client_metadata.insert(name.into(), value.into());
        self
    }

    /// Where the request came from.
    pub const fn client_address(mut self, address: IpAddr) -> Self {
        self.client_address = Some(address);
        self
    }

    /// Which key the tokens will be bound to.
    pub const fn token_binding(mut self, binding: TokenBinding) -> Self {
        self.token_binding = binding;
        self
    }

    /// What becomes of the decision.
    pub const fn purpose(mut self, purpose: Purpose) -> Self {
        self.purpose = purpose;
        self
    }

    /// Asks the handler.
    ///
    /// # Errors
    /// What the server would see instead of a decision.
    pub fn ask(&self, handler: &Configured) -> Result<DeviceSsoAuthorization, HandlerFault> {
        let mut id_token_claims = self.id_token_claims.clone();
        for (name, value) in [("sub", json!(self.subject)), ("aud", json!("app-one")), ("sid", json!(self.sid))] {
            id_token_claims.entry(name).or_insert(value);
        }
        let source = id_token_claims["aud"].as_str().map(str::to_owned);
        let id_token_claims = Value::Object(id_token_claims).to_string();
        let requested_scope = self.requested_scope.as_deref().map(strs);
        let parameters: Vec<_> = self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        handler.authorize(&HostRequest {
            subject: &self.subject,
            client_id: &self.client_id,
            confidential: self.confidential,
            now: self.now,
            id_token_claims: &id_token_claims,
            source_client_id: source.as_deref(),
            purpose: self.purpose,
            sid: &self.sid,
            auth_time: self.auth_time,
            acr: self.acr.as_deref(),
            amr: &strs(&self.amr),
            session_created: self.auth_time,
            session_last_used: self.now,
            session_client_ids: &strs(&self.client_ids),
            device: self.device.as_deref(),
            requested_scope: requested_scope.as_deref(),
            default_scope: &strs(&self.default_scope),
            grantable_scope: &strs(&self.grantable_scope),
            requested_claims: self.requested_claims.as_ref(),
            acr_values: &strs(&self.acr_values),
            resources: &strs(&self.resources),
            parameters: &parameters,
            client_metadata: &self.client_metadata,
            client_address: self.client_address,
            token_binding: self.token_binding,
            resolve_claim_names: &standard_claims,
            ..HostRequest::default()
        })
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn strs(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}
