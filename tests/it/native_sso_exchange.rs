//! Native SSO, the next app: the rules of the exchange (draft 08 sections 4.2 to 4.4), each with its own refusal.

use crate::harness::app::now;
use crate::harness::cast::{BACKEND, BACKEND_JWT, DIRECTED, NO_DEVICE_SCOPE, NO_EXCHANGE, ONE, SERVICE, STRANGER, THREE, TWO};
use crate::harness::request::half_sha256;
use crate::harness::server::http;
use crate::harness::{Browser, DEVICE_SECRET_TYPE, Form, Server, Setup, Tokens, jwt, shared, until};

/// The form of a correct exchange of that device.
fn form(device: &Tokens) -> Form {
    shared::usual().exchange_form(device.id(), device.secret())
}

/// Expects `invalid_grant`; gives the sentence, which must be the same for every credential.
#[track_caller]
fn invalid_grant(form: Form) -> String {
    let body = shared::usual().token(TWO, form).refused(400, "invalid_grant");
    body["error_description"].as_str().expect("a sentence").to_owned()
}

#[test]
fn the_next_app_is_signed_in_by_one_request() {
    let server = shared::usual();
    let device = server.device(ONE);
    let answer = server.exchange(TWO, &device, "openid profile offline_access device_sso");
    answer.is_not_cached();
    let tokens = Tokens(answer.ok());
    assert_eq!(tokens.get("issued_token_type"), "urn:ietf:params:oauth:token-type:access_token");
    assert_eq!(tokens.get("token_type"), "Bearer");
    assert_eq!(tokens.0["expires_in"], 600);
    assert_eq!(tokens.scope(), ["device_sso", "offline_access", "openid", "profile"]);
    let (_, first) = server.verified(device.id());
    let (_, second) = server.verified(tokens.id());
    assert_eq!(second["aud"], TWO.id);
    for name in ["iss", "sub", "sid", "ds_hash", "auth_time", "acr", "amr"] {
        assert_eq!(first[name], second[name], "{name}");
    }
    let (_, access) = server.verified(tokens.access());
    assert_eq!((&access["client_id"], &access["sid"]), (&TWO.id.into(), &first["sid"]));
    let info = server.userinfo(tokens.access()).ok();
    assert_eq!(info["sub"], first["sub"]);
    assert_eq!(info["name"], "Ada Example");
    server.refresh(TWO, tokens.refresh()).ok();
}

#[test]
fn scope_may_be_left_out() {
    let server = shared::usual();
    let device = server.device(ONE);
    let tokens = Tokens(server.token(TWO, form(&device)).ok());
    assert!(tokens.scope().contains(&"openid"));
    assert!(tokens.scope().iter().all(|value| device.scope().contains(value)), "no more than was agreed to");
}

#[test]
fn scope_must_contain_openid_and_be_registered() {
    let server = shared::usual();
    let device = server.device(ONE);
    server.exchange(TWO, &device, "profile").refused(400, "invalid_scope");
    server.exchange(TWO, &device, "openid unheard-of").refused(400, "invalid_scope");
    server.exchange(NO_DEVICE_SCOPE, &device, "openid write").refused(400, "invalid_scope");
}

#[test]
fn the_shape_of_the_request() {
    let server = shared::usual();
    let device = server.device(ONE);
    for name in ["audience", "subject_token", "subject_token_type", "actor_token_type"] {
        server.token(TWO, form(&device).without(name)).refused(400, "invalid_request");
        server.token(TWO, form(&device).set(name, "")).refused(400, "invalid_request");
    }
    for (name, value) in [
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("actor_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("actor_token_type", "device-secret"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:saml2"),
    ] {
        server.token(TWO, form(&device).set(name, value)).refused(400, "invalid_request");
    }
    let wanted = "urn:ietf:params:oauth:token-type:access_token";
    server.token(TWO, form(&device).set("requested_token_type", wanted)).ok();
}

