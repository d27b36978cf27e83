//! What a request object says (RFC 9101, OpenID Connect Core section 6.1): its claims are checked, and become the parameters that the
//! ordinary validation reads.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::clients::{Client, ClientKeys, KeysError, numeric_date};
use crate::foundation::{Digest, Timestamp};
use crate::grants::parameters::Parameters;
use crate::protocol::{ErrorCode, OAuthError};
use crate::storage::{Key, Kind};
use crate::tokens;

/// How far the client's clock may be off, in seconds.
const LEEWAY: u64 = 60;
/// How far ahead `exp` may lie where `jti` must be remembered until then, in seconds.
const MAX_REMEMBERED: u64 = 24 * 3600;

/// What a request object is where it is fetched (RFC 9101 section 5.2.3).
pub(super) const ACCEPT: &str = "application/oauth-authz-req+jwt, application/jwt";

/// Claims of the JWT itself, and no parameters of the request.
const JWT_CLAIMS: [&str; 7] = ["iss", "aud", "exp", "nbf", "iat", "jti", "sub"];
/// Parameters whose value is JSON; as a claim they are that value and not its text (OpenID Connect Core section 6.1).
const OF_JSON: [&str; 3] = ["claims", "registration", "authorization_details"];
/// Parameters that may have several values (RFC 8707 section 2.1).
const OF_MANY: [&str; 2] = ["resource", "audience"];

/// A request object whose signature and claims hold.
#[derive(Debug)]
pub(super) struct RequestObject {
    /// What it asks for.
    pub(super) parameters: Parameters,
    /// What must be remembered so that it is used once, and until when; `None` unless it has `jti` and `exp`.
    pub(super) use_once: Option<(Key, Timestamp)>,
}

/// Reads a request object of `client`, meant for `issuer`.
///
/// # Errors
/// `invalid_request_object`.
pub(super) async fn read(
    client: &Client,
    keys: &ClientKeys,
    jwt: &str,
    issuer: &str,
    now: Timestamp,
) -> Result<RequestObject, OAuthError> {
    let check = |jwks: &Value| tokens::request_object::verify(jwks, client.requests.signing_alg.as_deref(), jwt);
    let verified = keys.try_with(client, check, |error| error.is_of_keys()).await.map_err(|error| match error {
        KeysError::None => invalid("The client has registered no keys to sign request objects with."),
        KeysError::NotFetched(_) => invalid("The keys of the client cannot be fetched.").because(error.to_string()),
    })?;
    let claims = verified.map_err(|problem| {
        invalid("The request object is not a JWT that is signed as the client has registered.").because(problem.to_string())
    })?;
    of_claims(claims, client, issuer, now)
}

fn of_claims(claims: Map<String, Value>, client: &Client, issuer: &str, now: Timestamp) -> Result<RequestObject, OAuthError> {
    let use_once = check(&claims, client, issuer, now)?;
    let mut pairs = Vec::new();
    for (name, value) in claims {
        if !JWT_CLAIMS.contains(&name.as_str()) {
            let values = texts(&name, value)?;
            pairs.extend(values.into_iter().map(|value| (name.clone(), value)));
        }
    }
    let parameters = Parameters::from_pairs(pairs)
        .map_err(|error| invalid("A claim of the request object is malformed.").because(error.to_string()))?;
    Ok(RequestObject { parameters, use_once })
}

/// Checks who it is from, for whom, and when.
fn check(
    claims: &Map<String, Value>,
    client: &Client,
    issuer: &str,
    now: Timestamp,
) -> Result<Option<(Key, Timestamp)>, OAuthError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(&client.id) {
        return Err(invalid("iss of the request object must be the client_id."));
    }
    // RFC 9101 section 6.3
    if text("client_id") != Some(&client.id) {
        return Err(invalid("client_id of the request object must be that of the request."));
    }
    // What has it may be an assertion, which proves more than a request does (RFC 9101 section 10.8).
    if claims.contains_key("sub") {
        return Err(invalid("A request object must not have sub."));
    }
    if claims.contains_key("request") || claims.contains_key("request_uri") {
        return Err(invalid("A request object must not have request or request_uri."));
    }
    let for_us = match claims.get("aud") {
        Some(Value::String(one)) => one == issuer,
        Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(issuer)),
        _ => false,
    };
    if !for_us {
        return Err(invalid("aud of the request object must be the issuer."));
    }
    let time = |name: &'static str| match claims.get(name).map(numeric_date) {
        None => Ok(None),
        Some(Some(time)) => Ok(Some(time)),
        Some(None) => Err(invalid("A time of the request object is no number of seconds.")),
    };
    for name in ["nbf", "iat"] {
        if time(name)?.is_some_and(|time| time > now.0.saturating_add(LEEWAY)) {
            return Err(invalid("The request object is of the future."));
        }
    }
    let expires = time("exp")?;
    if expires.is_some_and(|expires| expires.saturating_add(LEEWAY) <= now.0) {
        return Err(invalid("The request object has expired."));
    }
    let id = match claims.get("jti") {
        None => None,
        Some(Value::String(id)) if !id.is_empty() && id.len() <= 512 => Some(id),
        Some(_) => return Err(invalid("jti of the request object must be a string of 1 to 512 bytes.")),
    };
    match (id, expires) {
        (Some(_), Some(expires)) if expires > now.0.saturating_add(MAX_REMEMBERED) => {
            Err(invalid("A request object with jti must expire within a day."))
        }
        (Some(id), Some(expires)) => {
            // Assertions of the same client have names of their own.
            let key = Key::new(Kind::UsedAssertion, Digest::of(format!("request object\n{}\n{id}", client.id)).as_bytes());
            Ok(Some((key, Timestamp(expires).plus(Duration::from_secs(LEEWAY + 1)))))
        }
        _ => Ok(None),
    }
}

