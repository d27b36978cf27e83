//! The document at a `sector_identifier_uri` (OIDC Dynamic Client Registration section 5): it vouches for the redirect URIs of all clients
//! that are told the same `sub`. Without that anybody could join a sector and learn its subjects.

use std::collections::HashSet;

use serde_json::Value;
use url::Url;

use super::redirect::RedirectUri;
use crate::outbound::{Bounds, Outbound, OutboundError};

/// Why the document does not vouch for a client.
#[derive(Debug, thiserror::Error)]
pub enum SectorProblem {
    /// It cannot be fetched.
    #[error("the document cannot be fetched: {0}")]
    NotFetched(#[from] OutboundError),
    /// It is something else.
    #[error("the document is not a JSON array of redirect URIs")]
    Malformed,
    /// It does not list this redirect URI of the client.
    #[error("the document does not list the redirect URI {0}")]
    NotListed(String),
}

/// Whether the document at `uri` lists every one of these redirect URIs, each as it was registered, to the letter.
///
/// # Errors
/// Why not.
pub async fn check_sector(outbound: &Outbound, uri: &Url, redirect_uris: &[RedirectUri]) -> Result<(), SectorProblem> {
    let document = outbound.get_json(uri, "application/json", Bounds::DOCUMENT).await?;
    let items = document.as_array().ok_or(SectorProblem::Malformed)?;
    let listed: HashSet<&str> = items.iter().map(Value::as_str).collect::<Option<_>>().ok_or(SectorProblem::Malformed)?;
    match redirect_uris.iter().find(|own| !listed.contains(own.as_str())) {
        Some(missing) => Err(SectorProblem::NotListed(missing.as_str().to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use crate::outbound::tests::answering;

    async fn judged(status: u16, body: &str) -> Result<(), SectorProblem> {
        let own = ["https://a.example/cb", "com.example.app:/cb"].map(|uri| RedirectUri::parse(uri, false).unwrap());
        check_sector(&Outbound::new(true), &answering(status, body).await, &own).await
    }

    #[tokio::test]
    async fn all_redirect_uris_must_be_listed() {
        let all = r#"["https://b.example/", "com.example.app:/cb", "https://a.example/cb"]"#;
        assert!(judged(200, all).await.is_ok());
        for missing in ["[]", r#"["https://a.example/cb"]"#, r#"["https://a.example/cb/", "com.example.app:/cb"]"#] {
            assert!(matches!(judged(200, missing).await, Err(SectorProblem::NotListed(_))), "{missing}");
        }
    }

    #[tokio::test]
    async fn anything_but_a_list_vouches_for_nobody() {
        for body in ["{}", r#""https://a.example/cb""#, r#"["https://a.example/cb", "com.example.app:/cb", 1]"#, "null"] {
            assert!(matches!(judged(200, body).await, Err(SectorProblem::Malformed)), "{body}");
        }
        assert!(matches!(judged(404, "[]").await, Err(SectorProblem::NotFetched(_))));
        assert!(matches!(judged(200, "").await, Err(SectorProblem::NotFetched(OutboundError::NotJson))));
    }
}
