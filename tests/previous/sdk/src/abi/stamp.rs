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
