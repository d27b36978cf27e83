//! Post-login actions: libraries that judge sign-ins at the authorization endpoint, in an order, wherever somebody is signed in.

use serde_json::{Value, json};

use crate::harness::authenticator::Authenticator;
use crate::harness::cast::{FIRST_PARTY, ONE, TWO};
use crate::harness::maxmind::{asn, city, database};
use crate::harness::page::Page;
use crate::harness::{Authorization, Browser, Form, Landing, Person, Server, Setup, Tokens, jwt, until};
use crate::second_factor::equipped;

pub(crate) const JUDGE: &str = "symbolon-test-action-judge";
const JURY: &str = "symbolon-test-action-jury";
pub(crate) const MISMATCH: &str = "symbolon-network-mismatch";

/// A server whose sign-ins the judge judges, with these properties of it.
pub(crate) fn judged(properties: &[(&str, &str)]) -> Setup {
    let setup = Setup::new().handler(JUDGE).property("op.postLoginAction.judge.enable", "true").set("telemetry.format", "json");
    properties.iter().fold(setup, |setup, (name, value)| setup.property(&format!("op.postLoginAction.judge.{name}"), value))
}

fn request() -> Authorization {
    Authorization::new(FIRST_PARTY, "openid profile")
}

fn silent() -> Authorization {
    request().set("prompt", "none")
}

#[track_caller]
fn tokens(server: &Server, request: &Authorization, landing: Landing) -> Tokens {
    Tokens(server.token(FIRST_PARTY, request.redeem(&landing.code())).ok())
}

#[track_caller]
fn signed_in(server: &Server, browser: &Browser, person: &Person) -> Tokens {
    let request = request();
    tokens(server, &request, browser.authorize(server, &request, person))
}

fn submit_code(server: &Server, browser: &Browser, page: &Page, code: &str) -> Landing {
    let form = page.form("otp").unwrap_or_else(|| panic!("no field for a code:\n{}", page.body));
    let answer = browser.post(&form.action, &form.fields.set("otp", code));
    browser.follow(server, answer)
}

/// The refusal that the client is told: code and description.
#[track_caller]
pub(crate) fn refused(server: &Server, request: &Authorization, landing: Landing) -> (String, String) {
    let parameters = landing.parameters();
    assert_eq!(parameters.get("state"), Some(&request.state));
    assert_eq!(parameters.get("iss"), Some(&server.issuer));
    assert_eq!(parameters.get("code"), None);
    (parameters["error"].clone(), parameters["error_description"].clone())
}

#[test]
fn an_action_sees_the_sign_in_and_where_it_comes_from() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cities, asns) = (folder.path().join("city.mmdb"), folder.path().join("asn.mmdb"));
    std::fs::write(&cities, database("Test-City", &[("192.0.2.0/24", city("DE", "Germany", "Berlin"))])).expect("a file");
    std::fs::write(&asns, database("Test-ASN", &[("192.0.2.0/24", asn(64_500, "Example Net"))])).expect("a file");
    let server = judged(&[("echo", "true")])
        .set("network.databases", json!([cities, asns]))
        .set("proxy.trusted", json!(["127.0.0.1"]))
        .client(FIRST_PARTY.id, "policy_uri", "https://policy.example.com/")
        .start();
    let (browser, person) = (Browser::behind("192.0.2.7"), server.person());
    let asked = request().set("prompt", "login").set("acr_values", "urn:symbolon:acr:password");
    let id_token = tokens(&server, &asked, browser.authorize(&server, &asked, &person)).id().to_owned();
    let claims = jwt::claims(&id_token);
    let seen = &claims["seen"];
    assert_eq!(seen["subject"], claims["sub"]);
    assert_eq!(seen["claims"]["email"], "ada@example.com");
    assert_eq!(seen["client"]["client_id"], FIRST_PARTY.id);
    assert_eq!(seen["client"]["confidential"], false);
    assert_eq!(seen["client"]["metadata"]["policy_uri"], "https://policy.example.com/");
    assert_eq!(seen["session"]["sid"], claims["sid"]);
    assert_eq!(seen["session"]["auth_time"], claims["auth_time"]);
    assert_eq!(seen["session"]["amr"], json!(["pwd"]));
    assert_eq!(seen["session"]["acr"], "urn:symbolon:acr:password");
    assert_eq!(seen["session"]["transferred"], false);
    assert_eq!(seen["requested"]["scope"], json!(["openid", "profile"]));
    assert_eq!(seen["requested"]["acr_values"], json!(["urn:symbolon:acr:password"]));
    assert_eq!(seen["requested"]["prompt"], json!(["login"]));
    assert_eq!(seen["session_transfer_token"], Value::Null);
    let context = &seen["request"];
    assert_eq!((&context["ip"], &context["asn"]), (&json!("192.0.2.7"), &json!(64_500)));
    assert_eq!(context["geoip"]["country_code"], "DE");
    assert_eq!(context["geoip"]["country_name"], "Germany");
    assert_eq!(context["geoip"]["city_name"], "Berlin");
    assert_eq!(context["geoip"]["latitude"], 52.5);
    assert_eq!(context["geoip"]["time_zone"], "Europe/Berlin");

    // A session that is used again without a page is judged, too, where the browser is by then.
    let again = silent();
    let elsewhere = Browser::behind("203.0.113.5");
    elsewhere.plant(&again.url(&server), &browser.cookies(&again.url(&server)).expect("cookies"));
    let seen = jwt::claims(tokens(&server, &again, elsewhere.ask(&server, &again)).id())["seen"].clone();
    assert_eq!(seen["request"]["ip"], "203.0.113.5");
    assert_eq!(seen["request"]["geoip"], json!({}));
    assert_eq!(seen["requested"]["prompt"], json!(["none"]));
}

