//! The metadata members that say where a client is told of a sign-out.

use url::Url;

use super::reader::{Reader, shown};
use crate::clients::logout::LogoutUris;
use crate::clients::redirect::RedirectUri;

const BACK: &str = "backchannel_logout_uri";
const FRONT: &str = "frontchannel_logout_uri";

/// `backchannel_logout_uri`, `frontchannel_logout_uri` and their `_session_required`.
pub(super) fn read(r: &mut Reader<'_>, is_public: bool, redirect_uris: &[RedirectUri]) -> LogoutUris {
    let back_channel = address(r, BACK, is_public);
    let front_channel = address(r, FRONT, is_public);
    if let Some(uri) = &front_channel {
        // Front-Channel Logout section 2: scheme, host and port are those of a registered redirect URI.
        let origin = uri.origin().ascii_serialization();
        if !redirect_uris.iter().any(|redirect| redirect.origin().is_some_and(|own| own == origin)) {
            r.refuse(
                FRONT,
                shown(&origin),
                "scheme, host and port of one of the redirect_uris (Front-Channel Logout section 2)",
                "move it there or register a redirect URI beside it",
            );
        }
    }
    // Every logout token has a `sid` here, whether or not it is required.
    session_required(r, "backchannel_logout_session_required", BACK);
    let front_channel_session = session_required(r, "frontchannel_logout_session_required", FRONT);
    LogoutUris { back_channel, front_channel, front_channel_session }
}

fn session_required(r: &mut Reader<'_>, field: &str, beside: &str) -> bool {
    let required = r.flag(field).unwrap_or(false);
    if required && r.value(beside).is_none() {
        r.refuse(field, format!("true without {beside}"), "both or neither", format!("add {beside} or leave it out"));
    }
    required
}

/// An absolute web address without a fragment; `http` for a client that authenticates (Back-Channel Logout section 2.2).
fn address(r: &mut Reader<'_>, field: &str, is_public: bool) -> Option<Url> {
    let text = r.text(field)?;
    let url =
        Url::parse(text).ok().filter(|url| text.len() <= 2048 && matches!(url.scheme(), "https" | "http") && url.has_host());
    let Some(url) = url else {
        r.refuse(field, shown(text), "an absolute https address", "write it in full or leave it out");
        return None;
    };
    let (seen, expected) = if !url.username().is_empty() || url.password().is_some() {
        // It may hold a password.
        ("user information".to_owned(), "an address without user information")
    } else if url.fragment().is_some() {
        (shown(text), "an address without a fragment")
    } else if url.scheme() == "http" && is_public {
        (shown(text), "https, because the client is public")
    } else {
        return Some(url);
    };
    r.refuse(field, seen, expected, "correct the address");
    None
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use serde_json::{Value, json};

    use crate::clients::Client;
    use crate::clients::metadata::tests::{client, known_scopes};

    fn with(more: &Value) -> Value {
        let mut all = json!({"client_id": "app", "redirect_uris": ["https://app.example.com:8443/cb", "com.example.app:/cb"], "scope": "openid"});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    }

    fn refused(more: &Value) -> Vec<String> {
        let errors = Client::from_metadata(with(more).as_object().unwrap(), &known_scopes()).unwrap_err();
        errors.into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn all_members_are_read() {
        let uris = client(&with(&json!({
            "backchannel_logout_uri": "http://inside.example.com/back?x=1", "backchannel_logout_session_required": true,
            "frontchannel_logout_uri": "https://app.example.com:8443/front?y=2", "frontchannel_logout_session_required": true,
        })))
        .logout;
        assert_eq!(uris.back_channel.unwrap().as_str(), "http://inside.example.com/back?x=1");
        assert_eq!(uris.front_channel.unwrap().as_str(), "https://app.example.com:8443/front?y=2");
        assert!(uris.front_channel_session);
    }

    #[test]
    fn each_broken_rule_is_named() {
        let (back, front) = ("backchannel_logout_uri", "frontchannel_logout_uri");
        for wrong in [
            json!("/relative"),
            json!("ftp://a.example/"),
            json!("https://a.example/#f"),
            json!("https://u:p@a.example/"),
            json!(7),
        ] {
            assert_eq!(refused(&json!({ back: wrong })), [back], "{wrong}");
            assert_eq!(refused(&json!({ front: wrong })), [front], "{wrong}");
        }
        // Another scheme, host or port than any redirect URI has.
        for elsewhere in ["http://app.example.com:8443/", "https://other.example.com:8443/", "https://app.example.com/"] {
            assert_eq!(refused(&json!({ front: elsewhere })), [front], "{elsewhere}");
        }
        let public = json!({"token_endpoint_auth_method": "none", back: "http://app.example.com/back"});
        assert_eq!(refused(&public), [back], "http needs a client that authenticates");
        assert_eq!(refused(&json!({"backchannel_logout_session_required": true})), ["backchannel_logout_session_required"]);
        assert_eq!(refused(&json!({"frontchannel_logout_session_required": true})), ["frontchannel_logout_session_required"]);
        assert_eq!(
            refused(&json!({ back: "https://a.example/", "backchannel_logout_session_required": "yes" })),
            ["backchannel_logout_session_required"]
        );
    }
}
