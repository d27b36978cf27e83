//! A worker whose calls are answered by a process: starts it again when it ended, ever more slowly while that does not help.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use symbolon_sdk::host::Library;

use super::child::{Child, NotConfigured};
use crate::issuance::handler::answer::Trouble;
use crate::issuance::handler::pool::Worker;
use crate::issuance::handler::question::Surroundings;
use crate::issuance::handler::work::{Answer, Work};
use crate::telemetry::metrics::HandlerMeter;

/// The first process after one that answered is started at once; then it takes so long, and twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often a pause looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// Everything that a process with a configured handler is made of.
#[derive(Debug)]
pub(in crate::issuance::handler) struct Launch {
    pub(in crate::issuance::handler) name: String,
    pub(in crate::issuance::handler) library: Library,
    pub(in crate::issuance::handler) properties: BTreeMap<String, String>,
    pub(in crate::issuance::handler) surroundings: Surroundings,
    pub(in crate::issuance::handler) memory: u64,
    pub(in crate::issuance::handler) start_limit: Duration,
    pub(in crate::issuance::handler) limit: Duration,
    pub(in crate::issuance::handler) meter: HandlerMeter,
    /// Set when nobody will ask any more.
    pub(in crate::issuance::handler) retired: AtomicBool,
}

impl Launch {
    /// A process that answers.
    ///
    /// # Errors
    /// Why there is none, in one sentence.
    pub(in crate::issuance::handler) fn start(&self) -> Result<Child, String> {
        let (mut child, _) = Child::open(&self.library, self.memory, self.start_limit)?;
        match child.configure(&self.properties, &self.surroundings, self.start_limit) {
            Ok(_) => Ok(child),
            Err(NotConfigured::Ended(how)) => Err(how),
            Err(NotConfigured::Failure(failure)) => Err(failure.to_string()),
        }
    }
}

/// The worker.
#[derive(Debug)]
pub(in crate::issuance::handler) struct Hosted {
    launch: Arc<Launch>,
    child: Option<Child>,
    /// Processes lost since the last that answered.
    lost: u32,
}

impl Hosted {
    pub(in crate::issuance::handler) const fn new(launch: Arc<Launch>, child: Child) -> Self {
        Self { launch, child: Some(child), lost: 0 }
    }

    /// The process, started again if it ended while nobody asked.
    fn living(&mut self) -> Result<&mut Child, Trouble> {
        if let Some(how) = self.child.as_mut().and_then(Child::ended) {
            tracing::warn!(handler = self.launch.name, "the process of a handler {how} between two calls; it is started again");
            self.child = None;
        }
        match &mut self.child {
            Some(child) => Ok(child),
            empty => {
                let child = self.launch.start().map_err(|why| Trouble::Crashed(format!("cannot be started again: {why}")))?;
                self.launch.meter.restarted();
                Ok(empty.insert(child))
            }
        }
    }

    /// How long to wait before another process is worth a try.
    fn pause(&self) -> Duration {
        match self.lost {
            0 | 1 => Duration::ZERO,
            more => FIRST_PAUSE.saturating_mul(1 << (more - 2).min(10)).min(LONGEST_PAUSE),
        }
    }
}

impl Worker for Hosted {
    fn ask(&mut self, work: &Work, deadline: Instant) -> Result<Answer, Trouble> {
        let limit = self.launch.limit;
        let answer = self.living().and_then(|child| child.ask(work, deadline, limit));
        match &answer {
            Err(Trouble::Handler(symbolon_sdk::host::HandlerFault::Malformed(_)) | Trouble::Late(_) | Trouble::Crashed(_)) => {
                // Whatever it is still busy with, it is not going to be listened to.
                if let Some(mut child) = self.child.take() {
                    child.kill();
                }
                self.lost = self.lost.saturating_add(1);
            }
            _ => self.lost = 0,
        }
        answer
    }

    fn recover(&mut self) {
        if self.child.is_some() {
            return;
        }
        let until = Instant::now() + self.pause();
        while Instant::now() < until {
            if self.launch.retired.load(Ordering::Relaxed) {
                return;
            }
            thread::sleep(LOOK.min(until.saturating_duration_since(Instant::now())));
        }
        if self.launch.retired.load(Ordering::Relaxed) {
            return;
        }
        match self.launch.start() {
            Ok(child) => {
                self.launch.meter.restarted();
                self.child = Some(child);
            }
            Err(why) => {
                self.lost = self.lost.saturating_add(1);
                tracing::error!(handler = self.launch.name, "the process of a handler cannot be started again: {why}");
            }
        }
    }
}
