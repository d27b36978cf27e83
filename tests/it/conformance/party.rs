//! The relying party of the certification profiles as the public suite plays it: a confidential client that sends no PKCE
//! unless a case is about PKCE, and takes its answers in one response mode.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;

use crate::harness::cast::{BACKEND, BACKEND_POST};
use crate::harness::request::half_sha256;
use crate::harness::{Authorization, Browser, Client, Form, Landing, Person, Server, Setup, Tokens};

/// `client_secret_basic`
pub(super) const RP: Client = BACKEND;
/// `client_secret_post`
pub(super) const RP_POST: Client = BACKEND_POST;

/// Everything that OpenID Connect Core section 5.4 names, and refresh tokens.
const SCOPE: &str = "openid profile email address phone offline_access";

/// How the answers of a profile travel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Profile {
    mode: Option<&'static str>,
}

/// The answer is in the query, as it is when nothing is said.
pub(super) const BASIC: Profile = Profile { mode: None };
/// The answer is a form that the browser posts.
pub(super) const FORM_POST: Profile = Profile { mode: Some("form_post") };

/// The provider under test. Cases that change it start one of their own.
#[track_caller]
pub(super) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| setup().start())
}

/// How the provider under test is set up.
pub(super) fn setup() -> Setup {
    [RP.id, RP_POST.id].into_iter().fold(Setup::new(), |setup, id| {
        let setup = setup.client(id, "scope", SCOPE).client(id, "require_pkce", false);
        setup.client(id, "post_logout_redirect_uris", serde_json::json!(["https://backend.example.com/signed-out"]))
    })
}

/// Somebody with a claim for each scope.
#[track_caller]
pub(super) fn person(server: &Server) -> Person {
    server.person_with(&[
        "name=Ada Example",
        "given_name=Ada",
        "family_name=Example",
        "preferred_username=ada",
        "email=ada@example.com",
        "email_verified=true",
        "address={\"country\":\"NO\",\"locality\":\"Oslo\"}",
        "phone_number=+47 1234",
        "phone_number_verified=true",
    ])
}

impl Profile {
    /// A request of [`RP`] without PKCE.
    pub(super) fn request(&self, scope: &str) -> Authorization {
        self.request_of(RP, scope)
    }

    /// The same of another client.
    pub(super) fn request_of(&self, client: Client, scope: &str) -> Authorization {
        let request = Authorization::new(client, scope).without("code_challenge").without("code_challenge_method");
        match self.mode {
            Some(mode) => request.set("response_mode", mode),
            None => request,
        }
    }

    /// What the relying party received, in the profile's mode, with `state` and `iss` (RFC 9207) checked.
    #[track_caller]
    pub(super) fn received(&self, server: &Server, landing: Landing, request: &Authorization) -> BTreeMap<String, String> {
        let Landing::Client(url, parameters) = landing else { panic!("no answer: {landing:?}") };
        if self.mode == FORM_POST.mode {
            // OAuth 2.0 Form Post Response Mode section 2: everything is in the form, nothing in its address.
            assert_eq!(url.as_str(), request.client.redirect);
        } else {
            assert!(url.as_str().starts_with(request.client.redirect) && url.fragment().is_none(), "{url}");
            assert!(url.query_pairs().any(|(name, _)| name == "state"), "{url}");
        }
        assert_eq!(parameters.get("state"), Some(&request.state), "{parameters:?}");
        assert_eq!(parameters.get("iss"), Some(&server.issuer), "{parameters:?}");
        parameters
    }

    /// The code of an answer.
    #[track_caller]
    pub(super) fn code(&self, server: &Server, landing: Landing, request: &Authorization) -> String {
        let parameters = self.received(server, landing, request);
        parameters.get("code").unwrap_or_else(|| panic!("no code: {parameters:?}")).clone()
    }

    /// The error of an answer.
    #[track_caller]
    pub(super) fn error(&self, server: &Server, landing: Landing, request: &Authorization) -> String {
        let parameters = self.received(server, landing, request);
        assert_eq!(parameters.get("code"), None);
        parameters.get("error").unwrap_or_else(|| panic!("no error: {parameters:?}")).clone()
    }

    /// The whole way in one browser: answer whatever is asked, redeem the code, check the ID token.
    #[track_caller]
    pub(super) fn sign_in(&self, server: &Server, browser: &Browser, request: &Authorization, person: &Person) -> Tokens {
        let landing = browser.authorize(server, request, person);
        redeemed(server, request, &self.code(server, landing, request))
    }

    /// The second authorization of a browser that is signed in already: nothing is asked.
    #[track_caller]
    pub(super) fn silently(&self, server: &Server, browser: &Browser, request: &Authorization) -> Tokens {
        let landing = browser.ask(server, request);
        redeemed(server, request, &self.code(server, landing, request))
    }
}

/// The token request of a relying party without PKCE.
pub(super) fn form(request: &Authorization, code: &str) -> Form {
    request.redeem(code).without("code_verifier")
}

/// Redeems a code and checks the ID token as OpenID Connect Core section 3.1.3.7 tells a client to.
#[track_caller]
pub(super) fn redeemed(server: &Server, request: &Authorization, code: &str) -> Tokens {
    let answer = server.token(request.client, form(request, code));
    answer.is_not_cached();
    let tokens = Tokens(answer.ok());
    assert!(tokens.get("token_type").eq_ignore_ascii_case("bearer"));
    let claims = id_token(server, request.client, &tokens);
    if request.form.0.iter().any(|(name, _)| name == "nonce") {
        assert_eq!(claims["nonce"], request.nonce.as_str());
    }
    tokens
}

/// The claims of an ID token that is good.
#[track_caller]
pub(super) fn id_token(server: &Server, client: Client, tokens: &Tokens) -> Value {
    let (header, claims) = server.verified(tokens.id());
    assert_eq!(header.alg, jsonwebtoken::Algorithm::RS256, "what is signed with when nothing is registered");
    assert_eq!(claims["iss"], server.issuer.as_str());
    assert_eq!(claims["aud"], client.id);
    assert!(claims["sub"].as_str().is_some_and(|sub| sub.is_ascii() && (1..=255).contains(&sub.len())), "{claims}");
    let now = crate::harness::app::now();
    assert!(claims["iat"].as_u64().is_some_and(|iat| iat <= now + 1 && iat + 300 > now), "{claims}");
    assert!(claims["exp"].as_u64().is_some_and(|exp| exp > now), "{claims}");
    if !claims["at_hash"].is_null() {
        assert_eq!(claims["at_hash"], half_sha256(tokens.access()).as_str());
    }
    claims
}