#[test]
fn who_is_denied_is_not_signed_in_and_the_app_is_told_why() {
    let server = judged(&[("deny", "app-first-party Not \"today\"\u{fc}")]).start();
    let (browser, person) = (Browser::new(), server.person());
    let asked = request();
    let (error, reason) = refused(&server, &asked, browser.authorize(&server, &asked, &person));
    assert_eq!((error.as_str(), reason.as_str()), ("access_denied", "Not ?today??"));
    let told = server.trail();
    let event = told.one("SI2051", &[("client_id", FIRST_PARTY.id), ("handler", "Judge"), ("reason", "Not ?today??")]);
    assert_eq!(event["outcome"], "refused");
    assert!(event["sid"].is_string() && event["subject"].is_string() && event["address"].is_string(), "{event}");
    told.none("TK1001", &[]);
    // The person is signed in to the server all the same, and another app may have them.
    let asked = silent();
    let (error, _) = refused(&server, &asked, browser.ask(&server, &asked));
    assert_eq!(error, "access_denied");
    let other = Authorization::new(ONE, "openid");
    browser.authorize(&server, &other, &person).code();
    assert_eq!(server.trail().all("SI2051", &[]).len(), 2);
    assert_eq!(server.metric("symbolon_handler_calls_total", &["Judge", "role=\"action\"", "outcome=\"refused\""]), 2);
}

#[test]
fn a_denial_at_the_consent_page_counts_as_well() {
    let server = judged(&[]).start();
    let (browser, person) = (Browser::new(), server.person());
    let asked = Authorization::new(ONE, "openid profile");
    let page = browser.ask(&server, &asked).page();
    let page = browser.submit_password(&server, &page, &person.name, &person.password).page();
    // Meanwhile the operator has thought otherwise.
    server.write_properties(
        "op.deviceSSOHandler.enable=true\nop.postLoginAction.judge.enable=true\nop.postLoginAction.judge.deny=* Closed\n",
    );
    server.command(&["handler", "reload"]).fine();
    let (error, reason) = refused(&server, &asked, browser.decide(&server, &page, "allow"));
    assert_eq!((error.as_str(), reason.as_str()), ("access_denied", "Closed"));
    server.trail().none("SI2011", &[]);
}

