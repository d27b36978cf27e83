//! Native to web with parts of other people: the requests of Auth0's SDKs, an Express app with express-openid-connect, and Chromium between them.

use serde_json::json;

use crate::harness::jwt;
use crate::harness::redis::Port;
use crate::session_transfer::{APP, setup};
use crate::third_party::{brief, chromium, web};

#[test]
fn chromium_brings_a_token_to_an_express_app_by_query_and_by_cookie() {
    let server = setup().start();
    let person = server.person();
    let tokens = server.sign_in(APP, &person, "openid offline_access");
    let port = Port::free();
    let mut brief = brief(&server, &person);
    brief["native"] = json!({ "client_id": APP.id, "refresh_token": tokens.refresh() });
    let rules = json!({
        "redirect_uris": ["/callback"], "first_party": true,
        "session_transfer": { "allowed_authentication_methods": ["cookie", "query"] },
    });
    brief["web"] = web(&server, &port, &rules);
    let told = chromium("native_to_web.mjs", &brief);
    let sub = &jwt::claims(tokens.id())["sub"];
    assert_eq!(&told["by_query"]["sub"], sub, "{told}");
    assert!(!told["by_query"]["address"].as_str().expect("an address").contains("session_transfer_token"), "{told}");
    assert_eq!((&told["again"]["sub"], &told["again"]["asked"]), (&json!(null), &json!(true)), "a second use: {told}");
    assert_eq!((&told["by_cookie"]["sub"], &told["by_cookie"]["cookies_left"]), (sub, &json!(0)), "{told}");
    assert_eq!(&told["by_push"]["sub"], sub, "{told}");
    let web = brief["web"]["client_id"].as_str().expect("an id");
    server.trail().one("SI2022", &[("client_id", web)]);
    assert_eq!((&told["without"]["sub"], &told["without"]["asked"]), (&json!(null), &json!(true)), "{told}");
}
