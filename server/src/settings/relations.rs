//! Rules between settings. Each is checked only when both sides were read well, so that one slip is one finding.

use std::time::Duration;

use super::backend;
use super::duration;
use super::layers::{Layer, Layers};
use super::load;
use super::meaning::{LANGUAGES, Levels};

pub(super) const ID: &str = "config.relation";

/// Pairs of durations of which the first must not exceed the second; `None` (never) is longer than everything.
const ORDERED: [(&str, &str); 6] = [
    ("tokens.access_token.lifetime", "tokens.access_token.max_lifetime"),
    ("tokens.id_token.lifetime", "tokens.id_token.max_lifetime"),
    ("tokens.keys.publish_before_use", "tokens.keys.rotate_every"),
    ("sessions.device.max_idle", "sessions.device.max_lifetime"),
    ("sessions.browser.max_idle", "sessions.browser.max_lifetime"),
    ("sessions.offline.max_idle", "sessions.offline.max_lifetime"),
];

/// Checks every rule.
pub(super) fn check(layers: &mut Layers) {
    for (less, more) in ORDERED {
        let (Some(less_value), Some(more_value)) = (layers.limit(less), layers.limit(more)) else { continue };
        if layers.is_wrong(less) || layers.is_wrong(more) || !exceeds(less, less_value, more_value) {
            continue;
        }
        let place = blame(layers, less, more);
        let show = |value: Option<Duration>| value.map_or_else(|| "never".to_owned(), duration::write);
        layers.find(
            ID,
            &place,
            format!("{less} = {} and {more} = {}", show(less_value), show(more_value)),
            format!("{less} at most {more}"),
            format!("lower {less} or raise {more}"),
        );
    }
    check_password(layers);
    check_levels(layers);
    check_languages(layers);
    check_sealing_key(layers);
    backend::check(layers);
}

fn exceeds(less: &str, value: Option<Duration>, limit: Option<Duration>) -> bool {
    match (value, limit) {
        (_, None) => false,
        // No idle limit under a limited lifetime is no contradiction: the lifetime ends it.
        (None, Some(_)) => !less.ends_with(".max_idle"),
        (Some(value), Some(limit)) => value > limit,
    }
}

/// Levels stand in an order, or a higher one would be easier to reach.
fn check_levels(layers: &mut Layers) {
    let key = "sign_in.levels";
    let Some(texts) = load::levels(layers).filter(|_| !layers.is_wrong(key)) else { return };
    if let Err(why) = Levels::parse(&texts) {
        let place = layers.origin(key).map(|origin| origin.place.clone()).unwrap_or_default();
        let expected = "levels from the weakest to the strongest, the first with pwd alone";
        layers.find("config.levels", &place, why, expected, "write them as [\"ACR=pwd\", \"ANOTHER=pwd+otp\"]");
    }
}

/// Only what the pages were translated into can be offered.
fn check_languages(layers: &mut Layers) {
    let key = "sign_in.languages";
    let Some(texts) = layers.texts(key).filter(|_| !layers.is_wrong(key)) else { return };
    if let Some(unknown) = texts.iter().find(|tag| !LANGUAGES.contains(&tag.as_str())) {
        let place = layers.origin(key).map(|origin| origin.place.clone()).unwrap_or_default();
        let expected = format!("languages of the pages: {}", LANGUAGES.join(", "));
        layers.find("config.languages", &place, format!("{unknown:?}"), expected, "remove it from the list");
    }
}

/// argon2 needs eight KiB for each lane (RFC 9106 section 3.1).
fn check_password(layers: &mut Layers) {
    let (memory, lanes) = ("sign_in.password.memory_kib", "sign_in.password.lanes");
    let (Some(kib), Some(count)) = (layers.number::<u64>(memory), layers.number::<u64>(lanes)) else { return };
    if kib < count * 8 && !layers.is_wrong(memory) && !layers.is_wrong(lanes) {
        let place = blame(layers, lanes, memory);
        let seen = format!("{memory} = {kib} and {lanes} = {count}");
        layers.find(ID, &place, seen, "at least 8 KiB for each lane", format!("write {memory} = {} or fewer lanes", count * 8));
    }
}

/// One sealing key, not two: nobody should have to know which of them seals.
fn check_sealing_key(layers: &mut Layers) {
    let (file, value) = ("storage.sealing_key_file", "storage.sealing_key");
    let layer = |layers: &Layers, key: &str| layers.origin(key).map_or(Layer::BuiltIn, |origin| origin.layer);
    let both_set = layers.path(file).flatten().is_some() && layers.text(value).is_some_and(|text| !text.is_empty());
    if both_set && layer(layers, file) == Layer::Environment && layer(layers, value) == Layer::Environment {
        let place = blame(layers, value, file);
        layers.find("config.conflict", &place, format!("both {value} and {file}"), "one of the two", "unset one of them");
    }
}

/// The place of the setting that somebody wrote, preferring the first.
pub(super) fn blame(layers: &Layers, first: &str, second: &str) -> String {
    let written =
        |key: &str| layers.origin(key).filter(|origin| origin.layer != Layer::BuiltIn).map(|origin| origin.place.clone());
    written(first).or_else(|| written(second)).unwrap_or_else(|| "built-in".to_owned())
}
