//! The audit trail of a server whose log is JSON, and the table that says what each of its events must hold.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::server::Server;

/// The events of a log, oldest first.
#[derive(Debug)]
pub(crate) struct Trail(Vec<Value>);

impl Trail {
    /// The events among the lines of a log.
    pub(crate) fn of(log: &str) -> Self {
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Self(events.filter(|event| event["target"] == "symbolon::audit").collect())
    }

    /// These events.
    pub(crate) fn of_events(events: Vec<Value>) -> Self {
        Self(events)
    }

    /// The events, oldest first.
    pub(crate) fn events(&self) -> &[Value] {
        &self.0
    }

    /// The events of that code with these members.
    pub(crate) fn all(&self, code: &str, members: &[(&str, &str)]) -> Vec<&Value> {
        let fits = |event: &&Value| event["code"] == code && members.iter().all(|(name, value)| event[*name] == *value);
        self.0.iter().filter(fits).collect()
    }

    /// The one event of that code with these members.
    #[track_caller]
    pub(crate) fn one(&self, code: &str, members: &[(&str, &str)]) -> &Value {
        let found = self.all(code, members);
        let same = || self.all(code, &[]);
        assert_eq!(found.len(), 1, "{code} with {members:?}; of this code there are {:#?}", same());
        found[0]
    }

    /// No event of that code has these members.
    #[track_caller]
    pub(crate) fn none(&self, code: &str, members: &[(&str, &str)]) {
        let found = self.all(code, members);
        assert!(found.is_empty(), "{code} with {members:?}: {found:#?}");
    }

    /// The codes, in order.
    pub(crate) fn codes(&self) -> Vec<&str> {
        self.0.iter().filter_map(|event| event["code"].as_str()).collect()
    }

    /// Every event holds what the table promises, and nothing else.
    #[track_caller]
    pub(crate) fn keeps(&self, promises: &Promises) {
        for event in &self.0 {
            promises.check(event);
        }
    }
}

impl Server {
    /// The events so far. The server must have been set up to log JSON.
    pub(crate) fn trail(&self) -> Trail {
        Trail::of(&self.log())
    }
}

/// The events in an audit file and in those beside it that begin with its name, in the order of their ids.
#[track_caller]
pub(crate) fn file_lines(path: &Path) -> Vec<Value> {
    let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
    let files = std::fs::read_dir(path.parent().expect("a folder")).into_iter().flatten().flatten();
    let files = files.filter(|file| file.file_name().to_string_lossy().starts_with(name));
    // One may be renamed while it is looked for.
    let texts: Vec<String> = files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect();
    // What is not finished is not there yet.
    let lines = texts.iter().flat_map(|text| text.split_inclusive('\n')).filter(|line| line.ends_with('\n'));
    let mut events: Vec<Value> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
    events.sort_by_key(|event| event["id"].as_str().unwrap_or_default().to_owned());
    events
}

/// The table of audit events as the program prints it.
#[derive(Debug)]
pub(crate) struct Promises(BTreeMap<String, Promise>);

/// One row of it.
#[derive(Debug)]
struct Promise {
    meaning: String,
    /// Its members, with whether each is always there.
    members: BTreeMap<String, bool>,
}

impl Promises {
    /// Asks the program.
    #[track_caller]
    pub(crate) fn of(server: &Server) -> Self {
        let reference = server.command(&["config", "reference"]).fine().stdout;
        let rows = reference.lines().skip_while(|line| *line != "| code | meaning | members |").skip(2);
        let codes: BTreeMap<_, _> = rows.map_while(Self::row).collect();
        assert!(codes.len() > 50, "the table is read: {codes:?}");
        Self(codes)
    }

    fn row(line: &str) -> Option<(String, Promise)> {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        let (code, meaning) = (cells.next()?.trim_matches('`').to_owned(), cells.next()?.to_owned());
        let member = |name: &str| (name.trim_matches(['[', ']', '`']).to_owned(), !name.starts_with('['));
        let members = cells.next()?.split(' ').filter(|name| !name.is_empty()).map(member).collect();
        Some((code, Promise { meaning, members }))
    }

    #[track_caller]
    fn check(&self, event: &Value) {
        const ALWAYS: [&str; 8] = ["timestamp", "level", "target", "id", "time", "message", "code", "outcome"];
        let code = event["code"].as_str().unwrap_or_else(|| panic!("no code: {event}"));
        let Promise { meaning, members } = self.0.get(code).unwrap_or_else(|| panic!("not in the table: {event}"));
        assert!(matches!(event["outcome"].as_str(), Some("granted" | "refused")), "{event}");
        // The load line of a handler has words that others search for.
        assert!(event["message"] == meaning.as_str() || code == "OP7106", "{event}");
        for (name, _) in members.iter().filter(|(_, always)| **always) {
            assert!(event[name].as_str().is_some_and(|value| !value.is_empty()), "{name} is missing: {event}");
        }
        for name in event.as_object().into_iter().flat_map(|members| members.keys()) {
            assert!(ALWAYS.contains(&name.as_str()) || members.contains_key(name), "{name} is not promised: {event}");
        }
    }
}
