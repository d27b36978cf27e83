//! Write device-SSO handlers for Symbolon.
//!
//! A *device-SSO handler* decides what the next app of a vendor receives when a person is already signed in on the device: which scope
//! and claims, for how long, with or without a refresh token. Before it is asked, the server has authenticated the client, verified the
//! ID token and the device secret, and checked that they belong together. A handler is a dynamic library in the server's plugin folder.
//!
//! # A whole handler
//!
//! ```
#![doc = include_str!("../examples/minimal.rs")]
//! ```
//!
//! `symbolon handler new my-handler` writes a crate that is built, tested and loaded as it is. By hand: the manifest says
//! `crate-type = ["cdylib"]` and depends on this crate; nothing else is needed. `cargo build --release` gives the `.so`.
//!
//! # What the server does with it
//!
//! 1. **Check**: who may write the file, whether it is whole, its ABI number and SDK version, and, where the operator asks for it, its digest
//!    or signature. No code of the library runs. What is opened from here on is a private copy of the bytes that were checked.
//! 2. **Try out**: in a process of its own the library is opened, described and configured. A crash there is a sentence in the log.
//! 3. **Configure**, at start and whenever a reload changes something: [`DeviceSsoHandler::configure`] with the properties below
//!    [`DeviceSsoHandler::PREFIX`]. Unknown names and unreadable values are reported to the operator all at once.
//!    Many handlers may be loaded, at most one may be [enabled](DeviceSsoHandler::enabled).
//! 4. **Authorize**, at every exchange: [`DeviceSsoHandler::authorize`], from several threads or in several processes at once. One more
//!    handler may be asked as a [shadow](Purpose::Shadow), and an operator may ask for an [explanation](Purpose::Explanation): nothing
//!    comes of either.
//! 5. **Shut down**, when the last call on an instance has returned: [`DeviceSsoHandler::shutdown`].
//!
//! # How it is run
//!
//! The handler says whether it may wait ([`Execution`]); the operator decides, by the property `isolation` below the handler's prefix:
//!
//! | `isolation` | where | what a crash, an endless loop or a leak costs | a call past the deadline |
//! |---|---|---|---|
//! | `inline` | on the server's worker | the server | is refused when it returns |
//! | `pool` | on `isolation.threads` threads of the server's process | the server | is answered for; its thread is back when it returns |
//! | `process` | in `isolation.processes` processes, one call at a time each, with `isolation.memory` for each | that call | is answered for; its process is replaced |
//!
//! The default is `inline` for [`Execution::Inline`] and `pool` for [`Execution::Blocking`]. `isolation.deadline` bounds a decision (default:
//! the server's `handlers.deadline`, two seconds). A handler that fails five times in a row (panic, crash, deadline, nonsense) is left alone
//! for a second, then tried once, then left alone twice as long, up to half a minute. Several instances may live at once, in several
//! processes: whatever they share must live outside of them.
//!
//! # A handler proposes, the core disposes
//!
//! Nothing an authorization says is used before the server's guard has clamped it:
//!
//! - scope: values that were not asked for, that the client did not register, or that lie above the ceiling between the two clients, are
//!   removed. Where the client sent no `scope`, everything it may have counts as asked for;
//! - lifetimes of access and ID tokens: cut to the server's maxima and to the end of the device session. A refresh token ends with the device
//!   session at the latest, whatever its lifetime;
//! - audience: within the resources that were requested; else within the server's `handlers.audiences`, where that is set; at most 32;
//! - refresh token: only where client and pair of clients may have one;
//! - ID token claims: the protocol's own (`iss`, `sub`, `aud`, `exp`, `iat`, `nonce`, `auth_time`, `acr`, `amr`, `azp`, `sid`, `ds_hash`, …) cannot be
//!   replaced, and the subject never changes;
//! - data and claims: at most 16 KiB of JSON for each token and for the grant. A list of more than 1000 values, a text of more than 1 MiB and
//!   text that is no UTF-8 make the whole answer nonsense (`server_error`);
//! - claims meant for the ID token go to `UserInfo` when no ID token is issued.
//!
//! # What an error makes the client do
//!
//! | constructor | HTTP | the app then |
//! |---|---|---|
//! | [`HandlerError::interaction_required`] | 400 | opens a browser for an authorization request with the members it was given |
//! | [`HandlerError::invalid_scope`] | 400 | asks again with less |
//! | [`HandlerError::access_denied`] | 400 | shows the person that this is not possible |
//! | [`HandlerError::custom`] | as set, else 400 (`temporarily_unavailable` 503, `server_error` 500) | whatever app and handler agreed |
//! | a panic, a crash of its process | 500 | sees `server_error`; the server lives and logs the cause |
//! | no answer in time, or nobody free to ask | 503 | sees `temporarily_unavailable` with `Retry-After`, and tries again |
//!
//! # Post-login actions
//!
//! The other thing to write with this crate is a [`PostLoginAction`], exported by [`export_post_login_action!`]: it judges sign-ins at the authorization
//! endpoint. Everything above about checking, trying out, configuring, isolation and failing holds for it, but that several may be enabled, in an order. One
//! that fails, or does not answer in time, keeps everybody out until it works again or is switched off; one that is enabled and cannot be loaded keeps the
//! server from starting. Its property names begin with [`ACTION_PREFIX`], those of no handler do.
//!
//! ```
#![doc = include_str!("../examples/office_hours.rs")]
//! ```
//!
//! # Limits of containment
//!
//! With `inline` and `pool` a handler runs in the server's process with the server's rights. A panic is contained; a stack overflow, a double
//! panic, an allocation failure, `process::exit` and undefined behaviour are not, and end the server: that is what `process` is for.
//! `panic = "abort"` is refused when the handler is compiled. Libraries that a handler links to must be where the system's loader finds
//! them; `$ORIGIN` means nothing for a private copy.
//!
//! # Tests
//!
//! With the feature `testing` of this crate as a dev-dependency, `symbolon_sdk::testing` configures
//! a handler from properties and asks it, through the boundary that the server uses and without a server. What `symbolon handler new` writes
//! begins with such a test; `cargo doc --features testing` shows the module.
//!
//! # Versions
//!
//! Three numbers: this crate's version (what you compile against), [`HANDLER_ABI`] (what must agree exactly at load time), and your own.
//! Within a major version a handler built with an older SDK loads in a newer server: what the handler does not know is absent to it. One
//! built with a newer SDK than the server's is refused, because it may count on what the server does not have. A published shape of the boundary
//! never changes without another number; a test compares it with the one that is kept.
#![deny(missing_docs)]
#![deny(unsafe_code)]

