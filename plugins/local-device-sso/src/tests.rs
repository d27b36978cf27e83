//! Every property: its default, its values, and what it refuses.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use symbolon_sdk::host::{ConfigureFailure, Configured, HandlerFault};
use symbolon_sdk::testing::{TestRequest, configure};
use symbolon_sdk::{ClaimsTransport, DeviceSsoAuthorization, Encoding, Finding, HandlerError, RefreshLifetime, Value, json};

use crate::LocalDeviceSsoHandler;

const PREFIX: &str = "op.deviceSSOHandler.";

fn try_with(properties: &[(&str, &str)]) -> Result<Configured, ConfigureFailure> {
    configure::<LocalDeviceSsoHandler>(properties.iter().map(|(name, value)| (format!("{PREFIX}{name}"), *value)))
}

fn with(name: &str, value: &str) -> Configured {
    try_with(&[("enable", "true"), (name, value)]).unwrap()
}

fn allowed(name: &str, value: &str) -> DeviceSsoAuthorization {
    TestRequest::new().ask(&with(name, value)).unwrap()
}

fn refused(handler: &Configured, scope: &str) -> HandlerError {
    match TestRequest::new().requested_scope(scope).ask(handler) {
        Err(HandlerFault::Refused(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn findings(properties: &[(&str, &str)]) -> Vec<Finding> {
    match try_with(properties) {
        Err(ConfigureFailure::Refused { message: None, findings }) => findings,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_defaults() {
    let handler = try_with(&[]).unwrap();
    assert!(!handler.enabled());
    assert_eq!(handler.described().name(), "LocalDeviceSsoHandler");
    let authorization = TestRequest::new().ask(&handler).unwrap();
    assert_eq!(authorization.scope, ["openid", "device_sso", "offline_access", "profile"]);
    assert_eq!(authorization.access_token.lifetime, None);
    assert_eq!(authorization.access_token.encoding, Encoding::SelfContained);
    assert!(!authorization.access_token.encrypt);
    assert!(authorization.access_token.audience.is_empty());
    assert_eq!(authorization.access_token.data, None);
    assert!(authorization.refresh_token.issue);
    assert_eq!(authorization.refresh_token.lifetime, RefreshLifetime::Default);
    assert_eq!(authorization.refresh_token.max_idle, None);
    assert_eq!(authorization.refresh_token.rotate, None);
    assert!(authorization.id_token.issue);
    assert_eq!(authorization.claims.transport, ClaimsTransport::UserInfo);
    assert_eq!(authorization.claims.names, ["name", "given_name", "family_name"]);
}

#[test]
fn a_file_with_every_value_blank_means_the_defaults() {
    let blank: Vec<_> = crate::configuration::NAMES.iter().map(|name| (*name, " ")).collect();
    let (blank, absent) = (try_with(&blank).unwrap(), try_with(&[]).unwrap());
    assert!(!blank.enabled());
    assert_eq!(TestRequest::new().ask(&blank).unwrap(), TestRequest::new().ask(&absent).unwrap());
}

#[test]
fn enable() {
    assert!(with("enable", "true").enabled());
    assert!(try_with(&[("enable", "TRUE")]).unwrap().enabled());
    assert!(!try_with(&[("enable", "false")]).unwrap().enabled());
}

#[test]
fn scope_requiring_interaction() {
    let handler = with("scopeRequiringInteraction", "profile payment");
    let error = refused(&handler, "openid payment profile email");
    assert_eq!(error.code(), "interaction_required");
    assert_eq!(error.status(), None);
    assert_eq!(Value::Object(error.members().clone()), json!({"scope": "payment profile"}));
    let by_default = TestRequest::new().ask(&handler).unwrap();
    assert_eq!(by_default.scope, ["openid", "device_sso", "offline_access"]);
    assert!(by_default.claims.names.is_empty());
    let without = TestRequest::new().requested_scope("openid email").ask(&handler).unwrap();
    assert_eq!(without.scope, ["openid", "email"]);
}

#[test]
fn a_scope_that_the_client_may_not_have_is_refused_as_a_whole() {
    let error = refused(&with("enable", "true"), "openid admin email");
    assert_eq!(error.code(), "invalid_scope");
    assert_eq!(error.description(), Some("The client may not have: admin."));
    let default_above_ceiling = TestRequest::new().default_scope("openid admin").ask(&with("enable", "true")).unwrap();
    assert_eq!(default_above_ceiling.scope, ["openid"]);
}

#[test]
fn claims_follow_from_the_scope_and_the_request() {
    let request = TestRequest::new()
        .requested_scope("openid email")
        .requested_claims(json!({"id_token": {"birthdate": null, "email": null}}));
    let authorization = request.ask(&with("enable", "true")).unwrap();
    assert_eq!(authorization.claims.names, ["email", "email_verified", "birthdate"]);
}

#[test]
fn access_token_lifetime() {
    assert_eq!(allowed("accessToken.lifetime", "600").access_token.lifetime, Some(Duration::from_mins(10)));
    assert_eq!(allowed("accessToken.lifetime", "0").access_token.lifetime, None);
    assert_eq!(allowed("accessToken.lifetime", "").access_token.lifetime, None);
}

#[test]
fn access_token_encoding() {
    assert_eq!(allowed("accessToken.encoding", "IDENTIFIER").access_token.encoding, Encoding::Identifier);
    assert_eq!(allowed("accessToken.encoding", "identifier").access_token.encoding, Encoding::Identifier);
    assert_eq!(allowed("accessToken.encoding", "SELF_CONTAINED").access_token.encoding, Encoding::SelfContained);
}

#[test]
fn access_token_encrypt() {
    assert!(allowed("accessToken.encrypt", "true").access_token.encrypt);
    assert!(!allowed("accessToken.encrypt", "false").access_token.encrypt);
}

#[test]
fn access_token_audience_list() {
    for text in ["https://a https://b", "https://a,https://b", " https://a , https://b,"] {
        assert_eq!(allowed("accessToken.audienceList", text).access_token.audience, ["https://a", "https://b"], "{text}");
    }
}

#[test]
fn access_token_include_client_metadata_fields() {
    let handler = with("accessToken.includeClientMetadataFields", "software_id, data.policy.tier data.absent");
    let request = TestRequest::new().metadata("software_id", "s-1").metadata("data", json!({"policy": {"tier": 2, "secret": 3}}));
    let data = request.ask(&handler).unwrap().access_token.data.unwrap();
    assert_eq!(Value::Object(data), json!({"software_id": "s-1", "data": {"policy": {"tier": 2}}}));
    assert_eq!(TestRequest::new().ask(&handler).unwrap().access_token.data, None);
}

#[test]
fn refresh_token_issue() {
    assert!(!allowed("refreshToken.issue", "false").refresh_token.issue);
    assert!(allowed("refreshToken.issue", "true").refresh_token.issue);
}

#[test]
fn refresh_token_lifetime() {
    let lifetime = |text| allowed("refreshToken.lifetime", text).refresh_token.lifetime;
    assert_eq!(lifetime("-1"), RefreshLifetime::Default);
    assert_eq!(lifetime(""), RefreshLifetime::Default);
    assert_eq!(lifetime("0"), RefreshLifetime::Never);
    assert_eq!(lifetime("3600"), RefreshLifetime::For(Duration::from_hours(1)));
}

#[test]
fn refresh_token_max_idle_time() {
    assert_eq!(allowed("refreshToken.maxIdleTime", "60").refresh_token.max_idle, Some(Duration::from_mins(1)));
    assert_eq!(allowed("refreshToken.maxIdleTime", "0").refresh_token.max_idle, None);
}

#[test]
fn refresh_token_rotate() {
    assert_eq!(allowed("refreshToken.rotate", "true").refresh_token.rotate, Some(true));
    assert_eq!(allowed("refreshToken.rotate", "false").refresh_token.rotate, Some(false));
    assert_eq!(allowed("refreshToken.rotate", "").refresh_token.rotate, None);
}

#[test]
fn claims_transport() {
    assert_eq!(allowed("claimsTransport", "ID_TOKEN").claims.transport, ClaimsTransport::IdToken);
    assert_eq!(allowed("claimsTransport", "userinfo").claims.transport, ClaimsTransport::UserInfo);
}

#[test]
fn everything_wrong_in_a_file_is_found_at_once() {
    let wrong = [
        ("enable", "yes"),
        ("accessToken.lifetime", "-1"),
        ("accessToken.encoding", "JWT"),
        ("accessToken.encrypt", "1"),
        ("refreshToken.issue", "on"),
        ("refreshToken.lifetime", "-2"),
        ("refreshToken.maxIdleTime", "1h"),
        ("refreshToken.rotate", "maybe"),
        ("claimsTransport", "BOTH"),
        ("accessToken.lifetme", "60"),
    ];
    let found = findings(&wrong);
    for (name, value) in &wrong[..9] {
        let key = format!("{PREFIX}{name}");
        assert!(found.iter().any(|finding| finding.key == key && finding.seen == *value), "{key} in {found:?}");
    }
    assert_eq!(found.len(), wrong.len());
    let unknown = found.iter().find(|finding| finding.key.ends_with("lifetme")).unwrap();
    assert_eq!(unknown.remedy, format!("did you mean {PREFIX}accessToken.lifetime?"));
}
