//! The way to the service and back: signed, within the deadline, asked again where that helps. It does not know what the answer means.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use symbolon_sdk::log;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::timeout_at;
use url::Url;

use crate::addresses::{Inadmissible, Resolver};
use crate::configuration::{Destination, Pace};
use crate::keys::Keys;

/// The service, ready to be asked from many threads at once.
#[derive(Debug)]
pub(crate) struct Service {
    url: Url,
    keys: Keys,
    pace: Pace,
    max_response_bytes: usize,
    client: Client,
    background: Background,
}

/// One question, the same at every attempt.
struct Question<'a> {
    id: &'a str,
    body: &'a [u8],
    /// The server's clock when it was asked.
    now: u64,
    started: Instant,
}

/// How asking went.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    id: String,
    host: &'a str,
    attempts: u32,
    took: Duration,
    /// Status and body of an answer.
    pub(crate) outcome: Result<(u16, Vec<u8>), Trouble>,
}

/// Why there is no answer, in words for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The service was not reached, was too slow or says that it is in trouble itself. The property `failure` says what then.
    Unavailable(String),
    /// What came is not the answer of a service that works.
    Nonsense(String),
}

/// The trouble of one attempt.
struct Failed {
    trouble: Trouble,
    /// Whether another attempt could go better.
    passing: bool,
}

impl Failed {
    const fn unavailable(why: String, passing: bool) -> Self {
        Self { trouble: Trouble::Unavailable(why), passing }
    }

    const fn nonsense(why: String) -> Self {
        Self { trouble: Trouble::Nonsense(why), passing: false }
    }
}

impl fmt::Display for Asked<'_> {
    /// For the log: which question, whom, how often, how long, which status. Never a body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, host, attempts, took, .. } = self;
        match &self.outcome {
            Ok((status, _)) => write!(f, "{id}: {host} answered {status} after {attempts} attempt(s) in {} ms", took.as_millis()),
            Err(_) => write!(f, "{id}: no answer of {host} after {attempts} attempt(s) in {} ms", took.as_millis()),
        }
    }
}

