//! One process that hosts a handler, seen from the server: started, asked, ended. Never trusted to be alive or to make sense.

use std::collections::BTreeMap;
use std::io::{self, BufReader, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use symbolon_sdk::host::{ConfigureFailure, Description, HandlerFault, Library};

use super::frame::{self, Call, Reply};
use super::relay::Relay;
use crate::issuance::handler::answer::Trouble;
use crate::issuance::handler::question::Surroundings;
use crate::issuance::handler::work::{Answer, Work};

/// How long a process may take to end by itself once its socket is closed.
const FAREWELL: Duration = Duration::from_secs(3);
/// How long a write may take; the process reads at all times unless it is gone or frozen.
const WRITE: Duration = Duration::from_secs(5);

/// The process.
#[derive(Debug)]
pub(in crate::issuance::handler) struct Child {
    process: Option<Process>,
    socket: UnixStream,
    reader: BufReader<Until>,
    relay: Relay,
}

/// Why there is no configured handler in the process.
#[derive(Debug)]
pub(in crate::issuance::handler) enum NotConfigured {
    /// The handler says so.
    Failure(ConfigureFailure),
    /// The process ended, or took too long.
    Ended(String),
}

impl Child {
    /// Starts a process and lets it open the library.
    ///
    /// # Errors
    /// One sentence: the library's refusal, or how the process ended.
    pub(in crate::issuance::handler) fn open(
        library: &Library,
        memory: u64,
        limit: Duration,
    ) -> Result<(Self, Description), String> {
        let deadline = Instant::now() + limit;
        let path = library.path();
        let mut child = Self::start(library)
            .map_err(|error| format!("{} cannot be tried out: no process can be started ({error})", path.display()))?;
        let sentence = |how: &str| format!("{} {how} while it was opened: tell its author, and remove it", path.display());
        match child.call(&Call::Describe { path: path.to_owned(), memory }, deadline) {
            Ok(Reply::Described(description)) => match description.check() {
                Ok(()) => {
                    child.relay.of(&description.name);
                    Ok((child, description))
                }
                Err(error) => Err(error.to_string()),
            },
            Ok(Reply::Refused(reason)) => Err(reason),
            Ok(other) => Err(sentence(&format!("answered {other:?}"))),
            Err(Lost::Late) => Err(sentence(&format!("took longer than {limit:?}"))),
            Err(Lost::Gone) => Err(sentence(&child.end())),
            Err(Lost::Nonsense(what)) => Err(sentence(&format!("answered nonsense ({what})"))),
        }
    }

    fn start(library: &Library) -> io::Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        socket.set_write_timeout(Some(WRITE))?;
        let mut command = Command::new("/proc/self/exe");
        command.arg0("symbolon").args(["handler", "host"]).arg(library.path().file_name().unwrap_or_default());
        command.stdin(Stdio::from(library.descriptor().try_clone_to_owned()?)).stdout(Stdio::from(OwnedFd::from(theirs)));
        // What the handler starts is in its group, and ends with it.
        command.stderr(Stdio::piped()).process_group(0);
        // A handler that starts threads must not reserve 64 MiB of addresses for each of them: the limit counts addresses.
        command.env("MALLOC_ARENA_MAX", "2");
        // Our settings, and the sealing key that may be among them, are nothing to a handler.
        for name in crate::settings::own_environment() {
            command.env_remove(name);
        }
        let mut process = command.spawn()?;
        let stderr = process.stderr.take().ok_or(ErrorKind::BrokenPipe)?;
        let name = library.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let relay = Relay::start(stderr, name)?;
        let reader = BufReader::with_capacity(64 * 1024, Until { socket: socket.try_clone()?, deadline: Instant::now() });
        Ok(Self { process: Some(process), socket, reader, relay })
    }

    /// Makes an instance; says whether it wants to be asked.
    pub(in crate::issuance::handler) fn configure(
        &mut self,
        properties: &BTreeMap<String, String>,
        surroundings: &Surroundings,
        limit: Duration,
    ) -> Result<bool, NotConfigured> {
        let call = Call::Configure { properties: properties.clone(), surroundings: surroundings.clone() };
        match self.call(&call, Instant::now() + limit) {
            Ok(Reply::Configured { enabled }) => Ok(enabled),
            Ok(Reply::NotConfigured(failure)) => Err(NotConfigured::Failure(failure)),
            Ok(other) => Err(NotConfigured::Ended(format!("it answered {other:?}"))),
            Err(Lost::Late) => Err(NotConfigured::Ended(format!("it took longer than {limit:?}"))),
            Err(Lost::Gone) => Err(NotConfigured::Ended(format!("its process {}", self.end()))),
            Err(Lost::Nonsense(what)) => Err(NotConfigured::Ended(format!("it answered nonsense ({what})"))),
        }
    }

    /// Asks. After an error other than a refusal the process is of no further use.
    pub(super) fn ask(&mut self, work: &Work, deadline: Instant, limit: Duration) -> Result<Answer, Trouble> {
        match self.call(&Call::Ask(work.clone()), deadline) {
            Ok(Reply::Answered(answer)) => answer.map_err(Trouble::Handler),
            Ok(other) => Err(Trouble::Crashed(format!("answered {other:?}"))),
            Err(Lost::Late) => Err(Trouble::Late(limit)),
            Err(Lost::Gone) => Err(Trouble::Crashed(self.end())),
            Err(Lost::Nonsense(what)) => Err(Trouble::Handler(HandlerFault::Malformed(what))),
        }
    }

    fn call(&mut self, call: &Call, deadline: Instant) -> Result<Reply, Lost> {
        frame::write(&self.socket, call).map_err(|error| Lost::by(&error))?;
        self.reader.get_mut().deadline = deadline;
        frame::read(&mut self.reader).map_err(|error| Lost::by(&error))
    }

    /// Whether the process has ended by itself; how.
    pub(super) fn ended(&mut self) -> Option<String> {
        let status = finished(self.process.as_mut()?)?;
        self.process = None;
        Some(self.how(status))
    }

    /// Ends the process now; says how it ended, if it did so before.
    pub(super) fn end(&mut self) -> String {
        let Some(mut process) = self.process.take() else { return "has ended".to_owned() };
        // What closed the socket is about to end; that is worth a moment, to say how.
        let patience = Instant::now() + Duration::from_millis(500);
        while Instant::now() < patience {
            if let Some(status) = finished(&mut process) {
                return self.how(status);
            }
            thread::sleep(Duration::from_millis(2));
        }
        kill(&mut process);
        "closed its socket and had to be killed".to_owned()
    }

    /// Ends the process now, without a look at how.
    pub(super) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            kill(&mut process);
        }
    }

    /// How it ended, as the end of a sentence, with what it had to say about that.
    fn how(&self, status: ExitStatus) -> String {
        match self.relay.last_words() {
            words if words.is_empty() => how(status),
            words => format!("{} after it said {:?}", how(status), words.chars().take(200).collect::<String>()),
        }
    }
}

