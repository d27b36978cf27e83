//! The cast: the clients that every server of the tests knows, unless a test brings its own.

use std::sync::OnceLock;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::TOKEN_EXCHANGE;

/// How a client proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// `none`: a public client names itself.
    None,
    /// `client_secret_basic`
    Basic,
    /// `client_secret_post`
    Post,
    /// `private_key_jwt`, with [`client_key`].
    PrivateKeyJwt,
}

/// What a test needs to know to play a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client {
    /// `client_id`
    pub(crate) id: &'static str,
    /// How it authenticates; the secret is [`SECRET`].
    pub(crate) proof: Proof,
    /// The redirect URI it uses.
    pub(crate) redirect: &'static str,
}

/// The secret of every client that has one. It needs encoding in a Basic header (RFC 6749 section 2.3.1).
pub(crate) const SECRET: &str = "s3cret/with+signs:and%percent-0123456789";

const LOOPBACK: &str = "http://127.0.0.1:9/callback";

const fn public(id: &'static str) -> Client {
    Client { id, proof: Proof::None, redirect: LOOPBACK }
}

const fn confidential(id: &'static str, proof: Proof) -> Client {
    Client { id, proof, redirect: "https://backend.example.com/callback" }
}

/// The first app of the family.
pub(crate) const ONE: Client = public("app-one");
/// The second app of the family.
pub(crate) const TWO: Client = public("app-two");
/// The third app of the family.
pub(crate) const THREE: Client = public("app-three");
/// An app of another family.
pub(crate) const STRANGER: Client = public("app-stranger");
/// An app of the family that admits [`ONE`] alone, for `openid profile`, not offline.
pub(crate) const DIRECTED: Client = public("app-directed");
/// An app of the family that may not exchange tokens.
pub(crate) const NO_EXCHANGE: Client = public("app-no-exchange");
/// An app of the family whose registered scope has no `device_sso`.
pub(crate) const NO_DEVICE_SCOPE: Client = public("app-no-device-scope");
/// An app of the family that is told the device secret under both names.
pub(crate) const COMPAT: Client = public("app-compat");
/// An app of the vendor itself: no consent page.
pub(crate) const FIRST_PARTY: Client = public("app-first-party");
/// An app of the family whose access tokens are opaque.
pub(crate) const OPAQUE: Client = public("app-opaque");
/// An app of the family with a reversed-domain scheme.
pub(crate) const SCHEME: Client = Client { id: "app-scheme", proof: Proof::None, redirect: "com.example.app:/callback" };
/// An app with a scheme that has no dot in it.
pub(crate) const DOTLESS: Client = Client { id: "app-dotless", proof: Proof::None, redirect: "appname://oauth/callback" };
/// An app with a claimed https address.
pub(crate) const CLAIMED: Client = Client { id: "app-claimed", proof: Proof::None, redirect: "https://app.example.com/callback" };
/// A back end of the family with `client_secret_basic`.
pub(crate) const BACKEND: Client = confidential("backend", Proof::Basic);
/// A back end of the family with `client_secret_post` that need not use PKCE.
pub(crate) const BACKEND_POST: Client = confidential("backend-post", Proof::Post);
/// A back end of the family with `private_key_jwt`.
pub(crate) const BACKEND_JWT: Client = confidential("backend-jwt", Proof::PrivateKeyJwt);
/// A back end whose apps return to it by a private scheme (sources/002).
pub(crate) const BACKEND_SCHEME: Client =
    Client { id: "backend-scheme", proof: Proof::Basic, redirect: "com.example.mendix:/oauth/callback" };
/// A service without people.
pub(crate) const SERVICE: Client = confidential("service", Proof::Basic);
/// Apps of the family whose ID tokens are signed with `ES256`, `PS256` and `EdDSA`.
pub(crate) const BY_ALG: [(&str, Client); 3] =
    [("ES256", public("app-es256")), ("PS256", public("app-ps256")), ("EdDSA", public("app-eddsa"))];

/// What most apps may ask for.
pub(crate) const SCOPE: &str = "openid profile email offline_access device_sso read write payments";

