//! Servers that many tests share, one for each configuration. Tests stay apart because each brings its own people.

use std::sync::OnceLock;

use super::server::Server;
use super::setup::Setup;

/// The usual server.
#[track_caller]
pub(crate) fn usual() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Setup::new().start())
}

/// ID and access tokens that live for one second.
#[track_caller]
pub(crate) fn short_lived() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Setup::new().set("tokens.id_token.lifetime", "1s").set("tokens.access_token.lifetime", "1s").start())
}

/// An issuer with a path.
#[track_caller]
pub(crate) fn below_a_path() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Setup::new().below("/tenant/one").start())
}

/// No handler is enabled.
#[track_caller]
pub(crate) fn without_handler() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Setup::new().properties("op.deviceSSOHandler.enable=false\n").start())
}
