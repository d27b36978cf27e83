//! The stamp: 64 plain bytes under a known symbol, so that the server can read ABI number and SDK version from the *file*, before any code of
//! it runs. Frozen for ever, for every major version.

/// The symbol's name. Beside `abi_stable`'s header it is the only one a handler exports.
pub const SYMBOL: &str = "symbolon_handler_stamp";

const MAGIC: [u8; 16] = *b"symbolon-handler";
const VERSION_AT: usize = 24;

/// The bytes: magic (16), ABI number (4, little-endian), 1 when panics unwind (1), reserved (3), SDK version padded with zeros (40).
#[repr(C)]
#[derive(Debug)]
pub struct Stamp([u8; Stamp::SIZE]);

impl Stamp {
    /// How many bytes it has.
    pub const SIZE: usize = 64;

    /// The stamp of this SDK, for a crate compiled with or without unwinding.
    #[must_use]
    pub const fn new(unwinds: bool) -> Self {
        Self::with(super::HANDLER_ABI, unwinds, crate::SDK_VERSION)
    }

    pub(crate) const fn with(abi: u32, unwinds: bool, version: &str) -> Self {
        let mut bytes = [0; Self::SIZE];
        let mut at = 0;
        while at < MAGIC.len() {
            bytes[at] = MAGIC[at];
            at += 1;
        }
        let number = abi.to_le_bytes();
        at = 0;
        while at < number.len() {
            bytes[MAGIC.len() + at] = number[at];
            at += 1;
        }
        bytes[20] = unwinds as u8;
        let version = version.as_bytes();
        at = 0;
        while at < version.len() && VERSION_AT + at < Self::SIZE {
            bytes[VERSION_AT + at] = version[at];
            at += 1;
        }
        Self(bytes)
    }
}

/// What a stamp says.
#[cfg(feature = "host")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) abi: u32,
    pub(crate) unwinds: bool,
    pub(crate) sdk_version: String,
}

/// Reads a stamp; `None` when the bytes are none.
#[cfg(feature = "host")]
pub(crate) fn read(bytes: &[u8]) -> Option<Reading> {
    let bytes: &[u8; Stamp::SIZE] = bytes.try_into().ok()?;
    if bytes[..MAGIC.len()] != MAGIC {
        return None;
    }
    let version = bytes[VERSION_AT..].split(|byte| *byte == 0).next().unwrap_or_default();
    let shown = version.iter().all(u8::is_ascii_graphic).then(|| String::from_utf8_lossy(version).into_owned());
    Some(Reading {
        abi: u32::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]),
        unwinds: bytes[20] == 1,
        sdk_version: shown?,
    })
}

#[cfg(all(test, feature = "host"))]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_says_what_was_stamped() {
        let Stamp(bytes) = Stamp::with(7, true, "7.1.0");
        assert_eq!(read(&bytes), Some(Reading { abi: 7, unwinds: true, sdk_version: "7.1.0".to_owned() }));
        let Stamp(bytes) = Stamp::new(false);
        assert_eq!(read(&bytes), Some(Reading { abi: 1, unwinds: false, sdk_version: crate::SDK_VERSION.to_owned() }));
    }

    #[test]
    fn other_bytes_are_no_stamp() {
        let Stamp(mut bytes) = Stamp::new(true);
        assert_eq!(read(&bytes[..63]), None);
        bytes[0] = b'S';
        assert_eq!(read(&bytes), None);
    }
}
