//! Tokens: signing keys, JWT, JWE, sealing at rest, client assertions, proofs of possession and the text form of opaque handles.
//!
//! Owns every format a token of ours is written in, and is the only place that names a JOSE crate. It must not know
//! HTTP, grants, sessions or clients: who may have which token, and which claims are right, is decided above.

pub mod assertion;
pub mod certificate;
pub mod confirmation;
pub mod dpop;
pub mod half_hash;
pub mod handle;
pub mod jwe;
pub mod keys;
pub mod mac;
pub mod request_object;
pub mod sealing;
pub mod session_id;
pub mod voucher;

pub use confirmation::Confirmation;
pub use half_hash::at_hash;
pub use handle::{HandleKind, RefreshHandle, SessionHandle};
pub use keys::{KeyInfo, KeyPolicy, SigningKeys, Verified, VerifyError};
pub use sealing::SealingKey;
pub use session_id::SessionId;

/// The longest JWT that is looked at, in bytes: ours are below 4 KiB, and nothing larger is worth hashing for a stranger.
pub const MAX_JWT: usize = 16 * 1024;
