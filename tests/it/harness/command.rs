//! One run of a `symbolon` command: its exit code and what it printed.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use serde_json::Value;

use super::process::signal;

/// How long a command may run.
const PATIENCE: Duration = Duration::from_mins(3);

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code; -1 when a signal ended it.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Ran {
    /// Runs a command to its end, with `input` on its standard input.
    #[track_caller]
    pub(crate) fn run(command: &mut Command, input: &str) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        // A command that reads no input may be gone already: a broken pipe is no failure.
        drop(child.stdin.take().map(|mut pipe| pipe.write_all(input.as_bytes())));
        let (id, (ended, wait)) = (child.id(), mpsc::channel::<()>());
        // A server that starts where it should refuse would be waited for without end.
        std::thread::spawn(move || {
            if wait.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                signal(id, "KILL");
            }
        });
        let output = child.wait_with_output().expect("the end of a command");
        drop(ended);
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Asserts exit code 0.
    #[track_caller]
    pub(crate) fn fine(self) -> Self {
        assert_eq!(self.code, 0, "{self:#?}");
        self
    }

    /// Asserts exit code 1 (findings, or a refusal) and gives all that was printed.
    #[track_caller]
    pub(crate) fn refused(self) -> String {
        assert_eq!(self.code, 1, "{self:#?}");
        self.stdout + &self.stderr
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not JSON ({error}): {self:#?}"))
    }
}
