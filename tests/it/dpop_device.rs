//! Device SSO with keys: a device secret that lets nobody in who does not prove an enrolled key.

use serde_json::{Value, json};

use crate::harness::app::now;
use crate::harness::cast::{ONE, THREE, TWO};
use crate::harness::dpop::{DeviceKey, ProofParts};
use crate::harness::{Authorization, Browser, Client, Form, Server, Setup, Tokens, jwt, shared};

const SCOPE: &str = "openid profile offline_access device_sso";

fn under(policy: &str) -> Server {
    Setup::new().set("sessions", json!({ "device": { "key_enrolment": policy } })).set("telemetry.format", "json").start()
}

/// App one signs somebody in, with a proof by that key.
fn bound_device(server: &Server, key: &DeviceKey) -> Tokens {
    let request = Authorization::new(ONE, SCOPE);
    let code = Browser::new().authorize(server, &request, &server.person()).code();
    Tokens(server.token_by(key, ONE, request.redeem(&code)).ok())
}

fn form(server: &Server, device: &Tokens) -> Form {
    server.exchange_form(device.id(), device.secret()).and("scope", SCOPE)
}

/// The claims of a correct voucher for a key of that client.
fn voucher(server: &Server, device: &Tokens, client: Client, by: &DeviceKey, new: &DeviceKey) -> ProofParts {
    ProofParts {
        header: json!({ "typ": "device-key-voucher+jwt", "alg": "ES256", "jwk": by.jwk }),
        claims: json!({
            "aud": server.issuer, "sid": jwt::claims(device.id())["sid"], "client_id": client.id,
            "jkt": new.thumbprint, "exp": now() + 60,
        }),
    }
}

#[test]
fn a_secret_of_a_bound_session_is_not_enough() {
    let server = under("closed");
    let (key, other) = (DeviceKey::new(), DeviceKey::new());
    let device = bound_device(&server, &key);
    assert_eq!(device.get("token_type"), "DPoP");
    server.token(TWO, form(&server, &device)).refused(400, "invalid_dpop_proof");
    server.token_by(&other, TWO, form(&server, &device)).refused(400, "invalid_grant");
    server.token_by(&other, ONE, form(&server, &device)).refused(400, "invalid_grant");
    let refused = server.trail().all("SE3024", &[("client_id", TWO.id)]).len();
    assert_eq!(refused, 2);
    // Whoever proves the key that was enrolled is let in, whichever app it is.
    let two = Tokens(server.token_by(&key, TWO, form(&server, &device)).ok());
    assert_eq!(two.get("token_type"), "DPoP");
    assert_eq!(server.introspect(two.access())["cnf"]["jkt"], json!(key.thumbprint));
    server.userinfo_with(&[&key.for_userinfo(&server, two.access())], two.access()).ok();
    server.refresh_by(&other, TWO, two.refresh()).refused(400, "invalid_grant");
    server.refresh_by(&key, TWO, two.refresh()).ok();
    // And it stays so after a restart.
    server.kill();
    server.start_again();
    server.token(TWO, form(&server, &device)).refused(400, "invalid_dpop_proof");
    server.token_by(&key, TWO, form(&server, &device)).ok();
}

#[test]
fn each_client_may_enrol_one_key_at_its_first_exchange() {
    let server = under("first_exchange");
    let (one, two, other) = (DeviceKey::new(), DeviceKey::new(), DeviceKey::new());
    let device = bound_device(&server, &one);
    server.token(TWO, form(&server, &device)).refused(400, "invalid_dpop_proof");
    server.token_by(&two, TWO, form(&server, &device)).ok();
    server.trail().one("SE3023", &[("client_id", TWO.id)]);
    server.token_by(&two, TWO, form(&server, &device)).ok();
    server.trail().one("SE3023", &[("client_id", TWO.id)]);
    server.token_by(&other, TWO, form(&server, &device)).refused(400, "invalid_grant");
    // The app that began the session has a key.
    server.token_by(&other, ONE, form(&server, &device)).refused(400, "invalid_grant");
    server.token_by(&other, THREE, form(&server, &device)).ok();
}