/// The status of a process that has ended. What it started ends with it, as long as its group cannot be another's.
fn finished(process: &mut Process) -> Option<ExitStatus> {
    let ended = |process: &Process| {
        let id = WaitId::Pid(Pid::from_child(process));
        matches!(waitid(id, WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT), Ok(Some(_)))
    };
    if !ended(process) {
        return None;
    }
    let _ = kill_process_group(Pid::from_child(process), Signal::KILL);
    process.wait().ok()
}

fn kill(process: &mut Process) {
    let _ = kill_process_group(Pid::from_child(process), Signal::KILL);
    drop(process.kill());
    drop(process.wait());
}

impl Drop for Child {
    /// Lets the handler shut down, and sees to it that the process ends.
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        drop(self.socket.shutdown(std::net::Shutdown::Both));
        let reap = move || {
            let patience = Instant::now() + FAREWELL;
            while Instant::now() < patience {
                if finished(&mut process).is_some() {
                    return;
                }
                thread::sleep(Duration::from_millis(20));
            }
            kill(&mut process);
        };
        // Without a thread it ends by itself a second after its socket was closed, and is reaped with the server.
        drop(thread::Builder::new().name("handler-farewell".to_owned()).spawn(reap));
    }
}

/// How a process ended, as the end of a sentence.
fn how(status: ExitStatus) -> String {
    const NAMES: [(i32, &str); 8] = [
        (4, "SIGILL"),
        (5, "SIGTRAP"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (11, "SIGSEGV"),
        (15, "SIGTERM"),
    ];
    match (status.signal(), status.code()) {
        (Some(signal), _) => match NAMES.iter().find(|(number, _)| *number == signal) {
            Some((_, name)) => format!("was ended by {name}"),
            None => format!("was ended by signal {signal}"),
        },
        (None, code) => format!("ended with exit code {}", code.unwrap_or_default()),
    }
}

/// Why there is no reply.
#[derive(Debug)]
enum Lost {
    Late,
    Gone,
    Nonsense(String),
}

impl Lost {
    fn by(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Late,
            ErrorKind::InvalidData | ErrorKind::Other => Self::Nonsense(error.to_string()),
            _ => Self::Gone,
        }
    }
}

/// Reads from the socket until a moment, however slowly the other side writes.
#[derive(Debug)]
struct Until {
    socket: UnixStream,
    deadline: Instant,
}

impl Read for Until {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.socket.set_read_timeout(Some(left))?;
        self.socket.read(into)
    }
}
