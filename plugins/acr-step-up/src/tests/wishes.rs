//! What the app itself asks of the sign-in, by `acr_values` and `max_age`, alone and beside the rules.

use symbolon_sdk::json;

use super::{missing, refused, signed_in, with};

const PAY: &[(&str, &str)] = &[("scope.payments.acr", "urn:mfa"), ("scope.payments.maxAge", "300")];

#[test]
fn a_class_that_the_session_does_not_have_is_asked_for_as_it_was_wished() {
    let request = signed_in(Some("urn:pwd"), 999).requested_scope("openid profile");
    for wish in ["urn:hwk", "urn:mfa", "urn:hwk urn:mfa", "urn:other", "urn:other urn:hwk"] {
        let expected = json!({"acr_values": wish, "scope": "openid device_sso profile"});
        assert_eq!(missing(&request.clone().acr_values(wish), &with(&[])), expected);
    }
}

#[test]
fn a_wished_class_or_one_above_it_will_do() {
    for (acr, wish) in [
        ("urn:mfa", "urn:mfa"),
        ("urn:hwk", "urn:mfa"),
        ("urn:mfa", "urn:hwk urn:pwd"),
        ("urn:other", "urn:mfa urn:other"),
        ("urn:pwd", ""),
    ] {
        assert!(signed_in(Some(acr), 0).acr_values(wish).ask(&with(&[])).is_ok(), "{acr} for {wish}");
    }
    for (acr, wish) in
        [(Some("urn:pwd"), "urn:mfa"), (Some("urn:hwk"), "urn:other"), (Some("urn:other"), "urn:pwd"), (None, "urn:pwd")]
    {
        assert_eq!(missing(&signed_in(acr, 0).acr_values(wish), &with(&[]))["acr_values"], wish);
    }
}

#[test]
fn without_levels_a_wish_is_met_by_its_own_class() {
    let handler = super::try_with(&[("enable", "true")]).unwrap();
    assert!(signed_in(Some("urn:mfa"), 0).acr_values("urn:x urn:mfa").ask(&handler).is_ok());
    assert_eq!(missing(&signed_in(Some("urn:hwk"), 0).acr_values("urn:x urn:mfa"), &handler)["acr_values"], "urn:x urn:mfa");
}

#[test]
fn of_the_wished_classes_only_those_good_enough_for_the_rules_are_asked_for() {
    let said = |acr, wish| {
        missing(&signed_in(Some(acr), 0).requested_scope("openid payments").acr_values(wish), &with(PAY))["acr_values"].clone()
    };
    assert_eq!(said("urn:pwd", "urn:hwk urn:mfa"), "urn:hwk urn:mfa");
    assert_eq!(said("urn:pwd", "urn:pwd urn:other urn:hwk"), "urn:hwk");
    assert_eq!(said("urn:pwd", "urn:pwd urn:other"), "urn:mfa urn:hwk");
    assert_eq!(said("urn:mfa", "urn:hwk"), "urn:hwk");
}

#[test]
fn a_wish_that_no_class_can_satisfy_beside_the_rules_sends_nobody_anywhere() {
    for acr in ["urn:pwd", "urn:hwk", "urn:other"] {
        let request = signed_in(Some(acr), 0).requested_scope("openid payments").acr_values("urn:other");
        let error = refused(&request, &with(PAY));
        assert_eq!((error.code(), error.status()), ("unmet_authentication_requirements", None));
        assert!(error.members().is_empty());
    }
    let by_default = signed_in(Some("urn:mfa"), 0).default_scope("openid payments").acr_values("urn:other");
    assert_eq!(missing(&by_default, &with(PAY))["acr_values"], "urn:other", "what nobody asked for is in nobody's way");
    let without_the_rule = signed_in(Some("urn:other"), 0).requested_scope("openid").acr_values("urn:other");
    assert!(without_the_rule.ask(&with(PAY)).is_ok());
}

#[test]
fn an_age_that_the_session_exceeds_is_asked_for_as_it_was_wished() {
    let request = |age, wish: &str| signed_in(None, age).requested_scope("openid profile").parameter("max_age", wish);
    for (age, wish) in [(0, "60"), (60, "60"), (999, ""), (999, "18446744073709551615")] {
        assert!(request(age, wish).ask(&with(&[])).is_ok(), "{age} for {wish}");
    }
    let expected = |max_age: u64| json!({"max_age": max_age, "scope": "openid device_sso profile"});
    assert_eq!(missing(&request(61, "60"), &with(&[])), expected(60));
    assert_eq!(missing(&request(0, "0"), &with(&[])), expected(0));
}

#[test]
fn the_shorter_age_of_wish_and_rule_counts() {
    let said = |age, wish: &str| {
        missing(
            &signed_in(Some("urn:mfa"), age).requested_scope("openid profile payments").parameter("max_age", wish),
            &with(PAY),
        )
    };
    let (some, all) = ("openid device_sso payments", "openid device_sso profile payments");
    assert_eq!(said(350, "400"), json!({"max_age": 300, "scope": some}));
    assert_eq!(said(450, "400"), json!({"max_age": 300, "scope": all}));
    assert_eq!(said(250, "200"), json!({"max_age": 200, "scope": all}));
}

#[test]
fn class_and_age_wished_together() {
    let request = signed_in(Some("urn:pwd"), 61).requested_scope("openid").acr_values("urn:mfa").parameter("max_age", "60");
    let expected = json!({"acr_values": "urn:mfa", "max_age": 60, "scope": "openid device_sso"});
    assert_eq!(missing(&request, &with(&[])), expected);
}

#[test]
fn a_wish_keeps_all_that_is_asked_for_back() {
    let claims = json!({"userinfo": {"locale": null}});
    let request = signed_in(Some("urn:pwd"), 0).default_scope("openid profile payments").requested_claims(claims.clone());
    let expected = json!({"acr_values": "urn:mfa", "scope": "openid device_sso profile", "claims": claims});
    assert_eq!(missing(&request.acr_values("urn:mfa"), &with(PAY)), expected);
}

#[test]
fn an_age_that_is_no_number_is_the_apps_mistake() {
    for text in ["soon", "-1", "1.5", "18446744073709551616", " 5"] {
        let error = refused(&signed_in(None, 0).parameter("max_age", text), &with(&[]));
        assert_eq!((error.code(), error.members().len()), ("invalid_request", 0), "{text}");
        assert!(!error.to_string().contains(text) || text == "-1", "{error}");
    }
}
