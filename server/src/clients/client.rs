//! The validated meaning of one registered client. Made only by `metadata`; read by everything above.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use url::Url;

use super::certificate::CertificateName;
use super::logout::LogoutUris;
use super::redirect::RedirectUri;
use super::request_uri::RequestUri;
use super::session_transfer::SessionTransfer;
use super::translations::Translations;
use crate::foundation::digest::constant_time_eq;
use crate::foundation::{Digest, Secret, Timestamp};
use crate::protocol::Scope;
use crate::settings::meaning::{AccessTokenFormat, SigningAlg};

/// One registered client: immutable, shared as `Arc<Client>`.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a registered yes or no of its own, none depends on another")]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// `client_name`, or the id when none was registered.
    pub name: String,
    /// How it authenticates (`token_endpoint_auth_method`).
    pub auth: ClientAuth,
    /// `token_endpoint_auth_signing_alg`: the only algorithm accepted on its assertions; `None` = any we verify.
    pub auth_signing_alg: Option<String>,
    /// `grant_types`.
    pub grant_types: Vec<String>,
    /// `response_types`; only `code` exists here.
    pub response_types: Vec<String>,
    /// `application_type`.
    pub application_type: ApplicationType,
    /// `redirect_uris`.
    pub redirect_uris: Vec<RedirectUri>,
    /// `post_logout_redirect_uris` (OIDC RP-Initiated Logout section 3.1).
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Where it is told that a session has ended.
    pub logout: LogoutUris,
    /// `scope`: everything that it may ever ask for.
    pub scope: Scope,
    /// Whether an authorization request must carry a PKCE challenge: always for public clients (RFC 9700 section 2.1.1).
    pub require_pkce: bool,
    /// How it may make its authorization requests.
    pub requests: RequestRules,
    /// `id_token_signed_response_alg`; `None` = the server's.
    pub id_token_signed_response_alg: Option<SigningAlg>,
    /// How its ID tokens are encrypted besides.
    pub id_token_encryption: Option<ResponseEncryption>,
    /// `userinfo_signed_response_alg`: `UserInfo` answers are JWTs signed so.
    pub user_info_signing_alg: Option<SigningAlg>,
    /// How its `UserInfo` answers are encrypted.
    pub user_info_encryption: Option<ResponseEncryption>,
    /// `introspection_signed_response_alg`, for introspection answers that are asked for as JWTs; `None` = RS256 (RFC 9701 section 6).
    pub introspection_signing_alg: Option<SigningAlg>,
    /// How introspection answers that are asked for as JWTs are encrypted besides.
    pub introspection_encryption: Option<ResponseEncryption>,
    /// Which `sub` it is told (`subject_type`).
    pub subject_type: SubjectType,
    /// `sector_identifier_uri`: a document that lists the redirect URIs of all clients of its sector.
    pub sector_identifier_uri: Option<String>,
    /// `access_token_format`; `None` = the server's.
    pub access_token_format: Option<AccessTokenFormat>,
    /// How an access token is encrypted when it is encrypted to this client.
    pub access_token_encryption: Option<ResponseEncryption>,
    /// `dpop_bound_access_tokens`: every token request must prove a key (RFC 9449 section 5.2).
    pub dpop_bound_access_tokens: bool,
    /// `tls_client_certificate_bound_access_tokens`: every token request must come with a certificate (RFC 8705 section 3.4).
    pub certificate_bound_access_tokens: bool,
    /// `jwks`: its public keys by value.
    pub jwks: Option<Arc<Value>>,
    /// `jwks_uri`: where it publishes its public keys instead.
    pub jwks_uri: Option<Url>,
    /// `device_sso_family`: the apps of one vendor that share a person's device session.
    pub device_sso_family: Option<String>,
    /// `device_sso_sources`: which clients of the family may sign this one in; `None` = all of them.
    pub device_sso_sources: Option<Vec<DirectedShare>>,
    /// `compat_device_token`: the device secret is also answered as `device_token`.
    pub compat_device_token: bool,
    /// `first_party`: consent is not asked for.
    pub first_party: bool,
    /// `session_transfer`: what it may do with session transfer tokens.
    pub session_transfer: SessionTransfer,
    /// `allow_dotless_redirect_schemes`: `appname://oauth/callback` may be registered.
    pub allow_dotless_redirect_schemes: bool,
    /// `introspection`: it may ask about tokens of other clients at `/introspect`.
    pub introspection: bool,
    /// `client_uri`.
    pub client_uri: Option<String>,
    /// `logo_uri`.
    pub logo_uri: Option<String>,
    /// `policy_uri`: what it does with a person's data; https.
    pub policy_uri: Option<String>,
    /// `tos_uri`: its terms of service; https.
    pub tos_uri: Option<String>,
    /// `client_name`, `policy_uri` and `tos_uri` in other languages.
    pub translations: Translations,
    /// `contacts`.
    pub contacts: Vec<String>,
    /// Everything as registered, defaults filled in, secrets and ids removed: what a handler sees.
    pub metadata: Map<String, Value>,
    /// `client_id_issued_at`; `None` for a client of the settings file.
    pub issued_at: Option<Timestamp>,
    /// Where it was written.
    pub origin: Origin,
    /// Digest of its registration access token, if it registered itself (RFC 7592).
    pub registration_token: Option<Digest>,
    /// When it is gone if nobody has signed in with it until then; `None` = it stays.
    pub unused_until: Option<Timestamp>,
}

