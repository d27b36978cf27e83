//! From a proven right to tokens: proposal -> guard -> mint. Nothing is signed that did not pass the guard.
//! Must not know HTTP, nor how the right was proven.

pub mod access;
pub mod action;
pub mod guard;
pub mod handler;
pub mod id_token;
pub mod mint;
pub mod proposal;
mod protection;
pub mod response;
mod subject;

pub use access::{AccessClaims, VerifiedAccessToken};
pub use guard::{IssuePlan, Limits};
pub use handler::Handlers;
pub use mint::Issuer;
pub use proposal::Proposal;
pub use response::TokenResponse;
