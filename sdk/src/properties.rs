//! The typed reader of a handler's own properties. It collects what it cannot read; it does not know where a value was written.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

/// One property that is wrong, with its remedy.
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The full name of the property, prefix included.
    pub key: String,
    /// What was found, cut to 80 characters.
    pub seen: String,
    /// What would have been right.
    pub expected: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    /// A finding about the property with this full name.
    #[must_use]
    pub fn new(key: impl Into<String>, seen: &str, expected: impl Into<String>, remedy: impl Into<String>) -> Self {
        let mut shown: String = seen.chars().take(80).collect();
        if shown.len() < seen.len() {
            shown.push('…');
        }
        Self { key: key.into(), seen: shown, expected: expected.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: seen {}; expected {}; remedy: {}", self.key, self.seen, self.expected, self.remedy)
    }
}

/// The handler cannot work as configured. What the readers of [`Properties`] noted is added by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigureError {
    message: String,
}

impl ConfigureError {
    /// With one sentence for the operator. No secrets in it.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// The sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ConfigureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigureError {}

/// The properties below a handler's prefix. Names are given without the prefix; a blank value means the default.
///
/// A reader that meets a value it cannot read notes a finding and returns the default, so that one pass finds everything.
#[derive(Debug)]
pub struct Properties {
    prefix: &'static str,
    declared: &'static [&'static str],
    values: BTreeMap<String, String>,
    findings: RefCell<Vec<Finding>>,
}

impl Properties {
    /// From full names and their values; a name without the prefix is left out, one that is not declared becomes a finding.
    pub(crate) fn new<'a>(
        prefix: &'static str,
        declared: &'static [&'static str],
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let mut values = BTreeMap::new();
        let mut findings = Vec::new();
        for (key, value) in pairs {
            let Some(name) = key.strip_prefix(prefix) else { continue };
            if is_declared(declared, name) {
                values.insert(name.to_owned(), value.trim().to_owned());
            } else {
                findings.push(unknown(prefix, declared, key, name));
            }
        }
        Self { prefix, declared, values, findings: RefCell::new(findings) }
    }

    /// The text of a property, without surrounding white space; `None` when it is blank or absent.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        if !is_declared(self.declared, name) {
            self.note(Finding::new(
                format!("{}{name}", self.prefix),
                "a property that the handler reads but does not declare",
                "every property that is read listed in PROPERTIES",
                "this is a mistake in the handler: tell its author",
            ));
        }
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// `true` or `false`, in any case; `default` when blank.
    #[must_use]
    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.optional_flag(name).unwrap_or(default)
    }

    /// `true` or `false`, in any case; `None` when blank.
    #[must_use]
    pub fn optional_flag(&self, name: &str) -> Option<bool> {
        let text = self.text(name)?;
        if text.eq_ignore_ascii_case("true") {
            Some(true)
        } else if text.eq_ignore_ascii_case("false") {
            Some(false)
        } else {
            self.finding(name, "true, false or blank", format!("write {0}{name}=true or {0}{name}=false", self.prefix));
            None
        }
    }

    /// A whole number within the range; `None` when blank.
    #[must_use]
    pub fn integer(&self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let text = self.text(name)?;
        if let Some(number) = text.parse().ok().filter(|number| range.contains(number)) {
            return Some(number);
        }
        let expected = match (*range.start(), *range.end()) {
            (start, i64::MAX) => format!("a whole number of at least {start}, or blank"),
            (start, end) => format!("a whole number from {start} to {end}, or blank"),
        };
        self.finding(name, expected, "write a whole number without unit, or leave the value blank for the default");
        None
    }

    /// A duration in whole seconds, zero included; `None` when blank.
    #[must_use]
    pub fn seconds(&self, name: &str) -> Option<Duration> {
        let text = self.text(name)?;
        // Longer than a human life is a typing mistake, and keeps every later addition far from overflow.
        if let Some(seconds) = text.parse().ok().filter(|seconds: &u64| *seconds <= 100 * 366 * 86_400) {
            return Some(Duration::from_secs(seconds));
        }
        self.finding(
            name,
            "a whole number of seconds, zero or more and at most a hundred years, or blank",
            "write seconds without unit, or leave the value blank for the default",
        );
        None
    }

    /// Values separated by commas, white space or both, each once, in the order written.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        let mut values: Vec<String> = Vec::new();
        let text = self.text(name).unwrap_or_default();
        for value in text.split(|c: char| c == ',' || c.is_whitespace()).filter(|value| !value.is_empty()) {
            if !values.iter().any(|own| own == value) {
                values.push(value.to_owned());
            }
        }
        values
    }

    /// One of the named values, in any case; `default` when blank.
    #[must_use]
    pub fn choice<T: Clone>(&self, name: &str, choices: &[(&str, T)], default: T) -> T {
        let Some(text) = self.text(name) else { return default };
        if let Some((_, value)) = choices.iter().find(|(label, _)| label.eq_ignore_ascii_case(text)) {
            return value.clone();
        }
        let labels: Vec<&str> = choices.iter().map(|(label, _)| *label).collect();
        self.finding(
            name,
            format!("{} or blank", labels.join(", ")),
            "write one of these values, or leave the value blank for the default",
        );
        default
    }

    /// The declared names that have a value, blank ones left out; for handlers that declare names ending in `.*`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name.as_str())
    }

    /// Notes that the value of a property is wrong; the configuration will be refused.
    pub fn finding(&self, name: &str, expected: impl Into<String>, remedy: impl Into<String>) {
        let seen = self.values.get(name).filter(|value| !value.is_empty()).map_or("a blank", String::as_str);
        self.note(Finding::new(format!("{}{name}", self.prefix), seen, expected, remedy));
    }

    /// The same for a value that may be, or contain, a secret: it is not shown.
    pub fn secret_finding(&self, name: &str, expected: impl Into<String>, remedy: impl Into<String>) {
        self.note(Finding::new(format!("{}{name}", self.prefix), "a value that is not shown", expected, remedy));
    }

    fn note(&self, finding: Finding) {
        let mut findings = self.findings.borrow_mut();
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }

    pub(crate) fn into_findings(self) -> Vec<Finding> {
        self.findings.into_inner()
    }
}

