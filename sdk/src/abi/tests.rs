//! Handlers of every kind of badness through the real boundary.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Map, json};

use crate::host::{ConfigureFailure, Described, HandlerFault, HostError, HostRequest};
use crate::testing::{TestRequest, configure};
use crate::*;

/// Does what its one property says.
struct Odd(String);

static SHUT_DOWN: AtomicUsize = AtomicUsize::new(0);
static DROPPED: AtomicUsize = AtomicUsize::new(0);

impl Drop for Odd {
    fn drop(&mut self) {
        if self.0 == "count" {
            DROPPED.fetch_add(1, Ordering::SeqCst);
        }
        assert!(self.0 != "drop", "dropped badly");
    }
}

impl DeviceSsoHandler for Odd {
    const NAME: &'static str = "Odd";
    const VERSION: &'static str = "1.2.3";
    const PREFIX: &'static str = "odd.";
    const PROPERTIES: &'static [&'static str] = &["how", "number"];
    const ABOUT: &'static str = "Is odd.";
    const EXECUTION: Execution = Execution::Blocking;

    fn configure(properties: &Properties) -> Result<Self, ConfigureError> {
        let how = properties.text("how").unwrap_or("well").to_owned();
        let _ = properties.integer("number", 0..=9);
        assert!(how != "configure", "configured badly");
        if how == "sentence" {
            return Err(ConfigureError::new("no database"));
        }
        Ok(Self(how))
    }

    fn enabled(&self) -> bool {
        assert!(self.0 != "enabled", "enabled badly");
        true
    }

    fn authorize(&self, request: &DeviceSsoRequest<'_>) -> Result<DeviceSsoAuthorization, HandlerError> {
        let allow = DeviceSsoAuthorization::allow(request);
        match self.0.as_str() {
            "authorize" => panic!("decided badly"),
            "index" => Err(HandlerError::custom(request.default_scope()[99])),
            "code" => Err(HandlerError::custom("no \"code\"\n")),
            "status" => Err(HandlerError::access_denied("no").with_status(200)),
            "member" => Err(HandlerError::access_denied("no").with_member("error", "x")),
            "refuse" => Err(HandlerError::custom("try_later")
                .with_status(503)
                .with_description("line\nbreak \"quoted\" ünicode")
                .with_member("retry", 5)
                .with_log_message("the inside story")),
            "zero" => {
                Ok(allow.with_refresh_token(RefreshTokenSpec::default().with_lifetime(RefreshLifetime::For(Duration::ZERO))))
            }
            "full" => Ok(full(allow)),
            "facts" => Ok(allow.with_data(facts(request))),
            _ => Ok(allow),
        }
    }

    fn shutdown(&self) {
        if self.0 == "count" {
            assert_eq!(DROPPED.load(Ordering::SeqCst), 0, "shut down before it is dropped");
            SHUT_DOWN.fetch_add(1, Ordering::SeqCst);
        }
        assert!(self.0 != "shutdown", "shut down badly");
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn full(allow: DeviceSsoAuthorization) -> DeviceSsoAuthorization {
    allow
        .with_access_token(
            AccessTokenSpec::default()
                .with_lifetime(Duration::from_millis(1500))
                .with_encoding(Encoding::Identifier)
                .with_encryption(true)
                .with_audience(["https://a", "https://b"])
                .with_data(object(json!({"x": {"y": [1, null, "ü"]}}))),
        )
        .with_refresh_token(
            RefreshTokenSpec::none()
                .with_lifetime(RefreshLifetime::For(Duration::from_secs(u64::MAX)))
                .with_max_idle(Duration::from_secs(9))
                .with_rotation(false),
        )
        .with_id_token(IdTokenSpec::default().with_lifetime(Duration::from_mins(1)).with_claim("level", 3))
        .with_claims(ClaimsSpec::default().with_names(["n"]).with_transport(ClaimsTransport::IdToken).with_locales(["de", "en"]))
        .with_data(object(json!({"why": "because"})))
}

/// Everything a handler can see, so that a test can compare it.
fn facts(request: &DeviceSsoRequest<'_>) -> Map<String, Value> {
    let session = request.device_session();
    let defaults = request.server_defaults();
    object(json!({
        "subject": request.subject(), "client_id": request.client_id(), "confidential": request.is_confidential(), "now": request.now(),
        "aud": request.id_token_text("aud"), "iat": request.id_token_number("iat"), "none": request.id_token_claim("none"),
        "id_token": serde_json::from_str::<Value>(&request.id_token_claims_json()).ok(),
        "sid": session.sid, "auth_time": session.auth_time, "acr": session.acr, "amr": session.amr, "created": session.created,
        "last_used": session.last_used, "client_ids": session.client_ids, "device": session.device,
        "requested": request.requested_scope(), "default": request.default_scope(), "grantable": request.grantable_scope(),
        "claims": request.requested_claims(), "claim_names": request.requested_claim_names(), "acr_values": request.acr_values(),
        "resources": request.resources(), "max_age": request.parameter("max_age"), "other": request.parameter("other"),
        "parameters": request.parameters(), "field": request.metadata_field("a.b"), "missing": request.metadata_field("a.c"),
        "metadata": serde_json::from_str::<Value>(&request.client_metadata_json()).ok(),
        "address": request.client_address(), "binding": format!("{:?}", request.token_binding()),
        "resolved": request.resolve_claim_names(&["email"]), "access": defaults.access_token_lifetime.as_secs(),
        "refresh": defaults.refresh_token_lifetime.map(|lifetime| lifetime.as_secs()), "rotate": defaults.rotate_refresh_tokens,
    }))
}

fn odd(how: &str) -> host::Configured {
    configure::<Odd>([("odd.how", how)]).unwrap()
}

fn fault(how: &str) -> HandlerFault {
    TestRequest::new().ask(&odd(how)).unwrap_err()
}

#[test]
fn it_says_what_it_is() {
    let described = Described::linked_in::<Odd>().unwrap();
    let said = described.description();
    assert_eq!((said.name.as_str(), said.version.as_str(), said.prefix.as_str()), ("Odd", "1.2.3", "odd."));
    assert_eq!((said.execution, said.sdk_version.as_str(), said.about.as_str()), (Execution::Blocking, SDK_VERSION, "Is odd."));
    assert_eq!(said.properties, ["how", "number"]);
}

#[test]
fn no_panic_gets_out() {
    assert_eq!(fault("authorize"), HandlerFault::Panicked("decided badly".to_owned()));
    assert!(matches!(fault("index"), HandlerFault::Panicked(message) if message.contains("out of bounds")));
    for how in ["configure", "enabled"] {
        let failure = configure::<Odd>([("odd.how", how)]).unwrap_err();
        assert!(matches!(&failure, ConfigureFailure::Panicked(message) if message.ends_with("badly")), "{failure}");
    }
    drop(odd("drop"));
    drop(odd("shutdown"));
    assert!(TestRequest::new().ask(&odd("well")).is_ok());
}

#[test]
fn shutdown_comes_once_and_before_the_drop() {
    drop(odd("count"));
    assert_eq!((SHUT_DOWN.load(Ordering::SeqCst), DROPPED.load(Ordering::SeqCst)), (1, 1));
}

#[test]
fn all_findings_at_once_even_beside_an_instance() {
    let failure = configure::<Odd>([("odd.number", "ten"), ("odd.hwo", "x"), ("even.how", "x")]).unwrap_err();
    let ConfigureFailure::Refused { message: None, findings } = &failure else { panic!("{failure}") };
    let keys: Vec<_> = findings.iter().map(|finding| finding.key.as_str()).collect();
    assert_eq!(keys, ["odd.hwo", "odd.number"]);
    assert_eq!(findings[1].seen, "ten");

    let failure = configure::<Odd>([("odd.number", "ten"), ("odd.how", "sentence")]).unwrap_err();
    let ConfigureFailure::Refused { message, findings } = &failure else { panic!("{failure}") };
    assert_eq!((message.as_deref(), findings.len()), (Some("no database"), 1));
    assert_eq!(failure.to_string().lines().count(), 2);
}

#[test]
fn answers_that_make_no_sense_are_no_proposals() {
    for how in ["code", "status", "member", "zero"] {
        assert!(matches!(fault(how), HandlerFault::Malformed(_)), "{how}: {:?}", fault(how));
    }
}

#[test]
fn a_refusal_arrives_whole_and_its_description_in_lawful_characters() {
    let HandlerFault::Refused(error) = fault("refuse") else { panic!() };
    assert_eq!((error.code(), error.status()), ("try_later", Some(503)));
    assert_eq!(error.description(), Some("line?break ?quoted? ?nicode"));
    assert_eq!(error.members(), &object(json!({"retry": 5})));
    assert_eq!(error.log_message(), "the inside story");
}

#[test]
fn an_authorization_arrives_whole() {
    let request = TestRequest::new().requested_scope("openid device_sso openid");
    let got = request.ask(&odd("full")).unwrap();
    let mut sent = full(request.ask(&odd("well")).unwrap());
    // Part of a second is rounded up, so that it cannot become zero.
    sent.access_token.lifetime = Some(Duration::from_secs(2));
    assert_eq!(got, sent);
    assert_eq!(got.scope, ["openid", "device_sso"]);
}

#[test]
fn every_fact_arrives() {
    let request = TestRequest::new()
        .client("app-3", true)
        .now(1_900_000_000)
        .id_token_claim("iat", 5)
        .authentication(1_800_000_001, Some("urn:mfa"), "pwd otp")
        .client_ids("app-1 app-2")
        .device("Anna's phone")
        .requested_scope("openid email")
        .grantable_scope("openid email")
        .requested_claims(json!({"userinfo": {"name": null}, "id_token": {"name": null, "acr": {"essential": true}}}))
        .acr_values("urn:mfa urn:pwd")
        .resources("https://api")
        .parameter("max_age", "60")
        .metadata("a", json!({"b": [1]}))
        .client_address([192, 0, 2, 1].into())
        .token_binding(TokenBinding::Dpop);
    let got = request.ask(&odd("facts")).unwrap();
    assert_eq!(got.claims.names, ["email", "email_verified", "name", "acr"]);
    let metadata = json!({"a": {"b": [1]}});
    assert_eq!(
        Value::Object(got.data.unwrap()),
        json!({
            "subject": "alice", "client_id": "app-3", "confidential": true, "now": 1_900_000_000, "aud": "app-one", "iat": 5, "none": null,
            "id_token": {"iat": 5, "sub": "alice", "aud": "app-one", "sid": "session-1"},
            "sid": "session-1", "auth_time": 1_800_000_001, "acr": "urn:mfa", "amr": ["pwd", "otp"], "created": 1_800_000_001,
            "last_used": 1_900_000_000, "client_ids": ["app-1", "app-2"], "device": "Anna's phone",
            "requested": ["openid", "email"], "default": ["openid", "device_sso", "offline_access", "profile"], "grantable": ["openid", "email"],
            "claims": {"userinfo": {"name": null}, "id_token": {"name": null, "acr": {"essential": true}}}, "claim_names": ["name", "acr"],
            "acr_values": ["urn:mfa", "urn:pwd"], "resources": ["https://api"], "max_age": "60", "other": null,
            "parameters": [["max_age", "60"]], "field": [1], "missing": null, "metadata": metadata, "address": "192.0.2.1",
            "binding": "Some(Dpop)", "resolved": ["email", "email_verified"], "access": 600, "refresh": null, "rotate": true,
        })
    );
    let absent = TestRequest::new().ask(&odd("facts")).unwrap().data.unwrap();
    assert_eq!((&absent["requested"], &absent["claims"], &absent["address"]), (&Value::Null, &Value::Null, &Value::Null));
}

#[test]
fn a_server_that_cannot_resolve_claims_gets_no_decision() {
    let request = HostRequest { resolve_claim_names: &|_| panic!("the server's own"), ..HostRequest::default() };
    assert!(matches!(odd("well").authorize(&request), Err(HandlerFault::Malformed(_))));
}

/// Its prefix has no dot.
struct Nameless;

impl DeviceSsoHandler for Nameless {
    const NAME: &'static str = "Nameless";
    const VERSION: &'static str = "1";
    const PREFIX: &'static str = "op";
    const PROPERTIES: &'static [&'static str] = &[];

    fn configure(_: &Properties) -> Result<Self, ConfigureError> {
        Ok(Self)
    }

    fn enabled(&self) -> bool {
        false
    }

    fn authorize(&self, _: &DeviceSsoRequest<'_>) -> Result<DeviceSsoAuthorization, HandlerError> {
        Err(HandlerError::access_denied("never"))
    }
}

#[test]
fn a_bad_description_is_refused() {
    assert!(matches!(Described::linked_in::<Nameless>(), Err(HostError::BadDescription { .. })));
}
