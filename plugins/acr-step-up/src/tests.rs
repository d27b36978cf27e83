//! Every property: its default, its values, and what it refuses. Below it the judgement of requests, by example and in general.
#![expect(clippy::unwrap_used, reason = "a test")]

mod judgement;
mod sufficiency;
mod wishes;

use std::cell::RefCell;
use std::time::Duration;

use symbolon_sdk::host::{ConfigureFailure, Configured, HandlerFault, set_log};
use symbolon_sdk::testing::{TestRequest, configure};
use symbolon_sdk::{
    ClaimsTransport, DeviceSsoAuthorization, DeviceSsoHandler, Execution, Finding, HandlerError, RefreshLifetime, Value,
};

use crate::AcrStepUpHandler;

const PREFIX: &str = AcrStepUpHandler::PREFIX;
/// What the examples order: three classes.
const LEVELS: (&str, &str) = ("levels", "urn:pwd urn:mfa urn:hwk");
/// When everybody in the examples signed in.
const SIGNED_IN: u64 = 1_800_000_000;

fn try_with(properties: &[(&str, &str)]) -> Result<Configured, ConfigureFailure> {
    configure::<AcrStepUpHandler>(properties.iter().map(|(name, value)| (format!("{PREFIX}{name}"), *value)))
}

/// A handler with the three levels and these rules.
fn with(rules: &[(&str, &str)]) -> Configured {
    try_with(&[&[("enable", "true"), LEVELS], rules].concat()).unwrap()
}

/// A person who signed in with this class, so many seconds ago.
fn signed_in(acr: Option<&str>, age: u64) -> TestRequest {
    TestRequest::new()
        .authentication(SIGNED_IN, acr, "pwd")
        .now(SIGNED_IN + age)
        .grantable_scope("openid device_sso offline_access profile email payments https://api.example.com/pay urn:example:pay")
}

