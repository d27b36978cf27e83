//! A keep-alive HTTP/1.1 connection that does no more than the benchmark needs. Owns bytes on the wire; must not know what
//! the requests mean.

use std::fmt::Write as _;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::failure::Failure;

/// The headers that some step of the benchmark looks at.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// `Location`, or empty.
    pub(crate) location: String,
    /// `name=value` of every `Set-Cookie`.
    pub(crate) cookies: Vec<String>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The answer if it has this status; otherwise a failure with the beginning of the body.
    pub(crate) fn expect_status(self, status: u16, what: &str) -> Result<Self, Failure> {
        if self.status == status {
            return Ok(self);
        }
        let body = String::from_utf8_lossy(&self.body);
        let start: String = body.chars().take(300).collect();
        Err(Failure::said(format!("{what}: status {} instead of {status}: {}{start}", self.status, self.location)))
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    address: SocketAddr,
    request: String,
    received: Vec<u8>,
}

impl Wire {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, address, request: String::with_capacity(4096), received: Vec::with_capacity(8192) })
    }

    /// `GET` of a path with a query. `headers`: whole lines, each with its CRLF.
    pub(crate) async fn get(&mut self, path: &str, headers: &str) -> Result<Answer, Failure> {
        self.request.clear();
        let _ = write!(self.request, "GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.address);
        self.exchange().await
    }

    /// `POST` of a form.
    pub(crate) async fn post(&mut self, path: &str, headers: &str, form: &str) -> Result<Answer, Failure> {
        self.request.clear();
        let _ = write!(
            self.request,
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n{headers}\r\n{form}",
            self.address,
            form.len()
        );
        self.exchange().await
    }

    async fn exchange(&mut self) -> Result<Answer, Failure> {
        self.stream.write_all(self.request.as_bytes()).await?;
        self.received.clear();
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(Failure::said("the server closed the connection"));
            }
            if let Some((mut answer, start, end)) = parse(&self.received)? {
                while self.received.len() < end {
                    if self.stream.read_buf(&mut self.received).await? == 0 {
                        return Err(Failure::said("the server closed the connection within an answer"));
                    }
                }
                answer.body.extend_from_slice(&self.received[start..end]);
                return Ok(answer);
            }
        }
    }
}

/// The head of an answer with where its body starts and ends; `None` while the head is incomplete.
fn parse(received: &[u8]) -> Result<Option<(Answer, usize, usize)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; 48];
    let mut head = httparse::Response::new(&mut headers);
    let start = match head.parse(received).map_err(|error| Failure::said(format!("not HTTP: {error}")))? {
        httparse::Status::Partial => return Ok(None),
        httparse::Status::Complete(start) => start,
    };
    let mut answer = Answer { status: head.code.unwrap_or_default(), ..Answer::default() };
    let mut length = None;
    for header in head.headers.iter() {
        let text = || String::from_utf8_lossy(header.value);
        if header.name.eq_ignore_ascii_case("content-length") {
            length = text().parse::<usize>().ok();
        } else if header.name.eq_ignore_ascii_case("location") {
            answer.location = text().into_owned();
        } else if header.name.eq_ignore_ascii_case("set-cookie") {
            answer.cookies.push(text().split(';').next().unwrap_or_default().trim().to_owned());
        }
    }
    match length {
        Some(length) => Ok(Some((answer, start, start + length))),
        None if matches!(answer.status, 204 | 304) => Ok(Some((answer, start, start))),
        None => Err(Failure::said(format!("an answer of status {} without a length", answer.status))),
    }
}

/// A form or query from its pairs.
pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::with_capacity(1024)).extend_pairs(pairs).finish()
}

/// The `Authorization: Basic` line of a confidential client (RFC 6749 section 2.3.1).
pub(crate) fn basic(client_id: &str, secret: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{client_id}:{secret}")))
}

/// The S256 challenge of a PKCE verifier (RFC 7636 section 4.2).
pub(crate) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let whole = b"HTTP/1.1 303 See Other\r\nLocation: /a\r\nSet-Cookie: s=1; Path=/\r\nContent-Length: 2\r\n\r\nok";
        for cut in 0..whole.len() - 2 {
            assert!(parse(&whole[..cut]).unwrap().is_none(), "{cut}");
        }
        let (answer, start, end) = parse(whole).unwrap().unwrap();
        assert_eq!((answer.status, answer.location.as_str(), answer.cookies), (303, "/a", vec!["s=1".to_owned()]));
        assert_eq!(&whole[start..end], b"ok");
    }

    #[test]
    fn the_challenge_is_the_one_of_rfc_7636_appendix_b() {
        assert_eq!(challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
