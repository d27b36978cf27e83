//! The ground floor: time, randomness, secrets and their stored form. Knows nothing of OAuth.

pub mod certificates;
pub mod clock;
pub mod digest;
pub mod ed25519;
pub mod encoding;
pub mod mac;
pub mod random;
pub mod secret;

pub use clock::{Clock, Timestamp};
pub use digest::Digest;
pub use secret::Secret;
