//! Rules against sign-ins: too low, too old, both, for scope, claims and the exchange as a whole.

use symbolon_sdk::{DeviceSsoAuthorization, Value, json};

use super::{SIGNED_IN, TestRequest, missing, refused, signed_in, with};

const PAY: &[(&str, &str)] = &[("scope.payments.acr", "urn:mfa")];

#[track_caller]
fn granted(request: &TestRequest, rules: &[(&str, &str)]) -> DeviceSsoAuthorization {
    request.ask(&with(rules)).unwrap_or_else(|error| panic!("{error:?}"))
}

#[test]
fn too_low_names_the_levels_from_the_needed_one_upwards() {
    for acr in [None, Some("urn:pwd"), Some("urn:unheard-of"), Some("URN:MFA"), Some("")] {
        let request = signed_in(acr, 0).requested_scope("openid profile payments");
        let expected = json!({"acr_values": "urn:mfa urn:hwk", "scope": "openid device_sso payments"});
        assert_eq!(missing(&request, &with(PAY)), expected, "{acr:?}");
    }
    let request = signed_in(Some("urn:mfa"), 0).requested_scope("openid payments");
    assert_eq!(missing(&request, &with(&[("scope.payments.acr", "urn:hwk")]))["acr_values"], "urn:hwk");
}

#[test]
fn the_needed_level_and_all_above_it_will_do() {
    for acr in ["urn:mfa", "urn:hwk"] {
        let granted = granted(&signed_in(Some(acr), 999_999).requested_scope("openid profile payments"), PAY);
        assert_eq!(granted.scope, ["openid", "profile", "payments"]);
        assert_eq!(granted.claims.names, ["name", "given_name", "family_name"]);
    }
}

#[test]
fn the_order_of_levels_is_the_operators() {
    let request = signed_in(Some("urn:pwd"), 0).requested_scope("openid payments");
    let turned = [("enable", "true"), ("levels", "urn:hwk, urn:mfa, urn:pwd"), PAY[0]];
    assert!(request.ask(&super::try_with(&turned).unwrap()).is_ok());
    let request = signed_in(Some("urn:hwk"), 0).requested_scope("openid payments");
    assert_eq!(missing(&request, &super::try_with(&turned).unwrap())["acr_values"], "urn:mfa urn:pwd");
}

#[test]
fn an_allowed_scope_beside_a_ruled_one_passes() {
    let granted = granted(&signed_in(Some("urn:pwd"), 0).requested_scope("openid email"), PAY);
    assert_eq!(granted.scope, ["openid", "email"]);
}

#[test]
fn too_old_names_the_age_from_the_second_after() {
    let rules = [("scope.payments.maxAge", "300")];
    let request = |age| signed_in(None, age).requested_scope("openid payments");
    for age in [0, 1, 299, 300] {
        assert!(request(age).ask(&with(&rules)).is_ok(), "{age}");
    }
    for age in [301, 302, 1_000_000] {
        assert_eq!(
            missing(&request(age), &with(&rules)),
            json!({"max_age": 300, "scope": "openid device_sso payments"}),
            "{age}"
        );
    }
}

#[test]
fn an_age_of_zero_always_leads_to_the_browser() {
    for age in [0, 1, 300] {
        let request = signed_in(Some("urn:hwk"), age).requested_scope("openid payments");
        let expected = json!({"max_age": 0, "scope": "openid device_sso payments"});
        assert_eq!(missing(&request, &with(&[("scope.payments.maxAge", "0")])), expected);
    }
}

