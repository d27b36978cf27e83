//! What is fetched, and what is not; and a server that says one thing, for the tests of other rooms.

#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const SHORT: Bounds = Bounds { time: Duration::from_millis(300), bytes: 1000 };

/// The address of a server that answers everything with this status and body.
pub(crate) async fn answering(status: u16, body: impl Into<Vec<u8>>) -> Url {
    let body = body.into();
    let head = format!("HTTP/1.1 {status} X\r\nlocation: /elsewhere\r\nconnection: close\r\n\r\n");
    saying([head.into_bytes(), body].concat(), false).await
}

/// The address of a server that says these bytes, and perhaps never hangs up.
async fn saying(bytes: Vec<u8>, stay: bool) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/doc", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            drop(stream.read(&mut request).await);
            drop(stream.write_all(&bytes).await);
            if stay {
                kept.push(stream);
            }
        }
    });
    url
}

#[tokio::test]
async fn a_document_is_fetched() {
    let outbound = Outbound::new(true);
    let url = answering(200, r#"{"a":[1]}"#).await;
    assert_eq!(outbound.get_json(&url, "application/json", SHORT).await.unwrap(), json!({"a": [1]}));
}

#[tokio::test]
async fn what_is_no_document_is_refused() {
    let outbound = Outbound::new(true);
    for status in [201, 204, 302, 307, 404, 500] {
        let url = answering(status, "{}").await;
        let error = outbound.get_json(&url, "application/json", SHORT).await.unwrap_err();
        assert!(matches!(error, OutboundError::Status(seen) if seen == status), "{status}: {error}");
    }
    for body in ["", "no json", "{} and more"] {
        let url = answering(200, body).await;
        assert!(matches!(outbound.get_json(&url, "application/json", SHORT).await, Err(OutboundError::NotJson)), "{body}");
    }
}

#[tokio::test]
async fn no_more_is_read_than_allowed() {
    let outbound = Outbound::new(true);
    let url = answering(200, vec![b'1'; SHORT.bytes]).await;
    assert_eq!(outbound.get(&url, "text/plain", SHORT).await.unwrap().len(), SHORT.bytes);
    let url = answering(200, vec![b'1'; SHORT.bytes + 1]).await;
    assert!(matches!(outbound.get(&url, "text/plain", SHORT).await, Err(OutboundError::TooLarge(_))));
    // What the answer says about its length counts for nothing.
    let lie = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfff\r\n{}\r\n0\r\n\r\n", "1".repeat(0xfff));
    let url = saying(lie.into_bytes(), false).await;
    assert!(matches!(outbound.get(&url, "text/plain", SHORT).await, Err(OutboundError::TooLarge(_))));
}

#[tokio::test]
async fn nobody_is_waited_for_longer_than_allowed() {
    let outbound = Outbound::new(true);
    for beginning in ["", "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhalf"] {
        let url = saying(beginning.into(), true).await;
        assert!(matches!(outbound.get(&url, "text/plain", SHORT).await, Err(OutboundError::Unreachable(_))), "{beginning}");
    }
}

#[tokio::test]
async fn private_addresses_are_not_asked() {
    let outbound = Outbound::new(false);
    let url = answering(200, "{}").await;
    assert!(matches!(outbound.get(&url, "text/plain", SHORT).await, Err(OutboundError::Private)));
    let mut named = url;
    named.set_host(Some("localhost")).unwrap();
    let error = outbound.get(&named, "text/plain", SHORT).await.unwrap_err();
    assert!(error.to_string().contains("private"), "{error}");
}
