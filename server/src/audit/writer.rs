//! The one thread that writes the audit file. Takes what was handed over, in order, and gives each event its id; never drops what it has taken while it runs.
//!
//! What it has written survives the end of the process at once, and that of the machine within a second.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::file::TrailFile;
use super::id::EventId;
use crate::settings::meaning::AuditFile;
use crate::telemetry::audit::handoff::{Entry, Taken, entry};
use crate::telemetry::{AuditEvent, codes, metrics};

/// How long what was written may be on the way to the disk.
const SYNC: Duration = Duration::from_secs(1);
/// Under load events are gathered for so long, so that they do not wake this thread one by one.
const GATHER: Duration = Duration::from_millis(2);
/// The pause before what could not be written is tried again.
const AGAIN: Duration = Duration::from_millis(250);
/// How long it is tried at the end of the process.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// So much is written at once, in bytes.
const BATCH: usize = 256 * 1024;

/// What others may know of the writer.
#[derive(Debug)]
pub(super) struct Progress {
    /// The series that it gives ids of.
    pub(super) series: String,
    /// The number of the last event that is in the file.
    pub(super) written: AtomicU64,
    /// Rung when there is more.
    pub(super) more: Notify,
    /// Set before the end of the process, so that nobody waits for a disk that is full.
    pub(super) closing: AtomicBool,
}

impl Progress {
    /// Before the first event after `last`.
    pub(super) fn of(last: &EventId) -> Self {
        let written = AtomicU64::new(last.number);
        Self { series: last.series.clone(), written, more: Notify::new(), closing: AtomicBool::new(false) }
    }
}

/// The writer.
#[derive(Debug)]
pub(super) struct Writer {
    settings: AuditFile,
    file: TrailFile,
    taken: Taken,
    progress: Arc<Progress>,
    /// The id of the last event that was taken.
    last: EventId,
    /// Lines that are not all in the file yet, and how much of them is.
    pending: Vec<u8>,
    done: usize,
    unsynced: Option<Instant>,
    failing: bool,
}

impl Writer {
    /// A writer that goes on after the event `last`.
    pub(super) fn new(
        settings: AuditFile,
        file: TrailFile,
        last: EventId,
        taken: Taken,
        progress: Arc<Progress>,
    ) -> io::Result<Self> {
        // An event that was cut off by the end of a process stays as it is; the next one begins a line of its own.
        let pending = if file.is_torn()? { b"\n".to_vec() } else { Vec::new() };
        Ok(Self { settings, file, taken, progress, last, pending, done: 0, unsynced: None, failing: false })
    }

    /// Writes until nobody can hand anything over any more.
    pub(super) fn run(mut self) {
        while self.take_some() {
            if !self.write_down() {
                return;
            }
            self.sync_if_due();
            std::thread::sleep(GATHER);
        }
        if self.unsynced.is_some() {
            self.sync();
        }
    }

