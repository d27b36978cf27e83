//! Which node of a Redis Cluster serves which key. Pure; must not know connections.

use redis::{Value, from_redis_value};

use crate::settings::meaning::RedisServer;

/// How many slots a cluster has.
const SLOTS: u16 = 16_384;

/// The slot of a key: of what stands between its first brace and the next closing one, where that is anything, else of the whole
/// (the Redis Cluster specification, "Hash tags").
pub(super) fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        rest.iter().position(|byte| *byte == b'}').filter(|length| *length > 0).map(|length| &rest[..length])
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

/// CRC-16/XMODEM, as the specification says.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 })
    })
}

/// Which master serves which slots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SlotMap {
    /// First slot, last slot, master; in the order of the slots.
    ranges: Vec<(u16, u16, RedisServer)>,
}

impl SlotMap {
    /// Reads the answer of `asked` to `CLUSTER SLOTS`. `None` when it makes no sense.
    pub(super) fn read(answer: Value, asked: &RedisServer) -> Option<Self> {
        let Value::Array(entries) = answer else { return None };
        let mut ranges = Vec::with_capacity(entries.len());
        for entry in entries {
            let Value::Array(parts) = entry else { return None };
            let mut parts = parts.into_iter();
            let first = from_redis_value(parts.next()?).ok()?;
            let last = from_redis_value(parts.next()?).ok()?;
            // The master comes first, then its replicas, each with its address, port and more.
            let Value::Array(master) = parts.next()? else { return None };
            let mut master = master.into_iter();
            let host: Option<String> = from_redis_value(master.next()?).ok()?;
            let port = from_redis_value(master.next()?).ok()?;
            // A node that does not know its own address has none to give: it is the one that was asked.
            let host = host.filter(|host| !host.is_empty() && host != "?").unwrap_or_else(|| asked.host.clone());
            ranges.push((first, last, RedisServer { host, port, tls: asked.tls }));
        }
        ranges.sort();
        Some(Self { ranges })
    }

    /// The master of a slot.
    pub(super) fn master_of(&self, slot: u16) -> Option<&RedisServer> {
        let after = self.ranges.partition_point(|(first, _, _)| *first <= slot);
        self.ranges.get(after.checked_sub(1)?).filter(|(_, last, _)| slot <= *last).map(|(_, _, master)| master)
    }

    /// A slot that a master serves.
    pub(super) fn slot_at(&self, master: &RedisServer) -> Option<u16> {
        self.ranges.iter().find(|(_, _, server)| server == master).map(|(first, _, _)| *first)
    }

    /// Every master once.
    pub(super) fn masters(&self) -> Vec<RedisServer> {
        let mut masters: Vec<RedisServer> = self.ranges.iter().map(|(_, _, master)| master.clone()).collect();
        masters.sort();
        masters.dedup();
        masters
    }

    /// Whether every slot has a master.
    pub(super) fn is_whole(&self) -> bool {
        self.ranges.iter().map(|(first, last, _)| u32::from(last - first) + 1).sum::<u32>() == u32::from(SLOTS)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_redis() {
        // What CLUSTER KEYSLOT answers.
        for (key, slot) in [("123456789", 12_739), ("", 0), ("foo", 12_182), ("{foo}bar", 12_182), ("a{foo}{b}", 12_182)] {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
        assert_eq!(slot_of(b"a{}b"), crc16(b"a{}b") % SLOTS, "an empty tag is none");
        assert_eq!(slot_of(b"a{b"), crc16(b"a{b") % SLOTS);
        assert_eq!(slot_of(b"x{\xff\x00}y"), crc16(b"\xff\x00") % SLOTS);
    }

    fn range(first: i64, last: i64, host: Option<&str>, port: i64) -> Value {
        let host = host.map_or(Value::Nil, |host| Value::BulkString(host.into()));
        let node = Value::Array(vec![host, Value::Int(port), Value::BulkString(b"id".to_vec())]);
        Value::Array(vec![Value::Int(first), Value::Int(last), node.clone(), node])
    }

    #[test]
    fn a_slot_has_the_master_of_its_range() {
        let asked = RedisServer { host: "10.0.0.9".to_owned(), port: 1, tls: true };
        let answer =
            Value::Array(vec![range(8000, 16_383, Some("10.0.0.2"), 2), range(0, 5000, None, 1), range(5001, 6000, Some(""), 1)]);
        let map = SlotMap::read(answer, &asked).unwrap();
        assert_eq!(map.master_of(0), Some(&asked));
        assert_eq!(map.master_of(5001), Some(&asked));
        assert_eq!(map.master_of(7000), None);
        assert_eq!(map.master_of(16_383).unwrap().to_string(), "10.0.0.2:2");
        assert_eq!(map.masters().len(), 2);
        assert!(!map.is_whole());
        assert_eq!(SlotMap::read(Value::Int(1), &asked), None);
        assert_eq!(SlotMap::default().master_of(0), None);
    }
}
