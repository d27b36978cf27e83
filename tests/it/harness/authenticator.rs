//! An authenticator app (RFC 6238), by somebody else than the server: SHA-1, six digits, thirty seconds.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};

use super::app::now;

/// One app with one seed.
#[derive(Debug)]
pub(crate) struct Authenticator {
    seed: Vec<u8>,
    last: AtomicU64,
}

impl Authenticator {
    /// The app that was given this key, in base32.
    #[track_caller]
    pub(crate) fn new(key: &str) -> Self {
        let bits: String = key
            .bytes()
            .map(|sign| {
                let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|own| *own == sign);
                format!("{:05b}", value.unwrap_or_else(|| panic!("{key} is not base32")))
            })
            .collect::<Vec<_>>()
            .concat();
        let seed = (0..bits.len() / 8).map(|n| u8::from_str_radix(&bits[n * 8..n * 8 + 8], 2).expect("bits")).collect();
        Self { seed, last: AtomicU64::new(0) }
    }

    /// A code that was not shown yet: that of now, or the next one, which the server takes too. A third within half a minute there is not.
    pub(crate) fn code(&self) -> String {
        let step = (now() / 30).max(self.last.load(Ordering::Relaxed) + 1);
        self.last.store(step, Ordering::Relaxed);
        self.at(step)
    }

    /// The code that was shown last.
    pub(crate) fn same_again(&self) -> String {
        self.at(self.last.load(Ordering::Relaxed))
    }

    fn at(&self, step: u64) -> String {
        let tag = sign(&Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.seed), &step.to_be_bytes());
        let tag = tag.as_ref();
        let at = usize::from(tag[19] & 15);
        let number = u32::from_be_bytes([tag[at], tag[at + 1], tag[at + 2], tag[at + 3]]) & 0x7fff_ffff;
        format!("{:06}", number % 1_000_000)
    }
}