#[test]
fn a_clock_that_went_back_is_neither_old_nor_a_panic() {
    for now in [0, SIGNED_IN - 1] {
        let request = signed_in(None, 0).now(now).requested_scope("openid payments");
        assert!(request.ask(&with(&[("scope.payments.maxAge", "1"), ("default.maxAge", "1")])).is_ok(), "{now}");
    }
    let end_of_time = signed_in(None, 0).authentication(u64::MAX, None, "").now(0).requested_scope("openid payments");
    assert!(end_of_time.ask(&with(&[("default.maxAge", "1")])).is_ok());
    let beginning = signed_in(None, 0).authentication(0, None, "").now(u64::MAX).requested_scope("openid payments");
    assert_eq!(missing(&beginning, &with(&[("default.maxAge", "3155760000")]))["max_age"], 3_155_760_000_u64);
}

#[test]
fn only_what_is_missing_is_said() {
    let rules = [("scope.payments.acr", "urn:mfa"), ("scope.payments.maxAge", "60")];
    let said = |acr, age| missing(&signed_in(Some(acr), age).requested_scope("openid payments"), &with(&rules));
    let scope = "openid device_sso payments";
    assert_eq!(said("urn:pwd", 60), json!({"acr_values": "urn:mfa urn:hwk", "scope": scope}));
    assert_eq!(said("urn:mfa", 61), json!({"max_age": 60, "scope": scope}));
    assert_eq!(said("urn:pwd", 61), json!({"acr_values": "urn:mfa urn:hwk", "max_age": 60, "scope": scope}));
}

#[test]
fn of_many_rules_the_highest_level_and_the_shortest_age_count() {
    let rules = [
        ("default.acr", "urn:pwd"),
        ("default.maxAge", "1000"),
        ("scope.payments.acr", "urn:mfa"),
        ("scope.payments.maxAge", "500"),
        ("scope.email.acr", "urn:hwk"),
        ("scope.email.maxAge", "100"),
    ];
    let said = |scope: &str, age| missing(&signed_in(Some("urn:pwd"), age).requested_scope(scope), &with(&rules));
    let both = "openid device_sso payments email";
    assert_eq!(said("openid payments email", 50), json!({"acr_values": "urn:hwk", "scope": both}));
    assert_eq!(said("openid payments email", 200), json!({"acr_values": "urn:hwk", "max_age": 100, "scope": both}));
    let mfa = "urn:mfa urn:hwk";
    assert_eq!(said("openid profile payments", 600)["max_age"], 500);
    assert_eq!(said("openid profile payments", 600)["acr_values"], mfa);
    let one_is_met = missing(&signed_in(Some("urn:mfa"), 0).requested_scope("openid payments email"), &with(&rules));
    assert_eq!(one_is_met, json!({"acr_values": "urn:hwk", "scope": "openid device_sso email"}));
}

#[test]
fn scope_values_may_have_dots_and_colons_and_look_like_rules() {
    for value in ["https://api.example.com/pay", "urn:example:pay", "a.acr", "a.maxAge", ".", "acr", "*"] {
        let (acr, age) = (format!("scope.{value}.acr"), format!("scope.{value}.maxAge"));
        let handler = with(&[(&acr, "urn:mfa"), (&age, "60")]);
        let request = signed_in(Some("urn:pwd"), 61).grantable_scope(&format!("openid {value}")).requested_scope(value);
        let expected = json!({"acr_values": "urn:mfa urn:hwk", "max_age": 60, "scope": format!("openid {value}")});
        assert_eq!(missing(&request, &handler), expected);
    }
    let similar = signed_in(None, 0).requested_scope("openid https://api.example.com/pay");
    assert!(similar.ask(&with(&[("scope.https://api.example.com/pay/.acr", "urn:mfa"), ("scope.pay.acr", "urn:mfa")])).is_ok());
}

#[test]
fn a_scope_value_needs_what_its_claims_need() {
    let rules = [("claim.email_verified.acr", "urn:mfa"), ("claim.family_name.maxAge", "60")];
    let said = |scope: &str| missing(&signed_in(None, 61).requested_scope(scope), &with(&rules));
    assert_eq!(said("openid email"), json!({"acr_values": "urn:mfa urn:hwk", "scope": "openid device_sso email"}));
    assert_eq!(said("openid profile"), json!({"max_age": 60, "scope": "openid device_sso profile"}));
    let both = json!({"acr_values": "urn:mfa urn:hwk", "max_age": 60, "scope": "openid device_sso profile email"});
    assert_eq!(said("openid profile payments email"), both);
}