/// Whether the name is declared, as itself or by a name ending in `.*`.
pub(crate) fn is_declared(declared: &[&str], name: &str) -> bool {
    declared.iter().any(|own| match own.strip_suffix('*') {
        Some(stem) if stem.ends_with('.') => name.len() > stem.len() && name.starts_with(stem),
        _ => *own == name,
    })
}

/// The finding about an undeclared name, with the declared one that was probably meant.
fn unknown(prefix: &str, declared: &[&str], key: &str, name: &str) -> Finding {
    let close = declared.iter().map(|own| (distance(own, name), own)).min().filter(|(distance, _)| *distance <= 3);
    let remedy = match close {
        Some((_, own)) => format!("did you mean {prefix}{own}?"),
        None => "remove the line, or correct its name".to_owned(),
    };
    Finding::new(key, name, format!("one of: {}", declared.join(", ")), remedy)
}

/// The edit distance of two names, letter case ignored.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(64).flat_map(char::to_lowercase).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, c) in one.chars().flat_map(char::to_lowercase).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, d) in other.iter().enumerate() {
            let change = diagonal + usize::from(c != *d);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECLARED: &[&str] = &["enable", "life", "list", "kind", "map.*"];

    fn properties(pairs: &[(&str, &str)]) -> Properties {
        Properties::new("t.", DECLARED, pairs.iter().copied())
    }

    #[test]
    fn blank_means_default_everywhere() {
        let p = properties(&[("t.enable", "  "), ("t.life", ""), ("t.list", " \t"), ("t.kind", "")]);
        assert!(p.flag("enable", true));
        assert!(!p.flag("enable", false));
        assert_eq!(p.seconds("life"), None);
        assert_eq!(p.integer("life", -1..=5), None);
        assert!(p.list("list").is_empty());
        assert_eq!(p.choice("kind", &[("A", 1), ("B", 2)], 7), 7);
        assert!(p.into_findings().is_empty());
    }

    #[test]
    fn values_are_read() {
        let p =
            properties(&[("t.enable", " TRUE "), ("t.life", "60"), ("t.list", "a, b,,c  a"), ("t.kind", "b"), ("other.x", "1")]);
        assert!(p.flag("enable", false));
        assert_eq!(p.seconds("life"), Some(Duration::from_mins(1)));
        assert_eq!(p.list("list"), ["a", "b", "c"]);
        assert_eq!(p.choice("kind", &[("A", 1), ("B", 2)], 7), 2);
        assert_eq!(p.names().collect::<Vec<_>>(), ["enable", "kind", "life", "list"]);
        assert!(p.into_findings().is_empty());
    }

    #[test]
    fn everything_wrong_is_found_once_and_at_once() {
        let p = properties(&[
            ("t.enable", "yes"),
            ("t.life", "-5"),
            ("t.kind", "C"),
            ("t.enabel", "true"),
            ("t.map.", "1"),
            ("t.map.x", "1"),
        ]);
        assert!(!p.flag("enable", false));
        assert!(!p.flag("enable", false));
        assert_eq!(p.seconds("life"), None);
        assert_eq!(p.choice("kind", &[("A", 1), ("B", 2)], 7), 7);
        assert_eq!(p.text("map.x"), Some("1"));
        let findings = p.into_findings();
        let keys: Vec<_> = findings.iter().map(|f| f.key.as_str()).collect();
        assert_eq!(keys, ["t.enabel", "t.map.", "t.enable", "t.life", "t.kind"]);
        assert_eq!(findings[0].remedy, "did you mean t.enable?");
        assert_eq!(findings[2].seen, "yes");
    }

    #[test]
    fn reading_an_undeclared_name_is_the_authors_mistake_and_found() {
        let p = properties(&[]);
        assert_eq!(p.text("lief"), None);
        assert_eq!(p.into_findings()[0].key, "t.lief");
    }

    proptest::proptest! {
        #[test]
        fn no_value_is_a_panic(name in ".{0,80}", value in ".*") {
            let key = format!("t.{name}");
            let p = properties(&[(&key, &value), ("t.enable", &value), ("t.life", &value), ("t.list", &value), ("t.kind", &value)]);
            let _ = (p.flag("enable", true), p.seconds("life"), p.integer("life", 0..=9), p.list("list"), p.choice("kind", &[("A", 1)], 2));
            for finding in p.into_findings() {
                proptest::prop_assert!(finding.seen.chars().count() <= 81);
            }
        }
    }
}
