//! The stored form of a secret: SHA-256, compared in constant time.
//!
//! Every secret of ours has at least 256 random bits, so a plain digest needs neither salt nor stretching.
//! Passwords are the exception and live in `accounts`.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;

use super::encoding;

/// SHA-256 of a secret. Equality takes the same time wherever the first difference lies.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `secret`.
    #[must_use]
    pub fn of(secret: impl AsRef<[u8]>) -> Self {
        let mut out = [0; 32];
        out.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.as_ref()).as_ref());
        Self(out)
    }

    /// The raw 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// In lower-case hex, as `sha256sum` writes it.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing into a String cannot fail.
            let _ = fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
            text
        })
    }

    /// Base64url of the left 16 bytes: the construction of `at_hash` (OpenID Connect Core 3.1.3.6), used for `ds_hash` too.
    #[must_use]
    pub fn left_half(&self) -> String {
        encoding::encode(&self.0[..16])
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Digest {}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Eight characters are enough to tell two apart in a log and useless to an attacker.
        write!(f, "Digest({}…)", &encoding::encode(&self.0[..6]))
    }
}

/// Text in formats for people, bytes in others.
impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&encoding::encode(self.0))
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EitherForm;
        impl Visitor<'_> for EitherForm {
            type Value = Digest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a digest")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Digest, E> {
                encoding::decode_array(text).map(Digest).ok_or_else(|| E::custom("not a digest"))
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Digest, E> {
                bytes.try_into().map(Digest).map_err(|_| E::custom("not a digest"))
            }
        }
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(EitherForm)
        } else {
            deserializer.deserialize_bytes(EitherForm)
        }
    }
}

/// Compares two byte strings in a time that depends on their length alone.
#[must_use]
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}