#[test]
fn an_enrolled_key_may_vouch_for_another() {
    let server = shared::usual();
    let (one, two, other) = (DeviceKey::new(), DeviceKey::new(), DeviceKey::new());
    let device = bound_device(server, &one);
    let with = |text: &str| form(server, &device).and("device_key_voucher", text);
    let good = voucher(server, &device, TWO, &one, &two);
    server.token_by(&two, TWO, form(server, &device)).refused(400, "invalid_grant");
    let mut private = one.jwk.clone();
    private["d"] = one.private_member().into();
    let wrong = [
        one.sign(&good.clone().claim("aud", "https://elsewhere.example")),
        one.sign(&good.clone().claim("sid", jwt::claims(server.device(ONE).id())["sid"].clone())),
        one.sign(&good.clone().claim("client_id", THREE.id)),
        one.sign(&good.clone().claim("jkt", other.thumbprint.clone())),
        one.sign(&good.clone().claim("exp", now() - 1)),
        one.sign(&good.clone().claim("exp", Value::Null)),
        one.sign(&good.clone().head("typ", "dpop+jwt")),
        one.sign(&good.clone().head("alg", "none")),
        one.sign(&good.clone().head("jwk", private)),
        two.sign(&good),
        two.sign(&good.clone().head("jwk", two.jwk.clone())),
        other.sign(&good.clone().head("jwk", other.jwk.clone())),
        one.for_token(server),
        "x".to_owned(),
    ];
    for (n, wrong) in wrong.iter().enumerate() {
        let answer = server.token_by(&two, TWO, with(wrong));
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_grant")), "case {n}: {}", answer.body);
    }
    let good = one.sign(&good);
    server.token(TWO, with(&good)).refused(400, "invalid_dpop_proof");
    server.token_by(&other, TWO, with(&good)).refused(400, "invalid_grant");
    let tokens = Tokens(server.token_by(&two, TWO, with(&good)).ok());
    assert_eq!(server.introspect(tokens.access())["cnf"]["jkt"], json!(two.thumbprint));
    // It is enrolled now, and may vouch in its turn.
    server.token_by(&two, TWO, form(server, &device)).ok();
    let by_two = two.sign(&voucher(server, &device, THREE, &two, &other));
    server.token_by(&other, THREE, with(&by_two)).ok();
}

#[test]
fn a_person_who_signs_in_on_the_device_adds_a_key() {
    let server = shared::usual();
    let (one, two) = (DeviceKey::new(), DeviceKey::new());
    let person = server.person();
    let first = Authorization::new(ONE, SCOPE);
    let code = Browser::new().authorize(server, &first, &person).code();
    let device = Tokens(server.token_by(&one, ONE, first.redeem(&code)).ok());
    let request = Authorization::new(TWO, SCOPE);
    let code = Browser::new().authorize(server, &request, &person).code();
    let joined = Tokens(server.token_by(&two, TWO, request.redeem(&code).and("device_secret", device.secret())).ok());
    assert_eq!(jwt::claims(joined.id())["sid"], jwt::claims(device.id())["sid"]);
    server.token_by(&two, TWO, form(server, &device)).ok();
}

#[test]
fn sessions_without_keys_are_as_before() {
    let server = shared::usual();
    let device = server.device(ONE);
    let tokens = Tokens(server.exchange(TWO, &device, SCOPE).ok());
    assert_eq!(tokens.get("token_type"), "Bearer");
    // An app may prove a key for its own tokens; the session stays open to the others.
    let key = DeviceKey::new();
    let tokens = Tokens(server.token_by(&key, TWO, form(server, &device)).ok());
    assert_eq!(tokens.get("token_type"), "DPoP");
    assert_eq!(server.exchange(THREE, &device, "openid").ok()["token_type"], "Bearer");
    server.token_by(&DeviceKey::new(), TWO, form(server, &device)).ok();
}
