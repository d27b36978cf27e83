//! The inside of a process that hosts a handler: opens the library, answers one call at a time, and ends with the server.
//!
//! It is started by the server alone, with the library on standard input and the socket on standard output.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use symbolon_sdk::host::{self, Configured, Described, HandlerFault, HostError, Library};
use symbolon_sdk::log::Level;

use super::frame::{self, Call, Reply};
use super::relay;
use crate::issuance::handler::question::Surroundings;

/// How long a handler may take to shut down when the server has gone.
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// Hosts a handler until the server closes the socket.
#[must_use]
pub fn run() -> ExitCode {
    match begin() {
        Ok((library, socket, calls)) => {
            serve(&library, &socket, &calls);
            end_with_company();
            ExitCode::SUCCESS
        }
        // Somebody typed the command; there is nobody to tell but them.
        Err(_) => ExitCode::from(2),
    }
}

/// Takes what the server left on the standard streams, and frees these for what a library might do with them.
fn begin() -> io::Result<(OwnedFd, UnixStream, Receiver<Call>)> {
    let library = io::stdin().as_fd().try_clone_to_owned()?;
    let socket = UnixStream::from(io::stdout().as_fd().try_clone_to_owned()?);
    // Fails unless this is a socket.
    let listening = socket.try_clone()?;
    socket.peer_addr()?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    // Nothing that it starts becomes more than it is.
    let _ = rustix::thread::set_no_new_privs(true);
    // A crash must not write what it knew to the disk.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    host::set_log(log);

    let (sender, calls) = mpsc::channel();
    thread::Builder::new().name("server".to_owned()).spawn(move || {
        while let Ok(call) = frame::read(&listening) {
            if sender.send(call).is_err() {
                return;
            }
        }
        // The server is gone. An idle handler ends by itself; one that is stuck in a call ends here.
        drop(sender);
        thread::sleep(LAST_CHANCE);
        end_with_company();
        std::process::exit(0);
    })?;
    Ok((library, socket, calls))
}

fn serve(library: &OwnedFd, socket: &UnixStream, calls: &Receiver<Call>) {
    let mut described: Option<Described> = None;
    let mut configured: Option<(Configured, Surroundings)> = None;
    while let Ok(call) = calls.recv() {
        let reply = match call {
            Call::Describe { path, memory } => match describe(library, &path, memory) {
                Ok(own) => {
                    let description = own.description().clone();
                    described = Some(own);
                    Reply::Described(description)
                }
                Err(error) => Reply::Refused(error.to_string()),
            },
            Call::Configure { properties, surroundings } => match described.as_ref().map(|own| own.configure(&properties)) {
                None => Reply::Refused("it was not described".to_owned()),
                Some(Err(failure)) => Reply::NotConfigured(failure),
                Some(Ok(instance)) => {
                    let enabled = instance.enabled();
                    configured = Some((instance, surroundings));
                    Reply::Configured { enabled }
                }
            },
            Call::Ask(work) => Reply::Answered(match &configured {
                None => Err(HandlerFault::Malformed("it was not configured".to_owned())),
                Some((instance, surroundings)) => work.ask(instance, surroundings),
            }),
        };
        if frame::write(socket, &reply).is_err() {
            return;
        }
    }
}

fn describe(library: &OwnedFd, path: &Path, memory: u64) -> Result<Described, HostError> {
    limit_memory(memory);
    let unreadable = |error: io::Error| HostError::Unreadable { path: path.to_owned(), cause: error.to_string() };
    Library::from_descriptor(library.try_clone().map_err(unreadable)?, path.to_owned())?.open()?.describe()
}

/// Lets this process grow by `more` bytes and no further. Best effort: where the system refuses, the deadline still holds.
fn limit_memory(more: u64) {
    let pages = std::fs::read_to_string("/proc/self/statm").ok().and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let Some(pages) = pages else { return };
    let page = rustix::param::page_size() as u64;
    let most = pages.saturating_mul(page).saturating_add(more);
    let maximum = getrlimit(Resource::As).maximum;
    let most = maximum.map_or(most, |maximum| maximum.min(most));
    let _ = setrlimit(Resource::As, Rlimit { current: Some(most), maximum: Some(most) });
}

fn log(level: Level, _: &str, message: &str) {
    relay::say(
        match level {
            Level::Debug => 1,
            Level::Info => 2,
            Level::Warn => 3,
            Level::Error => 4,
        },
        message,
    );
}

/// Ends this process with everything that the handler started, unless it has moved away on purpose.
fn end_with_company() {
    if rustix::process::getpgrp() == rustix::process::getpid() {
        let _ = rustix::process::kill_current_process_group(Signal::KILL);
    }
}
