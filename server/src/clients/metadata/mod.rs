//! RFC 7591 metadata in, [`Client`] out, with every error at once. Owns the names of the members and their rules;
//! must not know where clients are kept.

mod answers;
mod authentication;
mod certificates;
mod extensions;
mod keys;
pub(super) mod links;
mod logout;
mod reader;
mod refusal;
mod requests;
mod session_transfer;
mod subjects;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

pub(super) use keys::public_keys;
pub use reader::MetadataError;
pub(super) use refusal::refusal;

use self::authentication::Authentication;
use self::reader::{Reader, shown};
use super::client::{ApplicationType, Client, ClientAuth, Origin};
use super::redirect::{RedirectProblem, RedirectUri};
use crate::foundation::{Digest, Secret, Timestamp, random};
use crate::protocol::Scope;
use crate::protocol::names::{
    AUTHORIZATION_CODE, CLIENT_CREDENTIALS, DEVICE_CODE, DEVICE_SSO, OFFLINE_ACCESS, OPENID, REFRESH_TOKEN, TOKEN_EXCHANGE,
};
use crate::settings::meaning::{ScopeMeaning, SigningAlg};

/// Members that are no metadata: the server's own answers, and secrets.
const NOT_METADATA: [&str; 7] = [
    "client_id",
    "client_id_issued_at",
    "client_secret",
    "client_secret_expires_at",
    "registration_access_token",
    "registration_client_uri",
    "unused_until",
];

/// Grant types that a client may register.
const GRANT_TYPES: [&str; 5] = [AUTHORIZATION_CODE, REFRESH_TOKEN, CLIENT_CREDENTIALS, TOKEN_EXCHANGE, DEVICE_CODE];

/// A client as read, and its secret when the metadata gave one or one was made.
#[derive(Debug)]
pub struct Registration {
    /// The client.
    pub client: Client,
    /// Its secret in plain, the only time it is known; `None` when the client has none or keeps the one it had.
    pub client_secret: Option<Secret<String>>,
}

/// What is known about a client before its metadata is read.
#[derive(Debug)]
pub(super) struct Basis {
    pub(super) origin: Origin,
    pub(super) issued_at: Option<Timestamp>,
    /// The digest of the secret that it has.
    pub(super) kept_secret: Option<Digest>,
    /// The secret that it has, where that is kept itself.
    pub(super) kept_text: Option<Secret<String>>,
    /// Whether a missing secret is made.
    pub(super) generate_secret: bool,
    /// Whether it comes from the store: then scope values unknown now are dropped instead of refused, because they were known once.
    pub(super) is_stored: bool,
}

impl Client {
    /// Reads the metadata of a new client: RFC 7591 section 2 with its defaults, OIDC Dynamic Client
    /// Registration section 2, and the extensions documented at [`Client`]'s fields.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_metadata(
        map: &Map<String, Value>,
        known_scopes: &BTreeMap<String, ScopeMeaning>,
    ) -> Result<Registration, Vec<MetadataError>> {
        let basis = Basis {
            origin: Origin::Registered,
            issued_at: None,
            kept_secret: None,
            kept_text: None,
            generate_secret: true,
            is_stored: false,
        };
        read(map, known_scopes, basis)
    }
}