#[test]
fn a_requested_claim_is_named_and_keeps_the_scope_together() {
    let rules = [("claim.birthdate.acr", "urn:mfa"), ("claim.birthdate.maxAge", "60")];
    for place in ["userinfo", "id_token"] {
        let claims = json!({place: {"birthdate": {"essential": true}, "locale": null}});
        let request = signed_in(Some("urn:mfa"), 61).requested_scope("openid payments").requested_claims(claims);
        let expected = json!({
            "max_age": 60, "scope": "openid device_sso payments", "claims": {"userinfo": {"birthdate": null}},
        });
        assert_eq!(missing(&request, &with(&rules)), expected);
    }
    let request =
        signed_in(Some("urn:mfa"), 60).requested_scope("openid").requested_claims(json!({"userinfo": {"birthdate": null}}));
    assert_eq!(granted(&request, &rules).claims.names, ["birthdate"]);
}

#[test]
fn a_claim_that_only_the_scope_stands_for_is_not_named() {
    let rules = [("claim.email.acr", "urn:mfa")];
    let request =
        signed_in(None, 0).requested_scope("openid email payments").requested_claims(json!({"userinfo": {"locale": null}}));
    assert_eq!(missing(&request, &with(&rules)), json!({"acr_values": "urn:mfa urn:hwk", "scope": "openid device_sso email"}));
    let request = request.requested_claims(json!({"userinfo": {"email": null, "locale": null}}));
    let expected = json!({
        "acr_values": "urn:mfa urn:hwk", "scope": "openid device_sso email", "claims": {"userinfo": {"email": null}},
    });
    assert_eq!(missing(&request, &with(&rules)), expected);
}

#[test]
fn the_default_rule_keeps_everything_back() {
    let claims = json!({"userinfo": {"locale": null}});
    let request = signed_in(Some("urn:pwd"), 61).requested_scope("openid email payments").requested_claims(claims.clone());
    let scope = "openid device_sso email payments";
    let expected = json!({"acr_values": "urn:mfa urn:hwk", "scope": scope, "claims": claims});
    assert_eq!(missing(&request, &with(&[("default.acr", "urn:mfa")])), expected);
    let expected = json!({"max_age": 60, "scope": scope, "claims": claims});
    assert_eq!(missing(&request, &with(&[("default.maxAge", "60")])), expected);
    let with_another = missing(&request, &with(&[("default.maxAge", "60"), ("scope.email.acr", "urn:hwk")]));
    assert_eq!(with_another, json!({"acr_values": "urn:hwk", "max_age": 60, "scope": scope, "claims": claims}));
    assert!(signed_in(Some("urn:hwk"), 60).ask(&with(&[("default.acr", "urn:mfa"), ("default.maxAge", "60")])).is_ok());
}

#[test]
fn of_the_default_scope_what_is_not_met_is_left_out() {
    let rules = [("scope.payments.acr", "urn:mfa"), ("claim.given_name.maxAge", "60"), ("scope.email.maxAge", "60")];
    let request = |acr, age| signed_in(Some(acr), age).default_scope("openid profile payments email admin");
    let granted = granted(&request("urn:pwd", 61), &rules);
    assert_eq!(granted.scope, ["openid"]);
    assert!(granted.claims.names.is_empty());
    let scope_of = |acr, age| request(acr, age).ask(&with(&rules)).unwrap().scope;
    assert_eq!(scope_of("urn:pwd", 60), ["openid", "profile", "email"]);
    assert_eq!(scope_of("urn:mfa", 61), ["openid", "payments"]);
    assert_eq!(scope_of("urn:mfa", 60), ["openid", "profile", "payments", "email"]);
}

