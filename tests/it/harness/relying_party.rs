//! A stand-in for the server of a relying party: it answers what it is told to, publishes documents, and keeps what it was sent.

use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::certificate::Certificate;
use super::until;

/// What to answer to the next request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reply {
    /// With this status.
    Status(u16),
    /// As it would, but only after this time.
    Late(Duration),
}

#[derive(Debug, Default)]
struct State {
    replies: VecDeque<Reply>,
    bodies: Vec<String>,
    heads: Vec<String>,
    documents: HashMap<String, String>,
}

/// One that listens until the test ends.
#[derive(Debug, Clone)]
pub(crate) struct RelyingParty {
    scheme: &'static str,
    port: u16,
    state: Arc<Mutex<State>>,
}

impl RelyingParty {
    /// Begins to listen; answers these first, and then 200.
    #[track_caller]
    pub(crate) fn answering(replies: &[Reply]) -> Self {
        Self::listening(0, replies, None)
    }

    /// The same at a port that was kept free for it.
    #[track_caller]
    pub(crate) fn at(port: u16) -> Self {
        Self::listening(port, &[], None)
    }

    /// The same behind TLS, with this certificate.
    #[track_caller]
    pub(crate) fn over_tls(certificate: &Certificate) -> Self {
        Self::listening(0, &[], Some(certificate.shown()))
    }

    #[track_caller]
    fn listening(port: u16, replies: &[Reply], tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(Mutex::new(State { replies: replies.iter().copied().collect(), ..State::default() }));
        let party = Self { scheme: if tls.is_some() { "https" } else { "http" }, port, state };
        let own = party.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (own, tls) = (own.clone(), tls.clone());
                std::thread::spawn(move || match tls {
                    None => own.serve(stream),
                    Some(config) => {
                        own.serve(StreamOwned::new(ServerConnection::new(config).expect("a configuration that fits"), stream));
                    }
                });
            }
        });
        party
    }

    /// Where it listens.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port)
    }

    /// Publishes a document at a path: what is asked for there is answered with it.
    pub(crate) fn publish(&self, path: &str, document: impl Into<String>) {
        self.lock().documents.insert(path.to_owned(), document.into());
    }

    /// What to answer to the next request instead.
    pub(crate) fn then(&self, reply: Reply) {
        self.lock().replies.push_back(reply);
    }

    /// The bodies it was sent, oldest first.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.lock().bodies.clone()
    }

    /// Its requests, oldest first: all before the body, and the body.
    pub(crate) fn requests(&self) -> Vec<(String, String)> {
        let state = self.lock();
        state.heads.iter().cloned().zip(state.bodies.iter().cloned()).collect()
    }

    /// The first lines of its requests, oldest first.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.lock().heads.iter().filter_map(|head| head.lines().next()).map(str::to_owned).collect()
    }

    /// Waits for that many logout tokens and gives them.
    #[track_caller]
    pub(crate) fn tokens(&self, count: usize) -> Vec<String> {
        until("the client is told", || self.bodies().len() >= count);
        let token = |body: String| {
            let pairs: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
            assert_eq!(pairs.len(), 1, "{body}");
            assert_eq!(pairs[0].0, "logout_token");
            pairs[0].1.clone()
        };
        self.bodies().into_iter().map(token).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads one request to its end and answers it. A connection that breaks is nobody's business.
    fn serve(&self, mut stream: impl Read + Write) {
        let mut text = Vec::new();
        let mut part = [0; 4096];
        let (head, body) = loop {
            let Ok(read @ 1..) = stream.read(&mut part) else { return };
            text.extend_from_slice(&part[..read]);
            let all = String::from_utf8_lossy(&text).into_owned();
            let Some((head, body)) = all.split_once("\r\n\r\n") else { continue };
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                break (head.to_owned(), body.to_owned());
            }
        };
        let (reply, document) = {
            let mut state = self.lock();
            let path = head.split(' ').nth(1).unwrap_or_default();
            let document = state.documents.get(path).cloned().unwrap_or_default();
            state.heads.push(head);
            state.bodies.push(body);
            (state.replies.pop_front().unwrap_or(Reply::Status(200)), document)
        };
        let status = match reply {
            Reply::Status(status) => status,
            Reply::Late(pause) => {
                std::thread::sleep(pause);
                200
            }
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nlocation: /elsewhere\r\nconnection: close\r\n\r\n",
            document.len()
        );
        drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(document.as_bytes())));
    }
}
