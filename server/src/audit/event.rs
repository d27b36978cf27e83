//! An event as it stands in an audit file.

use std::fmt;

use serde::Deserialize;

/// An event. A member that a later release added is left out.
#[derive(Debug, Clone, Default, Deserialize)]
#[expect(missing_docs, reason = "the reference of audit events says what each member is")]
pub struct Event {
    pub id: String,
    pub time: String,
    pub code: String,
    pub outcome: String,
    #[serde(default)]
    pub message: String,
    pub client_id: Option<String>,
    pub subject: Option<String>,
    pub sid: Option<String>,
    pub address: Option<String>,
    pub reason: Option<String>,
    pub grant: Option<String>,
    pub handler: Option<String>,
    pub kid: Option<String>,
    pub actor: Option<String>,
    pub detail: Option<String>,
}

impl Event {
    /// The event of a line; `None` when it is none.
    #[must_use]
    pub fn of_line(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}

/// One line for people.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}  {:7}  {}", self.time, self.code, self.outcome, self.message)?;
        let members = [
            ("client_id", &self.client_id),
            ("subject", &self.subject),
            ("sid", &self.sid),
            ("address", &self.address),
            ("reason", &self.reason),
            ("grant", &self.grant),
            ("handler", &self.handler),
            ("kid", &self.kid),
            ("actor", &self.actor),
            ("detail", &self.detail),
        ];
        for (name, value) in members {
            if let Some(value) = value {
                // As the log has it: quoted, so that no value can look like another member, or like another line.
                write!(f, " {name}={value:?}")?;
            }
        }
        Ok(())
    }
}