/// How a client authenticates, as registered. A presented method is compared with it strictly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuth {
    /// `none`: a public client.
    None,
    /// `client_secret_basic` (RFC 6749 section 2.3.1).
    SecretBasic(Digest),
    /// `client_secret_post` (RFC 6749 section 2.3.1).
    SecretPost(Digest),
    /// `private_key_jwt` (RFC 7523, OIDC Core section 9), verified with the client's keys.
    PrivateKeyJwt,
    /// `client_secret_jwt` (OIDC Core section 9): the secret itself is needed.
    SecretJwt(MacSecret),
    /// `tls_client_auth` (RFC 8705 section 2.1): by a certificate of this name, whose chain the proxy has verified.
    Tls(CertificateName),
    /// `self_signed_tls_client_auth` (RFC 8705 section 2.2): by a certificate with one of its keys.
    SelfSignedTls,
}

/// A secret that keys a MAC, so that a digest of it will not do. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MacSecret(Arc<Secret<String>>);

impl MacSecret {
    /// Takes a secret into custody.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Arc::new(Secret::new(text)))
    }

    /// The secret.
    #[must_use]
    pub fn secret(&self) -> &Secret<String> {
        &self.0
    }
}

impl PartialEq for MacSecret {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq(self.0.expose().as_bytes(), other.0.expose().as_bytes())
    }
}

impl Eq for MacSecret {}

impl ClientAuth {
    /// The registered name.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SecretBasic(_) => "client_secret_basic",
            Self::SecretPost(_) => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::SecretJwt(_) => "client_secret_jwt",
            Self::Tls(_) => "tls_client_auth",
            Self::SelfSignedTls => "self_signed_tls_client_auth",
        }
    }

    /// The digest of its secret, where that is all that is kept.
    #[must_use]
    pub const fn secret(&self) -> Option<Digest> {
        match self {
            Self::SecretBasic(digest) | Self::SecretPost(digest) => Some(*digest),
            Self::None | Self::PrivateKeyJwt | Self::SecretJwt(_) | Self::Tls(_) | Self::SelfSignedTls => None,
        }
    }
}

/// `application_type` (OIDC Dynamic Client Registration section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplicationType {
    /// Runs on a web server or in a browser.
    Web,
    /// Installed on a device.
    Native,
}

impl ApplicationType {
    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Native => "native",
        }
    }
}

