//! The provider itself, over a store in memory: a few clients, one person, and their browser.

use std::cell::RefCell;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use symbolon::accounts::{PasswordPolicy, People, Throttle, ThrottleLimits};
use symbolon::clients::Clients;
use symbolon::foundation::{Clock, Secret};
use symbolon::grants::authorize::sign_in::{Credentials, SignIn};
use symbolon::grants::authorize::{Answer, Browser, Outcome, Refusal};
use symbolon::grants::{Engine, Facts, Outside, Parameters, Shown, TokenCall};
use symbolon::issuance::{Handlers, Issuer};
use symbolon::network::Networks;
use symbolon::outbound::Outbound;
use symbolon::settings::Settings;
use symbolon::settings::meaning::FileClient;
use symbolon::storage::SharedStore;
use symbolon::storage::memory::Memory;
use symbolon::tokens::keys::{KeyPolicy, SigningKeys};
use symbolon::tokens::sealing::SealingKey;
use tokio::runtime::{Builder, Runtime};

use crate::signed;

const NOW: u64 = 1_800_000_000;
const PASSWORD: &str = "correct horse battery staple";
/// How many inputs one provider answers before its store has too much in it.
const ENOUGH: usize = 20_000;
/// The redirect URIs that are registered: nothing is ever sent anywhere else.
const REGISTERED: [&str; 3] = ["https://app.example.com/callback", "com.example.app:/callback", "http://127.0.0.1/callback"];

struct Provider {
    runtime: Runtime,
    engine: Arc<Engine>,
    /// The browser in which the person is signed in.
    browser: Browser,
    answered: usize,
}

thread_local! {
    static PROVIDER: RefCell<Option<Provider>> = const { RefCell::new(None) };
}

fn with<T>(act: impl FnOnce(&Provider) -> T) -> T {
    PROVIDER.with_borrow_mut(|slot| {
        let fresh = slot.take().filter(|provider| provider.answered < ENOUGH);
        let provider = slot.insert(fresh.unwrap_or_else(Provider::new));
        provider.answered += 1;
        act(provider)
    })
}

fn clients() -> Vec<FileClient> {
    let grants = ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange", "client_credentials"];
    let [first, rest @ ..] = [
        json!({ "client_id": "app", "token_endpoint_auth_method": "none", "application_type": "native", "redirect_uris": REGISTERED,
            "grant_types": &grants[..3], "scope": "openid profile offline_access device_sso", "device_sso_family": "family",
            "first_party": true, "jwks": { "keys": [signed::public_key()] },
            "session_transfer": { "allowed_authentication_methods": ["query"], "can_create_session_transfer_token": true } }),
        json!({ "client_id": "backend", "client_secret": "a secret of sixteen", "token_endpoint_auth_method": "client_secret_post",
            "redirect_uris": REGISTERED, "grant_types": grants, "scope": "openid profile" }),
        json!({ "client_id": "signing", "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [signed::public_key()] },
            "redirect_uris": REGISTERED, "require_signed_request_object": true }),
    ];
    let entry = |metadata: Value| {
        let Value::Object(metadata) = metadata else { panic!("no object") };
        FileClient { metadata, place: "here".to_owned() }
    };
    std::iter::once(first).chain(rest).map(entry).collect()
}

impl Provider {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap_or_else(|error| panic!("the runtime: {error}"));
        let (engine, browser) = runtime.block_on(async {
            let engine = engine().await;
            let browser = sign_in(&engine).await;
            (engine, browser)
        });
        Self { runtime, engine, browser, answered: 0 }
    }

    /// Makes an authorization request, signed in and not; an answer goes to a registered address, or nowhere.
    fn authorize(&self, parameters: &Parameters) {
        for browser in [&self.browser, &new_browser()] {
            match self.runtime.block_on(self.engine.authorize(parameters, browser, Vec::new())).outcome {
                Ok(Outcome::Client(answer)) => told(&answer),
                Err(Refusal::Redirect(refusal)) => told(&self.engine.answer_with_error(*refusal)),
                Ok(Outcome::Page(_)) | Err(Refusal::Page(_)) => {}
            }
        }
    }
}