#[test]
fn the_audience_is_the_issuer() {
    let server = shared::usual();
    let device = server.device(ONE);
    let slash = |n: usize| format!("{}{}", server.issuer, "/".repeat(n));
    for audience in
        ["https://other.example.com", TWO.id, &server.url("/token"), &slash(1), &slash(3), &server.issuer.to_uppercase()]
    {
        let body = server.token(TWO, form(&device).set("audience", audience)).refused(400, "invalid_target");
        assert!(body["error_description"].as_str().is_some_and(|text| text.contains("issuer")), "{audience}: {body}");
    }
    let both = form(&device).and("audience", "https://other.example.com");
    assert_ne!(server.token(TWO, both).status, 200);
}

#[test]
fn an_id_token_without_its_secret_is_refused() {
    let server = shared::usual();
    let device = server.device(ONE);
    let bare = form(&device).without("actor_token").without("actor_token_type");
    server.token(TWO, bare.clone()).refused(400, "invalid_request");
    server.token(ONE, bare.clone()).refused(400, "invalid_request");
    server.token(BACKEND, bare.without("audience")).refused(400, "invalid_request");
}

#[test]
fn both_families_of_token_type_names_are_understood() {
    let server = shared::usual();
    let device = server.device(ONE);
    for actor in
        [DEVICE_SECRET_TYPE, "urn:x-oath:params:oauth:token-type:device-secret", "urn:openid:params:token-type:device_secret"]
    {
        for subject in [
            "urn:ietf:params:oauth:token-type:id_token",
            "urn:ietf:params:oauth:token-type:id-token",
            "urn:openid:params:token-type:id_token",
        ] {
            let form = form(&device).set("actor_token_type", actor).set("subject_token_type", subject);
            server.token(TWO, form).ok();
        }
    }
}

#[test]
fn every_failed_credential_reads_the_same() {
    let server = shared::usual();
    let device = server.device(ONE);
    let other = server.device(ONE);
    let person = server.person();
    let plain = server.sign_in(ONE, &person, "openid");
    let expected = invalid_grant(form(&device).set("actor_token", "nonsense"));
    let hash_of_other = jwt::claims(other.id())["ds_hash"].clone();
    let cases = [
        ("a secret cut short", form(&device).set("actor_token", &device.secret()[..device.secret().len() - 1])),
        ("a secret with more", form(&device).set("actor_token", &format!("{}A", device.secret()))),
        ("another device's secret", form(&device).set("actor_token", other.secret())),
        ("another device's ID token", form(&device).set("subject_token", other.id())),
        ("a refresh token as secret", form(&device).set("actor_token", device.refresh())),
        ("no JWT", form(&device).set("subject_token", "a.b.c")),
        ("an ID token without ds_hash", form(&device).set("subject_token", plain.id())),
        ("an access token", form(&device).set("subject_token", device.access())),
        ("no signature", form(&device).set("subject_token", &jwt::unsigned(device.id()))),
        ("another person", form(&device).set("subject_token", &jwt::tampered(device.id(), "sub", "someone".into()))),
        ("another binding", form(&device).set("subject_token", &jwt::tampered(device.id(), "ds_hash", hash_of_other))),
        ("a cut signature", form(&device).set("subject_token", &device.id()[..device.id().len() - 4])),
        ("a foreign key", form(&device).set("subject_token", &foreign(device.id()))),
    ];
    for (name, form) in cases {
        assert_eq!(invalid_grant(form), expected, "{name}");
    }
    server.token(TWO, form(&device)).ok();
}

/// The same claims, signed by a key of somebody else.
fn foreign(id_token: &str) -> String {
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
    header.kid = jwt::header(id_token)["kid"].as_str().map(str::to_owned);
    jsonwebtoken::encode(&header, &jwt::claims(id_token), &crate::harness::cast::client_key().0).expect("a JWT")
}

#[test]
fn only_apps_of_the_family_share() {
    let server = shared::usual();
    let device = server.device(ONE);
    server.exchange(STRANGER, &device, "openid").refused(400, "invalid_grant");
    server.exchange(THREE, &device, "openid").ok();
    server.exchange(ONE, &device, "openid").ok();
    let other = server.device(STRANGER);
    server.exchange(TWO, &other, "openid").refused(400, "invalid_grant");
}

