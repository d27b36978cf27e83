//! The pages: rendered on the server, usable without JavaScript, well-formed XML, safe to show.

mod leaving;

use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderValue, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use qrcode::QrCode;
use qrcode::render::svg;

use super::words::Words;
use super::{interaction, respond};
use crate::accounts::RetryAfter;
use crate::foundation::Digest;
use crate::grants::Engine;
use crate::grants::authorize::{Answer, Content, Page};
use crate::protocol::{ErrorCode, OAuthError};
use crate::settings::meaning::Persistent;
use crate::tokens::session_id::SessionId;

pub use leaving::{ask_logout, check_session, front_channel};

const STYLE: &str = include_str!("../../templates/style.css");

/// Nothing runs, nothing is loaded, nobody may frame the page. There is no `form-action`: Chromium applies it to the
/// redirect that answers a form, and would block the way back to an app's private-use scheme.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Digest::of(STYLE).as_bytes());
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; frame-ancestors 'none'")
});

/// The only script of these pages: it sends the only form of its page.
const SEND: &str = "document.forms[0].submit()";

/// The policy of the page whose form sends itself. Whoever is sent there may be anywhere, so there is no `form-action` here either.
static SENDING_POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(Digest::of(SEND).as_bytes());
    let policy = format!("{}; script-src 'sha256-{hash}'", *POLICY);
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    words: Words,
    title: &'a str,
    style: &'static str,
    action: &'a str,
    client_name: &'a str,
    transaction: &'a str,
    username: &'a str,
    message: Option<&'a str>,
    keep: bool,
}

#[derive(Template)]
#[template(path = "choose_account.html")]
struct ChoosePage<'a> {
    words: Words,
    title: &'a str,
    style: &'static str,
    action: &'a str,
    client_name: &'a str,
    transaction: &'a str,
    accounts: &'a [(SessionId, String)],
}

#[derive(Template)]
#[template(path = "second_factor.html")]
struct SecondFactorPage<'a> {
    words: Words,
    title: &'a str,
    style: &'static str,
    action: &'a str,
    person: &'a str,
    transaction: &'a str,
    message: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "enrol.html")]
struct EnrolPage<'a> {
    words: Words,
    title: &'a str,
    style: &'static str,
    action: &'a str,
    transaction: &'a str,
    seed: &'a str,
    picture: &'a str,
    message: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "recovery_codes.html")]
struct RecoveryCodesPage<'a> {
    words: Words,
    title: &'a str,
    style: &'static str,
    next: &'a str,
    codes: &'a [&'a str],
}

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage<'a> {
    words: Words,
    title: &'a str,
    style: &'static str,
    action: &'a str,
    client_name: &'a str,
    person: &'a str,
    transaction: &'a str,
    scopes: &'a [(String, String)],
    resources: &'a [String],
    links: &'a [(&'static str, &'a str)],
}

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage<'a> {
    words: Words,
    title: &'a str,
    style: &'static str,
    action: &'a str,
    proof: &'a str,
    user_code: &'a str,
    message: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "form_post.html")]
struct FormPostPage<'a> {
    words: Words,
    title: &'a str,
    style: &'static str,
    script: &'static str,
    action: &'a str,
    fields: &'a [(&'static str, String)],
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    words: Words,
    title: &'a str,
    style: &'static str,
    role: &'a str,
    message: &'a str,
}

