//! Device, browser and offline sessions: one record each, one compare-and-swap for every change.
//! Owns what a session is and when it is alive; must not know HTTP, policy or how a token is written.

pub mod code;
pub mod device;
pub mod device_code;
mod json_within;
pub mod keys;
pub mod notice;
pub mod parent;
pub mod record;
pub mod refresh;
pub mod registry;
pub mod transfer;
mod tree;

pub use code::{CodeGrant, Codes, Terms};
pub use device::{DeviceSecret, NewSecret, VerifiedDevice};
pub use device_code::DeviceCodes;
pub use notice::{Notices, Participant};
pub use parent::{Follows, Parent, RequestContext, Transfer};
pub use record::{AccessTemplate, App, Entry, Grant, GrantId, Session, SessionKind};
pub use refresh::{Presented, Refresh};
pub use registry::{Change, Ended, Loaded, Sessions};
pub use transfer::{TransferToken, TransferTokens};
