//! What each answer of the service means, and that a bad one never grants.

use std::time::Duration;

use symbolon_sdk::testing::TestRequest;
use symbolon_sdk::{ClaimsTransport, DeviceSsoAuthorization, Encoding, RefreshLifetime, Value, json};

use super::stand_in::{Reply, StandIn, http};
use super::{answered, asking, code, refused};

fn allowed(body: &Value) -> DeviceSsoAuthorization {
    answered("200 OK", &body.to_string()).unwrap()
}

/// What a service that answers this leads to, with `failure=open`.
fn although_open(reply: Reply) -> (String, Option<u16>) {
    let service = StandIn::always(reply);
    code(TestRequest::new().ask(&asking(&service.url(), &[("failure", "open")])))
}

fn nonsense() -> (String, Option<u16>) {
    ("server_error".to_owned(), Some(500))
}

#[test]
fn allow_alone_and_no_content_mean_what_the_server_would_allow() {
    let plain = allowed(&json!({"decision": "allow"}));
    assert_eq!(plain, answered("204 No Content", "").unwrap());
    assert_eq!(plain.scope, ["openid", "device_sso", "offline_access", "profile"]);
    assert_eq!(plain.claims.names, ["name", "given_name", "family_name"]);
    assert!(plain.refresh_token.issue && plain.id_token.issue);
    for empty in ["access_token", "refresh_token", "id_token", "claims"] {
        assert_eq!(allowed(&json!({"decision": "allow", empty: {}})), plain, "{empty}");
    }
}

#[test]
fn a_scope_brings_its_claims() {
    let answer = allowed(&json!({"decision": "allow", "scope": "openid  email openid"}));
    assert_eq!(answer.scope, ["openid", "email"]);
    assert_eq!(answer.claims.names, ["email", "email_verified"]);
    let none = allowed(&json!({"decision": "allow", "scope": ""}));
    assert!(none.scope.is_empty() && none.claims.names.is_empty());
}

#[test]
fn every_member_of_an_authorization() {
    let answer = allowed(&json!({
        "decision": "allow",
        "scope": "openid",
        "access_token": {
            "lifetime": 600, "encoding": "IDENTIFIER", "encrypt": true,
            "audience": ["https://a.example.com"], "data": {"tier": 2},
        },
        "refresh_token": {"issue": true, "lifetime": 3600, "max_idle": 60, "rotate": true},
        "id_token": {"issue": true, "lifetime": 300, "claims": {"department": "sales"}},
        "claims": {"names": ["name"], "transport": "ID_TOKEN", "locales": ["de", "en"]},
        "data": {"rule": 7},
    }));
    assert_eq!(answer.scope, ["openid"]);
    assert_eq!(answer.access_token.lifetime, Some(Duration::from_mins(10)));
    assert_eq!(answer.access_token.encoding, Encoding::Identifier);
    assert!(answer.access_token.encrypt);
    assert_eq!(answer.access_token.audience, ["https://a.example.com"]);
    assert_eq!(answer.access_token.data.map(Value::Object), Some(json!({"tier": 2})));
    assert_eq!(answer.refresh_token.lifetime, RefreshLifetime::For(Duration::from_hours(1)));
    assert_eq!(answer.refresh_token.max_idle, Some(Duration::from_mins(1)));
    assert_eq!(answer.refresh_token.rotate, Some(true));
    assert_eq!(answer.id_token.lifetime, Some(Duration::from_mins(5)));
    assert_eq!(answer.id_token.claims["department"], "sales");
    assert_eq!(answer.claims.names, ["name"]);
    assert_eq!(answer.claims.transport, ClaimsTransport::IdToken);
    assert_eq!(answer.claims.locales, ["de", "en"]);
    assert_eq!(answer.data.map(Value::Object), Some(json!({"rule": 7})));
}

#[test]
fn the_other_values_of_the_members() {
    let answer = allowed(&json!({
        "decision": "allow",
        "access_token": {"encoding": "SELF_CONTAINED", "encrypt": false},
        "refresh_token": {"issue": false, "lifetime": "never", "rotate": false},
        "id_token": {"issue": false},
        "claims": {"transport": "USERINFO"},
    }));
    assert_eq!(answer.access_token.encoding, Encoding::SelfContained);
    assert!(!answer.refresh_token.issue && !answer.id_token.issue);
    assert_eq!(answer.refresh_token.lifetime, RefreshLifetime::Never);
    assert_eq!(answer.refresh_token.rotate, Some(false));
    assert_eq!(answer.claims.names, ["name", "given_name", "family_name"], "the transport changes no names");
    let default = allowed(&json!({"decision": "allow", "refresh_token": {"lifetime": "default"}}));
    assert_eq!(default.refresh_token.lifetime, RefreshLifetime::Default);
}

