//! The life of one server process: started with its log in a file, killed with the test whatever becomes of the test.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// A running server and the watchdog that ends it when the test process is gone.
#[derive(Debug)]
pub(crate) struct Process {
    server: Child,
    watchdog: Child,
}

impl Process {
    /// Starts the command with both outputs appended to `log`.
    ///
    /// Servers that suites share live in statics, which nobody drops; so a small shell waits for the end of our pipe
    /// (which the kernel closes however we end), then kills the server and removes its folder.
    #[track_caller]
    pub(crate) fn start(command: &mut Command, log: &Path, folder: &Path) -> Self {
        let open = || -> File { OpenOptions::new().create(true).append(true).open(log).expect("the log file") };
        let server = command
            .stdin(Stdio::null())
            .stdout(open())
            .stderr(open())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let watchdog = Command::new("sh")
            .args(["-c", "cat >/dev/null; kill -9 \"$0\" 2>/dev/null; rm -rf \"$1\""])
            .arg(server.id().to_string())
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh");
        Self { server, watchdog }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.server.id()
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.server.try_wait().expect("the state of the server")
    }

    /// Ends it at once, as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.stop_watching();
        drop(self.server.kill());
        drop(self.server.wait());
    }

    /// Asks it to stop (SIGTERM) and waits for its end.
    #[track_caller]
    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.stop_watching();
        signal(self.server.id(), "TERM");
        self.server.wait().expect("the end of the server")
    }

    fn stop_watching(&mut self) {
        drop(self.watchdog.kill());
        drop(self.watchdog.wait());
    }
}

/// Sends a signal to a process that must be there.
#[track_caller]
pub(crate) fn signal(id: u32, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(id.to_string()).status().expect("kill");
    assert!(sent.success(), "process {id} is gone");
}

/// The processes that a process has started and that are still running.
pub(crate) fn children(id: u32) -> Vec<u32> {
    let numbers = std::fs::read_dir("/proc").expect("/proc").flatten();
    numbers
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|child: &u32| state(*child).is_some_and(|(state, parent)| parent == id && state != "Z"))
        .collect()
}

/// Whether a process is running, not just waiting to be reaped.
pub(crate) fn is_running(id: u32) -> bool {
    state(id).is_some_and(|(state, _)| state != "Z")
}

/// The state of a process and the id of its parent.
fn state(id: u32) -> Option<(String, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}
