//! One file an endpoint; the only place that names actix-web. Translates between HTTP and the floors below and decides
//! nothing of its own.

pub mod account;
pub mod audit;
pub mod authorization;
pub mod authorize;
pub mod body;
pub mod browser;
pub mod check_session;
pub mod choose_account;
pub mod consent;
pub mod cors;
pub mod device;
pub mod device_authorization;
pub mod discovery;
pub mod health;
pub mod interaction;
pub mod introspect;
pub mod jwks;
pub mod logout;
pub mod management;
pub mod origin;
pub mod pages;
pub mod par;
pub mod possession;
pub mod posted;
pub mod protected;
pub mod register;
pub mod respond;
pub mod revoke;
pub mod second_factor;
pub mod serve;
pub mod sign_in;
pub mod token;
pub mod userinfo;
pub mod words;

pub use serve::{Running, start};
