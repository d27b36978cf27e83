//! One record as it lies in the table: what tells a whole record from a damaged one, and the bytes. Knows no table.

use crate::foundation::Timestamp;
use crate::storage::{Key, StorageError};

/// An expiry that never comes.
pub(super) const NEVER: u64 = 0;

const CHECKSUM: usize = 4;

/// What is known of a record beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: u64,
    pub(super) expires: u64,
}

impl Header {
    /// Takes a stored record apart. One that is not what was written under this key is damaged: the engine does not look at what it
    /// reads, and a disk that rots or a file that something else wrote into must not become somebody's session.
    pub(super) fn read<'r>(key: &[u8], record: &'r [u8]) -> Result<(Self, &'r [u8]), StorageError> {
        let damaged = || StorageError::Damaged(format!("the record {} is not what was written", Key::shown(key)));
        let (stored, rest) = record.split_first_chunk().ok_or_else(damaged)?;
        if u32::from_le_bytes(*stored) != checksum(key, rest) {
            return Err(damaged());
        }
        Self::read_unchecked(rest).ok_or_else(damaged)
    }

    /// The same for what follows the checksum, or for a record of format 1, which had none.
    pub(super) fn read_unchecked(record: &[u8]) -> Option<(Self, &[u8])> {
        let (version, rest) = record.split_first_chunk()?;
        let (expires, value) = rest.split_first_chunk()?;
        Some((Self { version: u64::from_le_bytes(*version), expires: u64::from_le_bytes(*expires) }, value))
    }

    /// Puts a record together, in place of whatever `into` holds.
    pub(super) fn write(self, key: &[u8], value: &[u8], into: &mut Vec<u8>) {
        into.clear();
        into.extend_from_slice(&[0; CHECKSUM]);
        into.extend_from_slice(&self.version.to_le_bytes());
        into.extend_from_slice(&self.expires.to_le_bytes());
        into.extend_from_slice(value);
        let checksum = checksum(key, &into[CHECKSUM..]).to_le_bytes();
        into[..CHECKSUM].copy_from_slice(&checksum);
    }

    pub(super) const fn is_alive(self, now: u64) -> bool {
        alive(self.expires, now)
    }

    pub(super) fn expiry(self) -> Option<Timestamp> {
        (self.expires != NEVER).then_some(Timestamp(self.expires))
    }
}

pub(super) const fn alive(expires: u64, now: u64) -> bool {
    expires == NEVER || expires > now
}

/// The stored form of an expiry. The first second of 1970 is moved to the next: 0 means never.
pub(super) fn stored_expiry(expires: Option<Timestamp>) -> u64 {
    expires.map_or(NEVER, |expires| expires.0.max(1))
}

/// CRC-32 of key and content: the right bytes in another's place are wrong, too.
fn checksum(key: &[u8], content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(content);
    hasher.finalize()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_only_so() {
        let header = Header { version: 7, expires: 99 };
        let mut record = b"left over".to_vec();
        header.write(b"\x01key", b"value", &mut record);
        assert_eq!(Header::read(b"\x01key", &record).unwrap(), (header, &b"value"[..]));
        assert!(Header::read(b"\x01kez", &record).is_err(), "another's place");
        for at in 0..record.len() {
            for bit in 0..8 {
                let mut flipped = record.clone();
                flipped[at] ^= 1 << bit;
                let error = Header::read(b"\x01key", &flipped).unwrap_err().to_string();
                assert!(error.contains("session 6b6579"), "{error}");
            }
            assert!(Header::read(b"\x01key", &record[..at]).is_err(), "cut off");
        }
    }
}