fn refused(request: &TestRequest, handler: &Configured) -> HandlerError {
    match request.ask(handler) {
        Err(HandlerFault::Refused(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// The members of an `interaction_required`.
fn missing(request: &TestRequest, handler: &Configured) -> Value {
    let error = refused(request, handler);
    assert_eq!((error.code(), error.status()), ("interaction_required", None));
    assert!(error.description().is_some_and(|text| text.contains("sign-in")), "{error}");
    assert!(!error.log_message().is_empty() && !error.to_string().contains("alice"), "{error}");
    Value::Object(error.members().clone())
}

fn findings(properties: &[(&str, &str)]) -> Vec<(String, String, String)> {
    let tell = |finding: Finding| {
        assert!(!finding.expected.is_empty() && !finding.remedy.is_empty(), "{finding}");
        (finding.key.strip_prefix(PREFIX).unwrap().to_owned(), finding.seen, finding.remedy)
    };
    match try_with(properties) {
        Err(ConfigureFailure::Refused { message: None, findings }) => findings.into_iter().map(tell).collect(),
        other => panic!("{other:?}"),
    }
}

/// The one finding: its name, what was seen, its remedy.
fn finding(properties: &[(&str, &str)]) -> (String, String, String) {
    let mut found = findings(properties);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn allowed(name: &str, value: &str) -> DeviceSsoAuthorization {
    TestRequest::new().ask(&with(&[(name, value)])).unwrap()
}

#[test]
fn the_defaults() {
    let handler = try_with(&[]).unwrap();
    assert!(!handler.enabled());
    assert_eq!(handler.described().name(), "AcrStepUpHandler");
    assert_eq!(AcrStepUpHandler::EXECUTION, Execution::Inline);
    let authorization = TestRequest::new().ask(&handler).unwrap();
    assert_eq!(authorization.scope, ["openid", "device_sso", "offline_access", "profile"]);
    assert_eq!(authorization.access_token.lifetime, None);
    assert!(authorization.access_token.audience.is_empty());
    assert!(authorization.refresh_token.issue && authorization.id_token.issue);
    assert_eq!(authorization.refresh_token.lifetime, RefreshLifetime::Default);
    assert_eq!(authorization.refresh_token.rotate, None);
    assert_eq!(authorization.claims.transport, ClaimsTransport::UserInfo);
    assert_eq!(authorization.claims.names, ["name", "given_name", "family_name"]);
}

#[test]
fn a_file_with_every_value_blank_means_the_defaults() {
    let names = crate::configuration::NAMES.iter().flat_map(|name| match name.strip_suffix('*') {
        Some(stem) => vec![format!("{stem}profile.acr"), format!("{stem}profile.maxAge")],
        None => vec![(*name).to_owned()],
    });
    let blank = configure::<AcrStepUpHandler>(names.map(|name| (format!("{PREFIX}{name}"), " "))).unwrap();
    let absent = try_with(&[]).unwrap();
    assert!(!blank.enabled());
    assert_eq!(TestRequest::new().ask(&blank).unwrap(), TestRequest::new().ask(&absent).unwrap());
}

#[test]
fn enable() {
    for (text, enabled) in [("true", true), ("TRUE", true), ("false", false), ("", false)] {
        assert_eq!(try_with(&[("enable", text)]).unwrap().enabled(), enabled, "{text}");
    }
}

#[test]
fn the_tokens_properties_mean_what_they_mean_in_the_default_handler() {
    assert_eq!(allowed("accessToken.lifetime", "600").access_token.lifetime, Some(Duration::from_mins(10)));
    assert_eq!(allowed("accessToken.lifetime", "0").access_token.lifetime, None);
    for text in ["https://a https://b", "https://a,https://b", " https://a , https://b,"] {
        assert_eq!(allowed("accessToken.audienceList", text).access_token.audience, ["https://a", "https://b"], "{text}");
    }
    assert!(!allowed("refreshToken.issue", "false").refresh_token.issue);
    assert!(allowed("refreshToken.issue", "true").refresh_token.issue);
    let lifetime = |text| allowed("refreshToken.lifetime", text).refresh_token.lifetime;
    assert_eq!(lifetime("-1"), RefreshLifetime::Default);
    assert_eq!(lifetime("0"), RefreshLifetime::Never);
    assert_eq!(lifetime("3600"), RefreshLifetime::For(Duration::from_hours(1)));
    for (text, rotate) in [("true", Some(true)), ("false", Some(false)), ("", None)] {
        assert_eq!(allowed("refreshToken.rotate", text).refresh_token.rotate, rotate);
    }
    assert_eq!(allowed("claimsTransport", "ID_TOKEN").claims.transport, ClaimsTransport::IdToken);
    assert_eq!(allowed("claimsTransport", "userinfo").claims.transport, ClaimsTransport::UserInfo);
}

#[test]
fn a_class_without_a_level_is_found() {
    for name in ["default.acr", "scope.payments.acr", "claim.birthdate.acr", "scope.https://api.example.com/pay.acr"] {
        let (key, seen, remedy) = finding(&[LEVELS, (name, "urn:mfaa")]);
        assert_eq!((key.as_str(), seen.as_str()), (name, "urn:mfaa"));
        assert!(remedy.contains("op.acrStepUpHandler.levels"), "{remedy}");
    }
    assert_eq!(finding(&[LEVELS, ("scope.payments.acr", "urn:mfa urn:hwk")]).0, "scope.payments.acr", "one class, not a list");
    assert_eq!(finding(&[LEVELS, ("scope.payments.acr", "URN:MFA")]).0, "scope.payments.acr", "classes are told apart by case");
}

#[test]
fn classes_without_any_order_are_found_once() {
    for levels in ["", " ,, "] {
        let rules = [("levels", levels), ("scope.a.acr", "urn:mfa"), ("claim.b.acr", "urn:pwd"), ("default.acr", "urn:pwd")];
        let (key, _, remedy) = finding(&rules);
        assert_eq!(key, "levels");
        assert!(remedy.contains("op.acrStepUpHandler.levels"), "{remedy}");
    }
    assert!(try_with(&[("scope.a.maxAge", "60")]).is_ok(), "an age needs no order");
}

#[test]
fn a_class_at_two_places_is_found() {
    for text in ["urn:pwd urn:mfa urn:pwd", "urn:pwd,urn:pwd"] {
        assert_eq!(finding(&[("levels", text)]).0, "levels");
    }
    for text in ["urn:pwd,urn:mfa", " urn:pwd , urn:mfa,", "urn:pwd\turn:mfa"] {
        assert!(try_with(&[("levels", text), ("default.acr", "urn:mfa")]).is_ok(), "{text}");
    }
}

#[test]
fn a_name_that_is_no_rule_is_found_with_the_rule_it_may_have_meant() {
    for (name, meant) in [
        ("scope.payments.arc", "scope.payments.acr or op.acrStepUpHandler.scope.payments.maxAge"),
        ("scope.payments.ACR", "scope.payments.acr or op.acrStepUpHandler.scope.payments.maxAge"),
        ("claim.birthdate.max_age", "claim.birthdate.acr or op.acrStepUpHandler.claim.birthdate.maxAge"),
        ("scope.payments", "scope.payments.acr or op.acrStepUpHandler.scope.payments.maxAge"),
        ("scope.acr", "scope.acr.acr or op.acrStepUpHandler.scope.acr.maxAge"),
    ] {
        let (key, _, remedy) = finding(&[LEVELS, (name, "urn:mfa")]);
        assert_eq!((key.as_str(), remedy), (name, format!("name it op.acrStepUpHandler.{meant}")));
    }
    assert_eq!(finding(&[LEVELS, ("scope..acr", "urn:mfa")]).0, "scope..acr");
    assert_eq!(finding(&[LEVELS, ("scope.https", "//api.example.com/pay.acr=urn:mfa")]).2.matches("\\:").count(), 1);
    assert!(finding(&[("default.arc", "urn:mfa")]).2.contains("default.acr"));
    assert!(finding(&[("scopes.payments.acr", "urn:mfa")]).1.contains("scopes"));
}

#[test]
fn an_age_that_is_no_number_is_found() {
    for name in ["default.maxAge", "scope.payments.maxAge", "claim.birthdate.maxAge"] {
        for text in ["5m", "-1", "1.5", "99999999999"] {
            assert_eq!(finding(&[(name, text)]), (name.to_owned(), text.to_owned(), finding(&[(name, "x")]).2));
        }
    }
}

#[test]
fn everything_wrong_in_a_file_is_found_at_once() {
    let wrong = [
        ("enable", "yes"),
        ("levels", "urn:pwd urn:pwd"),
        ("default.acr", "urn:gold"),
        ("default.maxAge", "soon"),
        ("scope.payments.acr", "urn:silver"),
        ("scope.payments.maxAge", "never"),
        ("scope.payments.arc", "urn:pwd"),
        ("claim.birthdate.acr", "urn:bronze"),
        ("claim.birthdate.maxAge", "1h"),
        ("accessToken.lifetime", "-1"),
        ("refreshToken.issue", "on"),
        ("refreshToken.lifetime", "-2"),
        ("refreshToken.rotate", "maybe"),
        ("claimsTransport", "BOTH"),
        ("accessToken.lifetme", "60"),
    ];
    let found = findings(&wrong);
    for (name, _) in &wrong {
        assert!(found.iter().any(|(key, ..)| key == name), "{name} in {found:?}");
    }
    assert_eq!(found.len(), wrong.len());
}

thread_local! {
    /// What the handlers of this test said.
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

#[test]
fn to_be_enabled_without_a_rule_is_worth_a_warning() {
    set_log(|level, handler, message| LINES.with_borrow_mut(|lines| lines.push(format!("{level} {handler}: {message}"))));
    let said = |properties: &[(&str, &str)]| {
        try_with(properties).unwrap();
        LINES.take()
    };
    let lines = said(&[("enable", "true"), LEVELS, ("scope.payments.acr", ""), ("refreshToken.issue", "true")]);
    assert!(lines.len() == 1 && lines[0].starts_with("warn AcrStepUpHandler: enabled without a rule"), "{lines:?}");
    assert!(said(&[("enable", "false"), LEVELS]).is_empty());
    for rule in [("default.acr", "urn:mfa"), ("default.maxAge", "60"), ("scope.a.acr", "urn:pwd"), ("claim.a.maxAge", "0")] {
        assert!(said(&[("enable", "true"), LEVELS, rule]).is_empty(), "{rule:?}");
    }
}
