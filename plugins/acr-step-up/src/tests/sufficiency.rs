//! In general: what is granted meets every rule, and an app that does what a refusal says is not refused again.

use std::collections::BTreeMap;

use proptest::prelude::*;
use symbolon_sdk::host::{Configured, HandlerFault};
use symbolon_sdk::{HandlerError, Value, json};

use super::{TestRequest, signed_in, with};

const CLASSES: [&str; 3] = ["urn:pwd", "urn:mfa", "urn:hwk"];
const SCOPE: [&str; 6] = ["openid", "device_sso", "profile", "email", "payments", "https://api.example.com/pay"];
const CLAIMS: [&str; 4] = ["given_name", "email", "birthdate", "locale"];

type RuleSet = BTreeMap<String, String>;

fn rules() -> impl Strategy<Value = RuleSet> {
    let scope = prop::sample::select(SCOPE.as_slice()).prop_map(|value| format!("scope.{value}"));
    let claim = prop::sample::select(CLAIMS.as_slice()).prop_map(|name| format!("claim.{name}"));
    let subject = prop_oneof![4 => scope, 3 => claim, 1 => Just("default".to_owned())];
    let acr = prop::sample::select(CLASSES.as_slice()).prop_map(|class| ("acr", class.to_owned()));
    let age = (1_u64..9).prop_map(|age| ("maxAge", age.to_string()));
    let rule = (subject, prop_oneof![acr, age]).prop_map(|(subject, (kind, value))| (format!("{subject}.{kind}"), value));
    prop::collection::vec(rule, 0..8).prop_map(RuleSet::from_iter)
}

fn class() -> impl Strategy<Value = &'static str> {
    prop::sample::select([CLASSES.as_slice(), &["urn:other"]].concat())
}

/// A request without its sign-in: which the test puts in, again and again.
fn request() -> impl Strategy<Value = TestRequest> {
    let scope = prop::sample::subsequence(SCOPE.as_slice(), 0..=SCOPE.len()).prop_map(|scope| scope.join(" "));
    let claims = prop::sample::subsequence(CLAIMS.as_slice(), 0..3);
    let wish = (prop::collection::vec(class(), 0..3), prop::option::weighted(0.3, 1_u64..9));
    (prop::option::of(scope.clone()), scope, claims, wish).prop_map(|(requested, default, claims, (classes, age))| {
        let names: BTreeMap<&str, Value> = claims.into_iter().map(|name| (name, Value::Null)).collect();
        let mut request = signed_in(None, 0).default_scope(&default).requested_claims(json!({"userinfo": names}));
        if let Some(requested) = requested {
            request = request.requested_scope(&requested);
        }
        if let Some(age) = age {
            request = request.parameter("max_age", age.to_string());
        }
        request.acr_values(&classes.join(" "))
    })
}

fn by(request: &TestRequest, acr: Option<&str>, age: u64) -> TestRequest {
    request.clone().authentication(super::SIGNED_IN, acr, "pwd").now(super::SIGNED_IN + age)
}

fn asked(request: &TestRequest, handler: &Configured) -> Result<Vec<String>, HandlerError> {
    match request.ask(handler) {
        Ok(authorization) => Ok([authorization.scope, authorization.claims.names].concat()),
        Err(HandlerFault::Refused(error)) => Err(error),
        Err(other) => panic!("{other:?}"),
    }
}

/// The rule about one thing, read by hand.
fn is_met(rules: &RuleSet, subject: &str, acr: Option<&str>, age: u64) -> bool {
    let level = |class: Option<&str>| CLASSES.iter().position(|own| Some(*own) == class);
    rules.get(&format!("{subject}.acr")).is_none_or(|needed| level(acr) >= level(Some(needed)))
        && rules.get(&format!("{subject}.maxAge")).is_none_or(|most| age <= most.parse().unwrap())
}

proptest! {
    #[test]
    fn nothing_is_granted_against_a_rule(rules in rules(), request in request(), acr in prop::option::of(class()), age in 0_u64..10) {
        let pairs: Vec<(&str, &str)> = rules.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if let Ok(granted) = asked(&by(&request, acr, age), &with(&pairs)) {
            prop_assert!(is_met(&rules, "default", acr, age));
            for name in &granted {
                let kinds = if SCOPE.contains(&name.as_str()) { ["scope", "claim"].as_slice() } else { &["claim"] };
                // `email` is a scope value and a claim, and the scope value stands for the claim.
                for kind in kinds {
                    prop_assert!(is_met(&rules, &format!("{kind}.{name}"), acr, age) || (*kind == "scope" && name == "email"), "{kind} {name}");
                }
            }
        }
    }

    #[test]
    fn what_a_refusal_asks_for_is_enough(rules in rules(), request in request(), acr in prop::option::of(class()), age in 0_u64..10) {
        let pairs: Vec<(&str, &str)> = rules.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let handler = with(&pairs);
        let Err(error) = asked(&by(&request, acr, age), &handler) else { return Ok(()) };
        if error.code() == "unmet_authentication_requirements" {
            for class in CLASSES.into_iter().chain(["urn:other"]) {
                prop_assert!(asked(&by(&request, Some(class), 0), &handler).is_err(), "{class} would have been enough");
            }
            return Ok(());
        }
        prop_assert_eq!(error.code(), "interaction_required");
        let member = |name: &str| error.members().get(name);
        prop_assert!(member("acr_values").is_some() || member("max_age").is_some());
        let new_age = member("max_age").map_or(age, |most| most.as_u64().unwrap());
        let classes: Vec<Option<&str>> = match member("acr_values") {
            Some(values) => values.as_str().unwrap().split(' ').map(Some).collect(),
            None => vec![acr],
        };
        for class in classes {
            prop_assert!(asked(&by(&request, class, new_age), &handler).is_ok(), "{class:?} {new_age} was asked for: {error}");
        }
        let before = asked(&by(&request, acr, member("max_age").map_or(0, |most| most.as_u64().unwrap())), &handler);
        prop_assert!(member("acr_values").is_none() || before.is_err(), "the class was good enough");
        let before = asked(&by(&request, Some("urn:hwk"), age), &handler);
        prop_assert!(member("max_age").is_none() || before.is_err(), "the age was good enough");
    }
}
