//! A device's key and the proofs that an app makes with it (RFC 9449), right and wrong.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::answer::Answer;
use super::app::now;
use super::cast::Client;
use super::person::unique;
use super::request::{Form, sha256};
use super::server::{Server, http};

/// A key pair of one app on one device.
#[derive(Debug)]
pub(crate) struct DeviceKey {
    pair: EcdsaKeyPair,
    document: Vec<u8>,
    /// The public key.
    pub(crate) jwk: Value,
    /// Its RFC 7638 thumbprint.
    pub(crate) thumbprint: String,
}

/// A proof to be: the header and the claims, both of which a test may spoil.
#[derive(Debug, Clone)]
pub(crate) struct ProofParts {
    /// The JOSE header.
    pub(crate) header: Value,
    /// The claims.
    pub(crate) claims: Value,
}

impl ProofParts {
    /// Sets a claim; null removes it.
    #[must_use]
    pub(crate) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.claims, name, value.into());
        self
    }

    /// Sets a member of the header; null removes it.
    #[must_use]
    pub(crate) fn head(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.header, name, value.into());
        self
    }

    /// For the presentation of this access token.
    #[must_use]
    pub(crate) fn with_token(self, token: &str) -> Self {
        self.claim("ath", sha256(token))
    }

    /// What is signed.
    pub(crate) fn message(&self) -> String {
        format!("{}.{}", URL_SAFE_NO_PAD.encode(self.header.to_string()), URL_SAFE_NO_PAD.encode(self.claims.to_string()))
    }
}

fn set(object: &mut Value, name: &str, value: Value) {
    if value.is_null() {
        object.as_object_mut().expect("an object").remove(name);
    } else {
        object[name] = value;
    }
}

impl DeviceKey {
    /// A new key.
    #[track_caller]
    pub(crate) fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let document = pair.to_pkcs8v1().expect("PKCS #8").as_ref().to_vec();
        let mut jwk = Jwk::from_encoding_key(&EncodingKey::from_ec_der(&document), Algorithm::ES256).expect("a JWK");
        jwk.common.key_algorithm = None;
        let thumbprint = jwk.thumbprint(ThumbprintHash::SHA256).expect("a thumbprint");
        Self { pair, document, jwk: serde_json::to_value(jwk).expect("JSON"), thumbprint }
    }

    /// The private part, as a careless client would show it.
    pub(crate) fn private_member(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.document[self.document.len() - 32..])
    }

    /// A correct proof for a request, not yet signed.
    pub(crate) fn parts(&self, method: &str, url: &str) -> ProofParts {
        ProofParts {
            header: json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk }),
            claims: json!({ "jti": unique("proof"), "htm": method, "htu": url, "iat": now() }),
        }
    }

    /// Signs a proof.
    #[track_caller]
    pub(crate) fn sign(&self, parts: &ProofParts) -> String {
        let message = parts.message();
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// A correct proof for a token request at that server.
    #[track_caller]
    pub(crate) fn for_token(&self, server: &Server) -> String {
        self.sign(&self.parts("POST", &format!("{}/token", server.issuer)))
    }

    /// A correct proof for `GET /userinfo` with that token.
    #[track_caller]
    pub(crate) fn for_userinfo(&self, server: &Server, token: &str) -> String {
        self.sign(&self.parts("GET", &format!("{}/userinfo", server.issuer)).with_token(token))
    }
}

impl Server {
    /// A token request with a new proof by that key.
    #[track_caller]
    pub(crate) fn token_by(&self, key: &DeviceKey, client: Client, form: Form) -> Answer {
        self.token_with(&[&key.for_token(self)], client, form)
    }

    /// A token request with these `DPoP` headers.
    #[track_caller]
    pub(crate) fn token_with(&self, proofs: &[&str], client: Client, form: Form) -> Answer {
        let headers: Vec<(&str, &str)> = proofs.iter().map(|proof| ("dpop", *proof)).collect();
        self.post_with(&headers, client, "/token", form)
    }

    /// A refresh with a new proof by that key.
    #[track_caller]
    pub(crate) fn refresh_by(&self, key: &DeviceKey, client: Client, refresh_token: &str) -> Answer {
        self.token_by(key, client, Form::of(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]))
    }

    /// `UserInfo` by the scheme `DPoP`, with these proofs.
    #[track_caller]
    pub(crate) fn userinfo_with(&self, proofs: &[&str], access_token: &str) -> Answer {
        let mut request = http().get(self.url("/userinfo")).header("authorization", format!("DPoP {access_token}"));
        for proof in proofs {
            request = request.header("dpop", *proof);
        }
        Self::send(request)
    }
}
