//! Metadata members about the authorization requests of a client (RFC 9101 section 10.5, RFC 9126 section 6, OpenID Connect Dynamic
//! Client Registration section 2).

use super::keys::{self, Keys};
use super::reader::{Reader, kind, shown};
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
        default_max_age: None,
        default_acr_values: Vec::new(),
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

/// The longest `acr` value, in bytes, and how many there may be: as many as a request may name.
const MAX_ACR: (usize, usize) = (256, 20);

/// `default_max_age` and `default_acr_values` (OpenID Connect Dynamic Client Registration section 2): what holds when a request does not say.
/// With them `require_auth_time`, which every ID token of this server keeps.
pub(super) fn defaults(r: &mut Reader<'_>) -> (Option<u64>, Vec<String>) {
    let field = "default_max_age";
    let max_age = r.value(field).and_then(|value| {
        if value.as_u64().is_none() {
            r.refuse(field, kind(value), "a whole number of seconds", "write it as a number, without quotes");
        }
        value.as_u64()
    });
    let field = "default_acr_values";
    let values = r.texts(field).unwrap_or_default();
    if values.len() > MAX_ACR.1 {
        r.refuse(field, format!("{} values", values.len()), format!("at most {} values", MAX_ACR.1), "leave some out");
    }
    for (n, value) in values.iter().enumerate() {
        if value.is_empty() || value.len() > MAX_ACR.0 || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            let expected = format!("1 to {} printable ASCII characters without spaces", MAX_ACR.0);
            r.refuse(format!("{field}[{n}]"), shown(value), expected, "correct it or leave it out");
        }
    }
    r.flag("require_auth_time");
    (max_age, values.into_iter().map(str::to_owned).collect())
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
