//! What becomes of an exchange when the service cannot be asked, and whom the handler does not ask at all.

use std::net::TcpListener;

use symbolon_sdk::log::Level;
use symbolon_sdk::testing::TestRequest;

use super::stand_in::{Reply, StandIn, allow, http};
use super::{KEY, KeyFile, allowed, asking, code, keep_log, logged, refused, try_with};

fn closed() -> (String, Option<u16>) {
    ("temporarily_unavailable".to_owned(), Some(503))
}

fn nonsense() -> (String, Option<u16>) {
    ("server_error".to_owned(), Some(500))
}

/// An address where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

#[test]
fn an_unreachable_service_closes_by_default() {
    for more in [[].as_slice(), &[("failure", "closed")], &[("failure", " CLOSED ")], &[("failure", "")]] {
        let error = refused(TestRequest::new().ask(&asking(&nobody(), more)));
        assert_eq!((error.code().to_owned(), error.status()), closed());
        assert!(error.description().is_some_and(|text| text.contains("try again later")));
        assert!(error.log_message().contains("after 2 attempt(s)"), "{}", error.log_message());
        assert!(error.log_message().contains("Connection refused"), "the system's words: {}", error.log_message());
    }
}

#[test]
fn fail_open_is_what_the_server_would_allow_and_a_warning_each_time() {
    keep_log();
    let service = StandIn::new(|n| match n {
        1 => http("500 Internal Server Error", ""),
        2 => http("501 Not Implemented", r#"{"decision":"deny"}"#),
        3 | 4 => http("503 Service Unavailable", ""),
        5 | 6 => http("429 Too Many Requests", ""),
        7 | 8 => Reply::Break(Vec::new()),
        _ => allow(),
    });
    let handler = asking(&service.url(), &[("failure", "open")]);
    let request = TestRequest::new().requested_scope("openid email");
    for times in 1..=5 {
        assert_eq!(request.ask(&handler).unwrap().scope, ["openid", "email"]);
        let ids: Vec<String> = service.received().iter().map(|one| one.header("webhook-id").to_owned()).collect();
        let warnings = logged(ids.last().unwrap()).into_iter().filter(|(level, _)| *level == Level::Warn).count();
        assert_eq!(warnings, 1, "{times}");
    }
    allowed(request.ask(&handler));
    let id = service.received().last().unwrap().header("webhook-id").to_owned();
    assert!(logged(&id).iter().all(|(level, _)| *level == Level::Debug), "all is well again");
}

#[test]
fn fail_open_covers_silence_and_nobody() {
    let silent = StandIn::always(Reply::Stall(Vec::new()));
    let more = [("failure", "open"), ("timeout", "300"), ("retries", "0")];
    allowed(TestRequest::new().ask(&asking(&silent.url(), &more)));
    allowed(TestRequest::new().ask(&asking(&nobody(), &more)));
    let unknown = asking("https://no-such-name.invalid/", &more);
    allowed(TestRequest::new().ask(&unknown));
}

#[test]
fn a_redirect_is_not_followed() {
    let target = StandIn::always(allow());
    for status in ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = format!("HTTP/1.1 {status}\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", target.url());
        let service = StandIn::always(Reply::Bytes(location.into_bytes()));
        let error = refused(TestRequest::new().ask(&asking(&service.url(), &[("failure", "open")])));
        assert_eq!((error.code().to_owned(), error.status()), nonsense());
        assert!(error.log_message().contains("redirects are not followed"), "{}", error.log_message());
    }
    assert_eq!(target.connections(), 0);
}

#[test]
fn an_answer_that_is_too_large_is_none() {
    let head = r#"{"decision":"allow","data":{"a":""#;
    let fitting = format!("{head}{}\"}}}}", "x".repeat(1000 - head.len() - 3));
    let larger = format!("{head}{}\"}}}}", "x".repeat(1001 - head.len() - 3));
    let chunked = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n{larger}\r\n0\r\n\r\n").into_bytes();
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{larger}").into_bytes();
    let more = [("maxResponseBytes", "1000"), ("failure", "open")];
    let service = StandIn::always(http("200 OK", &fitting));
    allowed(TestRequest::new().ask(&asking(&service.url(), &more)));
    for reply in [http("200 OK", &larger), Reply::Bytes(chunked), Reply::Break(endless)] {
        let service = StandIn::always(reply);
        let error = refused(TestRequest::new().ask(&asking(&service.url(), &more)));
        assert_eq!((error.code().to_owned(), error.status()), nonsense());
        assert!(error.log_message().ends_with("longer than maxResponseBytes, 1000 bytes"), "{}", error.log_message());
        assert_eq!(service.received().len(), 1);
    }
    let by_default = StandIn::always(http("200 OK", &" ".repeat(65_537)));
    assert_eq!(code(TestRequest::new().ask(&asking(&by_default.url(), &[]))), nonsense());
}

#[test]
fn what_is_no_http_never_grants() {
    for bytes in ["SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n{}"] {
        let service = StandIn::always(Reply::Bytes(bytes.as_bytes().to_vec()));
        let error = refused(TestRequest::new().ask(&asking(&service.url(), &[("failure", "open")])));
        assert_eq!((error.code().to_owned(), error.status()), nonsense(), "{bytes:?}");
        assert!(error.log_message().contains("no HTTP"), "{}", error.log_message());
    }
}

#[test]
fn a_name_that_leads_to_a_private_address_is_not_asked() {
    let service = StandIn::always(allow());
    let file = KeyFile::new(KEY);
    let path = file.path();
    for name in ["localhost", "LOCALHOST"] {
        let url = format!("https://{name}:{}/", service.port());
        let properties = [
            ("enable", "true"),
            ("url", url.as_str()),
            ("secretFile", path.to_str().unwrap()),
            ("failure", "open"),
            ("timeout", "60000"),
            ("deadline", "60000"),
        ];
        let error = refused(TestRequest::new().ask(&try_with(&properties).unwrap()));
        assert_eq!((error.code().to_owned(), error.status()), nonsense());
        assert!(error.log_message().contains("private addresses alone"), "{}", error.log_message());
        assert!(error.log_message().contains("after 1 attempt(s)"), "{}", error.log_message());
    }
    assert_eq!(service.connections(), 0);
}

#[test]
fn a_name_of_this_machine_is_asked_when_that_is_wanted() {
    let service = StandIn::always(allow());
    allowed(TestRequest::new().ask(&asking(&format!("http://localhost:{}/", service.port()), &[])));
    assert_eq!(service.received()[0].header("host"), format!("localhost:{}", service.port()));
}

#[test]
fn the_log_tells_neither_bodies_nor_the_key_nor_the_path() {
    keep_log();
    let service =
        StandIn::new(|n| if n < 3 { http("503 Service Unavailable", "of-the-body") } else { http("200 OK", "of-the-body") });
    let handler = asking(&format!("{}/of-the-path", service.url()), &[("failure", "open")]);
    let request = TestRequest::new().subject("of-the-subject").parameter("p", "of-the-question");
    allowed(request.ask(&handler));
    let error = refused(request.ask(&handler));
    let ids: Vec<String> = service.received().iter().map(|one| one.header("webhook-id").to_owned()).collect();
    let mut lines: Vec<String> = ids.iter().flat_map(|id| logged(id)).map(|(_, line)| line).collect();
    assert!(lines.len() >= 2, "{lines:?}");
    lines.push(error.to_string());
    lines.push(format!("{handler:?}"));
    for line in lines {
        assert!(!line.contains("of-the-") && !line.contains(KEY.strip_prefix("whsec_").unwrap()), "{line}");
    }
}