#[test]
fn durations_saturate() {
    let century = Duration::from_hours(100 * 366 * 24);
    let answer = allowed(&json!({
        "decision": "allow",
        "access_token": {"lifetime": u64::MAX},
        "refresh_token": {"lifetime": u64::MAX, "max_idle": u64::MAX},
        "id_token": {"lifetime": u64::MAX},
    }));
    assert_eq!(answer.access_token.lifetime, Some(century));
    assert_eq!(answer.refresh_token.lifetime, RefreshLifetime::For(century));
    assert_eq!(answer.refresh_token.max_idle, Some(century));
    assert_eq!(answer.id_token.lifetime, Some(century));
}

#[test]
fn a_refusal_reaches_the_app_with_its_members() {
    let body = json!({
        "decision": "deny", "error": "interaction_required", "error_description": "approve the payment", "status": 400,
        "members": {"scope": "payments", "acr_values": "urn:mfa", "max_age": 300},
    });
    for status in ["200 OK", "403 Forbidden"] {
        let error = refused(answered(status, &body.to_string()));
        assert_eq!(error.code(), "interaction_required");
        assert_eq!(error.description(), Some("approve the payment"));
        assert_eq!(error.status(), Some(400));
        assert_eq!(Value::Object(error.members().clone()), body["members"]);
        assert!(error.log_message().starts_with("msg_"), "{}", error.log_message());
    }
}