#[test]
fn claims_come_with_the_tokens_but_not_in_place_of_ours() {
    let server = judged(&[
        ("idToken.tier", "gold"),
        ("idToken.sub", "eve"),
        ("idToken.acr", "urn:symbolon:acr:two-factor"),
        ("idToken.sid", "another"),
        ("accessToken.branch", "Bern"),
    ])
    .start();
    let person = server.person();
    // Through the consent page, and into an offline session.
    let asked = Authorization::new(ONE, "openid profile offline_access");
    let landing = Browser::new().authorize(&server, &asked, &person);
    let issued = Tokens(server.token(ONE, asked.redeem(&landing.code())).ok());
    let (id_token, access) = (jwt::claims(issued.id()), jwt::claims(issued.access()));
    assert_eq!(id_token["tier"], "gold");
    assert_eq!(id_token["sub"], access["sub"]);
    assert_ne!(id_token["sub"], "eve");
    assert_eq!(id_token["acr"], "urn:symbolon:acr:password");
    assert_ne!(id_token["sid"], "another");
    assert_eq!(access["data"], json!({ "branch": "Bern" }));
    assert!(access["tier"].is_null());
    let refreshed = Tokens(server.refresh(ONE, issued.refresh()).ok());
    assert_eq!(jwt::claims(refreshed.access())["data"], json!({ "branch": "Bern" }), "as far as the refresh token leads");
    assert!(server.metric("symbolon_handler_clamps_total", &["Judge", "id_token.claims"]) >= 1);
}

#[test]
fn a_further_factor_is_asked_for_and_then_it_is_enough() {
    let server = judged(&[("factor", "true")]).set("sign_in.second_factor", "on_request").start();
    let (person, app, _) = equipped(&server);
    let browser = Browser::new();
    let asked = request();
    let page = browser.ask(&server, &asked).page();
    let page = browser.submit_password(&server, &page, &person.name, &person.password).page();
    // Where nothing may be shown, that is said.
    let quiet = silent();
    assert_eq!(refused(&server, &quiet, browser.ask(&server, &quiet)).0, "interaction_required");
    let claims = jwt::claims(tokens(&server, &asked, submit_code(&server, &browser, &page, &app.code())).id());
    assert_eq!(claims["amr"], json!(["pwd", "otp", "mfa"]));
    let again = silent();
    browser.ask(&server, &again).code();

    // Who has none sets one up.
    let (other, newcomer) = (Browser::new(), server.person());
    let asked = request();
    let page = other.authorize(&server, &asked, &newcomer).page();
    assert!(page.body.contains("<svg"), "a picture to scan:\n{}", page.body);

    // A level is as good as a factor, and one that nobody knows is a mistake of the action.
    let server = judged(&[("acr", "urn:symbolon:acr:two-factor")]).set("sign_in.second_factor", "on_request").start();
    let (person, app, _) = equipped(&server);
    let (browser, asked) = (Browser::new(), request());
    let page = browser.authorize(&server, &asked, &person).page();
    browser_with_code(&server, &browser, &page, &app, &asked);
    let server = judged(&[("acr", "urn:elsewhere")]).start();
    let asked = request();
    let landing = Browser::new().authorize(&server, &asked, &server.person());
    assert_eq!(refused(&server, &asked, landing).0, "server_error");
    server.trail().one("SI2052", &[("handler", "Judge")]);

    // Where nobody may set one up, who has none is turned away.
    let strict = judged(&[("factor", "true")]).set("sign_in.totp.enrolment", "by_administrator").start();
    let asked = request();
    let landing = Browser::new().authorize(&strict, &asked, &strict.person());
    assert_eq!(refused(&strict, &asked, landing).0, "unmet_authentication_requirements");
}

#[track_caller]
fn browser_with_code(server: &Server, browser: &Browser, page: &Page, app: &Authenticator, asked: &Authorization) {
    let claims = jwt::claims(tokens(server, asked, submit_code(server, browser, page, &app.code())).id());
    assert_eq!(claims["acr"], "urn:symbolon:acr:two-factor");
}