#[test]
fn a_directed_source_has_a_ceiling_and_may_be_kept_from_staying_offline() {
    let server = shared::usual();
    let device = server.device(ONE);
    let answer = server.exchange(DIRECTED, &device, "openid profile email offline_access");
    let tokens =
        Tokens(if answer.status == 200 { answer.json() } else { server.exchange(DIRECTED, &device, "openid profile").ok() });
    assert_eq!(tokens.scope().into_iter().filter(|value| *value != "device_sso").collect::<Vec<_>>(), ["openid", "profile"]);
    assert!(!tokens.has("refresh_token"));
    let by_two = Tokens(server.exchange(TWO, &device, "openid device_sso").ok());
    server.exchange(DIRECTED, &by_two, "openid").refused(400, "invalid_grant");
}

#[test]
fn a_ceiling_holds_for_whatever_the_app_does_next() {
    let server = shared::usual();
    let person = server.person();
    let device = server.sign_in(ONE, &person, "openid profile email offline_access device_sso");
    let tokens = Tokens(server.exchange(DIRECTED, &device, "openid profile").ok());
    let itself = |tokens: &Tokens| server.exchange_form(tokens.id(), device.secret());
    let mut again = tokens;
    for _ in 0..3 {
        let more = itself(&again).and("scope", "openid profile email");
        server.token(DIRECTED, more).refused(400, "invalid_scope");
        again = Tokens(server.token(DIRECTED, itself(&again).and("scope", "openid profile")).ok());
        assert!(!again.has("refresh_token"), "its own ID token opens no more than its source's did");
        let all = Tokens(server.token(DIRECTED, itself(&again)).ok());
        assert_eq!(all.scope(), ["openid", "profile"]);
    }
    // What it was given is taken back: its ID token alone does not bring it in again.
    server.revoke(ONE, device.secret());
    let device = server.sign_in(ONE, &person, "openid profile email offline_access device_sso");
    let tokens = Tokens(server.exchange(DIRECTED, &device, "openid profile").ok());
    let sid = jwt::claims(tokens.id())["sid"].as_str().expect("a sid").to_owned();
    server.command(&["session", "end", &sid]).fine();
    server.token(DIRECTED, server.exchange_form(tokens.id(), device.secret())).refused(400, "invalid_grant");
    // Signed in by the person, nothing but its registration bounds it, whatever was admitted before or after.
    let device = server.sign_in(ONE, &person, "openid profile email offline_access device_sso");
    server.exchange(DIRECTED, &device, "openid profile").ok();
    let scope = "openid profile email offline_access device_sso";
    let own = server.sign_in_by(&Browser::new(), DIRECTED, &person, scope, Some(device.secret()));
    assert_eq!(own.secret(), device.secret(), "the same device");
    server.exchange(DIRECTED, &device, "openid profile").ok();
    let form = server.exchange_form(own.id(), own.secret()).and("scope", "openid profile email offline_access");
    let again = Tokens(server.token(DIRECTED, form).ok());
    assert_eq!(again.scope(), ["email", "offline_access", "openid", "profile"]);
    assert!(again.has("refresh_token"));
}

#[test]
fn an_app_may_exchange_often_without_losing_its_refresh_token() {
    let server = Setup::new().property("op.deviceSSOHandler.refreshToken.issue", "false").start();
    let device = server.device(ONE);
    let tokens: Vec<Tokens> = (0..20).map(|_| Tokens(server.exchange(ONE, &device, "openid").ok())).collect();
    assert!(server.is_active(device.access()));
    server.refresh(ONE, device.refresh()).ok();
    assert!(server.is_active(tokens[19].access()) && !server.is_active(tokens[0].access()));
    assert!(server.log().contains("RT4004"), "what had to go is audited");
}

#[test]
fn clients_without_the_grant_are_told_so() {
    let server = shared::usual();
    let device = server.device(ONE);
    server.exchange(NO_EXCHANGE, &device, "openid").refused(400, "unauthorized_client");
    server.exchange(SERVICE, &device, "openid").refused(400, "unauthorized_client");
}