    /// Takes what has come; `false` when nothing will come any more.
    fn take_some(&mut self) -> bool {
        let due = |since: Instant| SYNC.saturating_sub(since.elapsed());
        let first = match self.unsynced.map(due) {
            None => self.taken.queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(left) => self.taken.queue.recv_timeout(left),
        };
        match first {
            Ok(first) => self.take(&first),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        while self.pending.len() < BATCH
            && let Ok(next) = self.taken.queue.try_recv()
        {
            self.take(&next);
        }
        // Known only when there is room again, so it stands behind what had come before.
        let lost = self.taken.lost();
        if lost > 0 {
            let detail = format!("{lost} events; the log has them");
            let event = AuditEvent::refused(codes::AUDIT_LOST).detail(&detail);
            self.take(&entry(&event, codes::AUDIT_LOST.meaning));
            event.log();
        }
        true
    }

    fn take(&mut self, entry: &Entry) {
        let id = self.last.next();
        self.pending.extend_from_slice(super::id::HEAD);
        self.pending.extend_from_slice(id.to_string().as_bytes());
        self.pending.extend_from_slice(b"\",");
        self.pending.extend_from_slice(entry.get(1..).unwrap_or_default());
        self.pending.push(b'\n');
        self.last = id;
    }

    /// Writes everything that was taken, however long that takes while the process runs; `false` when it was given up because that ends.
    fn write_down(&mut self) -> bool {
        let mut since_closing: Option<Instant> = None;
        while self.done < self.pending.len() {
            match self.write_some() {
                Ok(()) if self.failing => {
                    tracing::info!("the audit file is written again");
                    self.failing = false;
                }
                Ok(()) => {}
                Err(error) => {
                    if !self.failing {
                        tracing::error!(%error, "the audit file cannot be written; its events wait in memory");
                    }
                    self.failing = true;
                    let closing = self.progress.closing.load(Ordering::Relaxed);
                    if closing && since_closing.get_or_insert_with(Instant::now).elapsed() > LAST_WORDS {
                        let events = self.last.number - self.progress.written.load(Ordering::Relaxed);
                        let waiting = self.taken.queue.try_iter().count() as u64;
                        tracing::error!("{} audit events are not in the audit file; the log has them", events + waiting);
                        return false;
                    }
                    std::thread::sleep(AGAIN);
                }
            }
        }
        if !self.pending.is_empty() {
            let events = self.last.number - self.progress.written.swap(self.last.number, Ordering::Relaxed);
            metrics::audit_written(events);
            self.progress.more.notify_one();
            self.unsynced.get_or_insert_with(Instant::now);
        }
        self.pending.clear();
        self.done = 0;
        true
    }

    /// Writes as much as goes, to the file that has the name now.
    fn write_some(&mut self) -> io::Result<()> {
        if self.file.follow()? {
            self.begin_line_again();
        }
        // A file that begins in the middle of an event would not be understood.
        if self.at_line() && self.file.size()? >= self.settings.max_size {
            self.file.rotate(self.settings.keep)?;
        }
        self.done += self.file.write(&self.pending[self.done..])?;
        Ok(())
    }

    fn at_line(&self) -> bool {
        self.done == 0 || self.pending[self.done - 1] == b'\n'
    }

    /// What is half in another file is written whole into this one.
    fn begin_line_again(&mut self) {
        self.done = memchr::memrchr(b'\n', &self.pending[..self.done]).map_or(0, |end| end + 1);
        if self.pending.first() == Some(&b'\n') && self.done == 0 {
            self.done = 1;
        }
    }

    fn sync_if_due(&mut self) {
        if self.unsynced.is_some_and(|since| since.elapsed() >= SYNC) {
            self.sync();
        }
    }

    fn sync(&mut self) {
        if let Err(error) = self.file.sync() {
            tracing::error!(%error, "the audit file cannot be brought to the disk");
        }
        self.unsynced = None;
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::audit::files;
    use crate::foundation::Clock;
    use crate::telemetry::audit::handoff::Handoff;

    struct Rig {
        path: PathBuf,
        handoff: Option<Handoff>,
        progress: Arc<Progress>,
        thread: Option<std::thread::JoinHandle<()>>,
    }

    impl Rig {
        fn new(path: &Path, max_size: u64, queue: usize) -> Self {
            let clock = Clock::system();
            let file = TrailFile::open(path, &clock).unwrap();
            let last = files::last_event(path).unwrap().unwrap_or_else(|| EventId::new_series(&clock));
            let (handoff, taken) = Taken::queue(queue);
            let settings = AuditFile { path: path.to_owned(), max_size, keep: 100, queue };
            let progress = Arc::new(Progress::of(&last));
            let writer = Writer::new(settings, file, last, taken, Arc::clone(&progress)).unwrap();
            let thread = Some(std::thread::spawn(move || writer.run()));
            Self { path: path.to_owned(), handoff: Some(handoff), progress, thread }
        }

        fn say(&self, text: &str) {
            self.handoff
                .as_ref()
                .unwrap()
                .offer(format!("{{\"time\":\"\",\"code\":\"\",\"outcome\":\"\",\"detail\":\"{text}\"}}").into_bytes());
        }

        /// Everything that was said is written.
        fn end(&mut self) {
            self.progress.closing.store(true, Ordering::Relaxed);
            self.handoff = None;
            self.thread.take().unwrap().join().unwrap();
        }

        /// The numbers and texts of all events, in order.
        fn events(&self) -> Vec<(u64, String)> {
            let mut follower = crate::audit::Follower::new(self.path.clone(), None);
            let read =
                |line: crate::audit::follower::Line| Some((line.id.number, crate::audit::Event::of_line(&line.text)?.detail?));
            std::iter::from_fn(|| follower.read().unwrap()).filter_map(read).collect()
        }
    }

    fn written(rig: &Rig, number: u64) {
        for _ in 0..1000 {
            if rig.progress.written.load(Ordering::Relaxed) >= number {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{number} is not written");
    }

    #[test]
    fn numbers_go_on_over_files_and_processes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let long = "x".repeat(1500);
        for run in 0..3_u64 {
            let mut rig = Rig::new(&path, 4096, 1000);
            for n in 1..=20 {
                rig.say(&long);
                // Each its own batch, so that files are put aside in between.
                written(&rig, run * 20 + n);
            }
            rig.end();
        }
        let numbers: Vec<u64> = Rig::new(&path, 4096, 1).events().iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (1..=60).collect::<Vec<_>>());
        let parts = files::parts(&path).unwrap();
        assert!(parts.len() >= 15, "{}", parts.len());
        for part in parts {
            assert!(std::fs::metadata(part.path).unwrap().len() < 4096 + 1600);
        }
    }

    #[test]
    fn an_event_that_was_cut_off_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let mut rig = Rig::new(&path, 1 << 20, 10);
        rig.say("one");
        rig.say("two");
        rig.end();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 4]).unwrap();
        let mut rig = Rig::new(&path, 1 << 20, 10);
        rig.say("three");
        rig.end();
        assert_eq!(rig.events(), [(1, "one".to_owned()), (3, "three".to_owned())]);
    }

    #[test]
    fn a_file_that_was_taken_away_or_emptied_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let mut rig = Rig::new(&path, 1 << 20, 10);
        rig.say("one");
        written(&rig, 1);
        std::fs::rename(&path, folder.path().join("audit.jsonl.1")).unwrap();
        rig.say("two");
        written(&rig, 2);
        let all = |events: &[(u64, &str)]| events.iter().map(|(n, text)| (*n, (*text).to_owned())).collect::<Vec<_>>();
        assert_eq!(rig.events(), all(&[(1, "one"), (2, "two")]));
        // As copytruncate of logrotate does it.
        std::fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        rig.say("three");
        rig.end();
        assert_eq!(rig.events(), all(&[(1, "one"), (3, "three")]));
    }
}