/// The values of one parameter, as text.
fn texts(name: &str, value: Value) -> Result<Vec<String>, OAuthError> {
    let malformed = || invalid("A claim of the request object has a value of the wrong kind.");
    Ok(match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text],
        Value::Bool(flag) => vec![flag.to_string()],
        Value::Number(number) if number.is_u64() || number.is_i64() => vec![number.to_string()],
        json @ (Value::Object(_) | Value::Array(_)) if OF_JSON.contains(&name) => vec![json.to_string()],
        Value::Array(items) if OF_MANY.contains(&name) => items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                _ => Err(malformed()),
            })
            .collect::<Result<_, _>>()?,
        // What nobody here reads is ignored as an unknown parameter is (RFC 6749 section 3.1); what is read cannot be of this kind.
        _ if is_read(name) => return Err(malformed()),
        _ => Vec::new(),
    })
}

/// Whether the validation reads a parameter of this name.
fn is_read(name: &str) -> bool {
    const READ: [&str; 21] = [
        "client_id",
        "redirect_uri",
        "response_type",
        "response_mode",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "resource",
        "audience",
        "prompt",
        "max_age",
        "login_hint",
        "id_token_hint",
        "acr_values",
        "ui_locales",
        "display",
        "claims",
        "registration",
        "dpop_jkt",
    ];
    READ.contains(&name)
}

/// `invalid_request_object` with one sentence.
pub(super) fn invalid(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequestObject, description)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::clients::metadata::tests::client;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    fn read_claims(more: &Value) -> Result<RequestObject, OAuthError> {
        let mut claims = json!({ "iss": "app", "client_id": "app", "aud": "https://op", "scope": "openid" });
        for (name, value) in more.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        let client = client(&json!({ "client_id": "app", "redirect_uris": ["https://app.example.com/cb"] }));
        let Value::Object(claims) = claims else { unreachable!() };
        of_claims(claims, &client, "https://op", NOW)
    }

    #[test]
    fn claims_become_parameters() {
        let object = read_claims(&json!({
            "max_age": 60, "claims": { "id_token": { "acr": null } }, "resource": ["https://a", "https://b"], "unknown": { "x": [1] },
            "prompt": "login", "iat": 1_799_999_999.5, "flag": true,
        }))
        .unwrap();
        let parameters = &object.parameters;
        assert_eq!(parameters.get("max_age"), Some("60"));
        assert_eq!(parameters.get("claims"), Some(r#"{"id_token":{"acr":null}}"#));
        assert_eq!(parameters.all("resource"), ["https://a", "https://b"]);
        assert_eq!((parameters.get("unknown"), parameters.get("flag")), (None, Some("true")));
        for name in JWT_CLAIMS {
            assert_eq!(parameters.get(name), None, "{name}");
        }
        assert!(object.use_once.is_none());
    }

    #[test]
    fn wrong_claims_are_refused() {
        for wrong in [
            json!({ "iss": "other" }),
            json!({ "iss": null }),
            json!({ "client_id": "other" }),
            json!({ "client_id": null }),
            json!({ "aud": null }),
            json!({ "aud": "https://other" }),
            json!({ "aud": ["https://other", 1] }),
            json!({ "sub": "app" }),
            json!({ "request": "a.b.c" }),
            json!({ "request_uri": "urn:ietf:params:oauth:request_uri:x" }),
            json!({ "exp": NOW.0 - 60 }),
            json!({ "exp": "soon" }),
            json!({ "nbf": NOW.0 + 61 }),
            json!({ "iat": NOW.0 + 61 }),
            json!({ "jti": 1 }),
            json!({ "jti": "", "exp": NOW.0 + 60 }),
            json!({ "jti": "x", "exp": NOW.0 + 200_000 }),
            json!({ "scope": ["openid"] }),
            json!({ "max_age": 1.5 }),
            json!({ "state": { "a": 1 } }),
            json!({ "resource": [1] }),
            json!({ "nonce": "zero\u{0}byte" }),
        ] {
            let error = read_claims(&wrong).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidRequestObject, "{wrong}");
        }
        for fine in [json!({ "exp": NOW.0 - 59 }), json!({ "aud": ["https://other", "https://op"] }), json!({ "jti": "x" })] {
            assert!(read_claims(&fine).is_ok_and(|object| object.use_once.is_none()), "{fine}");
        }
    }

    #[test]
    fn an_id_with_an_end_is_used_once() {
        let used = |id: &str| read_claims(&json!({ "jti": id, "exp": NOW.0 + 300 })).unwrap().use_once.unwrap();
        assert_eq!(used("a").1, Timestamp(NOW.0 + 361));
        assert_eq!(used("a").0, used("a").0);
        assert_ne!(used("a").0, used("b").0);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-z_]{1,8}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_signed_is_read_or_refused(
            claims in proptest::collection::btree_map(
                prop_oneof!["[a-z_]{1,10}", Just("exp".to_owned()), Just("jti".to_owned()), Just("aud".to_owned()), Just("scope".to_owned())],
                value(),
                0..8,
            )
        ) {
            let more = Value::Object(claims.into_iter().filter(|(name, _)| name != "iss").collect());
            match read_claims(&more) {
                Ok(object) => {
                    for name in JWT_CLAIMS.iter().chain(&["request", "request_uri"]) {
                        prop_assert_eq!(object.parameters.get(name), None);
                    }
                    prop_assert_eq!(object.parameters.get("client_id"), Some("app"));
                }
                Err(error) => prop_assert_eq!(error.code, ErrorCode::InvalidRequestObject),
            }
        }
    }
}
