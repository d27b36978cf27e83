//! What every suite stands on: a real server process, its cast of clients and people, a browser without JavaScript, and
//! the requests of an app. Knows nothing of the server's code: it speaks HTTP and runs commands.

pub(crate) mod account;
pub(crate) mod answer;
pub(crate) mod app;
pub(crate) mod audit;
pub(crate) mod authenticator;
pub(crate) mod binaries;
pub(crate) mod browser;
pub(crate) mod cargo;
pub(crate) mod cast;
pub(crate) mod certificate;
pub(crate) mod command;
pub(crate) mod dpop;
pub(crate) mod failing_disk;
pub(crate) mod fleet;
pub(crate) mod jwt;
pub(crate) mod load;
pub(crate) mod maxmind;
pub(crate) mod page;
pub(crate) mod partition;
pub(crate) mod person;
pub(crate) mod process;
pub(crate) mod redis;
pub(crate) mod relying_party;
pub(crate) mod request;
pub(crate) mod server;
pub(crate) mod setup;
pub(crate) mod shared;
pub(crate) mod witness;

use std::time::{Duration, Instant};

pub(crate) use answer::Answer;
pub(crate) use app::Tokens;
pub(crate) use browser::{Browser, Landing};
pub(crate) use cast::Client;
pub(crate) use certificate::Certificate;
pub(crate) use person::Person;
pub(crate) use relying_party::{RelyingParty, Reply};
pub(crate) use request::{Authorization, Form};
pub(crate) use server::Server;
pub(crate) use setup::Setup;

/// The grant of RFC 8693.
pub(crate) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The subject token's type of Native SSO.
pub(crate) const ID_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:id_token";
/// The actor token's type of Native SSO.
pub(crate) const DEVICE_SECRET_TYPE: &str = "urn:openid:params:token-type:device-secret";

/// Waits until `happened`, asking again and again for at most 30 s, so that no test depends on how fast the machine is.
#[track_caller]
pub(crate) fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(30);
    while !happened() {
        assert!(Instant::now() < patience, "it did not happen within 30 s: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
