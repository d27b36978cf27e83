//! Metadata members about the authorization requests of a client (RFC 9101 section 10.5, RFC 9126 section 6, OpenID Connect Dynamic
//! Client Registration section 2).

use super::keys::{self, Keys};
use super::reader::Reader;
use crate::clients::client::RequestRules;
use crate::clients::request_uri::RequestUri;
use crate::tokens;

/// The most addresses of request objects.
const MAX_URIS: usize = 32;

/// Reads them all.
pub(super) fn read(r: &mut Reader<'_>, keys: &Keys) -> RequestRules {
    let rules = RequestRules {
        require_pushed: r.flag("require_pushed_authorization_requests").unwrap_or(false),
        require_signed: r.flag("require_signed_request_object").unwrap_or(false),
        // `none` is not among them: what nobody signed is a plain request.
        signing_alg: r.word("request_object_signing_alg", &tokens::assertion::ALGS).map(str::to_owned),
        uris: uris(r),
    };
    if rules.require_signed {
        keys.demand_signature(r, "request objects");
    }
    rules
}

/// `request_uris`
fn uris(r: &mut Reader<'_>) -> Vec<RequestUri> {
    let field = "request_uris";
    let texts = r.texts(field).unwrap_or_default();
    if texts.len() > MAX_URIS {
        r.refuse(field, format!("{} addresses", texts.len()), format!("at most {MAX_URIS} addresses"), "leave some out");
        return Vec::new();
    }
    let mut found = Vec::new();
    for (n, text) in texts.into_iter().enumerate() {
        found.extend(keys::address(r, &format!("{field}[{n}]"), text).map(|url| RequestUri::new(text, url)));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::clients::metadata::tests::{client, refusals};

    fn with(uris: &Value) -> Value {
        json!({"client_id": "a", "redirect_uris": ["https://a.example/"], "request_uris": uris})
    }

    #[test]
    fn request_uris_are_addresses_of_documents() {
        let fine = with(&json!(["https://a.example/r.jwt#part", "http://127.0.0.1:1/r"]));
        assert_eq!(client(&fine).requests.uris.len(), 2);
        for wrong in ["http://a.example/r", "urn:x:y", "r.jwt", "https://u@a.example/r", ""] {
            assert_eq!(refusals(&with(&json!(["https://a.example/", wrong]))), ["request_uris[1]"], "{wrong}");
        }
        assert_eq!(refusals(&with(&json!("https://a.example/"))), ["request_uris"]);
        let many: Vec<String> = (0..=MAX_URIS).map(|n| format!("https://a.example/{n}")).collect();
        assert_eq!(refusals(&with(&json!(many))), ["request_uris"]);
    }
}
