//! What a server is started with: settings, handler properties, handler files, arguments and environment.

use std::path::Path;

use serde_json::{Value, json};

use super::binaries;
use super::cast;
use super::command::Ran;
use super::server::Server;

/// The default handler's crate.
pub(crate) const DEFAULT_HANDLER: &str = "symbolon-local-device-sso";

/// A server to be.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    settings: Value,
    /// Path of the issuer, e.g. `/tenant`; empty for none.
    path: String,
    properties: String,
    handlers: Vec<(String, String)>,
    files: Vec<(String, Vec<u8>)>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    other_release: bool,
}

impl Setup {
    /// The usual server: the cast, the default handler enabled, cheap passwords, no limit of attempts by address (all
    /// tests have the same one).
    pub(crate) fn new() -> Self {
        let settings = json!({
            "server": { "workers": 2 },
            "sign_in": {
                "password": { "memory_kib": 1024, "iterations": 1 },
                "throttle": { "address_attempts": 0 },
            },
            "telemetry": { "level": "info" },
            "scopes": {
                "read": { "description": "Read your things" },
                "write": { "description": "Change your things" },
                "payments": { "description": "Pay for things" },
            },
            "resource_servers": [{ "identifier": "https://api.example.com" }],
            "clients": cast::registrations(),
        });
        Self {
            settings,
            path: String::new(),
            properties: "op.deviceSSOHandler.enable=true\n".to_owned(),
            handlers: vec![(DEFAULT_HANDLER.to_owned(), "default.so".to_owned())],
            files: Vec::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            other_release: false,
        }
    }

    /// Sets one setting by its dotted name.
    #[must_use]
    pub(crate) fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        let mut place = &mut self.settings;
        for part in name.split('.') {
            place = &mut place[part];
        }
        *place = value.into();
        self
    }

    /// Changes the registration of one client of the cast; null removes a member.
    #[must_use]
    pub(crate) fn client(mut self, id: &str, name: &str, value: impl Into<Value>) -> Self {
        let clients = self.settings["clients"].as_array_mut().expect("the cast");
        let client = clients.iter_mut().find(|client| client["client_id"] == id).expect("a client of the cast");
        match value.into() {
            Value::Null => drop(client.as_object_mut().expect("metadata").remove(name)),
            value => client[name] = value,
        }
        self
    }

    /// Gives the issuer a path.
    #[must_use]
    pub(crate) fn below(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Adds a line to the handler's properties file.
    #[must_use]
    pub(crate) fn property(mut self, name: &str, value: &str) -> Self {
        self.properties.extend([name, "=", value, "\n"]);
        self
    }

    /// Replaces the whole properties file.
    #[must_use]
    pub(crate) fn properties(mut self, text: &str) -> Self {
        text.clone_into(&mut self.properties);
        self
    }

    /// Puts another built handler into the folder.
    #[must_use]
    pub(crate) fn handler(mut self, name: &str) -> Self {
        self.handlers.push((name.to_owned(), format!("{name}.so")));
        self
    }

    /// Leaves the handler folder empty.
    #[must_use]
    pub(crate) fn without_handlers(mut self) -> Self {
        self.handlers.clear();
        self.properties.clear();
        self
    }

    /// Puts a file with these bytes into the handler folder.
    #[must_use]
    pub(crate) fn handler_file(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), bytes.into()));
        self
    }

    /// Adds `-D name=value` to the command line.
    #[must_use]
    pub(crate) fn define(mut self, name: &str, value: &str) -> Self {
        self.arguments.extend(["-D".to_owned(), format!("{name}={value}")]);
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs the program of the other release, where one is given: see [`binaries::other_release`].
    #[must_use]
    pub(crate) fn of_other_release(mut self) -> Self {
        self.other_release = true;
        self
    }

    /// Starts the server and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(self) -> Server {
        Server::start(&self)
    }

    /// Expects that `serve` refuses to start with exit code 1; gives what it said.
    #[track_caller]
    pub(crate) fn refused(self) -> String {
        let folder = tempfile::tempdir().expect("a temporary folder");
        self.write(folder.path(), 1);
        Ran::run(&mut self.serve(folder.path()), "").refused()
    }

    /// Writes everything into `folder`; the server will listen on `port`.
    #[track_caller]
    pub(crate) fn write(&self, folder: &Path, port: u16) {
        let mut settings = self.settings.clone();
        if settings["server"]["listen"].is_null() {
            settings["server"]["listen"] = format!("127.0.0.1:{port}").into();
        }
        settings["server"]["issuer"] = self.issuer(port).into();
        settings["storage"]["path"] = path(&folder.join("var")).into();
        settings["handlers"]["folder"] = path(&folder.join("handlers")).into();
        settings["handlers"]["properties"] = json!([path(&folder.join("handlers.properties"))]);
        let text = toml::to_string(&toml_of(settings)).expect("settings as TOML");
        std::fs::write(folder.join("symbolon.toml"), text).expect("the settings file");
        std::fs::write(folder.join("handlers.properties"), &self.properties).expect("the properties file");
        let handlers = folder.join("handlers");
        std::fs::create_dir_all(&handlers).expect("the handler folder");
        for (name, file) in &self.handlers {
            std::fs::copy(binaries::handler(name), handlers.join(file)).expect("a copy of the handler");
        }
        for (name, bytes) in &self.files {
            std::fs::write(handlers.join(name), bytes).expect("a file in the handler folder");
        }
    }

    /// The issuer of a server on that port: its address, unless the settings name another's.
    pub(crate) fn issuer(&self, port: u16) -> String {
        self.settings["server"]["issuer"].as_str().map_or_else(|| self.address(port), str::to_owned)
    }

    /// The address of a server on that port.
    pub(crate) fn address(&self, port: u16) -> String {
        format!("http://127.0.0.1:{port}{}", self.path)
    }

    /// The `serve` command.
    #[track_caller]
    pub(crate) fn serve(&self, folder: &Path) -> std::process::Command {
        let mut command = self.bare_command();
        command.arg("serve").arg("--config").arg(folder.join("symbolon.toml")).args(&self.arguments);
        command
    }

    /// A `symbolon` command with this environment and no arguments.
    #[track_caller]
    pub(crate) fn bare_command(&self) -> std::process::Command {
        let mut command =
            std::process::Command::new(if self.other_release { binaries::other_release() } else { binaries::symbolon() });
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SYMBOLON_")) {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

#[track_caller]
fn path(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// JSON as TOML, by hand: built together with a crate that wants numbers of any precision, `serde_json` shows numbers to
/// other formats as tables.
fn toml_of(value: Value) -> toml::Value {
    match value {
        Value::Null => panic!("TOML has no null"),
        Value::Bool(yes) => yes.into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64().expect("a number that TOML can hold").into(),
        },
        Value::String(text) => text.into(),
        Value::Array(values) => values.into_iter().map(toml_of).collect::<Vec<_>>().into(),
        Value::Object(members) => {
            let present = members.into_iter().filter(|(_, value)| !value.is_null());
            toml::Value::Table(present.map(|(name, value)| (name, toml_of(value))).collect())
        }
    }
}