#[test]
fn a_session_becomes_shorter_and_never_longer() {
    let server = judged(&[("session", "600")]).start();
    let person = server.person();
    let browser = Browser::new();
    signed_in(&server, &browser, &person);
    let asked = Authorization::new(ONE, "openid offline_access device_sso");
    let landing = browser.authorize(&server, &asked, &person);
    server.token(ONE, asked.redeem(&landing.code())).ok();
    let sessions = server.command(&["session", "list", "--user", &person.name, "--json"]).fine().json();
    let sessions = sessions.as_array().expect("sessions");
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    let now = crate::harness::app::now();
    for session in sessions {
        let sid = session["sid"].as_str().expect("its id");
        let shown = server.command(&["session", "show", sid, "--json"]).fine().json();
        let expires = shown["expires"].as_u64().unwrap_or_else(|| panic!("{shown}"));
        assert!(expires <= now + 600 && expires > now + 300, "{shown}");
    }
    // Longer than the server's own limit is no limit.
    let server = judged(&[("session", "86400")]).set("sessions.browser.max_lifetime", "1h").start();
    let person = server.person();
    let id_token = signed_in(&server, &Browser::new(), &person).id().to_owned();
    let sid = jwt::claims(&id_token)["sid"].as_str().expect("its id").to_owned();
    let shown = server.command(&["session", "show", &sid, "--json"]).fine().json();
    assert!(shown["expires"].as_u64().is_some_and(|expires| expires <= now + 3700), "{shown}");
}

#[test]
fn who_cannot_be_judged_is_not_signed_in() {
    for (behaviour, isolation, error, event) in [
        ("panic", "inline", "server_error", "panicked: judged badly"),
        ("panic", "pool", "server_error", "panicked: judged badly"),
        ("late", "pool", "temporarily_unavailable", "took longer than"),
        ("unable", "inline", "temporarily_unavailable", "the service cannot be reached"),
        ("abort", "process", "server_error", "SIGABRT"),
    ] {
        let server = judged(&[("behave", behaviour), ("isolation", isolation), ("isolation.deadline", "300ms")]).start();
        let (browser, person) = (Browser::new(), server.person());
        let asked = request();
        let landing = browser.authorize(&server, &asked, &person);
        assert_eq!(refused(&server, &asked, landing).0, error, "{behaviour}");
        let told = server.trail();
        let not_judged = told.one("SI2052", &[("client_id", FIRST_PARTY.id), ("handler", "Judge")]);
        assert!(not_judged["reason"].as_str().is_some_and(|reason| reason.contains(event)), "{behaviour}: {not_judged}");
        told.none("SI2051", &[]);
        // What cannot be done is no failure of the library.
        assert_eq!(told.all("OP7109", &[("handler", "Judge")]).len(), usize::from(behaviour != "unable"), "{behaviour}");
        assert_eq!(server.get("/readyz").status, 200, "{behaviour}");
        // Once it is switched off again, the person is still signed in.
        server.write_properties("op.deviceSSOHandler.enable=true\n");
        server.command(&["handler", "reload"]).fine();
        let again = silent();
        browser.ask(&server, &again).code();
    }
}

#[test]
fn several_are_asked_in_their_order_until_one_denies() {
    let server = judged(&[("idToken.who", "judge"), ("idToken.judge", "yes"), ("accessToken.a", "1"), ("session", "500")])
        .handler(JURY)
        .handler(MISMATCH)
        .property("op.postLoginAction.jury.enable", "true")
        .property("op.postLoginAction.jury.idToken.who", "jury")
        .property("op.postLoginAction.jury.accessToken.b", "2")
        .property("op.postLoginAction.jury.isolation", "process")
        .property("op.postLoginAction.networkMismatch.enable", "true")
        .property("op.postLoginAction.networkMismatch.order", "-1")
        .start();
    let (browser, person) = (Browser::new(), server.person());
    let issued = signed_in(&server, &browser, &person);
    let claims = jwt::claims(issued.id());
    assert_eq!((&claims["who"], &claims["judge"]), (&json!("jury"), &json!("yes")), "equal orders go by name; the later says");
    assert_eq!(jwt::claims(issued.access())["data"], json!({ "a": "1", "b": "2" }));

    let listed = server.command(&["handler", "list", "--json"]).fine().json();
    let of =
        |name: &str| listed.as_array().and_then(|list| list.iter().find(|one| one["name"] == name)).cloned().expect("listed");
    assert_eq!(of("NetworkMismatch")["kind"], "post_login");
    assert_eq!(of("NetworkMismatch")["order"], -1);
    assert_eq!((&of("Jury")["isolation"], &of("Jury")["enabled"]), (&json!("process"), &json!(true)));
    assert_eq!(
        (&of("LocalDeviceSsoHandler")["kind"], &of("LocalDeviceSsoHandler")["order"]),
        (&json!("device_sso"), &Value::Null)
    );
    server.trail().one("OP7114", &[("handler", "NetworkMismatch"), ("detail", "enabled=true order=-1")]);
    let checked = server.command(&["config", "check"]).fine().stdout;
    assert!(checked.contains("judged, in this order, by: NetworkMismatch, Judge, Jury."), "{checked}");
    // The exchange is not their business.
    let device = server.device(ONE);
    server.exchange(TWO, &device, "openid").ok();

    // Another order, and both deny: whoever is asked first says why.
    let properties = |order: &str| {
        format!(
            "op.deviceSSOHandler.enable=true\nop.postLoginAction.judge.enable=true\nop.postLoginAction.judge.deny=* Judge says no\nop.postLoginAction.jury.enable=true\n\
             op.postLoginAction.jury.deny=* Jury says no\nop.postLoginAction.jury.order={order}\n"
        )
    };
    for (order, reason) in [("99", "Jury says no"), ("101", "Judge says no")] {
        server.write_properties(&properties(order));
        server.command(&["handler", "reload"]).fine();
        let asked = silent();
        assert_eq!(refused(&server, &asked, browser.ask(&server, &asked)).1, reason);
    }
    server.write_properties(&properties("first"));
    let said = server.command(&["handler", "reload"]).refused();
    assert!(said.contains("op.postLoginAction.jury.order") && said.contains("a whole number"), "{said}");
}