/// How a client may make its authorization requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestRules {
    /// `require_pushed_authorization_requests` (RFC 9126 section 6).
    pub require_pushed: bool,
    /// `require_signed_request_object` (RFC 9101 section 10.5).
    pub require_signed: bool,
    /// `request_object_signing_alg`: the only algorithm accepted on its request objects; `None` = any we verify.
    pub signing_alg: Option<String>,
    /// `request_uris`: where it publishes request objects. No others are fetched.
    pub uris: Vec<RequestUri>,
    /// `default_max_age`, in seconds: the oldest acceptable authentication when a request names none.
    pub default_max_age: Option<u64>,
    /// `default_acr_values`: how well a person shall authenticate when a request does not say.
    pub default_acr_values: Vec<String>,
}

/// `subject_type` (OIDC Core section 8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectType {
    /// The same `sub` for every client.
    Public,
    /// One of its own for each sector, so that clients of different sectors cannot tell that they speak of the same person.
    Pairwise {
        /// The host of the sector identifier, in lower case.
        sector: String,
    },
}

/// `NAME_encrypted_response_alg` and `_enc`, of access tokens, ID tokens, userinfo or introspection answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseEncryption {
    /// Key management algorithm (RFC 7518 section 4).
    pub alg: String,
    /// Content encryption algorithm (RFC 7518 section 5).
    pub enc: String,
}

/// One entry of `device_sso_sources`: a client that may sign the target in, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectedShare {
    /// The client whose ID token may be presented.
    pub client_id: String,
    /// The most that may be granted; `None` = the target's registered scope.
    pub scope: Option<Scope>,
    /// Whether a refresh token may be issued.
    pub offline_access: bool,
}

/// Where a client was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In the settings file (`file:line`): read-only.
    File(String),
    /// In the store.
    Registered,
}

impl Client {
    /// Whether it cannot keep a secret (RFC 6749 section 2.1).
    #[must_use]
    pub const fn is_public(&self) -> bool {
        matches!(self.auth, ClientAuth::None)
    }

    /// Whether this registration stood at `time`. What was issued before was issued to another client of the same id, and ended
    /// when that was deleted (RFC 7592 section 2.3). A client of the settings file has stood for ever.
    #[must_use]
    pub fn stood_at(&self, time: Timestamp) -> bool {
        self.issued_at.is_none_or(|since| since <= time)
    }

    /// Whether it registered this grant type.
    #[must_use]
    pub fn allows_grant(&self, grant_type: &str) -> bool {
        self.grant_types.iter().any(|own| own == grant_type)
    }

    /// Whether it registered this response type.
    #[must_use]
    pub fn allows_response_type(&self, response_type: &str) -> bool {
        self.response_types.iter().any(|own| own == response_type)
    }

    /// Its redirect URI, if it has just one: then a request need not name it (RFC 6749 section 3.1.2.3).
    #[must_use]
    pub fn only_redirect_uri(&self) -> Option<&str> {
        match self.redirect_uris.as_slice() {
            [only] => Some(only.as_str()),
            _ => None,
        }
    }

    /// Whether the presented text is one of its redirect URIs: exactly, but for the port of a loopback address
    /// (RFC 6749 section 3.1.2.3, RFC 8252 section 7.3).
    #[must_use]
    pub fn redirect_uri_matches(&self, presented: &str) -> bool {
        self.redirect_uris.iter().any(|own| own.matches(presented))
    }

    /// The same for `post_logout_redirect_uri`.
    #[must_use]
    pub fn post_logout_redirect_uri_matches(&self, presented: &str) -> bool {
        self.post_logout_redirect_uris.iter().any(|own| own.matches(presented))
    }

    /// The client as RFC 7591 section 3.2.1 shows it, without its secret.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let mut out = Map::new();
        out.insert("client_id".to_owned(), json!(self.id));
        if let Some(issued) = self.issued_at {
            out.insert("client_id_issued_at".to_owned(), json!(issued));
        }
        out.extend(self.metadata.iter().map(|(name, value)| (name.clone(), value.clone())));
        out
    }
}
