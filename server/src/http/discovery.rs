//! The discovery documents (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2): alone enough to configure a client.

use actix_web::http::Method;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, Resource, web};
use serde_json::{Value, json};

use super::serve::Shared;
use super::{cors, respond};
use crate::grants::Engine;
use crate::grants::authorize::answer::ResponseMode;
use crate::protocol::names;
use crate::settings::Settings;
use crate::settings::meaning::{RegistrationMode, ScopeMeaning, SigningAlg};
use crate::tokens::{assertion, dpop, jwe, mac};

/// How clients may authenticate.
const AUTH_METHODS: [&str; 5] = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt", "client_secret_jwt"];
/// How they may where a proxy forwards their certificates (RFC 8705 section 2).
const CERTIFICATE_METHODS: [&str; 2] = ["tls_client_auth", "self_signed_tls_client_auth"];
/// The endpoints at which a certificate counts (RFC 8705 section 5).
const WITH_CERTIFICATES: [&str; 6] = [
    "token_endpoint",
    "userinfo_endpoint",
    "introspection_endpoint",
    "revocation_endpoint",
    "device_authorization_endpoint",
    "pushed_authorization_request_endpoint",
];

/// The documents, with and without a handler that answers token exchanges.
pub struct Documents {
    with_native_sso: String,
    without: String,
}

impl Documents {
    /// Builds both documents.
    #[must_use]
    pub fn new(engine: &Engine) -> Self {
        Self { with_native_sso: document(engine, true).to_string(), without: document(engine, false).to_string() }
    }
}

/// One of the addresses.
pub fn resource(path: &str) -> Resource {
    web::resource(path)
        .route(web::get().to(get))
        .route(web::head().to(get))
        .route(web::method(Method::OPTIONS).to(cors::preflight))
        .default_service(web::to(async || respond::method_not_allowed("GET, HEAD, OPTIONS")))
}

async fn get(shared: web::Data<Shared>) -> HttpResponse {
    let documents = &shared.documents;
    let body = if shared.engine.handlers().is_enabled() { &documents.with_native_sso } else { &documents.without };
    let mut answer = HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .content_type("application/json")
        .body(body.clone());
    cors::public(&mut answer);
    answer
}

fn document(engine: &Engine, native_sso: bool) -> Value {
    let settings = engine.settings();
    let issuer = &settings.server.issuer;
    let at = |path: &str| issuer.endpoint(path);
    let mut grants = vec![names::AUTHORIZATION_CODE, names::REFRESH_TOKEN, names::CLIENT_CREDENTIALS, names::DEVICE_CODE];
    if native_sso {
        grants.push(names::TOKEN_EXCHANGE);
    }
    let scopes: Vec<&String> = settings.scopes.keys().filter(|scope| native_sso || *scope != names::DEVICE_SSO).collect();
    let mut claims = vec!["iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce", "at_hash", "sid", "ds_hash"];
    for claim in settings.scopes.values().flat_map(ScopeMeaning::all_claims) {
        if !claims.contains(&claim.as_str()) {
            claims.push(claim);
        }
    }
    let algs: Vec<&str> = SigningAlg::ALL.iter().map(|alg| alg.as_str()).collect();
    let with_certificates = settings.proxy.client_certificate_header.is_some();
    let auth_methods: Vec<&str> =
        AUTH_METHODS.into_iter().chain(CERTIFICATE_METHODS.into_iter().filter(|_| with_certificates)).collect();
    // How their assertions may be signed.
    let assertion_algs: Vec<&str> = assertion::ALGS.into_iter().chain(mac::ALGS).collect();
    let mut document = json!({
        "issuer": issuer.text,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/jwks.json"),
        "introspection_endpoint": at("/introspect"),
        "revocation_endpoint": at("/revoke"),
        "device_authorization_endpoint": at("/device_authorization"),
        "end_session_endpoint": at("/logout"),
        "symbolon_account_sessions_endpoint": at("/account/sessions"),
        "symbolon_account_consents_endpoint": at("/account/consents"),
        "response_types_supported": ["code"],
        "response_modes_supported": ResponseMode::ALL.map(ResponseMode::as_str),
        "grant_types_supported": grants,
        "scopes_supported": scopes,
        "claims_supported": claims,
        "claim_types_supported": ["normal"],
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": algs,
        "id_token_encryption_alg_values_supported": jwe::ALGS,
        "id_token_encryption_enc_values_supported": jwe::ENCS,
        "userinfo_signing_alg_values_supported": algs,
        "userinfo_encryption_alg_values_supported": jwe::ALGS,
        "userinfo_encryption_enc_values_supported": jwe::ENCS,
        "introspection_signing_alg_values_supported": algs,
        "introspection_encryption_alg_values_supported": jwe::ALGS,
        "introspection_encryption_enc_values_supported": jwe::ENCS,
        "acr_values_supported": settings.sign_in.levels.iter().map(|level| level.acr.as_str()).collect::<Vec<_>>(),
        "ui_locales_supported": settings.sign_in.languages,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": auth_methods,
        "token_endpoint_auth_signing_alg_values_supported": assertion_algs,
        "introspection_endpoint_auth_methods_supported": auth_methods,
        "introspection_endpoint_auth_signing_alg_values_supported": assertion_algs,
        "revocation_endpoint_auth_methods_supported": auth_methods,
        "revocation_endpoint_auth_signing_alg_values_supported": assertion_algs,
        "dpop_signing_alg_values_supported": dpop::ALGS,
        "authorization_response_iss_parameter_supported": true,
        "claims_parameter_supported": true,
        "native_sso_supported": native_sso,
    });
    for (name, value) in requests(settings) {
        document[name] = value;
    }
    // Session Management section 3.3.
    document["check_session_iframe"] = settings.server.issuer.endpoint("/check-session").into();
    if with_certificates {
        document["tls_client_certificate_bound_access_tokens"] = true.into();
        if let Some(address) = &settings.proxy.mtls_address {
            document["mtls_endpoint_aliases"] = aliases(&document, &issuer.text, address);
        }
    }
    if settings.registration.mode != RegistrationMode::Off {
        document["registration_endpoint"] = at("/register").into();
    }
    for channel in ["backchannel", "frontchannel"] {
        document[format!("{channel}_logout_supported")] = true.into();
        document[format!("{channel}_logout_session_supported")] = true.into();
    }
    document
}

/// In which forms authorization requests are taken (RFC 9101, RFC 9126).
fn requests(settings: &Settings) -> [(&'static str, Value); 7] {
    [
        ("pushed_authorization_request_endpoint", settings.server.issuer.endpoint("/par").into()),
        ("require_pushed_authorization_requests", settings.authorization.pushed_required.into()),
        ("request_parameter_supported", true.into()),
        ("request_uri_parameter_supported", true.into()),
        ("require_request_uri_registration", true.into()),
        ("request_object_signing_alg_values_supported", json!(assertion::ALGS)),
        ("require_signed_request_object", false.into()),
    ]
}

/// The same endpoints below another address.
fn aliases(document: &Value, issuer: &str, address: &str) -> Value {
    let below =
        |url: &str| url.strip_prefix(issuer.trim_end_matches('/')).map(|path| format!("{}{path}", address.trim_end_matches('/')));
    let alias = |name: &str| Some((name.to_owned(), below(document[name].as_str()?)?.into()));
    Value::Object(WITH_CERTIFICATES.into_iter().filter_map(alias).collect())
}
