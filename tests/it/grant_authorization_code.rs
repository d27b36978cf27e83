//! The authorization code grant: one code, one client, one redirect URI, one verifier, one use.

use crate::harness::cast::{BACKEND, BACKEND_POST, NO_DEVICE_SCOPE, ONE, TWO};
use crate::harness::request::half_sha256;
use crate::harness::{Answer, Authorization, Browser, Form, Setup, Tokens, jwt, shared, until};

fn code_for(request: &Authorization) -> String {
    let server = shared::usual();
    Browser::new().authorize(server, request, &server.person()).code()
}

#[test]
fn the_answer_has_what_was_asked_for_and_no_more() {
    let server = shared::usual();
    let request = Authorization::new(ONE, "openid profile");
    let code = code_for(&request);
    let answer = server.token(ONE, request.redeem(&code));
    answer.is_not_cached();
    let tokens = Tokens(answer.ok());
    assert_eq!(tokens.get("token_type"), "Bearer");
    assert_eq!(tokens.scope(), ["openid", "profile"]);
    assert_eq!(tokens.0["expires_in"], 600);
    assert!(!tokens.has("refresh_token") && !tokens.has("device_secret") && !tokens.has("device_token"));
    let (_, claims) = server.verified(tokens.id());
    assert_eq!(claims["aud"], ONE.id);
    assert_eq!(claims["nonce"], request.nonce.as_str());
    assert_eq!(claims["at_hash"], half_sha256(tokens.access()).as_str());
    assert!(claims["sid"].is_string());
    assert!(claims["ds_hash"].is_null());
}

#[test]
fn without_openid_there_is_no_id_token() {
    let server = shared::usual();
    let tokens = server.sign_in(ONE, &server.person(), "profile");
    assert!(!tokens.has("id_token"));
}

#[test]
fn offline_access_brings_a_refresh_token() {
    let server = shared::usual();
    let tokens = server.sign_in(NO_DEVICE_SCOPE, &server.person(), "openid offline_access");
    assert!(tokens.has("refresh_token"));
}

/// What goes wrong with an otherwise correct redemption.
type Change = fn(Form) -> Form;

