//! What a transaction did, as the journal has it: the changes of the tables, in order, without what follows from them (reminders) and
//! what nobody misses (the sweep of what has expired). Doing all of it again on a store that has some of it already changes nothing more.

/// One change; the first byte of each is its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect<'e> {
    /// A record is what it is here, header included.
    Put {
        key: &'e [u8],
        record: &'e [u8],
    },
    Removed {
        key: &'e [u8],
    },
    MemberPut {
        key: &'e [u8],
        expires: u64,
    },
    MemberRemoved {
        key: &'e [u8],
    },
}

impl<'e> Effect<'e> {
    pub(super) fn write(self, into: &mut Vec<u8>) {
        let (number, key, rest): (u8, &[u8], &[u8]) = match &self {
            Self::Put { key, record } => (1, key, record),
            Self::Removed { key } => (2, key, &[]),
            Self::MemberPut { key, expires } => (3, key, &expires.to_le_bytes()),
            Self::MemberRemoved { key } => (4, key, &[]),
        };
        into.push(number);
        for part in [key, rest] {
            // Names and values are bounded far below that.
            into.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
            into.extend_from_slice(part);
        }
    }

    /// The first change in these bytes, and what follows it; nothing if they are no change.
    pub(super) fn read(bytes: &'e [u8]) -> Option<(Self, &'e [u8])> {
        let (number, bytes) = bytes.split_first()?;
        let (key, bytes) = part(bytes)?;
        let (rest, bytes) = part(bytes)?;
        let effect = match number {
            1 => Self::Put { key, record: rest },
            2 => Self::Removed { key },
            3 => Self::MemberPut { key, expires: u64::from_le_bytes(rest.try_into().ok()?) },
            4 => Self::MemberRemoved { key },
            _ => return None,
        };
        Some((effect, bytes))
    }
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, bytes) = bytes.split_first_chunk()?;
    bytes.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_as_they_were_written() {
        let all = [
            Effect::Put { key: b"k", record: b"record" },
            Effect::Removed { key: b"" },
            Effect::MemberPut { key: b"member", expires: 7 },
            Effect::MemberRemoved { key: b"m" },
        ];
        let mut bytes = Vec::new();
        for effect in all {
            effect.write(&mut bytes);
        }
        let mut rest = bytes.as_slice();
        for effect in all {
            let (read, behind) = Effect::read(rest).unwrap();
            assert_eq!(read, effect);
            rest = behind;
        }
        assert!(rest.is_empty());
        for cut in 1..bytes.len() {
            let mut rest = &bytes[..cut];
            while let Some((_, behind)) = Effect::read(rest) {
                rest = behind;
            }
            assert!(rest.len() < bytes.len());
        }
        assert!(Effect::read(&[9, 0, 0, 0, 0, 0, 0, 0, 0]).is_none() && Effect::read(&[]).is_none());
    }
}