impl Service {
    /// Makes ready; connects to nobody yet.
    ///
    /// # Errors
    /// One sentence for the operator.
    pub(crate) fn new(destination: Destination) -> Result<Self, String> {
        let Destination { url, keys, pace, max_response_bytes, reach, authorities } = destination;
        let builder = Client::builder()
            .user_agent(concat!("symbolon-webhook/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            // How often is for `ask` alone to say.
            .retry(reqwest::retry::never())
            .dns_resolver(Resolver(reach))
            .pool_idle_timeout(Duration::from_secs(30));
        // Without TLS no authority is needed, and none may be there: small containers have no certificates.
        let builder = if url.scheme() == "https" { builder.tls_certs_merge(authorities) } else { builder.tls_certs_only([]) };
        let client = builder.build().map_err(|error| {
            format!("the HTTP client cannot be made ({}): install the system's certificates, or correct caFile", cause(&error))
        })?;
        let background =
            Background::new().map_err(|error| format!("no thread can be started ({error}): raise the system's limits"))?;
        Ok(Self { url, keys, pace, max_response_bytes, client, background })
    }

    /// Asks, and waits for the answer on this thread.
    pub(crate) fn ask(&self, body: &[u8], now: u64) -> Asked<'_> {
        let started = Instant::now();
        let id = new_id();
        let (attempts, outcome) = match &id {
            Some(id) => self.background.handle.block_on(self.attempts(&Question { id, body, now, started })),
            None => (0, Err(Trouble::Nonsense("the system gives no randomness".to_owned()))),
        };
        let host = self.url.host_str().unwrap_or_default();
        Asked { id: id.unwrap_or_default(), host, attempts, took: started.elapsed(), outcome }
    }

    async fn attempts(&self, question: &Question<'_>) -> (u32, Result<(u16, Vec<u8>), Trouble>) {
        let Pace { timeout, deadline, retries, pause } = self.pace;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let patience = timeout.min(deadline.saturating_sub(question.started.elapsed()));
            let failed = match self.attempt(question, patience).await {
                Ok(answer) => return (attempt, Ok(answer)),
                Err(failed) => failed,
            };
            if !failed.passing || attempt > retries || question.started.elapsed() + pause >= deadline {
                return (attempt, Err(failed.trouble));
            }
            let (Trouble::Unavailable(why) | Trouble::Nonsense(why)) = &failed.trouble;
            log::debug(&format!("{}: attempt {attempt}: {why}; asking again", question.id));
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, question: &Question<'_>, patience: Duration) -> Result<(u16, Vec<u8>), Failed> {
        let Question { id, body, now, started } = *question;
        // Each attempt has its own time and signature (Standard Webhooks, "Webhook metadata"); the id stays.
        let timestamp = now.saturating_add(started.elapsed().as_secs());
        let until = tokio::time::Instant::now() + patience;
        let late = |_| Failed::unavailable(format!("no whole answer within {} ms", patience.as_millis()), true);
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.keys.sign(id, timestamp, body))
            .body(body.to_vec());
        let response = timeout_at(until, request.send()).await.map_err(late)?.map_err(|error| failed(&error))?;
        match response.status().as_u16() {
            status @ (429 | 502..=504) => Err(Failed::unavailable(format!("status {status}"), true)),
            status @ 500..=599 => Err(Failed::unavailable(format!("status {status}"), false)),
            200 => Ok((200, timeout_at(until, self.read(response)).await.map_err(late)??)),
            // This status alone is a refusal, and stays one when the rest of the answer is lost.
            403 => Ok((403, timeout_at(until, self.read(response)).await.ok().and_then(Result::ok).unwrap_or_default())),
            // No other body means anything.
            status => Ok((status, Vec::new())),
        }
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, Failed> {
        let most = self.max_response_bytes;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
            if chunk.len() > most.saturating_sub(body.len()) {
                return Err(Failed::nonsense(format!("its answer is longer than maxResponseBytes, {most} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// What a failed request says about the service. What is not certainly a passing trouble of the connection counts as nonsense, which is never
/// a reason to allow.
fn failed(error: &reqwest::Error) -> Failed {
    if find::<Inadmissible>(error).is_some() {
        return Failed::nonsense(Inadmissible.to_string());
    }
    let broken = match find::<hyper::Error>(error) {
        Some(http) => http.is_incomplete_message() || http.is_canceled() || http.is_closed() || find::<io::Error>(http).is_some(),
        None => find::<io::Error>(error).is_some(),
    };
    if error.is_connect() || broken {
        return Failed::unavailable(format!("no connection, or a broken one: {}", cause(error)), true);
    }
    Failed::nonsense(format!("its answer is no HTTP: {}", cause(error)))
}

/// The error and what caused it, from the outside in.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&outer| outer.source())
}

/// The first of them that is of this kind.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// The innermost cause, in the system's words. The outer ones repeat the address, in which a path may be a secret.
fn cause(error: &reqwest::Error) -> String {
    chain(error).skip(1).last().map_or_else(|| "no cause is told".to_owned(), ToString::to_string)
}

/// Names the question, and lets the service see that it was asked this one before. Without a dot, which separates what is signed.
fn new_id() -> Option<String> {
    let mut random = [0; 18];
    aws_lc_rs::rand::fill(&mut random).ok()?;
    Some(format!("msg_{}", URL_SAFE_NO_PAD.encode(random)))
}

/// The thread on which connections live between two questions, and a few for look-ups of names, which block.
#[derive(Debug)]
struct Background {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Background {
    fn new() -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).max_blocking_threads(4).thread_name("webhook").enable_all().build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }
}

impl Drop for Background {
    /// Without waiting for a look-up that hangs: the next configuration is in charge already.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
