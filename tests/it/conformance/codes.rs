//! Cases about what happens to codes, refresh tokens and redirect URIs.

use std::time::Duration;

use super::party::{Profile, RP, RP_POST, form, id_token, person, redeemed, server};
use crate::harness::{Browser, Tokens};

pub(super) fn reuse(profile: &Profile) {
    reused_after(&[*profile], Duration::ZERO);
}

/// Redeems a code for each profile, waits, and redeems it again: refused, and what the first use issued is dead.
pub(super) fn reused_after(profiles: &[Profile], pause: Duration) {
    let server = server();
    let used: Vec<_> = profiles
        .iter()
        .map(|profile| {
            let request = profile.request("openid");
            let landing = Browser::new().authorize(server, &request, &person(server));
            let code = profile.code(server, landing, &request);
            let tokens = redeemed(server, &request, &code);
            server.userinfo(tokens.access()).ok();
            (request, code, tokens)
        })
        .collect();
    std::thread::sleep(pause);
    for (request, code, tokens) in used {
        server.token(RP, form(&request, &code)).refused(400, "invalid_grant");
        server.userinfo(tokens.access()).refused(401, "invalid_token");
    }
}

pub(super) fn registered_redirect_uri(profile: &Profile) {
    let server = server();
    let request = profile.request("openid").set("redirect_uri", "https://backend.example.com/another");
    let page = Browser::new().ask(server, &request).page();
    assert_eq!(page.status, 400);
    assert!(page.is_html() && page.header("location").is_none());
    assert!(page.form("state").is_none(), "nothing is posted to it either");
}

pub(super) fn refresh_token(profile: &Profile) {
    let server = server();
    // Section 11: consent is what makes offline_access count.
    let request = profile.request("openid offline_access").set("prompt", "consent");
    let first = profile.sign_in(server, &Browser::new(), &request, &person(server));
    assert!(first.refresh().bytes().all(|byte| (0x20..=0x7e).contains(&byte)), "RFC 6749 appendix A.17");
    let second = Tokens(server.refresh(RP, first.refresh()).ok());
    assert_ne!(first.access(), second.access());
    let (before, after) = (id_token(server, RP, &first), id_token(server, RP, &second));
    // Section 12.2.
    for name in ["iss", "sub", "aud", "auth_time"] {
        assert_eq!(before[name], after[name], "{name}");
    }
    assert!(after["nonce"].is_null() || after["nonce"] == before["nonce"]);
    server.userinfo(second.access()).ok();
    server.refresh(RP_POST, second.refresh()).refused(400, "invalid_grant");
    server.refresh(RP, second.refresh()).ok();
}