/// The private key of [`BACKEND_JWT`], made once for each run.
pub(crate) fn client_key() -> &'static (EncodingKey, Jwk) {
    static KEY: OnceLock<(EncodingKey, Jwk)> = OnceLock::new();
    KEY.get_or_init(|| {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let document = pair.to_pkcs8v1().expect("PKCS #8");
        let key = EncodingKey::from_ec_der(document.as_ref());
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).expect("a JWK");
        jwk.common.key_id = Some("client-key".to_owned());
        (key, jwk)
    })
}

/// Registration of an app of the family `acme`: the metadata of RFC 7591 and our own.
fn app(client: Client, more: &Value) -> Value {
    let method = match client.proof {
        Proof::None => "none",
        Proof::Basic => "client_secret_basic",
        Proof::Post => "client_secret_post",
        Proof::PrivateKeyJwt => "private_key_jwt",
    };
    let mut metadata = json!({
        "client_id": client.id,
        "client_name": format!("The app {}", client.id),
        "application_type": if client.proof == Proof::None { "native" } else { "web" },
        "redirect_uris": [client.redirect],
        "token_endpoint_auth_method": method,
        "grant_types": ["authorization_code", "refresh_token", TOKEN_EXCHANGE],
        "response_types": ["code"],
        "scope": SCOPE,
        "device_sso_family": "acme",
    });
    if matches!(client.proof, Proof::Basic | Proof::Post) {
        metadata["client_secret"] = SECRET.into();
    }
    if client.proof == Proof::PrivateKeyJwt {
        metadata["jwks"] = json!({ "keys": [serde_json::to_value(&client_key().1).expect("a JWK")] });
    }
    for (name, value) in more.as_object().expect("an object") {
        if value.is_null() {
            metadata.as_object_mut().expect("an object").remove(name);
        } else {
            metadata[name] = value.clone();
        }
    }
    metadata
}

/// The registrations of the whole cast, for `[[clients]]`.
pub(crate) fn registrations() -> Vec<Value> {
    let plain = json!({});
    let mut all = vec![
        app(ONE, &json!({ "post_logout_redirect_uris": ["http://127.0.0.1:9/signed-out"] })),
        app(TWO, &plain),
        app(THREE, &plain),
        app(STRANGER, &json!({ "device_sso_family": "other" })),
        app(
            DIRECTED,
            &json!({
                "device_sso_sources": [{ "client_id": ONE.id, "scope": "openid profile", "offline_access": false }],
            }),
        ),
        app(NO_EXCHANGE, &json!({ "grant_types": ["authorization_code", "refresh_token"] })),
        app(NO_DEVICE_SCOPE, &json!({ "scope": "openid profile offline_access" })),
        app(COMPAT, &json!({ "compat_device_token": true })),
        app(FIRST_PARTY, &json!({ "first_party": true })),
        app(OPAQUE, &json!({ "access_token_format": "opaque" })),
        app(SCHEME, &plain),
        app(DOTLESS, &json!({ "allow_dotless_redirect_schemes": true })),
        app(CLAIMED, &json!({ "redirect_uris": [CLAIMED.redirect, "https://app.example.com/other?fixed=1"] })),
        app(
            BACKEND,
            &json!({
                "grant_types": ["authorization_code", "refresh_token", TOKEN_EXCHANGE, "client_credentials"],
                "introspection": true,
            }),
        ),
        app(
            BACKEND_POST,
            &json!({
                "grant_types": ["authorization_code", "refresh_token", TOKEN_EXCHANGE, "client_credentials"],
                "require_pkce": false, "introspection": true,
            }),
        ),
        app(
            BACKEND_JWT,
            &json!({
                "grant_types": ["authorization_code", "refresh_token", TOKEN_EXCHANGE, "client_credentials"],
                "introspection": true,
            }),
        ),
        app(BACKEND_SCHEME, &plain),
        app(
            SERVICE,
            &json!({
                "grant_types": ["client_credentials"], "response_types": [], "redirect_uris": [],
                "scope": "read write", "device_sso_family": null,
            }),
        ),
    ];
    all.extend(BY_ALG.map(|(alg, client)| app(client, &json!({ "id_token_signed_response_alg": alg }))));
    all
}
