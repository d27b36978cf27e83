//! Opens a real action library, the example of this crate, and asks what is linked in and misbehaves.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use symbolon_sdk::host::{Checked, Described, Found, HandlerFault, HostError, Kind, Library};
use symbolon_sdk::testing::{TestRequest, TestSignIn, configure_action};
use symbolon_sdk::{ActionError, ConfigureError, PostLoginAction, Properties, SignIn, Verdict, json};

fn office_hours() -> Described {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().unwrap().parent().unwrap().join("examples/liboffice_hours.so");
    assert!(built.exists(), "{} is missing: run all tests of symbolon-sdk", built.display());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("office_hours.so");
    std::fs::copy(built, &path).unwrap();
    let library: Library = Found::at(&path).read().and_then(Checked::keep).unwrap();
    library.open().unwrap().describe().unwrap()
}

#[test]
fn the_example_goes_all_the_way() {
    let described = office_hours();
    let said = described.description();
    assert_eq!(
        (said.kind, said.name.as_str(), said.prefix.as_str()),
        (Kind::PostLogin, "OfficeHours", "op.postLoginAction.officeHours.")
    );
    let properties = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| (format!("op.postLoginAction.officeHours.{name}"), (*value).to_owned())).collect()
    };
    assert!(!described.configure(&BTreeMap::new()).unwrap().enabled());
    // The order is the server's, and so is how it is run.
    let action = described.configure(&properties(&[("enable", "true"), ("order", "3"), ("isolation", "pool")])).unwrap();
    assert!(action.enabled());
    let at_home = TestSignIn::new().from_country("CH").judge(&action).unwrap();
    assert_eq!(at_home.id_token_claims["at_home"], true);
    assert_eq!((at_home.session_lifetime, at_home.second_factor), (Some(8 * 3600), false));
    assert!(TestSignIn::new().from_country("IT").judge(&action).unwrap().second_factor);
    assert!(TestSignIn::new().judge(&action).unwrap().second_factor, "nobody knows where");
    assert_eq!(TestSignIn::new().from_country("XX").judge(&action).unwrap().deny.as_deref(), Some("Nobody works there"));
    // What is asked of the other sort of library is nonsense.
    assert!(matches!(TestRequest::new().ask(&action), Err(HandlerFault::Malformed(_))));
    assert!(matches!(action.judge("[]"), Ok(verdict) if verdict.second_factor));
    assert!(matches!(action.judge("{"), Err(HandlerFault::Refused(error)) if error.code() == "temporarily_unavailable"));
}

/// Does what its one property says.
struct Odd(String);

impl PostLoginAction for Odd {
    const NAME: &'static str = "Odd";
    const VERSION: &'static str = "1";
    const PREFIX: &'static str = "op.postLoginAction.odd.";
    const PROPERTIES: &'static [&'static str] = &["how"];

    fn configure(properties: &Properties) -> Result<Self, ConfigureError> {
        let how = properties.text("how").unwrap_or("well").to_owned();
        assert!(how != "configure", "configured badly");
        if how == "sentence" { Err(ConfigureError::new("no database")) } else { Ok(Self(how)) }
    }

    fn enabled(&self) -> bool {
        assert!(self.0 != "enabled", "enabled badly");
        true
    }

    fn judge(&self, sign_in: &SignIn) -> Result<Verdict, ActionError> {
        match self.0.as_str() {
            "judge" => panic!("judged badly"),
            "unable" => Err(ActionError::new("no database\nat all")),
            "deny" => Ok(Verdict::deny("line\nbreak \"quoted\" ü")),
            "facts" => Ok(Verdict::allow().with_id_token_claim("facts", facts(sign_in))),
            _ => Ok(Verdict::allow()),
        }
    }

    fn shutdown(&self) {
        assert!(self.0 != "shutdown", "shut down badly");
    }
}

impl Drop for Odd {
    fn drop(&mut self) {
        assert!(self.0 != "drop", "dropped badly");
    }
}

