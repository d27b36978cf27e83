//! Every property of the default handler (sources/001), over HTTP with the real library: names, values, defaults.

use serde_json::{Value, json};

use crate::harness::cast::{BACKEND, ONE, TWO};
use crate::harness::{Server, Setup, Tokens, jwt, shared, until};

const PREFIX: &str = "op.deviceSSOHandler.";

/// The usual server with these properties of the default handler.
#[track_caller]
fn with(properties: &[(&str, &str)]) -> Setup {
    properties.iter().fold(Setup::new(), |setup, (name, value)| setup.property(&format!("{PREFIX}{name}"), value))
}

/// What app two gets for everything it may have.
#[track_caller]
fn exchanged(server: &Server) -> Tokens {
    Tokens(server.exchange(TWO, &server.device(ONE), "openid profile email offline_access").ok())
}

#[test]
fn the_load_line_has_its_code() {
    let log = shared::usual().log();
    let line = log.lines().find(|line| line.contains("OP7106")).expect("a load line");
    assert!(line.contains("Loaded device SSO handler"), "{line}");
    assert!(line.contains("enabled=true"), "{line}");
    let line = shared::without_handler().log();
    assert!(line.contains("OP7106") && line.contains("enabled=false"), "{line}");
}

#[test]
fn enable_is_false_by_default_and_when_blank() {
    for properties in ["", "op.deviceSSOHandler.enable=\n", "op.deviceSSOHandler.enable=false\n", "# nothing\n"] {
        let server = Setup::new().properties(properties).start();
        let document = server.get("/.well-known/openid-configuration").ok();
        assert_eq!(document["native_sso_supported"], false, "{properties:?}");
        server.exchange(TWO, &server.device(ONE), "openid").refused(400, "unsupported_grant_type");
    }
}

#[test]
fn the_shipped_file_with_its_blanks_means_the_defaults() {
    let server = Setup::new()
        .properties(
            "# Enables / disables the handler.\nop.deviceSSOHandler.enable=true\n\
             op.deviceSSOHandler.scopeRequiringInteraction=\nop.deviceSSOHandler.accessToken.lifetime=\n\
             op.deviceSSOHandler.accessToken.encoding=SELF_CONTAINED\nop.deviceSSOHandler.accessToken.encrypt=false\n\
             op.deviceSSOHandler.accessToken.audienceList=\nop.deviceSSOHandler.accessToken.includeClientMetadataFields=\n\
             op.deviceSSOHandler.refreshToken.issue=true\nop.deviceSSOHandler.refreshToken.lifetime=\n\
             op.deviceSSOHandler.refreshToken.maxIdleTime=0\nop.deviceSSOHandler.refreshToken.rotate=\n\
             op.deviceSSOHandler.claimsTransport=USERINFO\n",
        )
        .start();
    let (full, minimal) = (exchanged(&server), exchanged(shared::usual()));
    for tokens in [&full, &minimal] {
        assert_eq!(tokens.0["expires_in"], 600);
        assert_eq!(tokens.access().split('.').count(), 3, "SELF_CONTAINED is the default");
        assert!(tokens.has("refresh_token"));
        assert!(jwt::claims(tokens.id())["email"].is_null(), "USERINFO is the default");
        assert!(jwt::claims(tokens.access())["data"].is_null());
    }
    let next = Tokens(server.refresh(TWO, full.refresh()).ok());
    assert_ne!(next.refresh(), full.refresh(), "rotation is the server's default");
}

#[test]
fn scope_requiring_interaction() {
    let server = with(&[("scopeRequiringInteraction", "payments write")]).start();
    let device = server.device(ONE);
    for (scope, missing) in [("openid payments", "payments"), ("openid write read", "write")] {
        let body = server.exchange(TWO, &device, scope).refused(400, "interaction_required");
        assert_eq!(body["scope"], missing);
    }
    server.exchange(TWO, &device, "openid read").ok();
    let tokens = Tokens(server.exchange(TWO, &device, "openid read profile").ok());
    assert!(!tokens.scope().contains(&"payments"));
    let front = server.sign_in(TWO, &server.person(), "openid payments");
    assert!(front.scope().contains(&"payments"), "the authorization endpoint still grants it");
}

#[test]
fn access_token_lifetime() {
    let server = with(&[("accessToken.lifetime", "77")]).start();
    let tokens = exchanged(&server);
    assert_eq!(tokens.0["expires_in"], 77);
    let claims = jwt::claims(tokens.access());
    assert_eq!(claims["exp"].as_u64(), claims["iat"].as_u64().map(|iat| iat + 77));
    assert_eq!(server.device(ONE).0["expires_in"], 600, "the front channel keeps the server's default");
}

#[test]
fn zero_and_blank_lifetimes_mean_the_default_under_its_old_name() {
    for lifetime in ["0", ""] {
        let setup = with(&[("accessToken.lifetime", lifetime)]).property("authzStore.accessToken.defaultLifetime", "123");
        assert_eq!(exchanged(&setup.start()).0["expires_in"], 123, "{lifetime:?}");
    }
}