async fn engine() -> Arc<Engine> {
    let mut settings = Settings::built_in();
    settings.clients = clients();
    let (settings, clock) = (Arc::new(settings), Clock::manual(NOW));
    let store: SharedStore = Arc::new(Memory::new(clock.clone()));
    let sealing = SealingKey::from_text(&Secret::new("07".repeat(32))).unwrap_or_else(|error| panic!("{error}"));
    let policy = KeyPolicy { publish_before_use: settings.tokens.key_publish_before_use, rotate_every: None, verify_for: None };
    let keys = SigningKeys::open(Arc::clone(&store), clock.clone(), sealing.clone(), policy).await;
    let keys = keys.unwrap_or_else(|error| panic!("the keys: {error}"));
    let outbound = Outbound::new(false);
    let clients =
        Clients::new(Arc::clone(&store), clock.clone(), outbound.clone(), sealing, &settings.clients, settings.scopes.clone());
    let clients = clients.unwrap_or_else(|findings| panic!("the clients: {findings:?}"));
    let people = People::new(Arc::clone(&store), clock.clone(), PasswordPolicy::from(&settings.sign_in));
    let people = people.unwrap_or_else(|error| panic!("the people: {error}"));
    people.add("ada", Secret::new(PASSWORD.to_owned()), Map::new()).await.unwrap_or_else(|error| panic!("the person: {error}"));
    let throttle = Throttle::new(ThrottleLimits::from(&settings.sign_in));
    let outside = Outside { outbound, networks: Networks::none(&settings.network) };
    let issuer = Issuer::new(settings, clock, store, keys, people, clients.keys().clone());
    Engine::new(issuer, clients, Handlers::none(), throttle, outside)
}

fn new_browser() -> Browser {
    let binding = Secret::new("a binding of forty-three characters, or so.".to_owned());
    Browser { binding, sessions: None, kept: None, state: None, user_agent: "fuzz".to_owned(), address: None }
}

async fn sign_in(engine: &Engine) -> Browser {
    let mut browser = new_browser();
    let request = Parameters::from_form(
        b"client_id=app&response_type=code&scope=openid&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback\
          &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
    );
    let request = request.unwrap_or_else(|error| panic!("{error:?}"));
    let Ok(Outcome::Page(page)) = engine.authorize(&request, &browser, Vec::new()).await.outcome else { panic!("no page") };
    let credentials = Credentials { username: "ada", password: Secret::new(PASSWORD.to_owned()), keep: false };
    match engine.sign_in(page.transaction, credentials, &browser, None).await {
        Ok(SignIn::Done { cookies, .. }) => browser.sessions = cookies.sessions,
        other => panic!("not signed in: {other:?}"),
    }
    browser
}

/// An answer on its way to the client.
fn told(answer: &Answer) {
    let uri = answer.redirect_uri.as_str();
    let loopback = uri.starts_with("http://127.0.0.1:") && uri.ends_with("/callback");
    assert!(REGISTERED.contains(&uri) || loopback, "an answer goes to an address that is not registered: {uri:?}");
    assert!(answer.pairs.iter().any(|(name, _)| *name == "iss"), "an answer does not say whose it is");
}

/// An authorization request (OpenID Connect Core section 3.1.2.1) as a query.
///
/// # Panics
/// When an answer goes to an address that is not registered.
pub fn authorization_request(bytes: &[u8]) {
    if let Ok(parameters) = Parameters::from_form(bytes) {
        with(|provider| provider.authorize(&parameters));
    }
}

/// A request object (RFC 9101 section 4) of a client that need not sign, and of one that must.
///
/// # Panics
/// When an answer goes to an address that is not registered.
pub fn request_object(bytes: &[u8]) {
    let Value::Object(header) = json!({ "alg": "EdDSA" }) else { return };
    let Some(jwt) = signed::jwt(bytes, &header) else { return };
    for client in ["app", "signing"] {
        let pairs = [("client_id", client), ("scope", "openid"), ("response_type", "code"), ("request", &jwt)];
        let pairs = pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        if let Ok(parameters) = Parameters::from_pairs(pairs) {
            with(|provider| provider.authorize(&parameters));
        }
    }
}

/// A token request (RFC 6749 section 3.2): the `Authorization` header, a line feed, and the body. Nothing that the input could name was
/// ever issued, so nobody but a client that knows its secret is given anything, and that only for itself.
///
/// # Panics
/// When somebody is given a token for something that was never issued.
pub fn token_request(bytes: &[u8]) {
    let (header, body) =
        bytes.iter().position(|byte| *byte == b'\n').map_or((&b""[..], bytes), |at| (&bytes[..at], &bytes[at + 1..]));
    let authorization = std::str::from_utf8(header).ok().filter(|text| !text.is_empty());
    for parameters in [Parameters::from_form(body), Parameters::from_json(body)].into_iter().flatten() {
        with(|provider| {
            let (endpoint, mut facts) = ("http://127.0.0.1:8080/token", Facts::default());
            let call = TokenCall {
                parameters: &parameters,
                authorization,
                endpoint,
                address: None,
                user_agent: "fuzz",
                shown: Shown::default(),
            };
            if provider.runtime.block_on(provider.engine.token(&call, &mut facts)).is_ok() {
                assert_eq!(parameters.get("grant_type"), Some("client_credentials"), "a token for something never issued");
            }
        });
    }
}

/// Whoever did not sign in is not signed in.
pub(crate) fn nobody_is_signed_in(browser: &Browser) {
    with(|provider| {
        let people = provider.runtime.block_on(provider.engine.signed_in(browser));
        assert!(people.is_ok_and(|people| people.is_empty()), "somebody is signed in by cookies that were never set");
    });
}
