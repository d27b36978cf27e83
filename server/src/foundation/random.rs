//! The only place that asks the operating system for randomness.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

use super::Secret;

/// `N` unpredictable bytes.
///
/// # Panics
/// When the operating system gives no randomness: nothing safe can be done without it, so the process must not go on.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    #[expect(clippy::expect_used, reason = "without randomness no secret can be made; the request must not go on")]
    SystemRandom::new().fill(&mut out).expect("the operating system gives randomness");
    out
}

/// 256 unpredictable bits, ready to be a secret.
#[must_use]
pub fn secret() -> Secret<[u8; 32]> {
    Secret::new(bytes())
}