#[test]
fn a_lifetime_beyond_the_servers_maximum_is_cut() {
    let server = with(&[("accessToken.lifetime", "31536000")]).set("tokens.access_token.max_lifetime", "2h").start();
    assert_eq!(exchanged(&server).0["expires_in"], 7200);
}

#[test]
fn access_token_encoding_identifier() {
    let server = with(&[("accessToken.encoding", "IDENTIFIER")]).start();
    let tokens = exchanged(&server);
    assert_eq!(tokens.access().split('.').filter(|part| part.len() > 60).count(), 0, "nothing to read in it");
    let answer = server.introspect(tokens.access());
    assert_eq!((&answer["active"], &answer["client_id"]), (&json!(true), &json!(TWO.id)));
    assert_eq!(server.userinfo(tokens.access()).ok()["email"], "ada@example.com");
}

#[test]
fn audience_list_by_comma_and_space() {
    let server =
        with(&[("accessToken.audienceList", "https://api.example.com, https://b.example.com https://c.example.com")]).start();
    let tokens = exchanged(&server);
    let expected = json!(["https://api.example.com", "https://b.example.com", "https://c.example.com"]);
    assert_eq!(jwt::claims(tokens.access())["aud"], expected);
    assert_eq!(server.introspect(tokens.access())["aud"], expected);
    let server = with(&[("accessToken.audienceList", "https://api.example.com")]).start();
    assert_eq!(jwt::claims(exchanged(&server).access())["aud"], "https://api.example.com");
}

#[test]
fn client_metadata_fields_with_dots() {
    let server = with(&[("accessToken.includeClientMetadataFields", "client_name data.tier, data.nowhere")])
        .client(TWO.id, "data", json!({ "tier": "gold", "hidden": "silver" }))
        .start();
    let tokens = exchanged(&server);
    let data = jwt::claims(tokens.access())["data"].clone();
    assert_eq!(data["client_name"], "The app app-two");
    assert!(data.to_string().contains("gold"), "{data}");
    assert!(!data.to_string().contains("silver"), "{data}");
    assert_eq!(server.introspect(tokens.access())["data"], data);
}

#[test]
fn a_client_secret_is_no_metadata_field() {
    let fields = "client_secret client_secret_hash client_name";
    let server = with(&[("accessToken.includeClientMetadataFields", fields)]).start();
    let tokens = Tokens(server.exchange(BACKEND, &server.device(ONE), "openid").ok());
    let data = jwt::claims(tokens.access())["data"].clone();
    assert_eq!(data, json!({ "client_name": "The app backend" }));
}

#[test]
fn refresh_token_issue() {
    let server = with(&[("refreshToken.issue", "false")]).start();
    assert!(!exchanged(&server).has("refresh_token"));
    assert!(server.device(ONE).has("refresh_token"), "the front channel is not the handler's business");
}

#[test]
fn a_refresh_token_needs_its_scope_or_is_the_handlers_gift() {
    let server = shared::usual();
    let tokens = Tokens(server.exchange(TWO, &server.device(ONE), "openid offline_access").ok());
    assert!(tokens.has("refresh_token"));
}

/// Whether a refresh token of an exchange dies within seconds; one that does not is watched next to one that does.
fn dies(server: &Server, tokens: &Tokens) {
    until("the refresh token is dead", || !server.is_active(tokens.refresh()));
    server.refresh(TWO, tokens.refresh()).refused(400, "invalid_grant");
}

#[test]
fn refresh_token_lifetime_in_seconds() {
    let server = with(&[("refreshToken.lifetime", "2")]).start();
    let device = server.device(ONE);
    let tokens = Tokens(server.exchange(TWO, &device, "openid offline_access").ok());
    dies(&server, &tokens);
    assert!(server.is_active(device.refresh()), "app one's lives on");
    server.exchange(TWO, &device, "openid").ok();
}

#[test]
fn refresh_token_lifetime_default_and_never() {
    let short = |lifetime: &str| {
        with(&[("refreshToken.lifetime", lifetime)]).property("authzStore.refreshToken.defaultLifetime", "4").start()
    };
    for lifetime in ["-1", ""] {
        let server = short(lifetime);
        dies(&server, &exchanged(&server));
    }
    let server = short("0");
    let device = server.device(ONE);
    let tokens = Tokens(server.exchange(TWO, &device, "openid offline_access").ok());
    until("app one's refresh token is dead", || !server.is_active(device.refresh()));
    server.refresh(TWO, tokens.refresh()).ok();
}

#[test]
fn refresh_token_max_idle_time() {
    let server = with(&[("refreshToken.maxIdleTime", "2")]).start();
    dies(&server, &exchanged(&server));
}

