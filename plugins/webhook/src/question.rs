//! What the service is asked: the facts of one exchange as JSON, version 1. Members are added in time, none is taken away or changed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;
use symbolon_sdk::{DeviceSession, DeviceSsoRequest, Purpose, TokenBinding, Value};

#[derive(Serialize)]
struct Question<'a> {
    version: u8,
    /// `exchange`: tokens are issued by the answer; `shadow`, `explanation`: nothing may come of it.
    purpose: &'static str,
    now: u64,
    subject: &'a str,
    client: App<'a>,
    source_client_id: Option<&'a str>,
    session: Session<'a>,
    request: Request<'a>,
    client_address: Option<IpAddr>,
    token_binding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token_claims: Option<Value>,
}

#[derive(Serialize)]
struct App<'a> {
    client_id: &'a str,
    confidential: bool,
    metadata: Value,
}

#[derive(Serialize)]
struct Session<'a> {
    sid: &'a str,
    auth_time: u64,
    acr: Option<&'a str>,
    amr: Vec<&'a str>,
    created: u64,
    last_used: u64,
    client_ids: Vec<&'a str>,
    device: Option<&'a str>,
}

#[derive(Serialize)]
struct Request<'a> {
    scope: Option<String>,
    default_scope: String,
    grantable_scope: String,
    claims: Option<Value>,
    acr_values: &'a [&'a str],
    resources: &'a [&'a str],
    /// Some may be given more than once (RFC 8693 section 2.1), so each has a list.
    parameters: BTreeMap<&'a str, Vec<&'a str>>,
}

/// The body of the question.
///
/// # Errors
/// When the server's own JSON cannot be read; a question without it could be answered wrongly.
pub(crate) fn body(request: &DeviceSsoRequest<'_>, include_claims: bool) -> Result<Vec<u8>, serde_json::Error> {
    let DeviceSession { sid, auth_time, acr, amr, created, last_used, client_ids, device, .. } = request.device_session();
    let mut parameters: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in request.parameters() {
        parameters.entry(name).or_default().push(value);
    }
    serde_json::to_vec(&Question {
        version: 1,
        purpose: match request.purpose() {
            Purpose::Exchange => "exchange",
            Purpose::Shadow => "shadow",
            _ => "explanation",
        },
        now: request.now(),
        subject: request.subject(),
        client: App {
            client_id: request.client_id(),
            confidential: request.is_confidential(),
            metadata: serde_json::from_str(&request.client_metadata_json())?,
        },
        source_client_id: request.source_client_id(),
        session: Session { sid, auth_time, acr, amr, created, last_used, client_ids, device },
        request: Request {
            scope: request.requested_scope().map(|scope| scope.join(" ")),
            default_scope: request.default_scope().join(" "),
            grantable_scope: request.grantable_scope().join(" "),
            claims: request.requested_claims(),
            acr_values: request.acr_values(),
            resources: request.resources(),
            parameters,
        },
        client_address: request.client_address(),
        token_binding: request.token_binding().and_then(|binding| match binding {
            TokenBinding::None => Some("none"),
            TokenBinding::Dpop => Some("dpop"),
            TokenBinding::MutualTls => Some("mutual_tls"),
            _ => None,
        }),
        id_token_claims: include_claims.then(|| serde_json::from_str(&request.id_token_claims_json())).transpose()?,
    })
}