/// Whether a text can be a `client_id`: printable ASCII without spaces, so that it survives every encoding.
#[must_use]
pub fn is_client_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 256 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Reads metadata on a basis.
pub(super) fn read(
    map: &Map<String, Value>,
    known_scopes: &BTreeMap<String, ScopeMeaning>,
    basis: Basis,
) -> Result<Registration, Vec<MetadataError>> {
    let mut reader = Reader::new(map);
    if !reader.errors.is_empty() {
        // Too large or too deep to be worth reading on.
        return Err(reader.errors);
    }
    let r = &mut reader;
    let id = client_id(r);
    let keys = keys::read(r);
    let Authentication { auth, signing_alg: auth_signing_alg, secret: client_secret } = authentication::read(r, &basis);
    if matches!(auth, Some(ClientAuth::PrivateKeyJwt)) {
        keys.demand_signature(r, "assertions");
    } else if matches!(auth, Some(ClientAuth::SelfSignedTls)) {
        keys.demand_signature(r, "certificates");
    }
    let is_public = matches!(auth, Some(ClientAuth::None));
    let (grant_types, response_types) = grants(r, is_public);
    let application_type = match r.word("application_type", &["web", "native"]) {
        Some("native") => ApplicationType::Native,
        _ => ApplicationType::Web,
    };
    let allow_dotless_redirect_schemes = r.flag("allow_dotless_redirect_schemes").unwrap_or(false);
    let redirect_uris = redirects(r, "redirect_uris", allow_dotless_redirect_schemes);
    let post_logout_redirect_uris = redirects(r, "post_logout_redirect_uris", allow_dotless_redirect_schemes);
    if grant_types.iter().any(|grant| grant == AUTHORIZATION_CODE) && r.value("redirect_uris").is_none_or(is_empty_array) {
        r.refuse("redirect_uris", "nothing", "at least one redirect URI, because of authorization_code", "add redirect_uris");
    }
    let (subject_type, sector_identifier_uri) = subjects::read(r, &redirect_uris);
    let logout = logout::read(r, is_public, &redirect_uris);
    let scope = scope(r, known_scopes, &grant_types, basis.is_stored);
    let require_pkce = r.flag("require_pkce").unwrap_or(true);
    if is_public && !require_pkce {
        r.refuse("require_pkce", "false", "true, because a public client has nothing else to protect its codes", "leave it out");
    }
    let introspection = introspection(r, is_public, basis.is_stored);
    let id_token_signed_response_alg =
        r.word("id_token_signed_response_alg", &SigningAlg::ALL.map(SigningAlg::as_str)).and_then(SigningAlg::from_name);
    let name = r.line("client_name", 256).unwrap_or_else(|| id.clone());
    let contacts = r.texts("contacts").unwrap_or_default().into_iter().map(str::to_owned).collect();
    let mut requests = requests::read(r, &keys);
    let before = r.errors.len();
    (requests.default_max_age, requests.default_acr_values) = requests::defaults(r);
    let (policy_uri, tos_uri, translations) = links::read(r);
    if basis.is_stored {
        // A release that did not know these members stored them as they came.
        r.errors.truncate(before);
    }
    let client = Client {
        name,
        auth: auth.unwrap_or(ClientAuth::None),
        auth_signing_alg,
        application_type,
        redirect_uris,
        post_logout_redirect_uris,
        logout,
        require_pkce,
        requests,
        id_token_signed_response_alg,
        subject_type,
        sector_identifier_uri,
        access_token_format: extensions::access_token_format(r),
        access_token_encryption: answers::encryption(r, answers::ACCESS_TOKEN, keys.jwks.as_ref()),
        id_token_encryption: answers::encryption(r, answers::ID_TOKEN, keys.jwks.as_ref()),
        user_info_signing_alg: answers::signing_alg(r, "userinfo_signed_response_alg"),
        user_info_encryption: answers::encryption(r, answers::USER_INFO, keys.jwks.as_ref()),
        introspection_signing_alg: answers::signing_alg(r, "introspection_signed_response_alg"),
        introspection_encryption: answers::encryption(r, answers::INTROSPECTION, keys.jwks.as_ref()),
        dpop_bound_access_tokens: r.flag("dpop_bound_access_tokens").unwrap_or(false),
        certificate_bound_access_tokens: r.flag("tls_client_certificate_bound_access_tokens").unwrap_or(false),
        jwks: keys.jwks.map(Arc::new),
        jwks_uri: keys.uri,
        device_sso_family: extensions::family(r),
        device_sso_sources: extensions::sources(r, known_scopes, basis.is_stored),
        compat_device_token: r.flag("compat_device_token").unwrap_or(false),
        first_party: r.flag("first_party").unwrap_or(false),
        session_transfer: session_transfer::read(r),
        allow_dotless_redirect_schemes,
        introspection,
        client_uri: r.web_address("client_uri"),
        logo_uri: r.web_address("logo_uri"),
        policy_uri,
        tos_uri,
        translations,
        contacts,
        metadata: Map::new(),
        issued_at: basis.issued_at,
        origin: basis.origin,
        registration_token: None,
        unused_until: None,
        id,
        grant_types,
        response_types,
        scope,
    };
    if !basis.is_stored {
        // A release that did not refuse one of them stored it as it came.
        extensions::refuse_unsupported(r);
    }
    if !reader.errors.is_empty() {
        return Err(reader.errors);
    }
    let metadata = registered(map, &client);
    Ok(Registration { client: Client { metadata, ..client }, client_secret })
}

