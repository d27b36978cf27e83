//! What a client registers, and what a browser says it has.

use std::collections::BTreeMap;

use actix_web::test::TestRequest;
use serde_json::Value;
use symbolon::clients::Client;
use symbolon::clients::redirect::RedirectUri;
use symbolon::http::browser;
use symbolon::settings::Settings;
use symbolon::settings::meaning::{Issuer, Proxy, ScopeMeaning};
use symbolon::tokens::handle::{HandleKind, RefreshHandle, SessionHandle};
use url::Url;

/// Client metadata (RFC 7591 section 2), as JSON: refused with reasons, or read so that what is shown of it can be registered again.
///
/// # Panics
/// When that does not hold.
pub fn client_metadata(bytes: &[u8]) {
    let Ok(Value::Object(map)) = serde_json::from_slice(bytes) else { return };
    let scopes: BTreeMap<String, ScopeMeaning> = Settings::built_in().scopes;
    match Client::from_metadata(&map, &scopes) {
        Err(errors) => assert!(!errors.is_empty(), "refused for no reason"),
        Ok(registration) => {
            let client = registration.client;
            assert!(!client.is_public() || client.require_pkce, "a public client without PKCE");
            let mut shown = client.to_json();
            if let Some(secret) = registration.client_secret {
                shown.insert("client_secret".to_owned(), Value::String(secret.expose().clone()));
            }
            let again = Client::from_metadata(&shown, &scopes);
            let again = again.unwrap_or_else(|errors| panic!("what is shown is refused: {errors:?}"));
            assert_eq!(again.client.metadata, client.metadata, "what is shown is not what was registered");
        }
    }
}

/// A registered redirect URI, a line feed, and one that a request presents: they match when they are the same text, or differ in
/// nothing but the port of a loopback address (RFC 6749 section 3.1.2.3, RFC 8252 section 7.3).
///
/// # Panics
/// When that does not hold.
pub fn redirect_uri(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (own, presented) = text.split_once('\n').unwrap_or((text, text));
    for dotless in [false, true] {
        let Ok(uri) = RedirectUri::parse(own, dotless) else { continue };
        assert!(uri.matches(own), "it does not match itself");
        if !uri.matches(presented) || own == presented {
            continue;
        }
        let parsed = [own, presented].map(|text| Url::parse(text).unwrap_or_else(|error| panic!("{text:?} matched: {error}")));
        let [one, mut other] = parsed;
        assert!(["127.0.0.1", "[::1]"].contains(&one.host_str().unwrap_or_default()), "another text matched off loopback");
        assert!(other.set_port(one.port()).is_ok() && one == other, "more than the port differs");
    }
}

/// A `Cookie` header: handles are taken as they were written or not at all, and what is not ours is nobody's.
///
/// # Panics
/// When that does not hold.
pub fn cookies(bytes: &[u8]) {
    let Ok(header) = actix_web::http::header::HeaderValue::from_bytes(bytes) else { return };
    let request = TestRequest::default().insert_header(("cookie", header)).to_http_request();
    for text in ["http://127.0.0.1:8080", "https://id.example.com"] {
        let url = Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let visitor = browser::recognise(&request, &Issuer { text: text.to_owned(), url }, &Proxy::default());
        assert_eq!(visitor.browser.binding.expose().len(), 43, "a binding of another length");
        let cookies = [&visitor.browser.sessions, &visitor.browser.kept];
        for text in cookies.into_iter().flatten().flat_map(|cookie| cookie.expose().split('.')) {
            handle(text);
        }
        crate::provider::nobody_is_signed_in(&visitor.browser);
    }
}

fn handle(text: &str) {
    let handles = [HandleKind::SessionCookie, HandleKind::DeviceSecret].map(|kind| SessionHandle::parse(kind, text));
    let written = handles.iter().flatten().map(SessionHandle::to_text);
    for written in written.chain(RefreshHandle::parse(text).iter().map(RefreshHandle::to_text)) {
        assert_eq!(written.expose(), text, "one handle, two texts");
    }
}
