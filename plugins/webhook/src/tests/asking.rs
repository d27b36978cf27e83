//! How often and how long the service is asked. Bounds of time are generous: a slow machine makes attempts fewer, never more.

use std::time::{Duration, Instant};

use symbolon_sdk::testing::TestRequest;

use super::stand_in::{Reply, StandIn, allow, http};
use super::{allowed, asking, code, refused};

/// The usual limits: far longer than any of these tests may take.
const LONG: Duration = Duration::from_secs(50);

fn unavailable() -> (String, Option<u16>) {
    ("temporarily_unavailable".to_owned(), Some(503))
}

fn stall() -> Reply {
    Reply::Stall(Vec::new())
}

#[test]
fn a_passing_trouble_is_asked_again_under_the_same_id() {
    let troubles = [
        http("429 Too Many Requests", ""),
        http("502 Bad Gateway", ""),
        http("503 Service Unavailable", r#"{"decision":"deny"}"#),
        http("504 Gateway Timeout", ""),
        Reply::Break(Vec::new()),
        Reply::Break(b"HTTP/1.1 200".to_vec()),
        Reply::Break(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{\"decision\"".to_vec()),
    ];
    for (n, trouble) in troubles.into_iter().enumerate() {
        let service = StandIn::new(move |n| if n == 1 { trouble.clone() } else { allow() });
        allowed(TestRequest::new().ask(&asking(&service.url(), &[])));
        let received = service.received();
        assert_eq!(received.len(), 2, "{n}");
        assert_eq!(received[0].header("webhook-id"), received[1].header("webhook-id"));
        assert_eq!(received[0].body, received[1].body);
    }
}

#[test]
fn a_slow_first_answer_is_asked_again() {
    let service = StandIn::new(|n| if n == 1 { stall() } else { allow() });
    let handler = asking(&service.url(), &[("timeout", "4000")]);
    allowed(TestRequest::new().ask(&handler));
    let received = service.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].header("webhook-id"), received[1].header("webhook-id"));
    let [first, second] = [0, 1].map(|n| received[n].header("webhook-timestamp").parse::<u64>().unwrap());
    assert!(second >= first + 4, "the time is that of the attempt: {first}, {second}");
}

#[test]
fn retries_are_counted() {
    for (retries, attempts) in [("0", 1), ("1", 2), ("4", 5)] {
        let service = StandIn::always(http("503 Service Unavailable", ""));
        let error = refused(TestRequest::new().ask(&asking(&service.url(), &[("retries", retries)])));
        assert_eq!((error.code().to_owned(), error.status()), unavailable());
        assert_eq!(service.received().len(), attempts);
        let log = error.log_message();
        assert!(log.contains(&format!("no answer of 127.0.0.1 after {attempts} attempt(s) in ")), "{log}");
        assert!(log.ends_with("status 503"), "{log}");
    }
}

#[test]
fn any_other_answer_is_final() {
    let statuses =
        ["400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found", "408 Request Timeout", "409 Conflict"];
    for status in statuses.into_iter().chain(["500 Internal Server Error", "501 Not Implemented", "507 Insufficient Storage"]) {
        let service = StandIn::always(http(status, ""));
        let _ = refused(TestRequest::new().ask(&asking(&service.url(), &[("retries", "3")])));
        assert_eq!(service.received().len(), 1, "{status}");
    }
    for body in ["nonsense", r#"{"decision":"deny"}"#] {
        let service = StandIn::always(http("200 OK", body));
        let _ = refused(TestRequest::new().ask(&asking(&service.url(), &[("retries", "3")])));
        assert_eq!(service.received().len(), 1, "{body}");
    }
}

#[test]
fn a_silent_service_is_given_up_after_the_timeout() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{".to_vec();
    for reply in [stall(), Reply::Stall(b"HTTP/1.1 200 OK\r\n".to_vec()), Reply::Stall(head)] {
        let service = StandIn::always(reply);
        let started = Instant::now();
        let handler = asking(&service.url(), &[("timeout", "300"), ("retries", "0")]);
        let error = refused(TestRequest::new().ask(&handler));
        assert_eq!((error.code().to_owned(), error.status()), unavailable());
        assert!(error.log_message().ends_with("no whole answer within 300 ms"), "{}", error.log_message());
        assert!(started.elapsed() >= Duration::from_millis(300) && started.elapsed() < LONG);
    }
}

#[test]
fn the_deadline_ends_all_attempts() {
    let service = StandIn::always(stall());
    let started = Instant::now();
    let handler = asking(&service.url(), &[("timeout", "400"), ("deadline", "1000"), ("retries", "10"), ("retryDelay", "0")]);
    assert_eq!(code(TestRequest::new().ask(&handler)), unavailable());
    assert!(started.elapsed() >= Duration::from_secs(1) && started.elapsed() < LONG, "{:?}", started.elapsed());
    assert!(service.received().len() <= 3, "{}", service.received().len());
}

#[test]
fn a_pause_that_would_pass_the_deadline_is_not_made() {
    let service = StandIn::always(http("503 Service Unavailable", ""));
    let started = Instant::now();
    let handler = asking(&service.url(), &[("timeout", "5000"), ("deadline", "60000"), ("retryDelay", "60000")]);
    assert_eq!(code(TestRequest::new().ask(&handler)), unavailable());
    assert!(started.elapsed() < LONG);
    assert_eq!(service.received().len(), 1);
}

#[test]
fn many_threads_ask_at_once() {
    let service = StandIn::always(allow());
    let handler = asking(&service.url(), &[]);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..5 {
                    allowed(TestRequest::new().ask(&handler));
                }
            });
        }
    });
    assert_eq!(service.received().len(), 80);
}

#[test]
fn an_old_instance_goes_while_the_new_one_answers() {
    let service = StandIn::always(allow());
    let old = asking(&service.url(), &[]);
    let new = asking(&service.url(), &[]);
    allowed(TestRequest::new().ask(&old));
    drop(old);
    allowed(TestRequest::new().ask(&new));
}