#[test]
fn a_wrong_verifier_redirect_uri_or_client_is_refused() {
    let server = shared::usual();
    let changes: [(&str, Change); 4] = [
        ("verifier", |form| form.set("code_verifier", "wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong")),
        ("short verifier", |form| form.set("code_verifier", "x")),
        ("redirect", |form| form.set("redirect_uri", "http://127.0.0.1:10/callback")),
        ("code", |form| form.set("code", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
    ];
    for (name, change) in changes {
        let request = Authorization::new(ONE, "openid");
        let code = code_for(&request);
        let answer = server.token(ONE, change(request.redeem(&code)));
        assert_eq!(answer.status, 400, "{name}");
        answer.refused(400, "invalid_grant");
    }
    let request = Authorization::new(ONE, "openid");
    let code = code_for(&request);
    server.token(TWO, request.redeem(&code)).refused(400, "invalid_grant");
    server.token(BACKEND, request.redeem(&code)).refused(400, "invalid_grant");
}

#[test]
fn a_missing_parameter_is_named_to_the_client_of_the_code_alone() {
    let server = shared::usual();
    let named = |answer: &Answer, code: &str, name: &str| {
        let body = answer.refused(400, code);
        assert!(body["error_description"].as_str().is_some_and(|text| text.contains(name)), "{name}: {body}");
    };
    for client in [ONE, BACKEND] {
        let request = Authorization::new(client, "openid");
        let code = code_for(&request);
        let form = request.redeem(&code);
        // RFC 6749 section 5.2. It is said before any code is looked at, so it tells nothing about this one.
        let without = form.clone().without("code_verifier");
        named(&server.token(client, without.clone()), "invalid_request", "code_verifier");
        named(&server.token(client, without.set("code", "made-up")), "invalid_request", "code_verifier");
        // RFC 6749 section 4.1.3. Whoever has the verifier began the flow and may know what else the code wants.
        named(&server.token(client, form.clone().without("redirect_uri")), "invalid_request", "redirect_uri");
        named(&server.token(client, form.clone().set("redirect_uri", "https://x.example/")), "invalid_grant", "redirect_uri");
        let stranger = if client.id == ONE.id { TWO } else { ONE };
        let opaque = server.token(stranger, form.clone().set("code", "made-up")).refused(400, "invalid_grant");
        for wrong in [
            form.clone().without("redirect_uri"),
            form.clone(),
            form.clone().set("code_verifier", &"x".repeat(50)).without("redirect_uri"),
        ] {
            assert_eq!(server.token(stranger, wrong).refused(400, "invalid_grant"), opaque, "a stranger learns nothing");
        }
        let guess = form.clone().set("code_verifier", &"x".repeat(50)).without("redirect_uri");
        assert_eq!(server.token(client, guess).refused(400, "invalid_grant"), opaque, "nor does who has no verifier");
        server.token(client, form).ok();
    }
}

#[test]
fn a_client_that_used_pkce_without_need_must_finish_it() {
    let server = shared::usual();
    let request = Authorization::new(BACKEND_POST, "openid");
    let code = code_for(&request);
    let body = server.token(BACKEND_POST, request.redeem(&code).without("code_verifier")).refused(400, "invalid_request");
    assert!(body["error_description"].as_str().is_some_and(|text| text.contains("code_verifier")), "{body}");
    server.token(BACKEND_POST, request.redeem(&code)).ok();
}

#[test]
fn a_client_that_need_not_use_pkce_may_leave_it_out_but_not_add_a_verifier() {
    let server = shared::usual();
    let without = || Authorization::new(BACKEND_POST, "openid").without("code_challenge").without("code_challenge_method");
    let request = without();
    let code = code_for(&request);
    server.token(BACKEND_POST, request.redeem(&code).without("code_verifier")).ok();
    let request = without();
    let code = code_for(&request);
    server.token(BACKEND_POST, request.redeem(&code)).refused(400, "invalid_grant");
}

#[test]
fn a_replay_revokes_what_the_first_use_issued() {
    let server = shared::usual();
    let request = Authorization::new(ONE, "openid offline_access");
    let code = code_for(&request);
    let tokens = Tokens(server.token(ONE, request.redeem(&code)).ok());
    assert!(server.is_active(tokens.access()));
    server.token(ONE, request.redeem(&code)).refused(400, "invalid_grant");
    assert!(!server.is_active(tokens.access()));
    server.refresh(ONE, tokens.refresh()).refused(400, "invalid_grant");
}

#[test]
fn of_many_redemptions_at_once_exactly_one_wins_and_the_replays_revoke_it() {
    let server = shared::usual();
    let request = Authorization::new(ONE, "openid offline_access");
    let code = code_for(&request);
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(|| server.token(ONE, request.redeem(&code)))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread")).collect()
    });
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1, "winners");
    for answer in lost {
        answer.refused(400, "invalid_grant");
    }
    // The others were replays, and a replay revokes what the first use issued (RFC 6749 section 4.1.2).
    for answer in won {
        let tokens = Tokens(answer.json());
        assert!(!server.is_active(tokens.access()) && !server.is_active(tokens.refresh()));
    }
}

#[test]
fn a_code_expires() {
    let server = Setup::new().set("tokens.code.lifetime", "1s").start();
    let person = server.person();
    let browser = Browser::new();
    // A code redeemed at once may still be alive; each round waits longer, so that the last one is certainly late.
    let mut wait = std::time::Duration::from_millis(600);
    until("a code is too old", || {
        let request = Authorization::new(ONE, "openid");
        let code = browser.authorize(&server, &request, &person).code();
        std::thread::sleep(wait);
        wait *= 2;
        let answer = server.token(ONE, request.redeem(&code));
        answer.status == 400 && answer.json()["error"] == "invalid_grant"
    });
}

#[test]
fn codes_differ_and_say_nothing() {
    let (one, two) = (code_for(&Authorization::new(ONE, "openid")), code_for(&Authorization::new(ONE, "openid")));
    assert_ne!(one, two);
    assert!(one.len() >= 40, "at least 256 bits");
    assert!(one.split('.').count() < 3, "no JWT");
}

#[test]
fn the_access_token_is_a_jwt_of_rfc_9068() {
    let server = shared::usual();
    let tokens = server.sign_in(ONE, &server.person(), "openid profile");
    let (header, claims) = server.verified(tokens.access());
    assert_eq!(header.typ.map(|typ| typ.to_lowercase()).as_deref(), Some("at+jwt"));
    for name in ["iss", "sub", "aud", "jti", "client_id", "scope", "sid", "acr"] {
        assert!(claims[name].is_string(), "{name}: {claims}");
    }
    for name in ["exp", "iat", "auth_time"] {
        assert!(claims[name].is_u64(), "{name}: {claims}");
    }
    assert_eq!(claims["client_id"], ONE.id);
    assert_eq!(claims["aud"], server.issuer.as_str());
    assert_eq!(claims["exp"].as_u64(), claims["iat"].as_u64().map(|iat| iat + 600));
    assert_eq!(claims["sub"], jwt::claims(tokens.id())["sub"]);
}