/// Shows a page of the authorization flow.
#[must_use]
pub fn show(engine: &Engine, request: &HttpRequest, page: &Page, status: StatusCode) -> HttpResponse {
    let settings = engine.settings();
    let issuer = &settings.server.issuer;
    let words = Words::of(request, &page.ui_locales, &settings.sign_in.languages);
    let (client_name, transaction) = (page.client_name.in_language(words.tag()), page.transaction.expose().as_str());
    let html = match &page.content {
        Content::SignIn { username, message } => SignInPage {
            words,
            title: words.say(&settings.sign_in.title),
            style: STYLE,
            action: &issuer.endpoint("/sign-in"),
            client_name,
            transaction,
            username,
            message: *message,
            keep: settings.sessions.browser_persistent == Persistent::Ask,
        }
        .render(),
        Content::Choose(accounts) => ChoosePage {
            words,
            title: words.say("Choose an account"),
            style: STYLE,
            action: &issuer.endpoint("/choose-account"),
            client_name,
            transaction,
            accounts,
        }
        .render(),
        Content::SecondFactor { person, message } => SecondFactorPage {
            words,
            title: words.say("Second factor"),
            style: STYLE,
            action: &issuer.endpoint("/second-factor"),
            person,
            transaction,
            message: *message,
        }
        .render(),
        Content::Enrol { enrolment, message } => EnrolPage {
            words,
            title: words.say("Set up an authenticator app"),
            style: STYLE,
            action: &issuer.endpoint("/second-factor"),
            transaction,
            seed: enrolment.seed.expose(),
            picture: &picture(enrolment.uri.expose()),
            message: *message,
        }
        .render(),
        Content::RecoveryCodes(codes) => RecoveryCodesPage {
            words,
            title: words.say("Recovery codes"),
            style: STYLE,
            next: &format!("{}?transaction={transaction}", issuer.endpoint(interaction::PATH)),
            codes: &codes.iter().map(|code| code.expose().as_str()).collect::<Vec<_>>(),
        }
        .render(),
        Content::Consent { person, scopes, resources, links } => ConsentPage {
            words,
            title: words.say("Allow access?"),
            style: STYLE,
            action: &issuer.endpoint("/consent"),
            client_name,
            person,
            transaction,
            scopes,
            resources,
            links: &links.iter().map(|(name, uri)| (*name, uri.in_language(words.tag()))).collect::<Vec<_>>(),
        }
        .render(),
    };
    finish(html, status)
}

/// Says on an answer when the next attempt is admitted.
#[must_use]
pub fn later(mut answer: HttpResponse, retry: RetryAfter) -> HttpResponse {
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry.seconds()));
    answer
}

/// Sends the browser to the client with its answer: by redirect, or by a form that sends itself where scripts run.
#[must_use]
pub fn to_client(engine: &Engine, request: &HttpRequest, answer: &Answer) -> HttpResponse {
    if let Some(location) = answer.location() {
        return respond::see_other(&location);
    }
    let words = Words::plain(request, engine);
    let page = FormPostPage {
        words,
        title: words.say("Back to the app"),
        style: STYLE,
        script: SEND,
        action: &answer.redirect_uri,
        fields: &answer.pairs,
    };
    let mut page = finish(page.render(), StatusCode::OK);
    page.headers_mut().insert(CONTENT_SECURITY_POLICY, SENDING_POLICY.clone());
    page
}

/// A QR code as SVG, which needs nothing that the policy of the pages forbids; empty for what is too long for one.
fn picture(text: &str) -> String {
    let svg = QrCode::new(text).map(|code| code.render::<svg::Color<'_>>().min_dimensions(220, 220).build()).unwrap_or_default();
    // Within a page there is no XML declaration.
    svg.find("<svg").map(|at| svg[at..].to_owned()).unwrap_or_default()
}

/// Asks for the code that a device shows.
#[must_use]
pub fn ask_user_code(
    engine: &Engine,
    words: Words,
    proof: &str,
    user_code: &str,
    message: Option<&str>,
    status: StatusCode,
) -> HttpResponse {
    let user_code: String = user_code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(32).collect();
    let action = engine.settings().server.issuer.endpoint("/device");
    let page = DevicePage {
        words,
        title: words.say("Sign in a device"),
        style: STYLE,
        action: &action,
        proof,
        user_code: &user_code,
        message,
    };
    finish(page.render(), status)
}

/// Says something.
#[must_use]
pub fn message(words: Words, title: &str, text: &str) -> HttpResponse {
    finish(MessagePage { words, title: words.say(title), style: STYLE, role: "status", message: text }.render(), StatusCode::OK)
}

/// Says why there is nothing to see. Nothing of the request is repeated on the page but the name of a parameter, in letters that can
/// do no harm.
#[must_use]
pub fn problem(words: Words, error: &OAuthError) -> HttpResponse {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let page =
        MessagePage { words, title: words.say("This did not work"), style: STYLE, role: "alert", message: &error.description };
    let mut answer = finish(page.render(), status);
    if error.code == ErrorCode::TemporarilyUnavailable {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(respond::RETRY_SECONDS));
    }
    answer
}

fn finish(html: askama::Result<String>, status: StatusCode) -> HttpResponse {
    match html {
        Ok(html) => respond::no_store(status)
            .insert_header(("content-security-policy", POLICY.as_str()))
            .insert_header(("x-frame-options", "DENY"))
            .insert_header(("x-content-type-options", "nosniff"))
            .insert_header(("referrer-policy", "no-referrer"))
            .content_type("text/html; charset=utf-8")
            .body(html),
        Err(error) => respond::refusal(&OAuthError::server_error(error.to_string()), false),
    }
}
