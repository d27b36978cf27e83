//! Base64url without padding (RFC 4648 section 5), the text form of every handle and digest; and base64 (section 4) where others have it so.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Bytes as base64url text.
#[must_use]
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Base64url text as bytes; `None` unless it is canonical and unpadded.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Base64url text as exactly `N` bytes.
#[must_use]
pub fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    // 4 characters carry 3 bytes: refuse early so that a huge string is never decoded.
    if text.len() > N.div_ceil(3) * 4 {
        return None;
    }
    decode(text)?.try_into().ok()
}

/// Bytes as base64 text with padding.
#[must_use]
pub fn encode_standard(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Base64 text as bytes; `None` unless it is canonical and padded.
#[must_use]
pub fn decode_standard(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
