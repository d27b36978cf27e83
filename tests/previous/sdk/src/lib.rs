//! Write device-SSO handlers for Symbolon: the SDK 1.0.0 as it was, kept to build a handler that a newer server must still load.
//!
//! A *device-SSO handler* decides what the next app of a vendor receives when a person is already signed in on the device: which scope
//! and claims, for how long, with or without a refresh token. Before it is asked, the server has authenticated the client, verified the
//! ID token and the device secret, and checked that they belong together. A handler is a dynamic library in the server's plugin folder.
//!
//! # What the server does with it
//!
//! 1. **Load**, once, at start: the file is checked before it is opened, then its ABI number, then its types. A library is never unloaded.
//! 2. **Configure**, at start and at every reload: [`DeviceSsoHandler::configure`] with the properties below
//!    [`DeviceSsoHandler::PREFIX`]. Unknown names and unreadable values are reported to the operator all at once.
//!    Many handlers may be loaded, at most one may be [enabled](DeviceSsoHandler::enabled).
//! 3. **Authorize**, at every exchange: [`DeviceSsoHandler::authorize`], from several threads at once.
//! 4. **Shut down**, when the last call on an instance has returned: [`DeviceSsoHandler::shutdown`].
//!
//! # A handler proposes, the core disposes
//!
//! Nothing an authorization says is used before the server's guard has clamped it:
//!
//! - scope: values that the client did not register, or that lie above the ceiling between the two clients, are removed;
//!   `openid` and `device_sso` stay;
//! - lifetimes: cut to the server's maxima and to the end of the device session;
//! - ID token claims: the protocol's own (`iss`, `sub`, `aud`, `exp`, `iat`, `nonce`, `auth_time`, `acr`, `amr`, `azp`, `sid`, `ds_hash`, …) cannot be
//!   replaced, and the subject never changes;
//! - claims meant for the ID token go to `UserInfo` when no ID token is issued.
//!
//! # What an error makes the client do
//!
//! | constructor | HTTP | the app then |
//! |---|---|---|
//! | [`HandlerError::interaction_required`] | 400 | opens a browser for an authorization request with the members it was given |
//! | [`HandlerError::invalid_scope`] | 400 | asks again with less |
//! | [`HandlerError::access_denied`] | 400 | shows the person that this is not possible |
//! | [`HandlerError::custom`] | as set | whatever app and handler agreed |
//! | a panic | 500 | sees `server_error`; the server lives and logs the panic |
//!
//! # Limits of containment
//!
//! A handler runs in the server's process with the server's rights. A panic is contained; a stack overflow, a double panic, an allocation
//! failure, `process::exit` and undefined behaviour are not, and end the server. `panic = "abort"` is refused when the handler is compiled.
//!
//! # Versions
//!
//! Three numbers: this crate's version (what you compile against), [`HANDLER_ABI`] (what must agree exactly at load time), and your own.
//! Within major version 1 a handler built with an older SDK loads in a newer server and the other way round: what one side does not know is absent
//! to it.
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
mod authorization;
mod error;
mod export;
mod handler;
pub mod log;
mod properties;
mod request;

pub use abi::HANDLER_ABI;
pub use authorization::{
    AccessTokenSpec, ClaimsSpec, ClaimsTransport, DeviceSsoAuthorization, Encoding, IdTokenSpec, RefreshLifetime,
    RefreshTokenSpec,
};
pub use error::HandlerError;
pub use handler::{DeviceSsoHandler, Execution};
pub use properties::{ConfigureError, Finding, Properties};
pub use request::{DeviceSession, DeviceSsoRequest, ServerDefaults, TokenBinding};
/// JSON, re-exported so that a handler needs no dependency of its own for it.
pub use serde_json::{Map, Value, json};

/// The version of this crate.
pub const SDK_VERSION: &str = env!("CARGO_PKG_VERSION");
