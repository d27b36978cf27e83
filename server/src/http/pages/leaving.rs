//! The pages at which a browser leaves, and the one that apps ask whether it has.

use std::collections::BTreeSet;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use super::{POLICY, STYLE, Words, finish};
use crate::foundation::Digest;
use crate::grants::Engine;
use crate::grants::logout::Departure;
use crate::http::respond;
use crate::protocol::OAuthError;

/// Goes on when everything on the page was loaded. A frame that never is does not hold up the refresh.
const GO_ON: &str = "addEventListener('load',()=>{const on=document.getElementById('on');if(on)location.replace(on.href)})";
/// How long a browser without scripts waits for the frames.
const FRAMES_SECONDS: u8 = 5;

const CHECK_SESSION: &str = include_str!("../../../templates/check_session.js");

#[derive(Template)]
#[template(path = "logout.html")]
struct LogoutPage<'a> {
    words: Words,
    title: &'a str,
    style: &'static str,
    action: &'a str,
    fields: &'a [(&'a str, &'a str)],
}

#[derive(Template)]
#[template(path = "front_channel.html")]
struct FrontChannelPage<'a> {
    words: Words,
    title: &'a str,
    style: &'static str,
    script: &'static str,
    refresh: &'a str,
    frames: Vec<&'a str>,
    to: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "check_session.html")]
struct CheckSessionPage<'a> {
    script: &'static str,
    cookie: &'a str,
}

/// Asks whether to sign out.
#[must_use]
pub fn ask_logout(engine: &Engine, words: Words, fields: &[(&str, &str)]) -> HttpResponse {
    let action = engine.settings().server.issuer.endpoint("/logout");
    finish(LogoutPage { words, title: words.say("Sign out?"), style: STYLE, action: &action, fields }.render(), StatusCode::OK)
}

/// Loads the pages of clients that want to know (Front-Channel Logout section 3), then goes on: when all have been loaded where scripts run,
/// else after a few seconds, or by the link.
#[must_use]
pub fn front_channel(words: Words, departure: &Departure) -> HttpResponse {
    let to = departure.to.as_deref();
    let refresh = to.map(|to| format!("{FRAMES_SECONDS};url={to}")).unwrap_or_default();
    let page = FrontChannelPage {
        words,
        title: words.say("Signed out"),
        style: STYLE,
        script: GO_ON,
        refresh: &refresh,
        frames: departure.frames.iter().map(Url::as_str).collect(),
        to,
    };
    let mut page = finish(page.render(), StatusCode::OK);
    let origins: BTreeSet<String> = departure.frames.iter().map(|frame| frame.origin().ascii_serialization()).collect();
    let origins = origins.into_iter().collect::<Vec<_>>().join(" ");
    let hash = STANDARD.encode(Digest::of(GO_ON).as_bytes());
    // Only here, and for nothing but these: whoever is framed may not frame us.
    let policy = format!("{}; script-src 'sha256-{hash}'; frame-src {origins}", *POLICY);
    match HeaderValue::from_str(&policy) {
        Ok(policy) => {
            page.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
            page
        }
        // An origin is ASCII.
        Err(error) => respond::refusal(&OAuthError::server_error(error.to_string()), false),
    }
}

/// The page that an app's page asks in a frame whether somebody signed in or out (Session Management section 3.2). The only one that may
/// be framed; there is nothing on it.
#[must_use]
pub fn check_session(cookie: &str) -> HttpResponse {
    let page = CheckSessionPage { script: CHECK_SESSION, cookie };
    let hash = STANDARD.encode(Digest::of(CHECK_SESSION).as_bytes());
    let policy = format!("default-src 'none'; base-uri 'none'; script-src 'sha256-{hash}'");
    match page.render() {
        Ok(html) => HttpResponse::Ok()
            .insert_header(("content-security-policy", policy))
            .insert_header(("cache-control", "public, max-age=300"))
            .insert_header(("x-content-type-options", "nosniff"))
            .insert_header(("referrer-policy", "no-referrer"))
            .content_type("text/html; charset=utf-8")
            .body(html),
        Err(error) => respond::refusal(&OAuthError::server_error(error.to_string()), false),
    }
}
