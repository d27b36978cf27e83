//! How a handler is run, as its own properties say: the names below each handler's prefix that are the server's.

use std::collections::BTreeMap;
use std::path::Path;

use super::finding::Finding;
use super::kind::Kind;
use super::leaves::Leaf;
use super::meaning::{Handlers, Isolation, IsolationMode, Property};
use super::nearest::nearest;
use super::value::{Mismatch, Raw, Value};

/// The names below a prefix, and the setting of the same range that holds for all handlers.
const NAMES: [(&str, &str); 5] = [
    ("isolation", ""),
    ("isolation.deadline", "handlers.deadline"),
    ("isolation.threads", "handlers.threads"),
    ("isolation.processes", "handlers.processes"),
    ("isolation.memory", "handlers.memory"),
];

const MODES: Kind = Kind::Choice(&["inline", "pool", "process"]);

/// Reads the properties `PREFIXisolation…`; what they leave out is as the settings say, and `usual` where the mode is left out.
///
/// # Errors
/// Everything that is wrong with them, at once.
pub fn isolation(
    settings: &Handlers,
    properties: &BTreeMap<String, Property>,
    prefix: &str,
    usual: IsolationMode,
) -> Result<Isolation, Vec<Finding>> {
    let mut isolation = Isolation {
        mode: usual,
        deadline: settings.deadline,
        threads: settings.threads,
        processes: settings.processes,
        memory: settings.memory,
    };
    let mut findings = Vec::new();
    for (key, property) in properties {
        let Some(name) = key.strip_prefix(prefix).filter(|name| is_ours(name)) else { continue };
        if property.value.is_empty() {
            continue;
        }
        let Some((name, setting)) = NAMES.into_iter().find(|(known, _)| *known == name) else {
            findings.push(unknown(key, name, property, prefix));
            continue;
        };
        let kind = Leaf::find(setting).map_or(MODES, |leaf| leaf.kind);
        match kind.read(&Raw::Shell(property.value.clone()), Path::new("")) {
            Ok(value) => take(&mut isolation, name, &value),
            Err(Mismatch { id, seen, remedy }) => findings.push(Finding {
                id,
                place: property.place.clone(),
                seen: format!("{key} = {seen}"),
                expected: kind.expected(),
                remedy,
            }),
        }
    }
    if findings.is_empty() { Ok(isolation) } else { Err(findings) }
}

fn is_ours(name: &str) -> bool {
    name.strip_prefix("isolation").is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn take(isolation: &mut Isolation, name: &str, value: &Value) {
    match (name, value) {
        ("isolation", Value::Text(mode)) => {
            isolation.mode = match mode.as_str() {
                "inline" => IsolationMode::Inline,
                "pool" => IsolationMode::Pool,
                _ => IsolationMode::Process,
            };
        }
        ("isolation.deadline", Value::Span(Some(deadline))) => isolation.deadline = *deadline,
        ("isolation.threads", Value::Number(threads)) => isolation.threads = usize::try_from(*threads).unwrap_or(usize::MAX),
        ("isolation.processes", Value::Number(processes)) => {
            isolation.processes = usize::try_from(*processes).unwrap_or(usize::MAX);
        }
        ("isolation.memory", Value::Number(memory)) => isolation.memory = *memory,
        // Every name of the list has one kind of value.
        _ => {}
    }
}

fn unknown(key: &str, name: &str, property: &Property, prefix: &str) -> Finding {
    let known = NAMES.map(|(known, _)| known);
    Finding {
        id: "config.unknown_key",
        place: property.place.clone(),
        seen: key.to_owned(),
        expected: format!("one of: {}", known.join(", ")),
        remedy: nearest(name, known).map_or_else(|| "take it out".to_owned(), |known| format!("did you mean {prefix}{known}?")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::settings::Settings;

    fn read(pairs: &[(&str, &str)]) -> Result<Isolation, Vec<Finding>> {
        let properties = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Property { value: (*value).to_owned(), place: "f:1".to_owned() }))
            .collect();
        isolation(&Settings::built_in().handlers, &properties, "t.", IsolationMode::Pool)
    }

    #[test]
    fn what_is_not_said_is_as_for_all() {
        let usual =
            read(&[("t.enable", "true"), ("t.isolation", ""), ("other.isolation", "process"), ("t.isolationist", "x")]).unwrap();
        assert_eq!(usual.mode, IsolationMode::Pool);
        assert_eq!((usual.deadline, usual.threads, usual.processes), (Duration::from_secs(2), 16, 2));
        assert_eq!(usual.memory, 256 * 1024 * 1024);
    }

    #[test]
    fn each_can_be_said() {
        let own = read(&[
            ("t.isolation", "Process"),
            ("t.isolation.deadline", "150ms"),
            ("t.isolation.threads", "3"),
            ("t.isolation.processes", "4"),
            ("t.isolation.memory", "64MiB"),
        ]);
        let expected = Isolation {
            mode: IsolationMode::Process,
            deadline: Duration::from_millis(150),
            threads: 3,
            processes: 4,
            memory: 64 * 1024 * 1024,
        };
        assert_eq!(own, Ok(expected));
    }

    #[test]
    fn everything_wrong_is_found_at_once() {
        let findings = read(&[
            ("t.isolation", "proces"),
            ("t.isolation.deadline", "5"),
            ("t.isolation.threads", "0"),
            ("t.isolation.memory", "1"),
            ("t.isolation.proceses", "4"),
        ])
        .unwrap_err();
        assert_eq!(findings.len(), 5);
        let remedies: Vec<&str> = findings.iter().map(|finding| finding.remedy.as_str()).collect();
        assert!(
            remedies.contains(&"did you mean \"process\"?") && remedies.contains(&"did you mean t.isolation.processes?"),
            "{remedies:?}"
        );
    }
}
