//! The operator's order of authentication context classes, and what needs which of them and how recent a sign-in. It reads and finds;
//! it knows no request.

use std::collections::BTreeMap;

use symbolon_sdk::{DeviceSsoHandler, Properties};

use crate::AcrStepUpHandler;

const PREFIX: &str = AcrStepUpHandler::PREFIX;

/// Authentication context classes from the lowest to the highest.
///
/// A *level* is a place in this order, counted from 1; level 0 is everything that the operator did not name, and no class at all.
#[derive(Debug, Default)]
pub(crate) struct Levels(Vec<String>);

impl Levels {
    fn read(properties: &Properties) -> Self {
        let classes = properties.list("levels");
        // The reader drops repetitions, but here they make the order ambiguous.
        let written = properties.text("levels").unwrap_or_default();
        if written.split(|c: char| c == ',' || c.is_whitespace()).filter(|class| !class.is_empty()).count() > classes.len() {
            properties.finding(
                "levels",
                "each ACR value once, from the lowest to the highest",
                format!("take the repeated values out of {PREFIX}levels, so that each has one place in the order"),
            );
        }
        Self(classes)
    }

    /// The level of a class.
    pub(crate) fn of(&self, acr: &str) -> usize {
        self.0.iter().position(|own| own == acr).map_or(0, |place| place + 1)
    }

    /// The classes from this level, 1 or higher, up to the highest.
    pub(crate) fn from(&self, level: usize) -> &[String] {
        self.0.get(level.saturating_sub(1)..).unwrap_or_default()
    }

    /// The level of the class that a property names; one that has no level is found, and needs nothing.
    fn named_by(&self, properties: &Properties, name: &str) -> usize {
        let Some(acr) = properties.text(name) else { return 0 };
        let level = self.of(acr);
        if self.0.is_empty() {
            properties.finding(
                "levels",
                "the ACR values that the rules name, from the lowest to the highest",
                format!("write {PREFIX}levels with all of them: without an order no class is better than another"),
            );
        } else if level == 0 {
            properties.finding(
                name,
                format!("one of the levels: {}", self.0.join(", ")),
                format!("correct the value, or add it to {PREFIX}levels at its place in the order"),
            );
        }
        level
    }
}

/// What something needs of a sign-in. The default is nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Need {
    /// The level that its class must have at least.
    pub(crate) level: usize,
    /// How many seconds ago it may have been.
    pub(crate) max_age: Option<u64>,
}

impl Need {
    /// What both need together.
    pub(crate) fn and(self, other: Self) -> Self {
        let max_age = [self.max_age, other.max_age].into_iter().flatten().min();
        Self { level: self.level.max(other.level), max_age }
    }
}

/// What needs which authentication.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// The order of classes.
    pub(crate) levels: Levels,
    /// What every exchange needs.
    pub(crate) default: Need,
    scope: BTreeMap<String, Need>,
    claims: BTreeMap<String, Need>,
}

impl Rules {
    /// Reads all of them; what cannot be read, or means nothing, is noted as a finding.
    pub(crate) fn read(properties: &Properties) -> Self {
        let levels = Levels::read(properties);
        let mut rules = Self { default: Need::default(), scope: BTreeMap::new(), claims: BTreeMap::new(), levels };
        rules.default.level = rules.levels.named_by(properties, "default.acr");
        rules.default.max_age = seconds(properties, "default.maxAge");
        for name in properties.names() {
            let (needs, subject) = match name.split_once('.') {
                Some(("scope", subject)) => (&mut rules.scope, subject),
                Some(("claim", subject)) => (&mut rules.claims, subject),
                _ => continue,
            };
            // A scope value may have dots of its own, so only what stands behind the last one is ours.
            match subject.rsplit_once('.') {
                Some((value, "acr")) if !value.is_empty() => {
                    needs.entry(value.to_owned()).or_default().level = rules.levels.named_by(properties, name);
                }
                Some((value, "maxAge")) if !value.is_empty() => {
                    needs.entry(value.to_owned()).or_default().max_age = seconds(properties, name);
                }
                _ => {
                    let remedy = remedy_of_name(name, properties.text(name).unwrap_or_default());
                    properties.finding(name, "a name that ends in .acr or .maxAge", remedy);
                }
            }
        }
        rules
    }

    /// Whether nothing needs anything.
    pub(crate) fn are_none(&self) -> bool {
        self.default == Need::default() && self.scope.is_empty() && self.claims.is_empty()
    }

    /// What a scope value needs by its own rule, and by those of the claims that it stands for.
    pub(crate) fn of_scope(&self, value: &str, resolve_claim_names: impl FnOnce() -> Vec<String>) -> Need {
        let own = self.scope.get(value).copied().unwrap_or_default();
        // Resolving goes back over the library boundary; without a rule about claims nobody needs it.
        if self.claims.is_empty() {
            return own;
        }
        resolve_claim_names().iter().fold(own, |need, name| need.and(self.of_claim(name)))
    }

    /// What a claim needs.
    pub(crate) fn of_claim(&self, name: &str) -> Need {
        self.claims.get(name).copied().unwrap_or_default()
    }
}

fn seconds(properties: &Properties, name: &str) -> Option<u64> {
    properties.seconds(name).map(|age| age.as_secs())
}

/// What a name that is no rule was probably meant to be.
fn remedy_of_name(name: &str, value: &str) -> String {
    // In a Java properties file a bare colon ends the name, so the rest of a scope value like a URL begins the value.
    if value.contains(".acr") || value.contains(".maxAge") {
        return format!("a bare colon ends a name in a properties file: write {PREFIX}{name}\\:… and so on for each colon in it");
    }
    let stem = name.rsplit_once('.').map(|(stem, _)| stem).filter(|stem| stem.contains('.')).unwrap_or(name);
    format!("name it {PREFIX}{stem}.acr or {PREFIX}{stem}.maxAge")
}
