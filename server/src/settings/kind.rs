//! The kinds of setting: what may be written for each, and how it is read. Must not know where a text came from, nor
//! which setting it is for.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::value::{Mismatch, OUT_OF_RANGE, Raw, UNREADABLE, Value};
use super::{address, duration};
use crate::foundation::encoding;

/// What may be written for a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text without control characters; when not required, empty means not set.
    Text {
        /// Whether it must not be empty.
        required: bool,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// A whole number from 1, or `auto` for the number of processor cores.
    Cores {
        /// The greatest.
        max: u64,
    },
    /// A number of bytes, or text such as `16MiB`.
    Bytes {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// A time span such as `15m`; in whole seconds unless less than a second is allowed at all.
    Duration {
        /// The least, in milliseconds.
        min: u64,
        /// The greatest, in milliseconds.
        max: u64,
        /// Whether `never` may be written.
        never: bool,
    },
    /// An IP address and port.
    Address,
    /// An issuer identifier.
    Issuer,
    /// A path, relative to the settings file (or, from elsewhere, to the working directory).
    Path {
        /// Whether it must not be empty.
        required: bool,
    },
    /// A list of paths.
    Paths,
    /// A list of addresses and CIDR networks.
    Networks,
    /// A list of texts.
    Texts,
    /// A list of addresses of Redis servers.
    RedisServers,
    /// A list of SHA-256 digests in hex.
    Digests,
    /// Log directives.
    Directives,
    /// 32 bytes as base64url or hex.
    SealingKey,
}

impl Kind {
    /// Reads what was written. Relative paths are taken from `base`.
    pub(super) fn read(self, raw: &Raw, base: &Path) -> Result<Value, Mismatch> {
        match self {
            Self::Text { required } => {
                let text = raw.text()?;
                if text.chars().any(char::is_control) {
                    return Err(Mismatch::new(
                        UNREADABLE,
                        format!("{text:?}"),
                        "leave out line breaks and other control characters",
                    ));
                }
                required_text(text, required).map(|text| Value::Text(text.to_owned()))
            }
            Self::Choice(words) => {
                let text = raw.text()?;
                // The registered spelling is forgiven its case, and kept.
                words.iter().find(|word| word.eq_ignore_ascii_case(text)).map(|word| Value::Text((*word).to_owned())).ok_or_else(
                    || {
                        let remedy = match super::nearest::nearest(text, words.iter().copied()) {
                            Some(word) => format!("did you mean {word:?}?"),
                            None => "choose one of these".to_owned(),
                        };
                        Mismatch::new("config.unknown_value", format!("{text:?}"), remedy)
                    },
                )
            }
            Self::Flag => match raw {
                Raw::Flag(flag) => Ok(Value::Flag(*flag)),
                Raw::Shell(text) => match text.trim() {
                    "true" => Ok(Value::Flag(true)),
                    "false" => Ok(Value::Flag(false)),
                    _ => Err(Mismatch::new(UNREADABLE, format!("{text:?}"), "write true or false")),
                },
                other => Err(other.wrong_type("write true or false, without quotes")),
            },
            Self::Number { min, max } => in_range(raw.number()?, min, max).map(Value::Number),
            Self::Cores { max } => match raw {
                Raw::Shell(text) | Raw::Text(text) if text.trim() == "auto" => {
                    Ok(Value::Number(std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64).min(max)))
                }
                other => in_range(other.number()?, 1, max).map(Value::Number),
            },
            Self::Bytes { min, max } => {
                let number = match raw {
                    Raw::Shell(text) | Raw::Text(text) => read_bytes(text)?,
                    other => other.number()?,
                };
                in_range(number, min, max).map(Value::Number)
            }
            Self::Duration { min, max, never } => duration::of_setting(raw, (min, max), never).map(Value::Span),
            Self::Address => {
                let text = raw.text()?;
                text.parse().map(Value::Address).map_err(|_| {
                    Mismatch::new(
                        UNREADABLE,
                        format!("{text:?}"),
                        "write an IP address, a colon and a port; 0.0.0.0 is every IPv4 address",
                    )
                })
            }
            Self::Issuer => address::issuer(raw.text()?).map(Value::Issuer),
            Self::Path { required } => {
                let text = required_text(raw.text()?, required)?;
                Ok(Value::Path((!text.is_empty()).then(|| base.join(text))))
            }
            Self::Paths => Ok(Value::Paths(raw.list()?.iter().map(|item| base.join(item)).collect())),
            Self::Networks => {
                raw.list()?.iter().map(|item| address::network(item)).collect::<Result<_, _>>().map(Value::Networks)
            }
            Self::Texts => raw.list().map(Value::Texts),
            Self::RedisServers => address::redis_servers(raw).map(Value::Texts),
            Self::Digests => raw.list()?.iter().map(|item| read_digest(item)).collect::<Result<_, _>>().map(Value::Texts),
            Self::Directives => {
                let text = required_text(raw.text()?, true)?;
                check_directives(text).map(|()| Value::Text(text.to_owned()))
            }
            Self::SealingKey => {
                let text = raw.text()?;
                let hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
                if text.is_empty() || hex || encoding::decode_array::<32>(text).is_some() {
                    Ok(Value::Text(text.to_owned()))
                } else {
                    Err(Mismatch::new(
                        UNREADABLE,
                        format!("a text of {} characters", text.chars().count()),
                        "make one with: openssl rand -hex 32",
                    ))
                }
            }
        }
    }

    /// What may be written, in words.
    #[must_use]
    pub(super) fn expected(self) -> String {
        match self {
            Self::Text { required: true } => "text".to_owned(),
            Self::Text { required: false } => "text, or \"\" for not set".to_owned(),
            Self::Choice(words) => words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", "),
            Self::Flag => "true or false".to_owned(),
            Self::Number { min, max } => format!("a whole number from {min} to {max}"),
            Self::Cores { max } => format!("a whole number from 1 to {max}, or \"auto\""),
            Self::Bytes { min, max } => format!("a number of bytes from {min} to {max}, or text such as \"16MiB\""),
            Self::Duration { min, max, never } => format!(
                "a duration from {} to {}, such as \"15m\"{}",
                duration::write(Duration::from_millis(min)),
                duration::write(Duration::from_millis(max)),
                if never { ", or \"never\"" } else { "" }
            ),
            Self::Address => "an IP address and port, such as \"127.0.0.1:8080\"".to_owned(),
            Self::Issuer => {
                "an https address (or http on a loopback address) without query, fragment or trailing slash".to_owned()
            }
            Self::Path { .. } => "a path".to_owned(),
            Self::Paths => "a list of paths".to_owned(),
            Self::Networks => "a list of addresses or networks, such as [\"10.0.0.0/8\"]".to_owned(),
            Self::Texts => "a list of texts".to_owned(),
            Self::RedisServers => "an address such as \"redis://127.0.0.1:6379\", or a list of them".to_owned(),
            Self::Digests => "a list of SHA-256 digests, each of 64 hexadecimal digits".to_owned(),
            Self::Directives => "a log level, or a list such as \"warn,symbolon::audit=info\"".to_owned(),
            Self::SealingKey => "32 bytes as base64url (43 characters) or hex (64)".to_owned(),
        }
    }

    /// The kind as JSON Schema of what the settings file may hold.
    pub(super) fn schema(self) -> serde_json::Value {
        match self {
            Self::Text { required: true } | Self::Path { required: true } | Self::Directives => {
                json!({"type": "string", "minLength": 1})
            }
            Self::Text { required: false } | Self::Path { required: false } | Self::SealingKey => json!({"type": "string"}),
            Self::Choice(words) => json!({"enum": words}),
            Self::Flag => json!({"type": "boolean"}),
            Self::Number { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
            Self::Cores { max } => json!({"oneOf": [{"const": "auto"}, {"type": "integer", "minimum": 1, "maximum": max}]}),
            Self::Bytes { min, max } => json!({"oneOf": [
                {"type": "integer", "minimum": min, "maximum": max},
                {"type": "string", "pattern": "^[0-9]+ *(B|KiB|MiB|GiB)?$"},
            ]}),
            Self::Duration { never, .. } => {
                json!({"type": "string", "examples": if never { json!(["15m", "never"]) } else { json!(["15m"]) }})
            }
            Self::Address => json!({"type": "string", "examples": ["127.0.0.1:8080"]}),
            Self::Issuer => json!({"type": "string", "format": "uri"}),
            Self::RedisServers => json!({"oneOf": [
                {"type": "string", "format": "uri"},
                {"type": "array", "minItems": 1, "items": {"type": "string", "format": "uri"}},
            ]}),
            Self::Paths | Self::Networks | Self::Texts | Self::Digests => json!({"type": "array", "items": {"type": "string"}}),
        }
    }
}

