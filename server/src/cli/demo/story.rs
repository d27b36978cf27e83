//! The story: app one signs the person in with the browser, app two is signed in by one request and opens a web page, thieves and
//! strangers are refused, tokens rotate, and signing the device out ends it all.

use reqwest::StatusCode;
use serde_json::{Map, Value};
use url::Url;

use super::cast::{Cast, SCOPE};
use super::walk::{Answer, Show, Walk, Who};
use super::{id_token, refusals, sign_in, web_page};
use crate::cli::output::Failure;
use crate::foundation::{Digest, encoding, random};
use crate::protocol::names;

/// The members of a token answer that are worth reading.
const TOKENS: Show = Show::Only(&[
    "access_token",
    "issued_token_type",
    "token_type",
    "expires_in",
    "scope",
    "id_token",
    "refresh_token",
    "device_secret",
]);

/// What the discovery document says of the server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) issuer: String,
    pub(super) authorize: Url,
    pub(super) token: Url,
    user_info: Url,
    jwks: Url,
    revoke: Url,
    log_out: Option<Url>,
}

/// What app one holds, and shares with the other apps of the device.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) id_token: String,
    pub(super) device_secret: String,
    pub(super) claims: Map<String, Value>,
}

/// What app two holds.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) access_token: String,
    pub(super) refresh_token: String,
}

/// Reads the discovery document.
///
/// # Errors
/// When no server answers, or it is not one for device SSO.
pub(super) async fn discover(walk: &mut Walk, issuer: &str) -> Result<Server, Failure> {
    walk.narrator.act("Discovery", "One address is all that an app needs to be told: the rest stands in the discovery document.");
    let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let address = Url::parse(&address).map_err(|error| Failure::refusal(format!("{issuer} is no issuer: {error}")))?;
    let show = Show::Only(&[
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "jwks_uri",
        "revocation_endpoint",
        "native_sso_supported",
    ]);
    let answer = walk.get(Who::AppOne, &address, None, show).await?;
    walk.granted(&answer, "the discovery document is there")?;
    walk.check(answer.text("issuer") == issuer, "it names the issuer that was asked for", || {
        format!("issuer {}", answer.text("issuer"))
    })?;
    let native = answer.members.get("native_sso_supported") == Some(&Value::Bool(true));
    walk.check(native, "the server offers device SSO", || {
        "native_sso_supported is not true; is a handler loaded and enabled?".to_owned()
    })?;
    let endpoint = |name: &str| {
        Url::parse(answer.text(name)).map_err(|_| Failure::refusal(format!("a surprise: the discovery document has no {name}")))
    };
    Ok(Server {
        issuer: issuer.to_owned(),
        authorize: endpoint("authorization_endpoint")?,
        token: endpoint("token_endpoint")?,
        user_info: endpoint("userinfo_endpoint")?,
        jwks: endpoint("jwks_uri")?,
        revoke: endpoint("revocation_endpoint")?,
        log_out: endpoint("end_session_endpoint").ok(),
    })
}

/// Plays all six acts.
///
/// # Errors
/// The first answer that is not as it should be.
pub(super) async fn play(walk: &mut Walk, server: &Server, cast: &Cast) -> Result<(), Failure> {
    let jwks = Value::Object(walk.get(Who::AppOne, &server.jwks, None, Show::Only(&[])).await?.members);
    let shared = app_one_signs_in(walk, server, cast, &jwks).await?;
    let received = app_two_is_signed_in(walk, server, cast, &shared, &jwks).await?;
    let received = web_page::play(walk, server, cast, &shared, received, &jwks).await?;
    refusals::play(walk, server, cast, &shared).await?;
    let received = app_two_refreshes(walk, server, cast, &received).await?;
    app_one_signs_the_device_out(walk, server, cast, &shared, &received).await
}

/// The form of a token exchange of Native SSO (section 4.2).
pub(super) fn exchange<'a>(
    server: &'a Server,
    client_id: &'a str,
    id_token: &'a str,
    device_secret: &'a str,
    scope: &'a str,
) -> [(&'a str, &'a str); 8] {
    [
        ("grant_type", names::TOKEN_EXCHANGE),
        ("client_id", client_id),
        ("audience", &server.issuer),
        ("subject_token", id_token),
        ("subject_token_type", names::TYPE_ID_TOKEN),
        ("actor_token", device_secret),
        ("actor_token_type", names::TYPE_DEVICE_SECRET),
        ("scope", scope),
    ]
}

