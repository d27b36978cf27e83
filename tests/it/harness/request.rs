//! Requests as an app builds them: form bodies, and authorization requests with PKCE.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use super::cast::Client;
use super::person::unique;
use super::server::Server;

/// Parameters in order; one may stand twice.
#[derive(Debug, Clone, Default)]
pub(crate) struct Form(pub(crate) Vec<(String, String)>);

impl Form {
    /// A form with these parameters.
    pub(crate) fn of(parameters: &[(&str, &str)]) -> Self {
        Self(parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    /// Adds a parameter, even if it is there.
    #[must_use]
    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a parameter to exactly this value.
    #[must_use]
    pub(crate) fn set(self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    /// Removes a parameter.
    #[must_use]
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(own, _)| own != name);
        self
    }

    /// The wire form, `application/x-www-form-urlencoded`.
    pub(crate) fn encoded(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

/// The left half or the whole of a SHA-256, base64url.
pub(crate) fn sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()).as_ref())
}

/// Base64url of the left half of SHA-256: how `at_hash` and `ds_hash` are made.
pub(crate) fn half_sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, text.as_bytes()).as_ref()[..16])
}

/// One authorization request and the secrets an app keeps for its answer.
#[derive(Debug, Clone)]
pub(crate) struct Authorization {
    /// Who asks.
    pub(crate) client: Client,
    /// PKCE verifier.
    pub(crate) verifier: String,
    /// `state`
    pub(crate) state: String,
    /// `nonce`
    pub(crate) nonce: String,
    /// The parameters.
    pub(crate) form: Form,
}

impl Authorization {
    /// A correct request of that client.
    pub(crate) fn new(client: Client, scope: &str) -> Self {
        let verifier = sha256(&unique("verifier"));
        let (state, nonce) = (unique("state"), unique("nonce"));
        let form = Form::of(&[
            ("response_type", "code"),
            ("client_id", client.id),
            ("redirect_uri", client.redirect),
            ("scope", scope),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &sha256(&verifier)),
            ("code_challenge_method", "S256"),
        ]);
        Self { client, verifier, state, nonce, form }
    }

    /// Sets a parameter.
    #[must_use]
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.form = self.form.set(name, value);
        self
    }

    /// Removes a parameter.
    #[must_use]
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.form = self.form.without(name);
        self
    }

    /// Where the browser is sent.
    pub(crate) fn url(&self, server: &Server) -> Url {
        let mut url: Url = server.url("/authorize").parse().expect("a URL");
        url.set_query(Some(&self.form.encoded()));
        url
    }

    /// The token request that redeems the code.
    pub(crate) fn redeem(&self, code: &str) -> Form {
        Form::of(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.client.redirect),
            ("code_verifier", &self.verifier),
        ])
    }
}
