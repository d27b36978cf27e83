//! The fourth act: what must not work. To a stranger all wrong credentials read the same.

use reqwest::StatusCode;

use super::cast::{Cast, SCOPE};
use super::id_token;
use super::story::{Server, Shared, exchange};
use super::walk::{Answer, Show, Walk, Who};
use crate::cli::output::Failure;

/// Tries what a thief, a stranger and a greedy app would try.
///
/// # Errors
/// When one of them succeeds, or is refused in another way.
pub(super) async fn play(walk: &mut Walk, server: &Server, cast: &Cast, shared: &Shared) -> Result<(), Failure> {
    walk.narrator
        .act("4. What is refused", "Both halves must be genuine, fit together, and come from an app that may have them.");
    let Shared { id_token, device_secret, .. } = shared;

    walk.narrator.say("A thief has the ID token and guesses the device secret.");
    let guess = id_token::guessed(device_secret);
    let secret = attempt(walk, server, Who::AppTwo, &exchange(server, &cast.two, id_token, &guess, SCOPE)).await?;
    walk.refused(&secret, StatusCode::BAD_REQUEST, "invalid_grant", "a wrong device secret is refused")?;

    walk.narrator.say("A thief has the device secret and writes another person into the ID token.");
    let Some(forged) = id_token::tampered(id_token) else { return Err(Failure::refusal("a surprise: the ID token is no JWT")) };
    let tampered = attempt(walk, server, Who::AppTwo, &exchange(server, &cast.two, &forged, device_secret, SCOPE)).await?;
    walk.refused(&tampered, StatusCode::BAD_REQUEST, "invalid_grant", "a tampered ID token is refused")?;

    walk.narrator.say("An app outside the family has both.");
    let stranger =
        attempt(walk, server, Who::Outsider, &exchange(server, &cast.outsider, id_token, device_secret, SCOPE)).await?;
    walk.refused(&stranger, StatusCode::BAD_REQUEST, "invalid_grant", "a client that is not of the family is refused")?;

    let description = |answer: &Answer| answer.text("error_description").to_owned();
    let alike = description(&secret) == description(&tampered) && description(&secret) == description(&stranger);
    walk.check(
        alike,
        "the three answers read the same, so a stranger learns nothing; the server's audit log tells them apart",
        || "descriptions that differ".to_owned(),
    )?;

    walk.narrator.say("App two asks for a scope that the person must approve in the browser.");
    let scope = format!("{SCOPE} {}", cast.interactive_scope);
    let greedy = attempt(walk, server, Who::AppTwo, &exchange(server, &cast.two, id_token, device_secret, &scope)).await?;
    walk.refused(&greedy, StatusCode::BAD_REQUEST, "interaction_required", "a scope that requires interaction is refused")?;
    let named = greedy.text("scope").split(' ').any(|value| value == cast.interactive_scope);
    walk.check(named, "and the answer names the missing scope, so that the app knows what to ask for in the browser", || {
        "no such member".to_owned()
    })
}

async fn attempt(walk: &mut Walk, server: &Server, who: Who, form: &[(&str, &str)]) -> Result<Answer, Failure> {
    walk.post(who, &server.token, form, Show::Only(&["access_token"])).await
}