#[test]
fn they_come_and_go_with_their_files_like_handlers() {
    let server = judged(&[("deny", "* Closed")]).set("handlers.watch", "100ms").start();
    let (browser, person) = (Browser::new(), server.person());
    let asked = request();
    refused(&server, &asked, browser.authorize(&server, &asked, &person));
    server.write_properties("op.deviceSSOHandler.enable=true\nop.postLoginAction.judge.enable=false\n");
    until("the watcher has seen it", || silent_code(&server, &browser));
    std::fs::remove_file(server.handler_file(&format!("{JUDGE}.so"))).expect("the library");
    server.write_properties("op.deviceSSOHandler.enable=true\n");
    until("it is gone", || server.log().contains("Judge is gone"));
    assert!(silent_code(&server, &browser));

    // The commands know what it is.
    let library = crate::harness::binaries::handler(MISMATCH);
    let library = library.to_str().expect("a path");
    let about = server.command(&["handler", "inspect", library, "--json"]).fine().json();
    assert_eq!((&about["kind"], &about["name"]), (&json!("post_login"), &json!("NetworkMismatch")));
    let checked = server
        .command(&["handler", "check", library, "-D", "op.postLoginAction.networkMismatch.enable=true", "--json"])
        .fine()
        .json();
    assert_eq!((&checked["kind"], &checked["enabled"], &checked["order"]), (&json!("post_login"), &json!(true), &json!(100)));
    // It decides no exchange, not even as a shadow.
    let said = judged(&[]).set("handlers.shadow", "Judge").refused();
    assert!(said.contains("a post-login action"), "{said}");
}

/// Whether a silent request is answered with a code.
fn silent_code(server: &Server, browser: &Browser) -> bool {
    let asked = silent();
    browser.ask(server, &asked).parameters().contains_key("code")
}

#[test]
fn a_device_that_is_let_in_by_a_browser_is_judged_there() {
    const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
    let server = judged(&[("deny", "app-one Not on this screen")])
        .client(ONE.id, "grant_types", json!(["authorization_code", GRANT]))
        .set("device_authorization.interval", "1s")
        .start();
    let person = server.person();
    let browser = Browser::new();
    let asked = server.post_as(ONE, "/device_authorization", Form::of(&[("scope", "openid")])).ok();
    let page = browser.get(&server.url("/device").parse().expect("it is there"));
    let form = page.form("user_code").expect("a field for the code");
    let page = browser.post(&form.action, &form.fields.set("user_code", asked["user_code"].as_str().expect("a code")));
    let landing = browser.submit_password(&server, &page, &person.name, &person.password);
    assert!(landing.page().body.contains("was not let in"));
    let code = asked["device_code"].as_str().expect("a device code");
    server.token(ONE, Form::of(&[("grant_type", GRANT), ("device_code", code)])).refused(400, "access_denied");
    server.trail().one("SI2051", &[("client_id", ONE.id), ("reason", "Not on this screen")]);
}