/// The metadata to keep: as given, with the defaults that now hold (RFC 7591 section 3.2.1).
fn registered(map: &Map<String, Value>, client: &Client) -> Map<String, Value> {
    let mut out: Map<String, Value> = map
        .iter()
        .filter(|(name, value)| !NOT_METADATA.contains(&name.as_str()) && !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    out.insert("token_endpoint_auth_method".to_owned(), json!(client.auth.as_str()));
    out.insert("grant_types".to_owned(), json!(client.grant_types));
    out.insert("response_types".to_owned(), json!(client.response_types));
    out.insert("application_type".to_owned(), json!(client.application_type.as_str()));
    out.insert("scope".to_owned(), json!(client.scope));
    if !matches!(client.auth, ClientAuth::None) {
        out.insert("introspection".to_owned(), json!(client.introspection));
    }
    out
}

/// `introspection`. A stored client without the member was registered when a confidential one needed none; since then it is written out.
fn introspection(r: &mut Reader<'_>, is_public: bool, is_stored: bool) -> bool {
    let may = r.flag("introspection").unwrap_or(is_stored && !is_public);
    if is_public && may {
        r.refuse(
            "introspection",
            "true",
            "a client that authenticates",
            "choose another token_endpoint_auth_method or leave it out",
        );
    }
    may
}

fn client_id(r: &mut Reader<'_>) -> String {
    let given = r.text("client_id");
    if let Some(id) = given.filter(|id| !is_client_id(id)) {
        r.refuse("client_id", shown(id), "1 to 256 printable ASCII characters without spaces", "choose another or leave it out");
    }
    given.map_or_else(random::name, str::to_owned)
}

/// `grant_types` and `response_types`, which must agree (RFC 7591 section 2.1).
fn grants(r: &mut Reader<'_>, is_public: bool) -> (Vec<String>, Vec<String>) {
    let grant_types = r.texts("grant_types").unwrap_or_else(|| vec![AUTHORIZATION_CODE]);
    for grant in &grant_types {
        if !GRANT_TYPES.contains(grant) {
            r.refuse("grant_types", shown(grant), GRANT_TYPES.join(", "), "leave out what this server does not offer");
        }
    }
    if grant_types.is_empty() {
        r.refuse("grant_types", "an empty array", "at least one grant type", "leave it out for authorization_code");
    }
    if is_public && grant_types.contains(&CLIENT_CREDENTIALS) {
        let expected = "a client that authenticates (RFC 6749 section 4.4)";
        r.refuse("grant_types", shown(CLIENT_CREDENTIALS), expected, "choose another token_endpoint_auth_method");
    }
    let with_code = grant_types.contains(&AUTHORIZATION_CODE);
    let response_types = r.texts("response_types");
    for other in response_types.iter().flatten().filter(|response| **response != "code") {
        r.refuse("response_types", shown(other), "code: tokens never travel through the browser", "use code");
    }
    if let Some(given) = &response_types
        && given.contains(&"code") != with_code
    {
        let expected = "code exactly when grant_types has authorization_code";
        r.refuse("response_types", if with_code { "no code" } else { "code" }, expected, "leave response_types out");
    }
    let response_types = if with_code { vec!["code".to_owned()] } else { Vec::new() };
    (grant_types.into_iter().map(str::to_owned).collect(), response_types)
}

fn redirects(r: &mut Reader<'_>, field: &str, allow_dotless: bool) -> Vec<RedirectUri> {
    let mut out = Vec::new();
    for (n, text) in r.texts(field).unwrap_or_default().into_iter().enumerate() {
        match RedirectUri::parse(text, allow_dotless) {
            Ok(uri) => out.push(uri),
            Err(problem) => {
                // User information may hold a password.
                let seen = if problem == RedirectProblem::UserInformation { "user information".to_owned() } else { shown(text) };
                r.refuse(format!("{field}[{n}]"), seen, problem.to_string(), problem.remedy());
            }
        }
    }
    out
}

/// `scope`. The default is every standard scope value but `device_sso` for a client of people, nothing for others.
fn scope(r: &mut Reader<'_>, known: &BTreeMap<String, ScopeMeaning>, grant_types: &[String], forgive: bool) -> Scope {
    let has = |name: &str| grant_types.iter().any(|grant| grant == name);
    let Some(text) = r.text("scope") else {
        let standard = [OPENID, "profile", "email", "address", "phone"].into_iter().filter(|_| has(AUTHORIZATION_CODE));
        let offline = [OFFLINE_ACCESS].into_iter().filter(|_| has(AUTHORIZATION_CODE) && has(REFRESH_TOKEN));
        return standard.chain(offline).filter(|value| known.contains_key(*value)).collect();
    };
    let scope = parse_scope(r, "scope", text, known, forgive).unwrap_or_default();
    if scope.contains(DEVICE_SSO) && !scope.contains(OPENID) {
        r.refuse(
            "scope",
            "device_sso without openid",
            "openid beside device_sso, because device SSO needs ID tokens",
            "add openid",
        );
    }
    scope
}

/// A scope whose values must be known.
fn parse_scope(
    r: &mut Reader<'_>,
    field: &str,
    text: &str,
    known: &BTreeMap<String, ScopeMeaning>,
    forgive: bool,
) -> Option<Scope> {
    let Ok(scope) = Scope::parse(text) else {
        r.refuse(field, shown(text), "scope values separated by spaces (RFC 6749 section 3.3)", "correct the value");
        return None;
    };
    if forgive {
        return Some(scope.iter().filter(|value| known.contains_key(*value)).collect());
    }
    for unknown in scope.iter().filter(|value| !known.contains_key(*value)) {
        r.refuse(field, shown(unknown), "scope values that the server knows", "add a [scopes] entry for it or leave it out");
    }
    Some(scope)
}

fn is_empty_array(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}
