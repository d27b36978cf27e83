//! What is logged at which level: an operator who is woken by ERROR lines is not to be woken by strangers.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::harness::{Server, Setup, until};

/// Sends bytes as they are; gives what came back.
fn send(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.issuer.trim_start_matches("http://")).expect("a connection");
    // A server that has heard enough may close before everything is sent.
    drop(stream.write_all(bytes));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

fn malformed(server: &Server) {
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(70_000));
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: abc\r\n\r\n",
        long.as_bytes(),
    ] {
        assert!(send(server, bytes).starts_with("HTTP/1.1 400"), "{}", String::from_utf8_lossy(&bytes[..7]));
    }
}

#[test]
fn malformed_requests_of_strangers_are_no_errors_of_the_server() {
    for level in ["info", "trace"] {
        let server = Setup::new().set("telemetry.level", level).start();
        malformed(&server);
        assert_eq!(server.stop(), Some(0));
        let log = server.log();
        assert!(!log.contains(" ERROR ") && !log.contains(" WARN "), "{log}");
    }
}

#[test]
fn an_operator_may_ask_for_them() {
    let server = Setup::new().set("telemetry.level", "info,actix_http::h1=error").start();
    malformed(&server);
    until("the log tells of them", || server.log().contains("actix_http"));
}
