//! The authorization request as a small state machine: validate, sign in, ask consent, answer (RFC 6749 section 4.1,
//! OpenID Connect Core section 3.1.2). Says what to show; the pages themselves belong to http.

mod admission;
pub mod answer;
pub mod arrival;
pub mod browser;
pub mod claims;
pub mod consent;
pub mod device;
mod effective;
pub mod entry;
pub mod flow;
mod policy;
pub mod posted;
pub mod pushed;
pub mod request;
mod request_object;
pub mod second_factor;
pub mod sign_in;
mod step;
pub mod transaction;

pub use answer::Answer;
pub use arrival::{Brought, Means};
pub use browser::{Browser, Cookies};
pub use entry::Authorized;
pub use flow::{Content, Next, Outcome, Page};
pub use pushed::Pushed;
pub use request::Refusal;