#[test]
fn the_default_scope_is_refused_for_the_default_rule_and_for_requested_claims_alone() {
    let request = signed_in(Some("urn:pwd"), 0).default_scope("openid profile payments");
    // What is left out anyway is not what the person is sent to sign in for.
    let rules = [("default.acr", "urn:mfa"), ("scope.payments.acr", "urn:hwk")];
    let expected = json!({"acr_values": "urn:mfa urn:hwk", "scope": "openid device_sso profile"});
    assert_eq!(missing(&request, &with(&rules)), expected);
    let claims = json!({"userinfo": {"birthdate": null}});
    let expected = json!({"acr_values": "urn:mfa urn:hwk", "scope": "openid device_sso profile", "claims": claims});
    let rules = [("claim.birthdate.acr", "urn:mfa"), ("scope.payments.acr", "urn:hwk")];
    assert_eq!(missing(&request.requested_claims(claims), &with(&rules)), expected);
}

#[test]
fn openid_is_never_left_out() {
    let request = signed_in(None, 0).default_scope("openid profile");
    let expected = json!({"acr_values": "urn:mfa urn:hwk", "scope": "openid device_sso profile"});
    assert_eq!(missing(&request, &with(&[("scope.openid.acr", "urn:mfa")])), expected);
    assert_eq!(missing(&request.requested_scope("openid profile"), &with(&[("scope.openid.acr", "urn:mfa")])), expected);
}

#[test]
fn what_the_client_may_not_have_is_refused_before_anything_else() {
    let error = refused(&signed_in(None, 0).requested_scope("openid admin payments root"), &with(PAY));
    assert_eq!((error.code(), error.description()), ("invalid_scope", Some("The client may not have: admin root.")));
    assert!(error.members().is_empty());
    let default_above_ceiling = signed_in(None, 0).default_scope("openid admin").ask(&with(PAY)).unwrap();
    assert_eq!(default_above_ceiling.scope, ["openid"]);
}

#[test]
fn the_way_back_to_the_device_is_asked_for_where_the_client_may() {
    let said = |request: TestRequest| missing(&request.requested_scope("openid payments"), &with(PAY))["scope"].clone();
    let ceiling = signed_in(None, 0).grantable_scope("openid payments");
    assert_eq!(said(ceiling.clone()), "openid payments");
    assert_eq!(said(ceiling.clone().metadata("scope", "openid device_sso payments")), "openid device_sso payments");
    assert_eq!(said(ceiling.metadata("scope", Value::Null)), "openid payments");
    let nothing = signed_in(None, 0).grantable_scope("").default_scope("");
    assert_eq!(missing(&nothing, &with(&[("default.acr", "urn:mfa")])), json!({"acr_values": "urn:mfa urn:hwk"}));
}

#[test]
fn the_log_says_which_rules_are_not_met() {
    let rules =
        [PAY, &[("default.maxAge", "60"), ("claim.email_verified.acr", "urn:hwk"), ("claim.locale.acr", "urn:mfa")]].concat();
    let request = signed_in(Some("urn:pwd"), 61).requested_scope("openid payments email");
    let said = |request: TestRequest| refused(&request, &with(&rules)).log_message().to_owned();
    let beginning = "signed in with urn:pwd 61 s ago, not enough for default";
    assert_eq!(said(request.clone()), format!("{beginning} scope.payments scope.email"));
    let claims = json!({"userinfo": {"locale": null, "made\nup": null}});
    let wishes =
        request.acr_values("urn:made-up").parameter("max_age", "5").requested_claims(claims).acr_values("urn:hwk made-up");
    assert_eq!(said(wishes), format!("{beginning} acr_values max_age scope.payments scope.email claim.locale"));
    let nobody = signed_in(None, 61).requested_scope("openid");
    assert_eq!(said(nobody), "signed in with no class 61 s ago, not enough for default");
}
