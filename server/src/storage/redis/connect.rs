//! One connection to one server, made only when the server can keep what we promise: what it says of itself is looked at first.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, Pipeline, ProtocolVersion, PushInfo, PushKind,
    RedisConnectionInfo, RedisError, TlsCertificates, Value, cmd, from_redis_value,
};
use tokio::sync::Notify;

use super::scripts;
use super::server::ServerReport;
use crate::settings::meaning::{Redis, RedisServer};

/// How servers are reached: the settings, and the certificates that they name.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) settings: Redis,
    roots: Option<Vec<u8>>,
    /// Servers whose shortcomings were already told.
    warned: Mutex<HashSet<RedisServer>>,
}

/// A connection, and the word that it is no longer one.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) connection: MultiplexedConnection,
    /// Told when it broke, and by whoever finds it useless.
    pub(super) gone: Arc<Notify>,
}

impl Access {
    /// # Errors
    /// The certificates cannot be read.
    pub(super) fn new(settings: Redis) -> Result<Self, String> {
        let roots = settings
            .ca_file
            .as_ref()
            .map(|path| std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display())))
            .transpose()?;
        Ok(Self { settings, roots, warned: Mutex::default() })
    }

    /// Connects to a server that keeps records.
    ///
    /// # Errors
    /// Why it cannot be used, in words for an operator.
    pub(super) async fn connect(&self, server: &RedisServer) -> Result<Connected, String> {
        let within = self.settings.connect_timeout;
        let connecting = async {
            let mut connected = self.open(server, true).await?;
            let report = examine(&mut connected.connection).await?;
            report.judge(&self.settings.mode)?;
            let mut loading = Pipeline::new();
            scripts::load().for_each(|load| {
                loading.add_command(load);
            });
            ask(&mut connected.connection, &loading).await?;
            self.warn(server, &report);
            Ok(connected)
        };
        tokio::time::timeout(within, connecting).await.unwrap_or_else(|_| Err(format!("no answer within {within:?}")))
    }

    /// Connects to whatever is there, a sentinel for example; within the connection timeout of the caller.
    pub(super) async fn open(&self, server: &RedisServer, as_user: bool) -> Result<Connected, String> {
        let client = self.client(server, as_user).map_err(|error| in_words(&error))?;
        let gone = Arc::new(Notify::new());
        let told = Arc::clone(&gone);
        let config = AsyncConnectionConfig::new()
            // Both are ours to keep: a late answer has a meaning of its own.
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_push_sender(move |push: PushInfo| {
                if push.kind == PushKind::Disconnection {
                    told.notify_one();
                }
                Ok::<(), redis::aio::SendError>(())
            });
        match client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(connection) => Ok(Connected { connection, gone }),
            Err(error) => Err(in_words(&error)),
        }
    }

    fn client(&self, server: &RedisServer, as_user: bool) -> Result<Client, RedisError> {
        let RedisServer { host, port, tls } = server.clone();
        let address = if tls {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        // RESP3, because only it tells at once that a connection broke.
        let mut greeting = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3);
        if let Some(name) = self.settings.username.as_ref().filter(|_| as_user) {
            greeting = greeting.set_username(name);
        }
        if let Some(password) = &self.settings.password {
            greeting = greeting.set_password(password.expose());
        }
        let info = address.into_connection_info()?.set_redis_settings(greeting);
        if tls {
            Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: self.roots.clone() })
        } else {
            Client::open(info)
        }
    }

    /// Tells once for each server what does not keep it from serving.
    fn warn(&self, server: &RedisServer, report: &ServerReport) {
        if self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(server.clone()) {
            for shortcoming in report.shortcomings(self.settings.wait_replicas) {
                tracing::warn!(id = "storage.redis", "Redis at {server} {shortcoming}");
            }
        }
    }
}

/// What the server says of itself.
pub(super) async fn examine(connection: &mut MultiplexedConnection) -> Result<ServerReport, String> {
    let info = connection.req_packed_command(&cmd("INFO")).await.map_err(|error| in_words(&error))?;
    let info = info
        .extract_error()
        .map_err(|error| format!("it does not answer INFO ({}): the Redis user needs the permission +info", in_words(&error)))?;
    let info: String = from_redis_value(info).map_err(|error| format!("it answers INFO with something else: {error}"))?;
    // Many a Redis that is rented keeps this to itself.
    let fsync = connection.req_packed_command(cmd("CONFIG").arg("GET").arg("appendfsync")).await.ok();
    let fsync = fsync.and_then(|value| value.extract_error().ok()).and_then(|value| match value {
        Value::Map(pairs) => pairs.into_iter().find_map(|(_, value)| from_redis_value(value).ok()),
        _ => None,
    });
    Ok(ServerReport::read(&info, fsync))
}

/// Sends commands of which none may fail.
async fn ask(connection: &mut MultiplexedConnection, commands: &Pipeline) -> Result<(), String> {
    let answers = connection.req_packed_commands(commands, 0, commands.len()).await.map_err(|error| in_words(&error))?;
    answers.into_iter().try_for_each(|answer| answer.extract_error().map(drop)).map_err(|error| in_words(&error))
}

/// The crate's words, without what it puts around those of the server.
pub(super) fn in_words(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some("NOAUTH" | "WRONGPASS"), _) => {
            "it does not accept the user name and password (storage.redis.username, storage.redis.password_file)".to_owned()
        }
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        _ => error.to_string(),
    }
}
