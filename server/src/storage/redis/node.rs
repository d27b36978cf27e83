//! One server that takes commands: a connection for what is answered at once, and others for writes that wait for replicas.
//!
//! `WAIT` holds up its connection, and counts up to the last change of that very connection. So a turn is a pipeline of every write
//! that has come up meanwhile and one `WAIT` behind them, and nothing is sent on that connection until all are answered. A `WAIT`
//! on another connection, or on one made after a failover, would count up to something else and say that all is well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::{Cmd, Pipeline, Value, cmd, from_redis_value};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::connect::Access;
use super::link::{Link, Target, said};
use super::trouble::Trouble;

/// The most writes that go in one turn.
const TURN: usize = 256;

/// A server, or whichever is the master.
#[derive(Debug)]
pub(super) struct Node {
    link: Arc<Link>,
    lanes: Vec<Lane>,
    next: AtomicUsize,
    wait_timeout: Duration,
}

/// One connection for writes that wait.
#[derive(Debug)]
struct Lane {
    writes: mpsc::Sender<Write>,
    link: Arc<Link>,
    driver: JoinHandle<()>,
}

struct Write {
    command: Cmd,
    asking: bool,
    answer: oneshot::Sender<Result<Value, Trouble>>,
}

impl Node {
    /// Begins to connect; within the runtime that the connections shall live in.
    pub(super) fn start(access: &Arc<Access>, target: &Target) -> Self {
        let settings = &access.settings;
        let link = Arc::new(Link::start(Arc::clone(access), target.clone()));
        let lanes = if settings.wait_replicas > 0 { settings.connections } else { 0 };
        let lanes = (0..lanes).map(|_| Lane::start(access, target)).collect();
        Self { link, lanes, next: AtomicUsize::new(0), wait_timeout: settings.wait_timeout }
    }

    /// Sends a command that changes nothing.
    pub(super) async fn read(&self, command: Cmd, asking: bool, deadline: Instant) -> Result<Value, Trouble> {
        self.link.ask(command, asking, deadline).await
    }

    /// Sends a command that may change something, and answers when as many replicas have it as were asked for.
    ///
    /// The replicas have time of their own, beyond the deadline.
    pub(super) async fn write(&self, command: Cmd, asking: bool, deadline: Instant) -> Result<Value, Trouble> {
        if self.lanes.is_empty() {
            return self.link.ask(command, asking, deadline).await;
        }
        let lane = &self.lanes[self.next.fetch_add(1, Ordering::Relaxed) % self.lanes.len()];
        let (answer, answered) = oneshot::channel();
        let closed = || Trouble::Unsent("the store is being closed".to_owned());
        lane.writes.send(Write { command, asking, answer }).await.map_err(|_| closed())?;
        match timeout_at(deadline + self.wait_timeout, answered).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(closed())),
            // In its turn or still waiting for one; then it will not be sent.
            Err(_) => Err(Trouble::lost("the master", "it did not come in time")),
        }
    }

    /// Waits until every connection stands.
    pub(super) async fn stands(&self, deadline: Instant) -> Result<(), Trouble> {
        for link in [&self.link].into_iter().chain(self.lanes.iter().map(|lane| &lane.link)) {
            link.stands(deadline).await?;
        }
        Ok(())
    }

    /// Gives every connection up for new ones, which may lead elsewhere.
    pub(super) fn renew(&self) {
        self.link.renew();
        self.lanes.iter().for_each(|lane| lane.link.renew());
    }
}

impl Lane {
    fn start(access: &Arc<Access>, target: &Target) -> Self {
        let link = Arc::new(Link::start(Arc::clone(access), target.clone()));
        let (writes, queue) = mpsc::channel(TURN);
        let driver = tokio::spawn(drive(Arc::clone(access), Arc::clone(&link), queue));
        Self { writes, link, driver }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Turn after turn.
async fn drive(access: Arc<Access>, link: Arc<Link>, mut queue: mpsc::Receiver<Write>) {
    let settings = &access.settings;
    let longest = u64::try_from(settings.wait_timeout.as_millis()).unwrap_or(u64::MAX);
    let wait = cmd("WAIT").arg(settings.wait_replicas).arg(longest).to_owned();
    let mut turn = Vec::new();
    while queue.recv_many(&mut turn, TURN).await > 0 {
        // Who gave up waiting is not written for.
        turn.retain(|write| !write.answer.is_closed());
        let mut commands = Pipeline::new();
        for write in &turn {
            if write.asking {
                commands.cmd("ASKING");
            }
            commands.add_command(write.command.clone());
        }
        commands.add_command(wait.clone());
        let answers = link.send(&commands, Instant::now() + settings.timeout + settings.wait_timeout).await;
        hand_out(turn.drain(..), answers, settings.wait_replicas);
    }
}

/// Gives each write its answer, if enough replicas have it.
///
/// That holds for a write which found nothing to change, too: what it found may be a change that the replicas do not have yet, so
/// every script writes something.
fn hand_out(turn: impl Iterator<Item = Write>, answers: Result<Vec<Value>, Trouble>, need: u64) {
    let (mut answers, reached) = match answers {
        Ok(mut answers) => {
            let counted = said(answers.pop().unwrap_or_default());
            let counted =
                counted.and_then(|count| from_redis_value::<u64>(count).map_err(|error| Trouble::Damaged(error.to_string())));
            let reached = counted.and_then(|have| if have >= need { Ok(()) } else { Err(Trouble::Behind { have, need }) });
            (answers.into_iter(), reached)
        }
        Err(trouble) => (Vec::new().into_iter(), Err(trouble)),
    };
    for write in turn {
        if write.asking {
            answers.next();
        }
        // A refusal is told as it is: nothing was written.
        let answer = match (answers.next().map(said), &reached) {
            (Some(Err(refusal)), _) => Err(refusal),
            (Some(Ok(answer)), Ok(())) => Ok(answer),
            (_, Err(trouble)) => Err(trouble.clone()),
            (None, Ok(())) => Err(Trouble::Damaged("Redis gave fewer answers than it was asked questions".to_owned())),
        };
        // Whoever has gone away needs none.
        drop(write.answer.send(answer));
    }
}
