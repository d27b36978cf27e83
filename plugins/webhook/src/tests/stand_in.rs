//! A tiny HTTP service on a free port: it remembers what it was asked and answers as told, however rude.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use symbolon_sdk::Value;

/// What it does with a question.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Sends these bytes.
    Bytes(Vec<u8>),
    /// Sends these bytes, then nothing, and keeps the connection.
    Stall(Vec<u8>),
    /// Sends these bytes and closes the connection.
    Break(Vec<u8>),
}

/// One question as it came.
#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    /// A header that is there once.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut values = self.headers.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str());
        let value = values.next().unwrap_or_else(|| panic!("no {name} in {:?}", self.headers));
        assert_eq!(values.next(), None, "{name} twice");
        value
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(own, _)| own == name)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// The service.
pub(crate) struct StandIn {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl StandIn {
    /// Answers the n-th question (from 1) with `reply(n)`.
    pub(crate) fn new(reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let received = Arc::new(Mutex::new(Vec::new()));
        let (counter, notes, reply) = (Arc::clone(&connections), Arc::clone(&received), Arc::new(reply));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counter.fetch_add(1, Ordering::SeqCst);
                let (notes, reply) = (Arc::clone(&notes), Arc::clone(&reply));
                std::thread::spawn(move || converse(stream, &notes, reply.as_ref()));
            }
        });
        Self { address, connections, received }
    }

    pub(crate) fn always(reply: Reply) -> Self {
        Self::new(move |_| reply.clone())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/decide", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// An answer with this status line and body.
pub(crate) fn http(status: &str, body: &str) -> Reply {
    Reply::Bytes(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

/// An answer that allows.
pub(crate) fn allow() -> Reply {
    http("200 OK", r#"{"decision":"allow"}"#)
}

/// Answers questions until the other side has no more.
fn converse(stream: TcpStream, notes: &Mutex<Vec<Received>>, reply: &dyn Fn(usize) -> Reply) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Some(question) = read(&mut reader) {
        let n = {
            let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
            notes.push(question);
            notes.len()
        };
        let (bytes, goes_on) = match reply(n) {
            Reply::Bytes(bytes) => (bytes, true),
            Reply::Break(bytes) => (bytes, false),
            Reply::Stall(bytes) => {
                drop(writer.write_all(&bytes));
                // Longer than any test waits; the test's end is the end of this thread too.
                std::thread::sleep(Duration::from_mins(10));
                return;
            }
        };
        if writer.write_all(&bytes).is_err() || !goes_on {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            text => lines.push(text.to_owned()),
        }
    }
    let headers: Vec<(String, String)> = lines[1..]
        .iter()
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Received { line: lines.swap_remove(0), headers, body })
}