/// Everything that has a method, so that a test can compare it.
fn facts(sign_in: &SignIn) -> symbolon_sdk::Value {
    let (session, context) = (sign_in.session(), sign_in.request());
    let token = sign_in.session_transfer_token();
    json!({
        "now": sign_in.now(), "subject": sign_in.subject(), "email": sign_in.claim("email"), "client": sign_in.client_id(),
        "confidential": sign_in.client_is_confidential(), "name": sign_in.client_metadata("client_name"),
        "sid": session.sid, "auth_time": session.auth_time, "acr": session.acr, "amr": session.amr, "created": session.created,
        "transferred": session.transferred, "scope": sign_in.requested_scope(), "acr_values": sign_in.requested_acr_values(),
        "prompt": sign_in.prompt(), "ip": context.ip, "asn": context.asn, "user_agent": context.user_agent,
        "country": context.geoip.country_code, "longitude": context.geoip.longitude, "by_pointer": sign_in.get("/request/geoip/city_name"),
        "token_client": token.as_ref().map(|token| token.client_id), "token_scope": token.as_ref().map(|token| token.scope.clone()),
        "token_country": token.and_then(|token| token.request.geoip.country_code),
    })
}

fn judged(how: &str, sign_in: &TestSignIn) -> Result<Verdict, HandlerFault> {
    sign_in.judge(&configure_action::<Odd>([("op.postLoginAction.odd.how", how)]).unwrap())
}

#[test]
fn no_panic_gets_out() {
    assert_eq!(judged("judge", &TestSignIn::new()), Err(HandlerFault::Panicked("judged badly".to_owned())));
    for (how, words) in [("configure", "configured badly"), ("enabled", "enabled badly"), ("sentence", "no database")] {
        let error = configure_action::<Odd>([("op.postLoginAction.odd.how", how)]).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    for how in ["shutdown", "drop", "well"] {
        assert_eq!(judged(how, &TestSignIn::new()), Ok(Verdict::allow()));
    }
    assert!(configure_action::<Odd>([("op.postLoginAction.odd.hwo", "well")]).is_err(), "an unknown property");
}

#[test]
fn what_cannot_be_done_is_told_to_the_log_and_a_reason_to_the_app() {
    match judged("unable", &TestSignIn::new()) {
        Err(HandlerFault::Refused(error)) => {
            assert_eq!((error.code(), error.log_message()), ("temporarily_unavailable", "no database\\nat all"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(judged("deny", &TestSignIn::new()).unwrap().deny.as_deref(), Some("line?break ?quoted? ?"));
}

#[test]
fn every_fact_arrives() {
    let sign_in = TestSignIn::new()
        .with("/claims/email", "a@b")
        .with("/client/metadata/client_name", "Shop")
        .with("/requested/prompt", json!(["none"]))
        .with("/request/asn", 64_500)
        .with("/request/geoip", json!({ "country_code": "DE", "city_name": "Berlin", "longitude": 13.25 }))
        .transferred_from("phone-app")
        .transferred_from_country("FR");
    let facts = judged("facts", &sign_in).unwrap().id_token_claims["facts"].clone();
    let expected = json!({
        "now": 1_800_000_000_u64, "subject": "alice", "email": "a@b", "client": "web-app", "confidential": false, "name": "Shop",
        "sid": "session-1", "auth_time": 1_800_000_000_u64, "acr": "urn:symbolon:acr:password", "amr": ["pwd"],
        "created": 1_800_000_000_u64, "transferred": true, "scope": ["openid"], "acr_values": [], "prompt": ["none"],
        "ip": "192.0.2.1", "asn": 64_500, "user_agent": "Test/1.0", "country": "DE", "longitude": 13.25, "by_pointer": "Berlin",
        "token_client": "phone-app", "token_scope": ["openid"], "token_country": "FR",
    });
    assert_eq!(facts, expected);
}

/// It wants to say itself when it is asked.
struct Pushy;

impl PostLoginAction for Pushy {
    const NAME: &'static str = "Pushy";
    const VERSION: &'static str = "1";
    const PREFIX: &'static str = "op.postLoginAction.pushy.";
    const PROPERTIES: &'static [&'static str] = &["order"];

    fn configure(_: &Properties) -> Result<Self, ConfigureError> {
        Ok(Self)
    }

    fn enabled(&self) -> bool {
        true
    }

    fn judge(&self, _: &SignIn) -> Result<Verdict, ActionError> {
        Ok(Verdict::allow())
    }
}

#[test]
fn the_order_is_the_servers() {
    assert!(
        matches!(Described::action_linked_in::<Pushy>(), Err(HostError::BadDescription { what, .. }) if what.contains("order"))
    );
}
