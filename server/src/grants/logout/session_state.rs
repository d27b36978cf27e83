//! Session management (OpenID Connect Session Management 1.0): a value that changes when somebody signs in or out, which an
//! app's page may ask about without a request to the server.

use crate::foundation::{Digest, Secret, encoding, random};
use crate::grants::authorize::browser::SignedIn;

/// What a browser shows of who is signed in to it: another value after each sign-in and sign-out, none when nobody is. It reveals nothing.
#[must_use]
pub fn browser_state(people: &[SignedIn]) -> Option<String> {
    let mut parts: Vec<String> = people
        .iter()
        .filter_map(|person| {
            person.loaded.session.cookie.map(|cookie| format!("{} {}", person.loaded.id, encoding::encode(cookie.as_bytes())))
        })
        .collect();
    parts.sort_unstable();
    // With a name of its own: the digest of the cookie alone stands in the store.
    (!parts.is_empty()).then(|| encoding::encode(Digest::of(format!("browser state {}", parts.join(" "))).as_bytes()))
}

/// `session_state` of an authorization response (Session Management section 2): what the page at `/check-session` computes again from
/// client, origin, the browser's state (empty when nobody is signed in) and the salt.
#[must_use]
pub fn session_state(client_id: &str, origin: &str, browser_state: &str) -> String {
    salted(client_id, origin, browser_state, &encoding::encode(random::bytes::<12>()))
}

fn salted(client_id: &str, origin: &str, browser_state: &str, salt: &str) -> String {
    let digest = Digest::of(format!("{client_id} {origin} {browser_state} {salt}"));
    format!("{}.{salt}", encoding::encode(digest.as_bytes()))
}

/// The origin that the page of a redirect URI has; `None` for an app's own scheme, which has no pages.
#[must_use]
pub fn origin(redirect_uri: &str) -> Option<String> {
    let url = url::Url::parse(redirect_uri).ok()?;
    matches!(url.scheme(), "https" | "http").then(|| url.origin().ascii_serialization())
}

/// The value of the cookie that the page at `/check-session` reads, and how long it is kept (none: until the browser is closed).
pub type StateCookie = (Secret<String>, Option<std::time::Duration>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_depends_on_all_of_its_parts_and_shows_its_salt() {
        // printf 'app https://a.example state salt' | openssl dgst -sha256 -binary | base64url
        let state = salted("app", "https://a.example", "state", "salt");
        assert_eq!(state, "_8YZz8cKzDMWalEB2DKCodRSVlH8QHW-VeO1hZSIJIM.salt");
        for other in [
            salted("ap", "https://a.example", "state", "salt"),
            salted("app", "https://b.example", "state", "salt"),
            salted("app", "https://a.example", "", "salt"),
            salted("app", "https://a.example", "state", "pepper"),
        ] {
            assert_ne!(state.split('.').next(), other.split('.').next());
        }
        assert_ne!(session_state("app", "o", "s"), session_state("app", "o", "s"), "salted");
    }

    #[test]
    fn only_pages_have_an_origin() {
        assert_eq!(origin("https://a.example:8443/cb?x=1").as_deref(), Some("https://a.example:8443"));
        assert_eq!(origin("https://a.example:443/cb").as_deref(), Some("https://a.example"));
        assert_eq!(origin("com.example.app:/cb"), None);
    }
}
