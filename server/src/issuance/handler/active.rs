//! A handler in service: how its code is run, whether it is fit to be asked, and what its calls amounted to.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use symbolon_sdk::host::Configured;
use symbolon_sdk::{DeviceSsoAuthorization, Purpose, Verdict};

use super::answer::Trouble;
use super::health::{Health, Turn};
use super::pool::{Pool, Worker};
use super::process::Launch;
use super::question::{Facts, Question, Surroundings};
use super::work::{Answer, Work};
use crate::settings::meaning::IsolationMode;
use crate::telemetry::metrics::HandlerMeter;
use crate::telemetry::{AuditEvent, codes};

/// How its code is run.
pub(super) enum Runner {
    /// Here and now.
    Inline(Configured),
    /// On threads that may wait.
    Pool(Pool),
    /// In processes, each spoken to by a thread.
    Process(Pool, Arc<Launch>),
}

impl Runner {
    pub(super) const fn mode(&self) -> IsolationMode {
        match self {
            Self::Inline(_) => IsolationMode::Inline,
            Self::Pool(_) => IsolationMode::Pool,
            Self::Process(..) => IsolationMode::Process,
        }
    }
}

/// A handler that is asked: the enabled one, or a shadow.
pub(super) struct Active {
    pub(super) name: String,
    pub(super) runner: Runner,
    /// The longest for one decision.
    pub(super) limit: Duration,
    pub(super) surroundings: Surroundings,
    pub(super) health: Health,
    pub(super) meter: HandlerMeter,
    /// Set when it was replaced: calls may still be under way, but its state is nobody's concern.
    pub(super) retired: AtomicBool,
}

impl fmt::Debug for Active {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Active").field("name", &self.name).field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if let Runner::Process(_, launch) = &self.runner {
            launch.retired.store(true, Ordering::Relaxed);
        }
    }
}

impl Active {
    /// Notes that another has taken its place.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
        if self.health.is_suspended() {
            self.meter.suspended(false);
        }
    }

    fn show_suspended(&self, yes: bool) {
        if !self.retired.load(Ordering::Relaxed) {
            self.meter.suspended(yes);
        }
    }

    /// Asks for a decision on an exchange.
    pub(super) async fn ask(&self, question: &Question<'_>) -> Result<DeviceSsoAuthorization, Trouble> {
        let admitted = self.admit(question.purpose)?;
        let began = Instant::now();
        let answer = match &self.runner {
            Runner::Inline(handler) => {
                let answer = question.lend(&self.surroundings, |request| handler.authorize(request));
                // It cannot be hurried, but what comes too late is not used here either.
                if began.elapsed() > self.limit { Err(Trouble::Late(self.limit)) } else { answer.map_err(Trouble::Handler) }
            }
            Runner::Pool(pool) | Runner::Process(pool, _) => {
                let work = Work::Exchange(Box::new(question.facts()));
                pool.ask(work, self.limit).await.and_then(Answer::decision)
            }
        };
        admitted.ended("allowed", answer.as_ref().err(), began.elapsed());
        answer
    }

    /// Asks an action for its verdict on a sign-in.
    pub(super) async fn judge(&self, facts: &str) -> Result<Verdict, Trouble> {
        let admitted = self.admit(Purpose::Exchange)?;
        let began = Instant::now();
        let verdict = match &self.runner {
            Runner::Inline(action) => {
                let verdict = action.judge(facts);
                if began.elapsed() > self.limit { Err(Trouble::Late(self.limit)) } else { verdict.map_err(Trouble::Handler) }
            }
            Runner::Pool(pool) | Runner::Process(pool, _) => {
                pool.ask(Work::SignIn(facts.to_owned()), self.limit).await.and_then(Answer::verdict)
            }
        };
        let denied = verdict.as_ref().is_ok_and(|verdict| verdict.deny.is_some());
        admitted.ended(if denied { "refused" } else { "allowed" }, verdict.as_ref().err(), began.elapsed());
        verdict
    }

    /// The same for facts that stand on their own feet.
    pub(super) async fn ask_apart(&self, facts: Facts) -> Result<DeviceSsoAuthorization, Trouble> {
        let admitted = self.admit(Purpose::Shadow)?;
        let began = Instant::now();
        let answer = match &self.runner {
            Runner::Inline(handler) => {
                facts.lend(&self.surroundings, |request| handler.authorize(request)).map_err(Trouble::Handler)
            }
            Runner::Pool(pool) | Runner::Process(pool, _) => {
                pool.ask(Work::Exchange(Box::new(facts)), self.limit).await.and_then(Answer::decision)
            }
        };
        admitted.ended("allowed", answer.as_ref().err(), began.elapsed());
        answer
    }

    fn admit(&self, purpose: Purpose) -> Result<Admitted<'_>, Trouble> {
        // Explanations are no traffic.
        let counted = purpose != Purpose::Explanation;
        match self.health.admit(Instant::now()) {
            Ok(()) => Ok(Admitted { handler: Some(self), counted }),
            Err(left) => {
                if counted {
                    self.meter.call(Trouble::Suspended(left).outcome(), Duration::ZERO);
                }
                Err(Trouble::Suspended(left))
            }
        }
    }
}

/// A call under way. Whoever asks may go away at any point; a trial must not be left open by that.
struct Admitted<'a> {
    handler: Option<&'a Active>,
    counted: bool,
}

impl Admitted<'_> {
    /// `outcome` is what it is called in metrics where there is no trouble.
    fn ended(mut self, outcome: &'static str, trouble: Option<&Trouble>, took: Duration) {
        let Some(handler) = self.handler.take() else { return };
        if self.counted {
            handler.meter.call(trouble.map_or(outcome, Trouble::outcome), took);
        }
        if matches!(trouble, Some(Trouble::Busy)) {
            handler.health.withdrawn();
            return;
        }
        let failure = trouble.filter(|trouble| trouble.is_failure());
        if let Some(failure) = failure {
            AuditEvent::refused(codes::HANDLER_FAILED).handler(&handler.name).reason(&failure.sentence(&handler.name)).emit();
        }
        match handler.health.ended(failure.is_some(), Instant::now()) {
            Turn::None => {}
            Turn::Suspended(length) => {
                handler.show_suspended(true);
                let detail = format!("for {length:?}");
                AuditEvent::refused(codes::HANDLER_SUSPENDED).handler(&handler.name).detail(&detail).emit();
            }
            Turn::Resumed => {
                handler.show_suspended(false);
                AuditEvent::granted(codes::HANDLER_RESUMED).handler(&handler.name).emit();
            }
        }
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        if let Some(handler) = self.handler {
            handler.health.withdrawn();
        }
    }
}

/// Calls a handler in this process on a thread where it may wait.
pub(super) struct InProcess {
    pub(super) handler: Arc<Configured>,
    pub(super) surroundings: Arc<Surroundings>,
}

impl Worker for InProcess {
    fn ask(&mut self, work: &Work, _: Instant) -> Result<Answer, Trouble> {
        work.ask(&self.handler, &self.surroundings).map_err(Trouble::Handler)
    }
}