#[test]
fn refresh_token_max_idle_time_zero_or_blank_is_no_limit() {
    for idle in ["0", ""] {
        let server = with(&[("refreshToken.maxIdleTime", idle)]).set("tokens.refresh_token.max_idle", "2s").start();
        let device = server.device(ONE);
        let tokens = Tokens(server.exchange(TWO, &device, "openid offline_access").ok());
        until("app one's refresh token is dead", || !server.is_active(device.refresh()));
        server.refresh(TWO, tokens.refresh()).ok();
    }
}

#[test]
fn refresh_token_rotate() {
    let fixed = with(&[("refreshToken.rotate", "false")]).start();
    let tokens = exchanged(&fixed);
    for _ in 0..2 {
        let next = Tokens(fixed.refresh(TWO, tokens.refresh()).ok());
        assert!(!next.has("refresh_token") || next.refresh() == tokens.refresh());
    }
    let rotating = with(&[("refreshToken.rotate", "true")]).set("tokens.refresh_token.rotate", false).start();
    let tokens = exchanged(&rotating);
    assert_ne!(Tokens(rotating.refresh(TWO, tokens.refresh()).ok()).refresh(), tokens.refresh());
    let blank = with(&[("refreshToken.rotate", "")]).set("tokens.refresh_token.rotate", false).start();
    let tokens = exchanged(&blank);
    let next = Tokens(blank.refresh(TWO, tokens.refresh()).ok());
    assert!(!next.has("refresh_token") || next.refresh() == tokens.refresh(), "blank: the server's setting");
}

#[test]
fn claims_transport() {
    let server = with(&[("claimsTransport", "ID_TOKEN")]).start();
    let tokens = exchanged(&server);
    let claims = jwt::claims(tokens.id());
    assert_eq!((&claims["email"], &claims["name"]), (&json!("ada@example.com"), &json!("Ada Example")));
    assert!(server.userinfo(tokens.access()).ok()["email"].is_null());
    let refreshed = Tokens(server.refresh(TWO, tokens.refresh()).ok());
    assert_eq!(jwt::claims(refreshed.id())["email"], "ada@example.com", "after a refresh as before");
    assert!(server.userinfo(refreshed.access()).ok()["email"].is_null());
    let server = with(&[("claimsTransport", "USERINFO")]).start();
    let tokens = exchanged(&server);
    assert!(jwt::claims(tokens.id())["email"].is_null());
    assert_eq!(server.userinfo(tokens.access()).ok()["email"], "ada@example.com");
}

#[test]
fn environment_beats_the_file_and_a_definition_beats_both() {
    let file = || with(&[("accessToken.lifetime", "71")]);
    let name = format!("{PREFIX}accessToken.lifetime");
    let environment = format!("SYMBOLON_PROPERTY_{}", name.replace('.', "_"));
    assert_eq!(exchanged(&file().start()).0["expires_in"], 71);
    assert_eq!(exchanged(&file().environment(&environment, "72").start()).0["expires_in"], 72);
    let all = file().environment(&environment, "72").define(&name, "73");
    assert_eq!(exchanged(&all.start()).0["expires_in"], 73);
    let off = Setup::new().define(&format!("{PREFIX}enable"), "false").start();
    assert_eq!(off.get("/.well-known/openid-configuration").ok()["native_sso_supported"], false);
    let on = Setup::new().properties("").define(&format!("{PREFIX}enable"), "true").start();
    assert_eq!(on.get("/.well-known/openid-configuration").ok()["native_sso_supported"], true);
}

#[test]
fn wrong_properties_are_all_found_at_once_with_their_lines() {
    let said = Setup::new()
        .properties(
            "op.deviceSSOHandler.enable=perhaps\nop.deviceSSOHandler.accessToken.lifetime=soon\n\
             op.deviceSSOHandler.accessToken.encoding=PAPER\nop.deviceSSOHandler.refreshToken.lifetime=-7\n\
             op.deviceSSOHandler.claimTransport=USERINFO\n",
        )
        .refused();
    for (line, name) in [
        (1, "enable"),
        (2, "accessToken.lifetime"),
        (3, "accessToken.encoding"),
        (4, "refreshToken.lifetime"),
        (5, "claimTransport"),
    ] {
        assert!(said.contains(name), "{name}: {said}");
        assert!(said.contains(&format!("handlers.properties:{line}")), "line {line}: {said}");
    }
    assert!(said.contains("claimsTransport"), "a near miss is suggested: {said}");
}

#[test]
fn boolean_words_and_white_space_as_java_had_them() {
    let server = Setup::new()
        .properties("op.deviceSSOHandler.enable = TRUE  \nop.deviceSSOHandler.accessToken.lifetime : 79\n! a comment\n")
        .start();
    assert_eq!(exchanged(&server).0["expires_in"], 79);
    assert_eq!(Value::Bool(true), server.get("/.well-known/openid-configuration").ok()["native_sso_supported"]);
}
