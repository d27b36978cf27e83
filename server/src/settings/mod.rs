//! Settings: what an operator wrote (settings file, environment, `-D`, handler properties) and what it means ([`Settings`]).
//! The only place that reads the environment. Must not know any other room but `foundation` and `protocol`.
//!
//! One list, `leaves`, names every single-valued setting; reading, showing, reference and schema are derived from it.
//!
//! The Connect2id names `authzStore.accessToken.defaultLifetime` and `authzStore.refreshToken.defaultLifetime` are a second
//! name of two settings. A stronger layer wins as always; within one layer the Connect2id name wins in files (it stands in the
//! file of an installation that moves here) and our own name wins in the environment and in `-D`.

mod address;
mod audit;
mod backend;
mod document;
mod duration;
mod environment;
mod file;
pub mod finding;
mod isolation;
mod kind;
mod layers;
mod leaves;
mod load;
pub mod meaning;
mod nearest;
mod network;
mod outbound;
mod overrides;
mod properties;
mod reference;
mod registration;
mod relations;
mod schema;
mod scopes;
mod sections;
mod session_transfer;
mod shadow;
mod show;
#[cfg(test)]
mod tests;
mod value;

pub use duration::read as read_duration;
pub use environment::own_environment;
pub use finding::{Finding, Findings};
pub use isolation::isolation;
pub use layers::{Layer, Origin};
pub use load::{Draft, Loaded, draft_from_process, from_process, load};
pub use meaning::Settings;
pub use reference::reference;
pub use schema::schema;
pub use show::Shown;
