//! What is logged while a test listens, for the tests of every room. Not in the program.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::{Arc, Mutex};

use super::init::subscriber;
use crate::settings::meaning::Telemetry;

/// The lines written so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Takes everything that was written since the last look.
    pub(crate) fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }

    /// Takes the audit events among it, of a listener to JSON.
    pub(crate) fn events(&self) -> Vec<serde_json::Value> {
        let written = self.take();
        let lines = written.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.filter(|event: &serde_json::Value| event["target"] == "symbolon::audit").collect()
    }
}

/// Listens on this thread until the guard is dropped.
pub(crate) fn listen(json: bool, level: &str) -> (Lines, tracing::subscriber::DefaultGuard) {
    let lines = Lines::default();
    let writer = lines.clone();
    let settings = Telemetry { json, level: level.to_owned() };
    let subscriber = subscriber(&settings, move || writer.clone(), false).unwrap();
    (lines, tracing::subscriber::set_default(subscriber))
}
