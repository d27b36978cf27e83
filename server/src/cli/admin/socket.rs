//! The local socket: one JSON line asks, one JSON line answers. Only the owner of the data folder (and root) is heard.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::command::{AdminCommand, AdminRefusal};
use super::execute;
use crate::cli::output::Failure;
use crate::cli::reload::Reloader;

const NAME: &str = "admin.sock";
/// The longest command that is heard, in bytes. An answer may be of any length: it is the server's own, and lists grow.
const MAX_COMMAND: usize = 4 * 1024 * 1024;
/// How long a peer may take to send its line.
const PATIENCE: Duration = Duration::from_secs(30);

/// The listening socket. Its file goes when it is dropped.
#[derive(Debug)]
pub struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
    owner: u32,
}

impl AdminSocket {
    /// Listens in the data folder. Must be called by the process that holds the store, so a socket file that is there is a
    /// dead server's and is replaced.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn listen(folder: &Path) -> io::Result<Self> {
        let path = folder.join(NAME);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let directory = File::open(folder)?;
        let listener = UnixListener::bind(short(&directory))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path, owner: fs::metadata(folder)?.uid() })
    }

    /// Answers until it is dropped.
    pub async fn serve(self, reloader: Arc<Reloader>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let allowed = stream.peer_cred().is_ok_and(|peer| peer.uid() == self.owner || peer.uid() == 0);
                    if allowed {
                        tokio::spawn(answer(stream, Arc::clone(&reloader)));
                    } else {
                        tracing::warn!("a stranger tried the administration socket");
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the administration socket cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // Nothing depends on it: the next server replaces a left-over.
        drop(fs::remove_file(&self.path));
    }
}

/// A socket's address must be short; a data folder's path may be long. Through the open folder it is always short.
fn short(directory: &File) -> String {
    format!("/proc/self/fd/{}/{NAME}", directory.as_raw_fd())
}

async fn answer(stream: UnixStream, reloader: Arc<Reloader>) {
    let (reading, mut writing) = stream.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(reading.take(MAX_COMMAND as u64));
    let read = reader.read_line(&mut line);
    if !matches!(tokio::time::timeout(PATIENCE, read).await, Ok(Ok(1..))) || !line.ends_with('\n') {
        return;
    }
    let result: Result<Value, AdminRefusal> = match serde_json::from_str::<AdminCommand>(&line) {
        Ok(AdminCommand::HandlerReload) => Ok(match reloader.reload("symbolon handler reload").await {
            Ok(changed) => json!(changed),
            Err(findings) => json!({ "findings": findings.0 }),
        }),
        Ok(command) => execute(reloader.engine(), command).await,
        Err(_) => Err(AdminRefusal("the running server does not know this command; is it of another release?".to_owned())),
    };
    let Ok(mut text) = serde_json::to_vec(&result) else { return };
    text.push(b'\n');
    if let Err(error) = writing.write_all(&text).await {
        tracing::debug!(%error, "the administration socket's peer went away");
    }
}

/// Asks the running server; `None` when none is running on this data folder.
///
/// # Errors
/// When a server is there but does not answer.
pub async fn ask(folder: &Path, command: &AdminCommand) -> Result<Option<Result<Value, AdminRefusal>>, Failure> {
    let Ok(directory) = File::open(folder) else { return Ok(None) };
    let stream = match UnixStream::connect(short(&directory)).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => return Ok(None),
        Err(error) => return Err(Failure::refusal(format!("the running server cannot be reached: {error}"))),
    };
    let broken = |error: &dyn std::fmt::Display| Failure::refusal(format!("the running server did not answer: {error}"));
    let (reading, mut writing) = stream.into_split();
    let mut text = serde_json::to_vec(command).map_err(|error| broken(&error))?;
    text.push(b'\n');
    if text.len() > MAX_COMMAND {
        let length = text.len();
        return Err(Failure::refusal(format!(
            "the command has {length} bytes, and a running server hears at most {MAX_COMMAND}; stop the server and run it again"
        )));
    }
    writing.write_all(&text).await.map_err(|error| broken(&error))?;
    let mut line = String::new();
    BufReader::new(reading).read_line(&mut line).await.map_err(|error| broken(&error))?;
    if !line.ends_with('\n') {
        return Err(broken(&"it broke off its answer; look at its log"));
    }
    serde_json::from_str(&line).map(Some).map_err(|error| broken(&error))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use crate::foundation::Secret;

    /// What comes of asking a server that answers with these bytes and closes.
    async fn asked(answer: Vec<u8>, command: AdminCommand) -> (Result<Option<Result<Value, AdminRefusal>>, Failure>, usize) {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(NAME)).unwrap();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (reading, mut writing) = stream.into_split();
            let mut line = String::new();
            let read = BufReader::new(reading).read_line(&mut line).await.unwrap();
            // A peer that has heard enough goes away.
            drop(writing.write_all(&answer).await);
            read
        });
        let said = ask(folder.path(), &command).await;
        (said, server.await.unwrap())
    }

    #[tokio::test]
    async fn an_answer_may_be_of_any_length() {
        let people: Vec<String> = (0..400).map(|n| format!("{n}{}", "x".repeat(60_000))).collect();
        let mut text = serde_json::to_vec(&json!({ "Ok": people })).unwrap();
        text.push(b'\n');
        let (said, _) = asked(text, AdminCommand::UserList).await;
        assert_eq!(said.unwrap().unwrap().unwrap().as_array().unwrap().len(), 400);
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_told_as_such() {
        for answer in [&b""[..], br#"{"Ok":[1,2"#, br#"{"Ok":[1,2]}"#] {
            let (said, _) = asked(answer.to_vec(), AdminCommand::UserList).await;
            assert!(matches!(said, Err(Failure::Refusal(why)) if why.contains("broke off")));
        }
    }

    #[tokio::test]
    async fn a_command_that_is_too_long_is_not_sent() {
        let command = |length| AdminCommand::UserAdd {
            name: "ada".to_owned(),
            password: super::super::command::Password(Secret::new("x".repeat(length))),
            claims: serde_json::Map::new(),
        };
        let (said, read) = asked(b"{\"Ok\":1}\n".to_vec(), command(MAX_COMMAND - 1000)).await;
        assert!(said.unwrap().unwrap().is_ok() && read > MAX_COMMAND - 1000);
        let (said, read) = asked(Vec::new(), command(MAX_COMMAND)).await;
        let Err(Failure::Refusal(why)) = said else { panic!("{said:?}") };
        assert!(why.contains(&MAX_COMMAND.to_string()) && why.contains("stop the server"), "{why}");
        assert_eq!(read, 0, "nothing was sent");
    }
}
