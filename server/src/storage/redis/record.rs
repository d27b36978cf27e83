//! How one record and one index lie in Redis: the names of the keys, and the header before a value.

use super::trouble::Trouble;
use crate::foundation::{Timestamp, random};
use crate::storage::{Index, Key, Stored, Version};

/// The first byte of every record: how the rest is to be read. The scripts know it too.
const FORMAT: u8 = 1;
/// Format, version and expiry.
const HEADER: usize = 1 + 8 + 8;

/// For so long Redis keeps what has expired: its clock only reclaims memory, ours decides, and they may differ.
pub(super) const SLACK: u64 = 60;
/// What lives longer has no lifetime for Redis: a hundred years in seconds, far from where its own sum overflows.
pub(super) const LONGEST: u64 = 100 * 365 * 86_400;

/// The name of a record.
pub(super) fn name_of(prefix: &str, key: &Key) -> Vec<u8> {
    [prefix.as_bytes(), b"r", key.as_bytes()].concat()
}

/// The name of an index; no record has it.
pub(super) fn name_of_index(prefix: &str, index: &Index) -> Vec<u8> {
    [prefix.as_bytes(), b"i", index.as_bytes()].concat()
}

/// A new version: chosen by the writer, and never the same twice. A counter would come back after delete and insert.
pub(super) fn new_version() -> [u8; 8] {
    random::bytes()
}

/// The bytes of a record.
pub(super) fn write(version: [u8; 8], value: &[u8], expires: Option<Timestamp>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + value.len());
    bytes.push(FORMAT);
    bytes.extend_from_slice(&version);
    // Zero means never: a moment before 1970 that nobody means.
    bytes.extend_from_slice(&expires.map_or(0, |at| at.0.max(1)).to_be_bytes());
    bytes.extend_from_slice(value);
    bytes
}

/// A record as it was written.
///
/// # Errors
/// The bytes are not ours.
pub(super) fn read(mut bytes: Vec<u8>) -> Result<Stored, Trouble> {
    let (Some(format), Some((version, expires))) = (bytes.first().copied(), header(&bytes)) else {
        return Err(Trouble::Damaged(format!("a record of {} bytes is shorter than its header", bytes.len())));
    };
    if format != FORMAT {
        return Err(Trouble::Damaged(format!("a record has format {format}; this release reads {FORMAT}")));
    }
    bytes.drain(..HEADER);
    Ok(Stored { value: bytes, version: Version(version), expires: (expires != 0).then_some(Timestamp(expires)) })
}

fn header(bytes: &[u8]) -> Option<(u64, u64)> {
    let (version, rest) = bytes.get(1..)?.split_first_chunk::<8>()?;
    let (expires, _) = rest.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*version), u64::from_be_bytes(*expires)))
}

/// For how many seconds Redis shall keep a record; 0 = until it is deleted.
pub(super) fn lifetime(expires: Option<Timestamp>, now: Timestamp) -> u64 {
    match expires.map(|at| at.0.saturating_sub(now.0)) {
        Some(rest) if rest < LONGEST => rest + SLACK,
        _ => 0,
    }
}

/// The score of an index member: its expiry, or infinity, also for what floating point could not tell to the second.
pub(super) fn score(expires: Option<Timestamp>) -> String {
    let expires = expires.filter(|at| at.0 < 1 << 53);
    expires.map_or_else(|| "+inf".to_owned(), |at| at.0.to_string())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        for expires in [None, Some(Timestamp(7)), Some(Timestamp(u64::MAX))] {
            let stored = read(write([1, 2, 3, 4, 5, 6, 7, 8], b"value", expires)).unwrap();
            assert_eq!((stored.value.as_slice(), stored.expires), (&b"value"[..], expires));
            assert_eq!(stored.version, Version(0x0102_0304_0506_0708));
        }
    }

    #[test]
    fn what_is_not_ours_is_damaged() {
        for bytes in [Vec::new(), b"short".to_vec(), vec![2; 40]] {
            assert!(matches!(read(bytes), Err(Trouble::Damaged(_))));
        }
    }

    #[test]
    fn redis_keeps_a_record_a_little_longer_than_it_lives() {
        let now = Timestamp(1000);
        assert_eq!(lifetime(Some(Timestamp(1010)), now), 70);
        assert_eq!(lifetime(Some(Timestamp(10)), now), 60);
        assert_eq!(lifetime(Some(Timestamp(u64::MAX)), now), 0);
        assert_eq!(lifetime(None, now), 0);
    }
}
