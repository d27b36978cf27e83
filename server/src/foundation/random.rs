//! The only place that asks the operating system for randomness.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

use super::{Secret, encoding};

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

/// A name that nothing else has: 128 unpredictable bits as base64url. It does not begin with a hyphen, because people write names behind
/// commands, where that means an option.
#[must_use]
pub fn name() -> String {
    loop {
        let name = encoding::encode(bytes::<16>());
        if !name.starts_with('-') {
            return name;
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_name_looks_like_an_option() {
        let names: std::collections::HashSet<String> = (0..1000).map(|_| super::name()).collect();
        assert_eq!(names.len(), 1000);
        assert!(names.iter().all(|name| name.len() == 22 && !name.starts_with('-')));
    }
}
