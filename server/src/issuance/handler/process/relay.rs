//! What a process that hosts a handler writes to its standard error: log lines in a form of ours, and whatever else its code prints. Read at
//! all times, so that nothing waits for the next call and a process that says too much is never held up.

use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::process::ChildStderr;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::issuance::handler::log::log;

/// The longest line, in bytes; the rest of a longer one is left out.
const LONGEST: u64 = 16 * 1024;
/// How long the last words of a process that has ended may take to arrive.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A line for the log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// 1 debug, 2 info, 3 warn, 4 error.
    symbolon_handler_log: u8,
    message: String,
}

/// Writes a log line, in the hosting process. Nobody may be there any more to read it.
pub(super) fn say(level: u8, message: &str) {
    if let Ok(line) = serde_json::to_string(&Line { symbolon_handler_log: level, message: message.to_owned() }) {
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// The other end, in the server.
#[derive(Debug)]
pub(super) struct Relay {
    shared: Arc<Mutex<Shared>>,
    ended: Receiver<()>,
}

#[derive(Debug)]
struct Shared {
    /// Whose words they are.
    name: String,
    /// The last line that is none of ours.
    last: String,
}

impl Relay {
    /// Listens on a thread of its own, until nobody can write any more.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(stderr: ChildStderr, name: String) -> io::Result<Self> {
        let shared = Arc::new(Mutex::new(Shared { name, last: String::new() }));
        let (end, ended) = mpsc::channel::<()>();
        let own = Arc::clone(&shared);
        thread::Builder::new().name("handler-stderr".to_owned()).spawn(move || {
            let mut reader = BufReader::new(stderr);
            while let Some(line) = line(&mut reader) {
                own.lock().unwrap_or_else(PoisonError::into_inner).take(&line);
            }
            drop(end);
        })?;
        Ok(Self { shared, ended })
    }

    /// From now on they are this handler's words.
    pub(super) fn of(&self, name: &str) {
        name.clone_into(&mut self.shared().name);
    }

    /// What the code printed last, once the process has ended; empty if nothing.
    pub(super) fn last_words(&self) -> String {
        // Says that it ended by hanging up. Something that the process started may still hold the other end.
        let _ = self.ended.recv_timeout(LAST_WORDS);
        self.shared().last.clone()
    }

    fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn take(&mut self, line: &[u8]) {
        if let Ok(Line { symbolon_handler_log: level, message }) = serde_json::from_slice(line) {
            log(level, &self.name, &message);
            return;
        }
        let text = String::from_utf8_lossy(line);
        if text.trim().is_empty() {
            return;
        }
        // What Rust adds to its own last words explains nothing.
        if !["note: ", "stack backtrace:", " "].iter().any(|addition| text.starts_with(addition)) {
            text.trim().clone_into(&mut self.last);
        }
        if tracing::dispatcher::has_been_set() {
            log(2, &self.name, &text);
        } else {
            // A command of somebody who is trying the library out.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}

/// The next line without its end; `None` when there is none any more.
fn line(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let read = reader.by_ref().take(LONGEST).read_until(b'\n', &mut line).ok()?;
    if read == 0 {
        return None;
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if read as u64 == LONGEST {
        reader.skip_until(b'\n').ok()?;
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_none_is_lost() {
        let text = [&b"one\n\n"[..], &vec![b'x'; 40_000], b"\nlast"].concat();
        let mut reader = BufReader::new(text.as_slice());
        let lines: Vec<usize> = std::iter::from_fn(|| line(&mut reader).map(|line| line.len())).collect();
        assert_eq!(lines, [3, 0, 16 * 1024, 4]);
    }
}