fn required_text(text: &str, required: bool) -> Result<&str, Mismatch> {
    if required && text.is_empty() {
        return Err(Mismatch::new(OUT_OF_RANGE, "an empty text", "write a value, or leave the setting out for its default"));
    }
    Ok(text)
}

fn in_range(number: u64, min: u64, max: u64) -> Result<u64, Mismatch> {
    if (min..=max).contains(&number) {
        return Ok(number);
    }
    let remedy = if number < min { format!("write at least {min}") } else { format!("write at most {max}") };
    Err(Mismatch::new(OUT_OF_RANGE, number.to_string(), remedy))
}

fn read_bytes(text: &str) -> Result<u64, Mismatch> {
    let wrong = || Mismatch::new(UNREADABLE, format!("{text:?}"), "write a whole number and B, KiB, MiB or GiB");
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim_start() {
        "" | "B" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        "GiB" => 1024 * 1024 * 1024,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)
}

/// In lower case, as `sha256sum` writes it.
fn read_digest(text: &str) -> Result<String, Mismatch> {
    let text = text.trim();
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(Mismatch::new(UNREADABLE, format!("{text:?}"), "write what `sha256sum FILE.so` prints"))
}

/// Catches the slips that the log library would take for the name of a module: a level that does not exist.
fn check_directives(text: &str) -> Result<(), Mismatch> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    for directive in text.split(',').map(str::trim) {
        // Span filters such as `target[span{field=value}]=level` are left to the log library.
        let right = match directive.rsplit_once('=') {
            _ if directive.contains('[') => true,
            Some((target, level)) => !target.is_empty() && is_level(level),
            None => is_level(directive) || directive.contains("::"),
        };
        if !right {
            let levels = LEVELS.join(", ");
            return Err(Mismatch::new(
                "config.unknown_value",
                format!("{directive:?}"),
                format!("use one of the levels {levels}"),
            ));
        }
    }
    Ok(())
}