async fn app_one_signs_in(walk: &mut Walk, server: &Server, cast: &Cast, jwks: &Value) -> Result<Shared, Failure> {
    let lesson =
        "App one opens the browser once (authorization code with PKCE) and asks for device_sso: it gets a device secret.";
    walk.narrator.act("1. App one signs the person in", lesson);
    let unpredictable = || encoding::encode(random::bytes::<16>());
    let (state, nonce, verifier) = (unpredictable(), unpredictable(), encoding::encode(random::secret().expose()));
    let challenge = encoding::encode(Digest::of(&verifier).as_bytes());
    let mut request = server.authorize.clone();
    request.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", &cast.one),
        ("redirect_uri", &cast.redirect_uri),
        ("scope", SCOPE),
        ("state", &state),
        ("nonce", &nonce),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    let landing = sign_in::authorize(walk, &request, cast).await?;
    let told = |name: &str| landing.parameters.get(name).map(String::as_str).unwrap_or_default();
    if cast.is_new {
        walk.check(landing.signed_in && landing.agreed, "the person signed in and agreed, each on a page of the server", || {
            "one of the two pages did not come".to_owned()
        })?;
    }
    walk.check(!told("code").is_empty(), "the browser came back to the app with a code", || {
        format!("{}: {}", told("error"), told("error_description"))
    })?;
    walk.check(
        told("state") == state && told("iss") == server.issuer,
        "state and iss show the app that the answer is for it and from this server",
        || "another state or iss".to_owned(),
    )?;

    let form = [
        ("grant_type", names::AUTHORIZATION_CODE),
        ("client_id", cast.one.as_str()),
        ("code", told("code")),
        ("redirect_uri", &cast.redirect_uri),
        ("code_verifier", &verifier),
    ];
    let answer = walk.post(Who::AppOne, &server.token, &form, TOKENS).await?;
    walk.granted(&answer, "the code is exchanged for tokens")?;
    let complete =
        ["access_token", "id_token", "refresh_token", "device_secret"].iter().all(|name| !answer.text(name).is_empty());
    walk.check(complete, "there are an access token, an ID token, a refresh token and the device secret", || {
        "one of them is missing".to_owned()
    })?;
    let claims = verified(walk, &answer, server, &cast.one, jwks)?;
    walk.check(id_token::text(&claims, "nonce") == nonce, "the ID token answers this very request (nonce)", || {
        "another nonce".to_owned()
    })?;
    let device_secret = answer.text("device_secret").to_owned();
    let bound = id_token::text(&claims, "ds_hash") == id_token::ds_hash(&device_secret);
    walk.check(
        bound,
        "its ds_hash is the left half of SHA-256 of the device secret: the two halves of the symbolon fit",
        || "a ds_hash that does not fit".to_owned(),
    )?;
    Ok(Shared { id_token: answer.text("id_token").to_owned(), device_secret, claims })
}

async fn app_two_is_signed_in(
    walk: &mut Walk,
    server: &Server,
    cast: &Cast,
    shared: &Shared,
    jwks: &Value,
) -> Result<Received, Failure> {
    let lesson = "ID token and device secret, shown together, admit the next app of the family: no browser, no password.";
    walk.narrator.act("2. App two is signed in by one request", lesson);
    let form = exchange(server, &cast.two, &shared.id_token, &shared.device_secret, SCOPE);
    let answer = walk.post(Who::AppTwo, &server.token, &form, TOKENS).await?;
    walk.granted(&answer, "app two is signed in")?;
    let received =
        Received { access_token: answer.text("access_token").to_owned(), refresh_token: answer.text("refresh_token").to_owned() };
    walk.check(!received.refresh_token.is_empty(), "it has a refresh token of its own", || "no refresh token".to_owned())?;
    let claims = verified(walk, &answer, server, &cast.two, jwks)?;
    let same = ["sub", "sid", "ds_hash"].iter().all(|name| {
        let own = id_token::text(&claims, name);
        !own.is_empty() && own == id_token::text(&shared.claims, name)
    });
    walk.check(same, "same person, same device session, same device secret (sub, sid, ds_hash)", || {
        "one of sub, sid and ds_hash differs".to_owned()
    })?;

    let answer = walk.get(Who::AppTwo, &server.user_info, Some(&received.access_token), Show::All).await?;
    walk.granted(&answer, "the access token opens userinfo")?;
    let is_person = answer.text("sub") == id_token::text(&shared.claims, "sub");
    walk.check(is_person, "userinfo speaks of the person who signed in to app one", || "another sub".to_owned())?;
    Ok(received)
}