#[test]
fn confidential_clients_authenticate_in_the_exchange_too() {
    let server = shared::usual();
    let device = server.device(ONE);
    for client in [BACKEND, BACKEND_JWT] {
        let tokens = Tokens(server.exchange(client, &device, "openid").ok());
        assert_eq!(jwt::claims(tokens.id())["aud"], client.id);
    }
    let form = form(&device).and("client_id", BACKEND.id);
    let answer = http().post(server.url("/token")).header("content-type", "application/x-www-form-urlencoded");
    Server::send(answer.body(form.encoded())).refused(401, "invalid_client");
}

#[test]
fn an_app_must_say_who_it_is() {
    let server = shared::usual();
    let device = server.device(ONE);
    let request = http().post(server.url("/token")).header("content-type", "application/x-www-form-urlencoded");
    let answer = Server::send(request.body(form(&device).encoded()));
    assert!(matches!(answer.json()["error"].as_str(), Some("invalid_client" | "invalid_request")), "{}", answer.body);
}

#[test]
fn an_expired_id_token_still_opens_the_door() {
    let server = shared::short_lived();
    let device = server.device(ONE);
    let expires = jwt::claims(device.id())["exp"].as_u64().expect("exp");
    until("the ID token expired", || now() > expires + 1);
    let tokens = Tokens(server.exchange(TWO, &device, "openid").ok());
    assert_eq!(jwt::claims(tokens.id())["sub"], jwt::claims(device.id())["sub"]);
    until("the access token expired", || !server.is_active(tokens.access()));
    server.userinfo(tokens.access()).refused(401, "invalid_token");
}

#[test]
fn the_session_must_be_alive() {
    let server = shared::usual();
    let device = server.device(ONE);
    server.revoke(ONE, device.secret());
    server.exchange(TWO, &device, "openid").refused(400, "invalid_grant");
}

#[test]
fn the_next_app_carries_the_sign_on_further() {
    let server = shared::usual();
    let one = server.device(ONE);
    let two = Tokens(server.exchange(TWO, &one, "openid device_sso offline_access").ok());
    assert_eq!(jwt::claims(two.id())["ds_hash"], half_sha256(two.secret()).as_str());
    let three = Tokens(server.exchange(THREE, &two, "openid").ok());
    let (first, third) = (jwt::claims(one.id()), jwt::claims(three.id()));
    assert_eq!((&first["sub"], &first["sid"]), (&third["sub"], &third["sid"]));
    server.revoke(TWO, two.secret());
    server.refresh(ONE, one.refresh()).refused(400, "invalid_grant");
}

#[test]
fn the_id_token_of_an_exchange_brings_in_the_next_app_with_the_old_secret() {
    let server = shared::usual();
    let one = server.device(ONE);
    let two = Tokens(server.exchange(TWO, &one, "openid").ok());
    server.token(THREE, server.exchange_form(two.id(), one.secret())).ok();
}

#[test]
fn without_a_handler_the_grant_is_not_supported() {
    let server = shared::without_handler();
    let device = server.device(ONE);
    server.exchange(TWO, &device, "openid").refused(400, "unsupported_grant_type");
}

#[test]
fn many_apps_exchange_at_the_same_time() {
    let server = shared::usual();
    let device = server.device(ONE);
    let refresh: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..12)
            .map(|n| {
                let (device, client) = (&device, [TWO, THREE, ONE][n % 3]);
                scope.spawn(move || Tokens(server.exchange(client, device, "openid offline_access").ok()).refresh().to_owned())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread")).collect()
    });
    for (n, token) in refresh.iter().enumerate() {
        server.refresh([TWO, THREE, ONE][n % 3], token).ok();
    }
}

#[test]
fn an_issuer_with_a_path_plays_the_whole_story() {
    let server = shared::below_a_path();
    let device = server.device(ONE);
    let tokens = Tokens(server.exchange(TWO, &device, "openid profile offline_access").ok());
    assert_eq!(server.verified(tokens.id()).1["iss"], server.issuer.as_str());
    server.userinfo(tokens.access()).ok();
    server.revoke(ONE, device.secret());
    assert!(!server.is_active(tokens.access()));
}
