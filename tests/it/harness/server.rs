//! One server of a test: its folder, its address, its log, its commands.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use reqwest::blocking::{Client as Http, RequestBuilder};
use reqwest::redirect::Policy;

use super::answer::Answer;
use super::command::Ran;
use super::process::Process;
use super::redis::Port;
use super::setup::Setup;
use super::until;

/// A server that is up (or was, until a test killed it).
#[derive(Debug)]
pub(crate) struct Server {
    /// The issuer, which several servers may share.
    pub(crate) issuer: String,
    /// Where it listens: every endpoint is below it.
    address: String,
    setup: Setup,
    folder: tempfile::TempDir,
    _port: Port,
    process: Mutex<Option<Process>>,
}

/// The one HTTP client of all tests: no redirects, no cookies (browsers bring their own jar), no kept connections
/// (servers restart on the same port).
pub(crate) fn http() -> &'static Http {
    static HTTP: OnceLock<Http> = OnceLock::new();
    HTTP.get_or_init(|| {
        Http::builder()
            .redirect(Policy::none())
            .pool_max_idle_per_host(0)
            .no_proxy()
            .timeout(Duration::from_mins(1))
            .build()
            .expect("an HTTP client")
    })
}

/// A port for us alone, never the same twice in this process, below the range the kernel hands out itself.
fn free_port() -> Port {
    static TAKEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);
    let mut taken = TAKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let taken = taken.get_or_insert_default();
    let mut port = 15_000 + u16::try_from(std::process::id() % 12_000).unwrap_or(0);
    loop {
        port = if port >= 31_000 { 15_000 } else { port + 1 };
        if taken.insert(port)
            && let Some(port) = Port::claim(port)
        {
            return port;
        }
    }
}

impl Server {
    /// Starts a server and waits until `/readyz` says yes. Somebody else may take the port meanwhile: then another one.
    #[track_caller]
    pub(crate) fn start(setup: &Setup) -> Self {
        for _ in 0..5 {
            let port = free_port();
            let folder = tempfile::Builder::new().prefix("symbolon-it-").tempdir().expect("a temporary folder");
            setup.write(folder.path(), port.number);
            let (issuer, address) = (setup.issuer(port.number), setup.address(port.number));
            let server = Self { issuer, address, setup: setup.clone(), folder, _port: port, process: Mutex::new(None) };
            if server.up().is_ok() {
                return server;
            }
            let log = server.log();
            assert!(log.to_lowercase().contains("in use"), "the server did not start:\n{log}");
        }
        panic!("no free port in five attempts");
    }

    /// Starts the process and waits until it is ready; fails with how it ended instead.
    #[track_caller]
    fn up(&self) -> Result<(), ExitStatus> {
        let mut command = self.setup.serve(self.folder());
        let mut process = Process::start(&mut command, &self.folder().join("log"), self.folder());
        let patience = Instant::now() + Duration::from_mins(1);
        loop {
            if let Some(status) = process.ended() {
                process.kill();
                return Err(status);
            }
            let answer = http().get(self.url("/readyz")).timeout(Duration::from_secs(5)).send();
            if answer.is_ok_and(|answer| answer.status().as_u16() == 200) {
                *self.lock() = Some(process);
                return Ok(());
            }
            assert!(Instant::now() < patience, "the server was not ready within 60 s:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the server as `kill -9` does.
    #[track_caller]
    pub(crate) fn kill(&self) {
        self.lock().take().expect("a running server").kill();
    }

    /// Stops the server as an operator does; gives its exit code.
    #[track_caller]
    pub(crate) fn stop(&self) -> Option<i32> {
        let process = self.lock().take().expect("a running server");
        process.terminate().code()
    }

    /// The server's process id.
    #[track_caller]
    pub(crate) fn id(&self) -> u32 {
        self.lock().as_ref().expect("a running server").id()
    }

    /// Starts it again on the same folder and port.
    #[track_caller]
    pub(crate) fn start_again(&self) {
        let ended = self.try_start_again();
        assert!(ended.is_none(), "the server did not start again: {ended:?}\n{}", self.log());
    }

    /// The same; if it does not become ready, how it ended.
    #[track_caller]
    pub(crate) fn try_start_again(&self) -> Option<ExitStatus> {
        assert!(self.lock().is_none(), "still running");
        self.up().err()
    }

    /// Waits until it has ended by itself; how it did.
    #[track_caller]
    pub(crate) fn ended(&self) -> ExitStatus {
        let mut process = self.lock().take().expect("a running server");
        let mut status = None;
        until("the server ends by itself", || {
            status = process.ended();
            status.is_some()
        });
        process.kill();
        status.expect("the end of the server")
    }

    /// Everything it said on both outputs so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// Its own temporary folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its settings file.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder().join("symbolon.toml")
    }

    /// The absolute address of an endpoint.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    /// A file in its handler folder.
    pub(crate) fn handler_file(&self, name: &str) -> PathBuf {
        self.folder().join("handlers").join(name)
    }

    /// Overwrites its handler properties.
    #[track_caller]
    pub(crate) fn write_properties(&self, text: &str) {
        std::fs::write(self.folder().join("handlers.properties"), text).expect("the properties file");
    }

    /// The sum of the counters and gauges, in whole numbers, whose line begins with `name` and contains each of `labels`.
    #[track_caller]
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        let text = self.get("/metrics").body;
        let lines = text.lines().filter(|line| line.starts_with(name) && labels.iter().all(|label| line.contains(label)));
        let last = |line: &str| line.rsplit(' ').next().and_then(|number| number.parse::<u64>().ok());
        lines.map(|line| last(line).unwrap_or_else(|| panic!("no whole number: {line}"))).sum()
    }

    /// Runs an administration command with `--config`.
    #[track_caller]
    pub(crate) fn command(&self, arguments: &[&str]) -> Ran {
        self.command_with(arguments, "")
    }

    /// The same, with something on standard input.
    #[track_caller]
    pub(crate) fn command_with(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.setup.bare_command();
        Ran::run(command.args(arguments).arg("--config").arg(self.config()), input)
    }

    /// A plain GET.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        Self::send(http().get(self.url(path)))
    }

    /// Sends a request and reads the answer.
    #[track_caller]
    pub(crate) fn send(request: RequestBuilder) -> Answer {
        match request.send() {
            Ok(response) => Answer::read(response),
            Err(error) => panic!("no answer: {error:?}"),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = self.lock().take() {
            process.kill();
        }
    }
}
