//! What keeps the records, and `[storage.redis]`: from what was written to what it means, and what contradicts itself. Must not know Redis.

use std::path::Path;

use super::address;
use super::document;
use super::layers::{Layer, Layers};
use super::leaves::Leaf;
use super::meaning::{Backend, Redis, RedisMode, RedisServer};
use super::relations::{ID, blame};
use crate::foundation::Secret;

const URL: &str = "storage.redis.url";
const MODE: &str = "storage.redis.mode";
const MASTER: &str = "storage.redis.sentinel_master";
const PREFIX: &str = "storage.redis.prefix";
const PASSWORD: &str = "storage.redis.password";
const PASSWORD_FILE: &str = "storage.redis.password_file";
const CA_FILE: &str = "storage.redis.ca_file";
const BACKEND: &str = "storage.backend";

/// Settings that cannot both be meant.
struct Contradiction {
    /// The two settings, the more likely mistake first.
    between: [&'static str; 2],
    seen: String,
    expected: &'static str,
    remedy: &'static str,
}

/// Rules between settings of Redis.
pub(super) fn check(layers: &mut Layers) {
    for Contradiction { between: [first, second], seen, expected, remedy } in contradictions(layers) {
        if !layers.is_wrong(first) && !layers.is_wrong(second) {
            let place = blame(layers, first, second);
            layers.find(ID, &place, seen, expected, remedy);
        }
    }
}

fn contradictions(layers: &Layers) -> Vec<Contradiction> {
    let text = |key: &str| layers.text(key).unwrap_or_default();
    let (mode, master, prefix) = (text(MODE), text(MASTER), text(PREFIX));
    let servers = servers(layers).unwrap_or_default();
    let over_tls = servers.iter().filter(|server| server.tls).count();
    // Whoever writes the default down asks for nothing.
    let other_url = layers.show(URL).is_some_and(|url| Leaf::find(URL).is_none_or(|leaf| leaf.default != url));
    let mut found = Vec::new();
    let mut unless = |right: bool, contradiction: Contradiction| {
        if !right {
            found.push(contradiction);
        }
    };
    unless(
        !servers.is_empty(),
        Contradiction {
            between: [URL, URL],
            seen: format!("{URL} without an address"),
            expected: "at least one address",
            remedy: "write redis://HOST:PORT",
        },
    );
    unless(
        servers.len() < 2 || mode != "single",
        Contradiction {
            between: [URL, MODE],
            seen: format!("{MODE} = single and {} addresses in {URL}", servers.len()),
            expected: "one address in mode single",
            remedy: "write storage.redis.mode = \"cluster\" or \"sentinel\", or keep one address",
        },
    );
    unless(
        over_tls == 0 || over_tls == servers.len(),
        Contradiction {
            between: [URL, URL],
            seen: format!("{URL} with both redis:// and rediss://"),
            expected: "all of one sort",
            remedy: "write rediss:// everywhere, or nowhere",
        },
    );
    unless(
        (mode == "sentinel") != master.is_empty(),
        Contradiction {
            between: [MASTER, MODE],
            seen: format!("{MODE} = {mode} and {MASTER} = {master:?}"),
            expected: "the name of the master in mode sentinel, and only there",
            remedy: "write the name that stands behind `sentinel monitor` in the file of the sentinels, or take it out",
        },
    );
    unless(
        !prefix.contains(['{', '}']),
        Contradiction {
            between: [PREFIX, PREFIX],
            seen: format!("{PREFIX} = {prefix:?}"),
            expected: "a prefix without braces, which would put every key into one slot of a cluster",
            remedy: "leave the braces out",
        },
    );
    unless(
        layers.path(CA_FILE).flatten().is_none() || over_tls > 0,
        Contradiction {
            between: [CA_FILE, URL],
            seen: format!("{CA_FILE}, and no rediss:// in {URL}"),
            expected: "both, or neither",
            remedy: "write rediss:// for TLS, or take the file out",
        },
    );
    unless(
        text(BACKEND) == "redis" || !other_url || layers.is_wrong(BACKEND),
        Contradiction {
            between: [URL, BACKEND],
            seen: format!("{URL}, and {BACKEND} = embedded"),
            expected: "an address only where Redis keeps the state",
            remedy: "write storage.backend = \"redis\", or take the address out",
        },
    );
    found
}

fn servers(layers: &Layers) -> Option<Vec<RedisServer>> {
    layers.texts(URL).map(|urls| urls.iter().filter_map(|url| address::redis_server(url).ok()).collect())
}

/// What keeps the records. `None` only when a setting is missing from the built-in list.
pub(super) fn read(layers: &mut Layers) -> Option<Backend> {
    if layers.text(BACKEND)? == "embedded" {
        return Some(Backend::Embedded);
    }
    let password = password(layers);
    let ca_file = layers.path(CA_FILE)?;
    if let Some(path) = &ca_file {
        readable(layers, CA_FILE, path);
    }
    Some(Backend::Redis(Box::new(Redis {
        mode: match layers.text(MODE)?.as_str() {
            "single" => RedisMode::Single,
            "cluster" => RedisMode::Cluster,
            _ => RedisMode::Sentinel(layers.text(MASTER)?),
        },
        servers: servers(layers)?,
        prefix: layers.text(PREFIX)?,
        username: layers.text("storage.redis.username").filter(|name| !name.is_empty()),
        password,
        ca_file,
        timeout: layers.span("storage.redis.timeout")?,
        connect_timeout: layers.span("storage.redis.connect_timeout")?,
        wait_replicas: layers.number("storage.redis.wait_replicas")?,
        wait_timeout: layers.span("storage.redis.wait_timeout")?,
        connections: layers.number("storage.redis.connections")?,
    })))
}

/// The password; of a file and a value the one from the stronger layer, and the value where both are of one.
fn password(layers: &mut Layers) -> Option<Secret<String>> {
    let layer = |key: &str| layers.origin(key).map_or(Layer::BuiltIn, |origin| origin.layer);
    let stronger = layer(PASSWORD) >= layer(PASSWORD_FILE);
    if let Some(value) = layers.text(PASSWORD).filter(|text| stronger && !text.is_empty()) {
        return Some(Secret::new(value));
    }
    let path = layers.path(PASSWORD_FILE).flatten()?;
    let text = readable(layers, PASSWORD_FILE, &path)?;
    Some(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The text of a file that a setting names.
pub(super) fn readable(layers: &mut Layers, key: &str, path: &Path) -> Option<String> {
    match document::read_text(path) {
        Ok(text) => Some(text),
        Err(why) => {
            let place = layers.origin(key).map(|origin| origin.place.clone()).unwrap_or_default();
            layers.find("config.unreadable_file", &place, format!("{key}: {why}"), "a file that can be read", "correct the path");
            None
        }
    }
}
