//! The boundary between server and handler, and the only place that names `abi_stable`. Not for plugin authors.
//!
//! What crosses it and how it may grow within major version 1:
//!
//! - [`stamp`]: plain bytes in the file, readable without opening it. Frozen.
//! - [`module::HandlerModule`]: the root module, a prefix type. New fields go to the end.
//! - [`handler::HandlerObject`], [`request::RequestObject`], [`decision::DecisionObject`], [`action::ActionObject`]: trait objects. New methods go to the end, **with a
//!   default body**, so that either side may be the older one.
//! - The plain records (`FindingRecord`, `ConfigureRefusal`, `Fault`, the token records): frozen for the major. What they lack goes into a new
//!   method or into the JSON of `Fault::members`.

pub use abi_stable::library::LibHeader;

pub mod action;
pub mod decision;
pub mod guard;
pub mod handler;
pub mod module;
pub mod request;
pub mod sink;
pub mod stamp;

/// The binary contract's number. Server and handler must agree on it; it changes only with the SDK's major version.
pub const HANDLER_ABI: u32 = 1;

#[cfg(test)]
mod layout;
#[cfg(all(test, feature = "testing"))]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests;
