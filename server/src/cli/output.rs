//! The only place that prints: results to standard output, failures to standard error.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use serde::Serialize;
use serde_json::{Value, json};

use crate::settings::{Finding, Findings};

/// How results are printed.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// Something an operator wrote or installed is wrong.
    Findings(Findings),
    /// The same, as a running server told it.
    Told(Value),
    /// The command was refused: one sentence.
    Refusal(String),
}

impl Failure {
    /// A refusal.
    pub fn refusal(sentence: impl Into<String>) -> Self {
        Self::Refusal(sentence.into())
    }
}

impl Failure {
    /// A refusal for the reason of an error.
    pub fn refusal_of(error: impl std::fmt::Display) -> Self {
        Self::Refusal(error.to_string())
    }
}

impl From<Findings> for Failure {
    fn from(findings: Findings) -> Self {
        Self::Findings(findings)
    }
}

impl Output {
    /// Prints as JSON, or for people.
    #[must_use]
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether results are JSON.
    #[must_use]
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a result.
    pub fn value(&self, value: &Value) {
        if self.json {
            print(format_args!("{value}\n"));
        } else {
            // A JSON value in memory can always be written; an empty line would say so if not.
            print(format_args!("{}\n", serde_json::to_string_pretty(value).unwrap_or_default()));
        }
    }

    /// Prints rows: JSON as one array, else a line each below one with the names of the columns.
    pub fn rows(&self, values: &Value, columns: &[&str]) {
        if self.json {
            print(format_args!("{values}\n"));
            return;
        }
        let row = |row: &Value| columns.iter().map(|column| cell(&row[*column])).collect();
        let mut lines: Vec<Vec<String>> = vec![columns.iter().map(|column| (*column).to_owned()).collect()];
        lines.extend(values.as_array().into_iter().flatten().map(row));
        let width = |n: usize| lines.iter().map(|cells| cells[n].chars().count()).max().unwrap_or_default();
        let widths: Vec<usize> = (0..columns.len()).map(width).collect();
        for cells in &lines {
            let line: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            print(format_args!("{}\n", line.join("  ").trim_end()));
        }
    }

    /// Prints a line for people; nothing in JSON mode.
    pub fn line(&self, text: &str) {
        if !self.json {
            print(format_args!("{text}\n"));
        }
    }

    /// Prints lines one by one, for whoever may stop listening; `false` when they have.
    #[must_use]
    pub fn goes_on(&self, line: impl std::fmt::Display) -> bool {
        writeln!(io::stdout().lock(), "{line}").is_ok()
    }

    /// Prints text as it is.
    pub fn text(&self, text: &str) {
        print(format_args!("{text}"));
    }

    /// Tells the operator something that is no result.
    pub fn note(&self, text: &str) {
        say(format_args!("{text}\n"));
    }

    /// Prints a finding that is not fatal.
    pub fn finding(&self, finding: &Finding) {
        self.warn(finding, &finding.to_string());
    }

    /// Prints findings that are not fatal.
    pub fn warn(&self, findings: &impl Serialize, text: &str) {
        if self.json {
            say(format_args!("{}\n", serde_json::to_string(findings).unwrap_or_default()));
        } else if !text.is_empty() {
            say(format_args!("warning: {text}\n"));
        }
    }

    /// Prints what is wrong with the command line; gives the exit code.
    #[must_use]
    pub fn wrong_usage(&self, sentence: &str) -> ExitCode {
        // Refused or not understood: both read the same, only the exit code differs.
        let _refusal = self.fail(&Failure::refusal(sentence));
        ExitCode::from(2)
    }

    /// Prints a failure; gives the exit code.
    #[must_use]
    pub fn fail(&self, failure: &Failure) -> ExitCode {
        match (failure, self.json) {
            (Failure::Findings(findings), true) => say(format_args!("{}\n", json!({ "findings": findings.0 }))),
            (Failure::Findings(findings), false) => say(format_args!("{findings}\n")),
            (Failure::Told(findings), true) => say(format_args!("{}\n", json!({ "findings": findings }))),
            (Failure::Told(findings), false) => {
                findings.as_array().into_iter().flatten().for_each(|finding| say(format_args!("{}\n", told(finding))));
            }
            (Failure::Refusal(sentence), true) => say(format_args!("{}\n", json!({ "error": sentence }))),
            (Failure::Refusal(sentence), false) => say(format_args!("error: {sentence}\n")),
        }
        ExitCode::from(1)
    }
}

/// Writes of a result. Whoever reads no further (`| head`) has what they wanted: the command ends as it would have.
fn print(text: Arguments<'_>) {
    let mut out = io::stdout().lock();
    match out.write_fmt(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            say(format_args!("error: the result cannot be written: {error}\n"));
            // It may be a secret that is shown this once; nobody must believe that they have it.
            std::process::exit(1);
        }
        _ => {}
    }
}

/// Writes to standard error. If nobody can be told, there is nobody to tell that either.
fn say(text: Arguments<'_>) {
    let _nobody = io::stderr().lock().write_fmt(text);
}

/// A finding in the words in which it prints itself.
#[must_use]
pub fn told(finding: &Value) -> String {
    let part = |name: &str| finding[name].as_str().unwrap_or_default();
    format!("{}: {}: seen {}; expected {}; remedy: {}", part("place"), part("id"), part("seen"), part("expected"), part("remedy"))
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
