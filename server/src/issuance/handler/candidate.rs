//! One library of the folder, tried out: checked, trusted, opened and configured in a process of its own before any code of it runs
//! in the server's.

use std::collections::BTreeMap;

use symbolon_sdk::Execution;
use symbolon_sdk::host::{Checked, ConfigureFailure, Description, Found, Kind, Library, ORDER};

use super::named;
use super::process::{Child, NotConfigured};
use super::question::Surroundings;
use super::state::Entry;
use super::trust::Trust;
use crate::settings::meaning::{Handlers as HandlerSettings, Isolation, IsolationMode, Property};
use crate::settings::{self, Finding};

/// The order of actions that say none.
const USUAL_ORDER: i32 = 100;

/// A library that works, as far as a trial can tell.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) entry: Entry,
    /// The process of the trial, ready to be asked.
    pub(super) child: Option<Child>,
}

/// Why there is no candidate.
#[derive(Debug)]
pub(super) enum Rejected {
    /// The library is no good; the others are not affected.
    Library(String),
    /// The operator's properties for the handler of this name are wrong.
    Properties(String, Vec<Finding>),
}

/// What a trial needs to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial<'a> {
    pub(super) settings: &'a HandlerSettings,
    pub(super) properties: &'a BTreeMap<String, Property>,
    pub(super) surroundings: &'a Surroundings,
    pub(super) trust: &'a Trust,
}

impl Trial<'_> {
    /// Tries a file out. `known` are the libraries in service: one of them that has not changed is not tried again.
    pub(super) fn run(&self, found: &Found, known: &[Entry]) -> Result<Candidate, Rejected> {
        let checked = found.read().map_err(|error| Rejected::Library(error.to_string()))?;
        let digest = self.trust.judge(&checked).map_err(Rejected::Library)?;
        let known = known.iter().find(|entry| entry.digest == digest && entry.description.path == found.path());
        if let Some(entry) = known
            && let Ok((properties, isolation, _)) = self.own_properties(&entry.description)
            && properties == entry.properties
            && isolation == entry.isolation
            && named::files(properties.values().map(String::as_str)) == entry.files
        {
            return Ok(Candidate { entry: entry.clone(), child: None });
        }
        let library = match known {
            Some(entry) => entry.library.clone(),
            None => Checked::keep(checked).map_err(|error| Rejected::Library(error.to_string()))?,
        };
        self.rehearse(library, digest)
    }

    /// Opens, describes and configures a library in a process.
    pub(super) fn rehearse(&self, library: Library, digest: String) -> Result<Candidate, Rejected> {
        let limit = self.settings.start_deadline;
        let (mut child, description) = Child::open(&library, self.settings.memory, limit).map_err(Rejected::Library)?;
        let own = self.own_properties(&description);
        // What is wrong with its isolation must not hide what the handler itself finds wrong.
        let properties = own.as_ref().map_or_else(|_| self.own_values(&description), |(properties, ..)| properties.clone());
        // Looked at before the handler reads them: what changes in between is a change.
        let files = named::files(properties.values().map(String::as_str));
        let configured =
            child.configure(&properties, self.surroundings, limit).map_err(|failure| self.rejection(failure, &description));
        let (isolation, order) = match (own, &configured) {
            (Ok((_, isolation, order)), _) => (isolation, order),
            (Err(mut findings), configured) => {
                if let Err(Rejected::Properties(_, more)) = configured {
                    findings.extend(more.iter().cloned());
                }
                return Err(Rejected::Properties(description.name, findings));
            }
        };
        let enabled = configured?;
        // The process began with the memory that is usual.
        let child = (isolation.memory == self.settings.memory).then_some(child);
        Ok(Candidate { entry: Entry { description, library, digest, properties, files, isolation, order, enabled }, child })
    }

    /// The library's own properties, and what they say of how it is run and, for an action, when it is asked.
    fn own_properties(&self, description: &Description) -> Result<(BTreeMap<String, String>, Isolation, i32), Vec<Finding>> {
        let usual = if description.execution == Execution::Inline { IsolationMode::Inline } else { IsolationMode::Pool };
        let isolation = settings::isolation(self.settings, self.properties, &description.prefix, usual);
        match (isolation, self.order(description)) {
            (Ok(isolation), Ok(order)) => Ok((self.own_values(description), isolation, order)),
            (isolation, order) => Err(isolation.err().into_iter().flatten().chain(order.err()).collect()),
        }
    }

    /// When an action is asked: the lowest number first.
    fn order(&self, description: &Description) -> Result<i32, Finding> {
        let key = format!("{}{ORDER}", description.prefix);
        let Some(property) = self.properties.get(&key).filter(|_| description.kind == Kind::PostLogin) else {
            return Ok(USUAL_ORDER);
        };
        let text = property.value.trim();
        if text.is_empty() {
            return Ok(USUAL_ORDER);
        }
        text.parse().map_err(|_| Finding {
            id: "handler.property",
            place: property.place.clone(),
            seen: format!("{key} = {:?}", property.value),
            expected: "a whole number; who has the lowest is asked first".to_owned(),
            remedy: format!("write a number, or leave it out for {USUAL_ORDER}"),
        })
    }

    fn own_values(&self, description: &Description) -> BTreeMap<String, String> {
        let own = self.properties.iter().filter(|(key, _)| description.owns(key));
        own.map(|(key, property)| (key.clone(), property.value.clone())).collect()
    }

    fn rejection(&self, failure: NotConfigured, description: &Description) -> Rejected {
        let path = description.path.display();
        let name = &description.name;
        let place = |key: &str| self.properties.get(key).map_or_else(|| path.to_string(), |property| property.place.clone());
        match failure {
            NotConfigured::Ended(how) => {
                Rejected::Library(format!("{path}: {name} could not be configured, {how}: tell its author, and remove it"))
            }
            NotConfigured::Failure(ConfigureFailure::Panicked(message)) => Rejected::Library(format!(
                "{path}: {name} panicked while it was configured ({message}): tell its author, and remove it"
            )),
            NotConfigured::Failure(ConfigureFailure::Refused { message, findings }) => {
                let mut all: Vec<Finding> = findings
                    .into_iter()
                    .map(|finding| Finding {
                        id: "handler.property",
                        place: place(&finding.key),
                        seen: format!("{} = {}", finding.key, finding.seen),
                        expected: finding.expected,
                        remedy: finding.remedy,
                    })
                    .collect();
                if message.is_some() || all.is_empty() {
                    all.push(Finding {
                        id: "handler.not_configured",
                        place: path.to_string(),
                        seen: message.unwrap_or_else(|| "it refused its properties without a reason".to_owned()),
                        expected: format!("{name} accepts its properties"),
                        remedy: "correct its properties, or take the library out of the folder".to_owned(),
                    });
                }
                Rejected::Properties(name.clone(), all)
            }
        }
    }
}
