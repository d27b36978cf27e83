//! The server's side: from a file in a folder to a handler that can be asked, each step a type of its own.
//!
//! [`find`] → [`Found::read`] → [`Checked::keep`] → [`Library::open`] → [`Opened::describe`] → [`Described::configure`] →
//! [`Configured::authorize`], or [`Configured::judge`] of an action
//!
//! Each refusal is one sentence with a remedy, and one bad library never stops the others. Opening runs code of the library, so the file is
//! checked first: who may write it, whether it is whole, whether it is a handler at all, of the right ABI and of an SDK that is known. What is
//! opened is a private copy of the bytes that were checked. A library that was opened stays open until the process ends.

mod configured;
mod described;
mod error;
mod find;
mod library;
mod log;
mod open;
mod preflight;
mod request;

pub use configured::{Configured, HandlerFault};
pub use described::{ConfigureFailure, Described, Description, Kind, ORDER, printable};
pub use error::HostError;
pub use find::{Found, find};
pub use library::{Checked, Library};
pub use log::set_log;
pub use open::Opened;
pub use request::HostRequest;

/// The oldest SDK whose handlers are taken.
pub const OLDEST_SDK: &str = "1.0.0";

/// A server shares these between its threads.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Described>();
    shared::<Configured>();
};
