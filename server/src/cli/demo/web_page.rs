//! The third act: app two opens a web page of the vendor in a browser that nobody is signed in to, and the person is signed in there.

use reqwest::StatusCode;
use serde_json::{Map, Value};
use url::Url;

use super::cast::Cast;
use super::id_token;
use super::page::Page;
use super::story::{Received, Server, Shared, verified};
use super::walk::{Show, Walk, Who};
use crate::cli::output::Failure;
use crate::foundation::{Digest, encoding, random};
use crate::protocol::names;

/// The web page of the vendor.
#[derive(Debug)]
pub(super) struct WebApp {
    /// `client_id`.
    pub(super) client_id: String,
    /// Where it receives its code.
    pub(super) redirect_uri: String,
}

/// Plays it; gives what app two holds afterwards.
///
/// # Errors
/// The first answer that is not as it should be.
pub(super) async fn play(
    walk: &mut Walk,
    server: &Server,
    cast: &Cast,
    shared: &Shared,
    received: Received,
    jwks: &Value,
) -> Result<Received, Failure> {
    let Some(web) = &cast.web else { return Ok(received) };
    let lesson = "A native app hands its sign-in to a browser: a session transfer token, for one use within a minute.";
    walk.narrator.act("3. App two opens a web page", lesson);
    let issuer = Url::parse(&server.issuer).map_err(|error| Failure::refusal(format!("a surprise: the issuer: {error}")))?;
    let audience = format!("urn:{}:session_transfer", issuer.host_str().unwrap_or_default());
    let form = [
        ("grant_type", names::REFRESH_TOKEN),
        ("client_id", cast.two.as_str()),
        ("refresh_token", &received.refresh_token),
        ("audience", &audience),
    ];
    let show = Show::Only(&["access_token", "issued_token_type", "token_type", "expires_in", "id_token", "refresh_token"]);
    let answer = walk.post(Who::AppTwo, &server.token, &form, show).await?;
    walk.granted(&answer, "the refresh token has a session transfer token made")?;
    let named = answer.text("issued_token_type") == names::TYPE_SESSION_TRANSFER && answer.text("token_type") == "N_A";
    walk.check(named, "it is no access token, and says so (token_type N_A)", || "another type".to_owned())?;
    let token = answer.text("access_token").to_owned();
    let received = Received { refresh_token: answer.text("refresh_token").to_owned(), ..received };

    walk.narrator.say("The app opens the web page in a browser that knows nobody; the page passes the token on.");
    let (request, verifier) = request(server, web, &[("session_transfer_token", &token)]);
    let answer = walk.get(Who::OtherBrowser, &request, None, Show::All).await?;
    let told: Map<String, Value> = answer.location.iter().flat_map(Url::query_pairs).map(pair).collect();
    let code = told.get("code").and_then(Value::as_str).unwrap_or_default();
    walk.check(
        !code.is_empty(),
        "the browser goes straight to the web page with a code: no page of the server is shown",
        || answer.in_short(),
    )?;
    let form = [
        ("grant_type", names::AUTHORIZATION_CODE),
        ("client_id", web.client_id.as_str()),
        ("code", code),
        ("redirect_uri", &web.redirect_uri),
        ("code_verifier", &verifier),
    ];
    let answer = walk.post(Who::WebPage, &server.token, &form, Show::Only(&["access_token", "id_token", "scope"])).await?;
    walk.granted(&answer, "the web page is given its tokens")?;
    let claims = verified(walk, &answer, server, &web.client_id, jwks)?;
    let same = ["sub", "auth_time"].iter().all(|name| claims.get(*name) == shared.claims.get(*name));
    walk.check(same, "same person, and signed in when they signed in to app one (sub, auth_time)", || {
        "sub or auth_time differs".to_owned()
    })?;

    walk.narrator.say("Somebody who saw the address brings the token again.");
    let (request, _) = self::request(server, web, &[("session_transfer_token", &token)]);
    let answer = walk.get(Who::Browser, &request, None, Show::All).await?;
    let asks = answer.status == StatusCode::OK && Page::read(&answer.body).is_some_and(|page| page.form("username").is_some());
    walk.check(asks, "a second use leads to the sign-in page; only the audit log says why", || answer.in_short())?;
    Ok(received)
}

/// What is left of it when the device was signed out.
///
/// # Errors
/// When the browser is still signed in.
pub(super) async fn is_over(walk: &mut Walk, server: &Server, cast: &Cast) -> Result<(), Failure> {
    let Some(web) = &cast.web else { return Ok(()) };
    let (request, _) = request(server, web, &[("prompt", "none")]);
    let answer = walk.get(Who::OtherBrowser, &request, None, Show::All).await?;
    let told: Map<String, Value> = answer.location.iter().flat_map(Url::query_pairs).map(pair).collect();
    let error = id_token::text(&told, "error");
    walk.check(error == "login_required", "the web page's browser is signed out with the device that it came from", || {
        answer.in_short()
    })
}

fn pair((name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)) -> (String, Value) {
    (name.into_owned(), value.into_owned().into())
}

/// An authorization request of the web page, and its verifier.
fn request(server: &Server, web: &WebApp, more: &[(&str, &str)]) -> (Url, String) {
    let verifier = encoding::encode(random::secret().expose());
    let challenge = encoding::encode(Digest::of(&verifier).as_bytes());
    let mut request = server.authorize.clone();
    request
        .query_pairs_mut()
        .extend_pairs([
            ("response_type", "code"),
            ("client_id", &web.client_id),
            ("redirect_uri", &web.redirect_uri),
            ("scope", "openid profile"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ])
        .extend_pairs(more);
    (request, verifier)
}