async fn app_two_refreshes(walk: &mut Walk, server: &Server, cast: &Cast, received: &Received) -> Result<Received, Failure> {
    let lesson = "Each refresh gives a new refresh token. When the answer is lost on the way, asking again is no sign-out.";
    walk.narrator.act("5. App two refreshes", lesson);
    let form =
        [("grant_type", names::REFRESH_TOKEN), ("client_id", cast.two.as_str()), ("refresh_token", &received.refresh_token)];
    let first = walk.post(Who::AppTwo, &server.token, &form, TOKENS).await?;
    walk.granted(&first, "the refresh token gives new tokens")?;
    let next = first.text("refresh_token").to_owned();
    let rotated = !next.is_empty() && next != received.refresh_token;
    walk.check(rotated, "the refresh token was replaced by a new one", || "the refresh token did not rotate".to_owned())?;
    walk.narrator.say("The answer is lost on a bad network; app two asks again with the old one.");
    let again = walk.post(Who::AppTwo, &server.token, &form, TOKENS).await?;
    walk.granted(&again, "the old one is answered again as long as the new one is unused")?;
    walk.check(again.text("refresh_token") == next, "with the same new refresh token: there are never two", || {
        "a different refresh token".to_owned()
    })?;
    Ok(Received { access_token: again.text("access_token").to_owned(), refresh_token: next })
}

async fn app_one_signs_the_device_out(
    walk: &mut Walk,
    server: &Server,
    cast: &Cast,
    shared: &Shared,
    received: &Received,
) -> Result<(), Failure> {
    let lesson = "Revoking the device secret ends the device session, and with it every token of every app.";
    walk.narrator.act("6. App one signs the device out", lesson);
    let answer = walk.get(Who::AppTwo, &server.user_info, Some(&received.access_token), Show::All).await?;
    walk.granted(&answer, "until now the access token of app two is alive")?;
    let form = [("client_id", cast.one.as_str()), ("token", &shared.device_secret), ("token_type_hint", "device_secret")];
    let answer = walk.post(Who::AppOne, &server.revoke, &form, Show::All).await?;
    walk.granted(&answer, "the device secret is revoked")?;

    let form =
        [("grant_type", names::REFRESH_TOKEN), ("client_id", cast.two.as_str()), ("refresh_token", &received.refresh_token)];
    let answer = walk.post(Who::AppTwo, &server.token, &form, TOKENS).await?;
    walk.refused(&answer, StatusCode::BAD_REQUEST, "invalid_grant", "the refresh token of app two is dead")?;
    let answer = walk.get(Who::AppTwo, &server.user_info, Some(&received.access_token), Show::All).await?;
    walk.refused(
        &answer,
        StatusCode::UNAUTHORIZED,
        "invalid_token",
        "its access token is dead at once, long before it would expire",
    )?;
    let form = exchange(server, &cast.two, &shared.id_token, &shared.device_secret, SCOPE);
    let answer = walk.post(Who::AppTwo, &server.token, &form, TOKENS).await?;
    walk.refused(&answer, StatusCode::BAD_REQUEST, "invalid_grant", "ID token and device secret admit nobody any more")?;
    web_page::is_over(walk, server, cast).await?;

    if let Some(mut url) = server.log_out.clone() {
        walk.narrator.say("The browser is signed out too, so that the demo leaves no session behind.");
        url.query_pairs_mut().append_pair("id_token_hint", &shared.id_token);
        let answer = walk.get(Who::Browser, &url, None, Show::All).await?;
        walk.granted(&answer, "app one's ID token is enough to sign the browser out, though its session is over")?;
    }
    Ok(())
}

/// The claims of an answer's ID token, which must be the server's and for this app.
pub(super) fn verified(
    walk: &mut Walk,
    answer: &Answer,
    server: &Server,
    client_id: &str,
    jwks: &Value,
) -> Result<Map<String, Value>, Failure> {
    let verified = id_token::verify(answer.text("id_token"), jwks, &server.issuer, client_id);
    let problem = verified.as_ref().err().cloned().unwrap_or_default();
    walk.check(verified.is_ok(), "the ID token verifies with the server's published keys, and is for this app", || problem)?;
    let claims = verified.unwrap_or_default();
    walk.narrator.members(&claims, Some(&["sub", "sid", "ds_hash", "auth_time", "acr", "amr"]));
    Ok(claims)
}
