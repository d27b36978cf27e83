//! Starts and stops the measured server: its settings file, its people, its process on the server's core.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::failure::Failure;
use crate::meter::Meter;
use crate::wire::{Wire, basic};

/// The core of whatever is measured; `scripts/bench` puts the load on core 1.
const CORE: &str = "0";
/// The app in which people sign in.
pub(crate) const APP_ONE: &str = "bench-one";
/// The app that is signed in by exchange.
pub(crate) const APP_TWO: &str = "bench-two";
/// The confidential client of client credentials.
pub(crate) const SERVICE: &str = "bench-service";
/// Its secret.
pub(crate) const SERVICE_SECRET: &str = "not-a-secret-but-long-enough-to-be-one-0123456789";
/// Where codes go; nobody listens there.
pub(crate) const REDIRECT_URI: &str = "https://app-one.example/callback";
/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// How many people there are.
pub(crate) const PEOPLE: usize = 8;
const START_LIMIT: Duration = Duration::from_secs(30);

/// Everything on disk that one server needs.
#[derive(Debug)]
pub(crate) struct Site {
    program: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    extra: Vec<String>,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its process.
    pub(crate) meter: Meter,
    /// Its process id.
    pub(crate) pid: u32,
    /// From starting the process to the first token in hand.
    pub(crate) first_token: Duration,
}

impl Site {
    /// Writes settings, handler and passwords into `folder` for a server that signs with `alg`.
    pub(crate) fn prepare(program: &Path, folder: &Path, alg: &str, extra: &[String]) -> Result<Self, Failure> {
        let program = program
            .canonicalize()
            .map_err(|error| Failure::from(error).while_doing(&format!("the server program {}", program.display())))?;
        let address = free_address()?;
        let handlers = folder.join("handlers");
        fs::create_dir_all(&handlers)?;
        let plugin = program.with_file_name("libsymbolon_local_device_sso.so");
        fs::copy(&plugin, handlers.join("libsymbolon_local_device_sso.so"))
            .map_err(|error| Failure::from(error).while_doing(&format!("the plugin {}", plugin.display())))?;
        fs::write(folder.join("handler.properties"), "op.deviceSSOHandler.enable=true\n")?;
        fs::write(folder.join("password"), PASSWORD)?;
        fs::write(folder.join("bench.toml"), settings(address, alg))?;
        Ok(Self { program, folder: folder.to_owned(), address, extra: extra.to_vec() })
    }

    /// Adds the people; the server must be stopped.
    pub(crate) async fn add_people(&self) -> Result<(), Failure> {
        for n in 0..PEOPLE {
            let password = self.folder.join("password");
            let arguments =
                ["user", "add", &person(n), "--password-file", &password.to_string_lossy(), "--claim", "name=A Person"];
            self.command(&arguments).await?;
        }
        Ok(())
    }

    /// Runs an administration command with the settings of the server, which must be stopped where the command wants that.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Result<(), Failure> {
        let mut command = Command::new(&self.program);
        command.args(arguments).arg("--config").arg(self.folder.join("bench.toml")).stdin(Stdio::null());
        for setting in &self.extra {
            command.args(["-D", setting]);
        }
        let output = command.output().await?;
        if output.status.success() {
            return Ok(());
        }
        Err(Failure::said(format!("symbolon {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr))))
    }

    /// Starts the server on its core and waits for its first token.
    pub(crate) async fn start(&self) -> Result<Server, Failure> {
        let log = fs::File::options().create(true).append(true).open(self.log())?;
        let mut command = pinned(&self.program);
        command.arg("serve").arg("--config").arg(self.folder.join("bench.toml"));
        for setting in &self.extra {
            command.args(["-D", setting]);
        }
        let began = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true).spawn()?;
        let pid = child.id().ok_or_else(|| Failure::said("the server ended at once"))?;
        loop {
            if let Some(status) = child.try_wait()? {
                let log = fs::read_to_string(self.log()).unwrap_or_default();
                return Err(Failure::said(format!("the server ended with {status}:\n{log}")));
            }
            match first_token(self.address).await {
                Ok(()) => break,
                Err(failure) if began.elapsed() > START_LIMIT => return Err(failure.while_doing("waiting for the first token")),
                Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
        let first_token = began.elapsed();
        Ok(Server { child, address: self.address, meter: Meter::of(pid), pid, first_token })
    }

    /// Where the server's output goes.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }
}

impl Server {
    /// Asks it to stop and waits until it has; anything but exit code 0 is a failure.
    pub(crate) async fn stop(mut self) -> Result<(), Failure> {
        Command::new("kill").args(["-TERM", &self.pid.to_string()]).status().await?;
        let status = tokio::time::timeout(START_LIMIT, self.child.wait())
            .await
            .map_err(|_| Failure::said("the server did not stop after SIGTERM"))??;
        if status.success() { Ok(()) } else { Err(Failure::said(format!("the server ended with {status}"))) }
    }
}

/// The sign-in name of a person.
pub(crate) fn person(n: usize) -> String {
    format!("person-{}", n % PEOPLE)
}

/// A command that runs on the core of whatever is measured.
pub(crate) fn pinned(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", CORE]).arg(program);
    command
}

/// A loopback address that was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

async fn first_token(address: SocketAddr) -> Result<(), Failure> {
    let mut wire = Wire::connect(address).await?;
    let body = "grant_type=client_credentials&scope=api";
    wire.post("/token", &basic(SERVICE, SERVICE_SECRET), body).await?.expect_status(200, "client credentials")?;
    Ok(())
}

fn settings(address: SocketAddr, alg: &str) -> String {
    let mut text = format!(
        r#"[server]
listen = "{address}"
issuer = "http://{address}"
workers = 1

[storage]
path = "data"

[tokens]
signing_alg = "{alg}"

[handlers]
folder = "handlers"
properties = ["handler.properties"]

[scopes.api]
description = "Use the API"

[[clients]]
client_id = "{SERVICE}"
client_secret = "{SERVICE_SECRET}"
token_endpoint_auth_method = "client_secret_basic"
grant_types = ["client_credentials"]
response_types = []
scope = "api"
"#
    );
    for app in [APP_ONE, APP_TWO] {
        let _ = write!(
            text,
            r#"
[[clients]]
client_id = "{app}"
client_name = "{app}"
application_type = "native"
token_endpoint_auth_method = "none"
grant_types = ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"]
response_types = ["code"]
redirect_uris = ["{REDIRECT_URI}"]
scope = "openid profile offline_access device_sso"
device_sso_family = "bench"
first_party = true
"#
        );
    }
    text
}
