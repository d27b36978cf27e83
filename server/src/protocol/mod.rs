//! The words of OAuth 2.0 and OpenID Connect: error codes, scopes, names of grants and token types. No behaviour.

pub mod claims;
pub mod error;
pub mod names;
pub mod scope;

pub use error::{ErrorCode, OAuthError};
pub use scope::Scope;
