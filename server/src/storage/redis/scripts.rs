//! What is decided inside Redis: one script for each change, each of one key. A script is carried out alone and as a whole.
//!
//! The moment by which things expire is an argument: the server's clock decides, not that of Redis. Only the header of a record
//! goes through Lua, except where the value is the answer.

use std::sync::LazyLock;

use redis::{Cmd, cmd};

/// Reads the header of the record at KEYS[1]: `alive`, `version` and `expires`, judged at the moment ARGV[1].
///
/// A script that finds nothing to change ends with `unchanged`, which writes what is there once more: what it found may be what
/// the replicas do not have yet, and since Redis 7.2 `WAIT` counts up to the last change that its own connection has made.
const HEADER: &str = r"
local head = redis.call('GETRANGE', KEYS[1], 0, 16)
local alive, version, expires = false, '', ''
if #head > 0 then
  if #head < 17 or string.byte(head) ~= 1 then
    return redis.error_reply('DAMAGED a record without the header of this release')
  end
  version, expires = string.sub(head, 2, 9), string.sub(head, 10, 17)
  local at = struct.unpack('>I8', expires)
  alive = at == 0 or at > tonumber(ARGV[1])
end
local function unchanged(answer)
  if #head > 0 then
    redis.call('SETRANGE', KEYS[1], 0, string.sub(head, 1, 1))
  else
    redis.call('SET', KEYS[1], '')
    redis.call('DEL', KEYS[1])
  end
  return answer
end
local function write(bytes, lifetime)
  if lifetime == '0' then redis.call('SET', KEYS[1], bytes) else redis.call('SET', KEYS[1], bytes, 'EX', lifetime) end
end
";

/// A script by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    /// ARGV: now, record, lifetime.
    Insert,
    /// ARGV: now, record, lifetime, the version that was read.
    Swap,
    /// ARGV: now, the version of the tombstone, the tombstone if there shall be one. It keeps the expiry.
    Take,
    /// ARGV: now.
    Delete,
    /// Changes nothing. ARGV: now.
    Settle,
    /// ARGV: now, score, member, the longest lifetime that Redis is told, the slack after it. The expired members go at the same
    /// time, and the index as a whole lives as long as its longest member.
    AddMember,
}

const ALL: [Script; 6] = [Script::Insert, Script::Swap, Script::Take, Script::Delete, Script::Settle, Script::AddMember];

impl Script {
    /// What it does. After [`HEADER`], except for the index.
    const fn body(self) -> &'static str {
        match self {
            Self::Insert => "if alive then return unchanged(0) end write(ARGV[2], ARGV[3]) return 1",
            Self::Swap => "if not alive or version ~= ARGV[4] then return unchanged(0) end write(ARGV[2], ARGV[3]) return 1",
            Self::Take => {
                r"
if not alive then return unchanged(false) end
local taken = redis.call('GET', KEYS[1])
if ARGV[3] then
  redis.call('SET', KEYS[1], string.sub(head, 1, 1) .. ARGV[2] .. expires .. ARGV[3], 'KEEPTTL')
else
  redis.call('DEL', KEYS[1])
end
return taken"
            }
            Self::Delete => {
                "if #head == 0 then return unchanged(0) end redis.call('DEL', KEYS[1]) if alive then return 1 end return 0"
            }
            Self::Settle => "return unchanged(1)",
            Self::AddMember => {
                r"
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
-- Taken out first, so that it is a change in any case.
redis.call('ZREM', KEYS[1], ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
local longest = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local rest = tonumber(longest[2]) - tonumber(ARGV[1])
if rest < tonumber(ARGV[4]) then
  redis.call('EXPIRE', KEYS[1], string.format('%d', math.max(rest, 0) + tonumber(ARGV[5])))
else
  redis.call('PERSIST', KEYS[1])
end
return 1"
            }
        }
    }

    fn text(self) -> &'static Text {
        static TEXTS: LazyLock<Vec<Text>> = LazyLock::new(|| ALL.into_iter().map(Text::of).collect());
        // The list is in the order of the variants.
        &TEXTS[self as usize]
    }

    /// The call, by the digest of the script or, for a server that has lost it, by its text.
    pub(super) fn call(self, key: &[u8], arguments: &[Vec<u8>], by_text: bool) -> Cmd {
        let text = self.text();
        let mut call = if by_text { cmd("EVAL") } else { cmd("EVALSHA") };
        call.arg(if by_text { &text.code } else { &text.digest }).arg(1).arg(key);
        for argument in arguments {
            call.arg(argument);
        }
        call
    }
}

/// A script as Redis keeps it.
struct Text {
    code: String,
    digest: String,
}

impl Text {
    fn of(script: Script) -> Self {
        let code = match script {
            Script::AddMember => script.body().to_owned(),
            _ => format!("{HEADER}{}", script.body()),
        };
        let digest = redis::Script::new(&code).get_hash().to_owned();
        Self { code, digest }
    }
}

/// The commands that make every script known to a server.
pub(super) fn load() -> impl Iterator<Item = Cmd> {
    ALL.into_iter().map(|script| {
        let mut load = cmd("SCRIPT");
        load.arg("LOAD").arg(&script.text().code);
        load
    })
}
