//! The account API as an app calls it, and somebody with sessions to be seen and ended there.

use std::sync::OnceLock;

use reqwest::Method;
use serde_json::Value;

use super::answer::Answer;
use super::app::Tokens;
use super::browser::Browser;
use super::cast::{CLAIMED, FIRST_PARTY, ONE, SCOPE, TWO};
use super::jwt;
use super::person::Person;
use super::server::{Server, http};
use super::setup::Setup;

/// What an account app asks for.
pub(crate) const ACCOUNT: &str = "openid symbolon:account";
/// What an app asks for that begins a device session.
pub(crate) const DEVICE: &str = "openid profile offline_access device_sso";

/// The usual server, some of whose clients may ask for the account.
pub(crate) fn setup() -> Setup {
    let scope = format!("{SCOPE} symbolon:account");
    [ONE, TWO, CLAIMED, FIRST_PARTY]
        .iter()
        .fold(Setup::new().set("telemetry.format", "json"), |setup, client| setup.client(client.id, "scope", scope.clone()))
}

/// One for all tests of the account.
#[track_caller]
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| setup().start())
}

/// A request with a bearer token.
#[track_caller]
pub(crate) fn ask(server: &Server, method: Method, path: &str, token: &str) -> Answer {
    Server::send(http().request(method, server.url(path)).bearer_auth(token))
}

/// What is shown to that token.
#[track_caller]
pub(crate) fn get(server: &Server, path: &str, token: &str) -> Value {
    let answer = ask(server, Method::GET, path, token);
    answer.is_not_cached();
    answer.ok()
}

/// What that token ends.
#[track_caller]
pub(crate) fn end(server: &Server, path: &str, token: &str) -> Value {
    let answer = ask(server, Method::DELETE, path, token);
    answer.is_not_cached();
    answer.ok()
}

/// The sessions shown to that token.
#[track_caller]
pub(crate) fn sessions(server: &Server, token: &str) -> Vec<Value> {
    get(server, "/account/sessions", token)["sessions"].as_array().expect("sessions").clone()
}

/// The session of these tokens.
pub(crate) fn sid(tokens: &Tokens) -> String {
    jwt::claims(tokens.id())["sid"].as_str().expect("a sid").to_owned()
}

/// The address of a session.
pub(crate) fn session(id: &str) -> String {
    format!("/account/sessions/{id}")
}

/// Somebody who is signed in to the account app in one browser, and has a device that was signed in in another.
pub(crate) struct Owner {
    /// Who.
    pub(crate) person: Person,
    /// Where the account app is.
    pub(crate) browser: Browser,
    /// What it was given.
    pub(crate) account: Tokens,
    /// Where the device was signed in.
    pub(crate) elsewhere: Browser,
    /// What its app was given.
    pub(crate) device: Tokens,
}

impl Owner {
    /// Somebody new.
    #[track_caller]
    pub(crate) fn new(server: &Server) -> Self {
        let (person, browser, elsewhere) = (server.person(), Browser::new(), Browser::new());
        let device = server.sign_in_by(&elsewhere, TWO, &person, DEVICE, None);
        let account = server.sign_in_by(&browser, ONE, &person, ACCOUNT, None);
        Self { person, browser, account, elsewhere, device }
    }

    /// The token of the account app.
    pub(crate) fn token(&self) -> &str {
        self.account.access()
    }
}