#[test]
fn a_refusal_without_words_is_access_denied() {
    let denied = ("access_denied".to_owned(), None);
    assert_eq!(code(answered("200 OK", r#"{"decision":"deny"}"#)), denied);
    let bodies = ["", "<html>", r#"{"message":"forbidden"}"#, r#"{"decision":"allow"}"#, r#"{"decision":"deny","oops":1}"#];
    for body in bodies {
        assert_eq!(although_open(http("403 Forbidden", body)), denied, "{body}");
    }
}

#[test]
fn a_refusal_by_status_stays_one_when_its_body_is_lost() {
    let head = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 100\r\n\r\n{".to_vec();
    for reply in [Reply::Stall(head.clone()), Reply::Break(head)] {
        let service = StandIn::always(reply);
        let handler = asking(&service.url(), &[("failure", "open"), ("timeout", "4000"), ("retries", "0")]);
        assert_eq!(code(TestRequest::new().ask(&handler)).0, "access_denied");
    }
}

#[test]
fn an_answer_that_is_not_understood_never_grants() {
    let bodies = [
        "",
        " ",
        "null",
        "true",
        "[]",
        r#""allow""#,
        r#"["allow"]"#,
        r#"["allow","openid"]"#,
        r#"[{"decision":"allow"}]"#,
        "{}",
        "decision=allow",
        "<html>allow</html>",
        r#"{"decision":"allow""#,
        r#"{"decision":"allow"} and more"#,
        r#"{"decision":"allow"}{"decision":"allow"}"#,
        "\u{feff}{\"decision\":\"allow\"}",
        r#"{"decision":"ALLOW"}"#,
        r#"{"decision":"permit"}"#,
        r#"{"decision":true}"#,
        r#"{"decision":null}"#,
        r#"{"decision":["allow"]}"#,
        r#"{"decision":{"allow":null}}"#,
        r#"{"Decision":"allow"}"#,
        r#"{"decision":"deny","decision":"allow"}"#,
        r#"{"decision":"allow","scope":"openid","scope":"openid email"}"#,
        r#"{"decision":"allow","scop":"openid"}"#,
        r#"{"decision":"allow","scope":null}"#,
        r#"{"decision":"allow","scope":["openid"]}"#,
        r#"{"decision":"allow","scope":7}"#,
        r#"{"decision":"allow","scope":"openid\tprofile"}"#,
        r#"{"decision":"allow","scope":"größe"}"#,
        r#"{"decision":"allow","error":"access_denied"}"#,
        r#"{"decision":"allow","status":403}"#,
        r#"{"decision":"allow","members":{}}"#,
        r#"{"decision":"allow","access_token":null}"#,
        r#"{"decision":"allow","access_token":[]}"#,
        r#"{"decision":"allow","access_token":{"lifetme":60}}"#,
        r#"{"decision":"allow","access_token":{"lifetime":0}}"#,
        r#"{"decision":"allow","access_token":{"lifetime":-1}}"#,
        r#"{"decision":"allow","access_token":{"lifetime":1.5}}"#,
        r#"{"decision":"allow","access_token":{"lifetime":1e99}}"#,
        r#"{"decision":"allow","access_token":{"lifetime":18446744073709551616}}"#,
        r#"{"decision":"allow","access_token":{"lifetime":"60"}}"#,
        r#"{"decision":"allow","access_token":{"lifetime":null}}"#,
        r#"{"decision":"allow","access_token":{"lifetime":60,"lifetime":6000}}"#,
        r#"{"decision":"allow","access_token":{"encoding":"JWT"}}"#,
        r#"{"decision":"allow","access_token":{"encrypt":"false"}}"#,
        r#"{"decision":"allow","access_token":{"audience":"https://a"}}"#,
        r#"{"decision":"allow","access_token":{"audience":[null]}}"#,
        r#"{"decision":"allow","access_token":{"data":[]}}"#,
        r#"{"decision":"allow","refresh_token":{"issue":0}}"#,
        r#"{"decision":"allow","refresh_token":{"lifetime":0}}"#,
        r#"{"decision":"allow","refresh_token":{"lifetime":-1}}"#,
        r#"{"decision":"allow","refresh_token":{"lifetime":"forever"}}"#,
        r#"{"decision":"allow","refresh_token":{"lifetime":null}}"#,
        r#"{"decision":"allow","refresh_token":{"lifetime":{"$serde_json::private::Number":"7"},"x":1}}"#,
        r#"{"decision":"allow","refresh_token":{"max_idle":0}}"#,
        r#"{"decision":"allow","refresh_token":{"rotate":"yes"}}"#,
        r#"{"decision":"allow","id_token":{"claims":[]}}"#,
        r#"{"decision":"allow","id_token":{"sub":"bob"}}"#,
        r#"{"decision":"allow","access_token":{"encoding":{"IDENTIFIER":null}}}"#,
        r#"{"decision":"allow","refresh_token":[]}"#,
        r#"{"decision":"allow","refresh_token":[true]}"#,
        r#"{"decision":"allow","id_token":[]}"#,
        r#"{"decision":"allow","claims":[]}"#,
        r#"{"decision":"allow","claims":["name"]}"#,
        r#"{"decision":"allow","claims":{"names":"name"}}"#,
        r#"{"decision":"allow","claims":{"transport":"id_token"}}"#,
        r#"{"decision":"allow","data":7}"#,
        r#"{"decision":"deny","scope":"openid"}"#,
        r#"{"decision":"deny","error":""}"#,
        r#"{"decision":"deny","error":"no\"quotes"}"#,
        r#"{"decision":"deny","error":7}"#,
        r#"{"decision":"deny","status":200}"#,
        r#"{"decision":"deny","status":600}"#,
        r#"{"decision":"deny","status":70000}"#,
        r#"{"decision":"deny","status":"400"}"#,
        r#"{"decision":"deny","members":[]}"#,
        r#"{"decision":"deny","members":{"error":"success"}}"#,
        r#"{"decision":"deny","members":{"error_description":"x"}}"#,
    ];
    for body in bodies {
        assert_eq!(although_open(http("200 OK", body)), nonsense(), "{body}");
    }
    let nested = format!(r#"{{"decision":"allow","data":{}1{}}}"#, r#"{"a":"#.repeat(5000), "}".repeat(5000));
    assert_eq!(although_open(http("200 OK", &nested)), nonsense());
    let not_text =
        [b"HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\n{\"decision\":\"allow\",\"data\":\"".as_slice(), b"\xff\"}"].concat();
    assert_eq!(although_open(Reply::Bytes(not_text)), nonsense());
}

#[test]
fn a_status_that_says_nothing_never_grants() {
    let statuses = [
        "201 Created",
        "202 Accepted",
        "206 Partial Content",
        "301 Moved Permanently",
        "302 Found",
        "304 Not Modified",
        "307 Temporary Redirect",
        "400 Bad Request",
        "401 Unauthorized",
        "404 Not Found",
        "410 Gone",
        "418 I'm a teapot",
        "600 What",
    ];
    for status in statuses {
        assert_eq!(although_open(http(status, r#"{"decision":"allow"}"#)), nonsense(), "{status}");
    }
}

#[test]
fn the_log_names_the_member_and_no_value() {
    let told = |body: &str| refused(answered("200 OK", body)).log_message().to_owned();
    let unknown = told(r#"{"decision":"allow","scop":"private-1"}"#);
    assert!(unknown.contains("unknown member scop at line 1, column 26"), "{unknown}");
    let wrong = told(r#"{"decision":"allow","access_token":{"lifetime":"private-2"}}"#);
    assert!(wrong.contains("a value of the wrong kind at line 1"), "{wrong}");
    for text in [unknown, wrong, told(r#"{"decision":"private-3"}"#), told("private-4")] {
        assert!(!text.contains("private"), "{text}");
        assert!(text.starts_with("msg_") && text.contains(" answered 200 after 1 attempt(s) in "), "{text}");
    }
}
