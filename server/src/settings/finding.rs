//! What an operator is told when something they wrote or installed is wrong.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong, with its remedy. Shown by `config check`, by a refused start and by the handler loader alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A stable identifier, e.g. `config.unknown_key`.
    pub id: &'static str,
    /// Where: `file:line`, an environment name, `-D name`, or a path.
    pub place: String,
    /// What was found there. Never a secret.
    pub seen: String,
    /// What would have been right.
    pub expected: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: seen {}; expected {}; remedy: {}", self.place, self.id, self.seen, self.expected, self.remedy)
    }
}

/// Everything that is wrong, at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// `Ok(value)` when nothing is wrong.
    ///
    /// # Errors
    /// The findings, when there are any.
    pub fn unless_any<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, finding) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{finding}")?;
        }
        Ok(())
    }
}