#[doc(hidden)]
#[expect(unsafe_code, reason = "the one boundary: every unsafe block in it says why it is sound")]
#[expect(
    unused_qualifications,
    non_local_definitions,
    missing_debug_implementations,
    clippy::used_underscore_binding,
    clippy::must_use_candidate,
    clippy::expl_impl_clone_on_copy,
    reason = "what the macros of abi_stable write"
)]
pub mod abi;
mod action;
mod authorization;
mod error;
mod export;
mod handler;
#[cfg(feature = "host")]
#[expect(unsafe_code, reason = "opening a dynamic library: every unsafe block in it says why it is sound")]
pub mod host;
pub mod log;
mod properties;
mod request;
mod sign_in;
#[cfg(feature = "testing")]
pub mod testing;
mod verdict;

pub use abi::HANDLER_ABI;
pub use action::{ACTION_PREFIX, ActionError, PostLoginAction};
pub use authorization::{
    AccessTokenSpec, ClaimsSpec, ClaimsTransport, DeviceSsoAuthorization, Encoding, IdTokenSpec, RefreshLifetime,
    RefreshTokenSpec,
};
pub use error::HandlerError;
pub use handler::{DeviceSsoHandler, Execution};
pub use properties::{ConfigureError, Finding, Properties};
pub use request::{DeviceSession, DeviceSsoRequest, Purpose, ServerDefaults, TokenBinding};
/// JSON, re-exported so that a handler needs no dependency of its own for it.
pub use serde_json::{Map, Value, json};
pub use sign_in::{BrowserSession, GeoIp, RequestContext, SessionTransferToken, SignIn};
pub use verdict::Verdict;

/// The version of this crate.
pub const SDK_VERSION: &str = env!("CARGO_PKG_VERSION");
