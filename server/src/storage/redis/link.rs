//! A connection that is made again whenever it breaks. Owns when a command was sent and when it was not.
//!
//! A command is sent at most once: if its answer is lost, that is what the caller learns. Between the loss of a connection and the
//! end of the first attempt to make it again, callers wait; from then on they are refused at once, until it is there again.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, Pipeline, Value};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::connect::{Access, Connected, in_words};
use super::sentinel;
use super::trouble::Trouble;
use crate::settings::meaning::{RedisMode, RedisServer};

/// How long is waited after the first failed attempt; each time twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Which server a link leads to.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// Always this one.
    Server(RedisServer),
    /// Whichever the sentinels call the master.
    Master,
}

/// A connection, or the attempt to have one.
#[derive(Debug)]
pub(super) struct Link {
    target: Target,
    state: watch::Receiver<State>,
    keeper: JoinHandle<()>,
}

#[derive(Debug, Clone)]
enum State {
    Connecting,
    Up(Live),
    Down(Arc<str>),
}

/// A connection that stands.
#[derive(Debug, Clone)]
struct Live {
    connection: MultiplexedConnection,
    gone: Arc<Notify>,
    server: RedisServer,
}

impl Link {
    /// Begins to connect; within the runtime that the connection shall live in.
    pub(super) fn start(access: Arc<Access>, target: Target) -> Self {
        let (sender, state) = watch::channel(State::Connecting);
        let keeper = tokio::spawn(keep(access, target.clone(), sender));
        Self { target, state, keeper }
    }

    /// Sends commands as one, nothing of anybody else between them, and waits for all their answers until `deadline`.
    ///
    /// # Errors
    /// None of them was sent, or it is not known what became of them. A refusal of one of them is its answer.
    pub(super) async fn send(&self, commands: &Pipeline, deadline: Instant) -> Result<Vec<Value>, Trouble> {
        let mut live = self.live(deadline).await?;
        match timeout_at(deadline, live.connection.req_packed_commands(commands, 0, commands.len())).await {
            Ok(Ok(values)) => Ok(values),
            Ok(Err(error)) => {
                live.gone.notify_one();
                Err(Trouble::lost(&live.server, in_words(&error)))
            }
            Err(_) => {
                // Answers come in order: whoever is behind this one waits as well, on a connection that may be dead.
                live.gone.notify_one();
                Err(Trouble::lost(&live.server, "it did not come in time"))
            }
        }
    }

    /// Sends one command, with the word before it that a slot on its way to another node needs.
    pub(super) async fn ask(&self, command: Cmd, asking: bool, deadline: Instant) -> Result<Value, Trouble> {
        let mut commands = Pipeline::new();
        if asking {
            commands.cmd("ASKING");
        }
        commands.add_command(command);
        let answer = self.send(&commands, deadline).await?.pop();
        said(answer.unwrap_or_default())
    }

    /// Waits until the connection stands.
    pub(super) async fn stands(&self, deadline: Instant) -> Result<(), Trouble> {
        self.live(deadline).await.map(drop)
    }

    /// Gives the connection up for a new one, which may lead elsewhere.
    pub(super) fn renew(&self) {
        if let State::Up(live) = &*self.state.borrow() {
            live.gone.notify_one();
        }
    }

    /// Waits until there is a connection, or the reason why there is none.
    async fn live(&self, deadline: Instant) -> Result<Live, Trouble> {
        let mut state = self.state.clone();
        let settled = timeout_at(deadline, state.wait_for(|state| !matches!(state, State::Connecting))).await;
        let late = || Trouble::unsent(&self.target, "it did not answer in time");
        let Ok(Ok(state)) = settled else { return Err(late()) };
        match &*state {
            State::Up(live) => Ok(live.clone()),
            State::Down(reason) => Err(Trouble::unsent(&self.target, reason)),
            State::Connecting => Err(late()),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Server(server) => server.fmt(f),
            Self::Master => f.write_str("the master"),
        }
    }
}

/// The answer, unless it is a refusal.
pub(super) fn said(answer: Value) -> Result<Value, Trouble> {
    match answer {
        Value::ServerError(error) => Err(Trouble::Said(error)),
        answer => Ok(answer),
    }
}

/// Connects, waits for the connection to break, connects again.
async fn keep(access: Arc<Access>, target: Target, state: watch::Sender<State>) {
    let mut wait = FIRST_WAIT;
    let mut was_down = false;
    loop {
        match connect(&access, &target).await {
            Ok((server, Connected { connection, gone })) => {
                if was_down {
                    tracing::info!("Redis at {server} is there again");
                }
                (wait, was_down) = (FIRST_WAIT, false);
                let live = Live { connection, gone: Arc::clone(&gone), server: server.clone() };
                state.send_replace(State::Up(live));
                gone.notified().await;
                tracing::warn!("the connection to Redis at {server} is lost");
                state.send_replace(State::Connecting);
            }
            Err(reason) => {
                if !was_down {
                    tracing::warn!("Redis at {target} cannot be used: {reason}");
                }
                was_down = true;
                state.send_replace(State::Down(reason.into()));
                tokio::time::sleep(wait).await;
                wait = LONGEST_WAIT.min(wait * 2);
            }
        }
    }
}

async fn connect(access: &Access, target: &Target) -> Result<(RedisServer, Connected), String> {
    let server = match (target, &access.settings.mode) {
        (Target::Server(server), _) => server.clone(),
        (Target::Master, RedisMode::Sentinel(name)) => sentinel::master(access, name).await?,
        (Target::Master, _) => return Err("only sentinels know a master".to_owned()),
    };
    let connected = access.connect(&server).await.map_err(|reason| match target {
        Target::Server(_) => reason,
        Target::Master => format!("{server}: {reason}"),
    })?;
    Ok((server, connected))
}
