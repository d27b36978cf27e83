//! One file a grant, one pipeline that owns every shared step. Proves rights and hands them to issuance; must not know
//! HTTP and signs nothing itself.

pub mod account;
pub mod authorization_code;
pub mod authorize;
pub mod client_credentials;
pub mod device_authorization;
pub mod engine;
pub mod examination;
pub mod explanation;
mod hint;
pub mod introspection;
pub mod logout;
pub mod management;
pub mod parameters;
pub mod pipeline;
pub mod possession;
pub mod refresh_token;
pub mod registration;
pub mod request;
pub mod revocation;
mod session_transfer;
pub mod target;
pub mod token_exchange;
pub mod user_info;

pub use account::Account;
pub use engine::{Engine, Outside};
pub use introspection::Introspection;
pub use parameters::Parameters;
pub use pipeline::{Facts, TokenCall};
pub use possession::{Presentation, Scheme, Shown};
pub use registration::RegistrationCall;
pub use user_info::UserInfo;
