//! Which clients may share a person's device session, and how far. Knows families; must not know sessions or tokens.

use serde::{Deserialize, Serialize};

use super::client::Client;
use crate::protocol::names::{DEVICE_SSO, OPENID, TOKEN_EXCHANGE};
use crate::protocol::{OAuthError, Scope};

/// The most that may be granted to the target, beside its own registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[must_use]
pub struct Ceiling {
    /// The most scope; `None` = the target's registered scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Whether a refresh token may be issued.
    pub offline_access: bool,
}

impl Ceiling {
    /// None but the registration.
    pub const NONE: Self = Self { scope: None, offline_access: true };
    /// Nothing at all.
    pub const NOTHING: Self = Self { scope: Some(Scope::EMPTY), offline_access: false };

    /// What is allowed by either.
    pub fn joined(self, other: Self) -> Self {
        let scope = self.scope.zip(other.scope).map(|(all, more)| all.union(&more));
        Self { scope, offline_access: self.offline_access || other.offline_access }
    }
}

/// Why two clients do not share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotShared {
    /// The client whose ID token was presented is in no family.
    #[error("the client of the ID token is in no device_sso_family")]
    SourceWithoutFamily,
    /// The client that asks is in no family.
    #[error("the requesting client is in no device_sso_family")]
    TargetWithoutFamily,
    /// Both are in a family, but not the same.
    #[error("the two clients are of different families")]
    OtherFamily,
    /// The target lists who may sign it in, and the source is not there.
    #[error("the client of the ID token is not among the device_sso_sources of the requesting client")]
    NotListed,
    /// It shows its own ID token, but the session knows nothing of it any more, and not everybody may let it in.
    #[error("the requesting client is signed out of this session, and its device_sso_sources do not list itself")]
    SignedOut,
}

impl From<NotShared> for OAuthError {
    fn from(why: NotShared) -> Self {
        Self::invalid_grant(why.to_string())
    }
}

/// Whether two clients are of one family. A client is always of its own.
#[must_use]
pub fn same_family(one: &Client, other: &Client) -> bool {
    one.id == other.id || (one.device_sso_family.is_some() && one.device_sso_family == other.device_sso_family)
}

/// Whether an ID token of its own may sign `target` in once more. `present` is how far it is in that session already: a
/// ceiling once set is not lifted by asking again.
///
/// # Errors
/// When it is not in there any more and only some clients may let it in.
pub fn may_return(target: &Client, present: Option<Ceiling>) -> Result<Ceiling, NotShared> {
    match present {
        Some(ceiling) => Ok(ceiling),
        None if target.device_sso_sources.is_none() => Ok(Ceiling::NONE),
        None => Err(NotShared::SignedOut),
    }
}

/// Whether an ID token of `source`, another client, may sign `target` in (Native SSO 1.0 draft 08 section 4.3, item 5).
///
/// # Errors
/// When the two do not share; the wire code is `invalid_grant`.
pub fn may_share(source: &Client, target: &Client) -> Result<Ceiling, NotShared> {
    let source_family = source.device_sso_family.as_ref().ok_or(NotShared::SourceWithoutFamily)?;
    let target_family = target.device_sso_family.as_ref().ok_or(NotShared::TargetWithoutFamily)?;
    if source_family != target_family {
        return Err(NotShared::OtherFamily);
    }
    let Some(listed) = &target.device_sso_sources else {
        return Ok(Ceiling::NONE);
    };
    let share = listed.iter().find(|share| share.client_id == source.id).ok_or(NotShared::NotListed)?;
    Ok(Ceiling { scope: share.scope.clone(), offline_access: share.offline_access })
}

/// Whether a device secret may ever be handed to this client: it registered the grant that uses one, and the scope.
#[must_use]
pub fn may_receive_device_secret(client: &Client) -> bool {
    client.allows_grant(TOKEN_EXCHANGE) && client.scope.contains(DEVICE_SSO) && client.scope.contains(OPENID)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use serde_json::{Value, json};

    use super::*;
    use crate::clients::metadata::tests::{client, known_scopes};
    use crate::protocol::ErrorCode;

    fn app(id: &str, more: &Value) -> Client {
        let mut metadata = json!({
            "client_id": id, "token_endpoint_auth_method": "none", "redirect_uris": ["com.example.app:/cb"],
            "grant_types": ["authorization_code", TOKEN_EXCHANGE], "scope": "openid offline_access device_sso",
        });
        metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client(&metadata)
    }

    #[test]
    fn a_family_shares_within_itself() {
        let (a, b) = (app("a", &json!({"device_sso_family": "acme"})), app("b", &json!({"device_sso_family": "acme"})));
        assert_eq!(may_share(&a, &b), Ok(Ceiling::NONE));
    }

    #[test]
    fn nobody_else_does() {
        let (loner, acme) = (app("l", &json!({})), app("a", &json!({"device_sso_family": "acme"})));
        let other = app("o", &json!({"device_sso_family": "Acme"}));
        assert_eq!(may_share(&loner, &acme), Err(NotShared::SourceWithoutFamily));
        assert_eq!(may_share(&acme, &loner), Err(NotShared::TargetWithoutFamily));
        assert_eq!(may_share(&loner, &app("l2", &json!({}))), Err(NotShared::SourceWithoutFamily));
        assert_eq!(may_share(&acme, &other), Err(NotShared::OtherFamily));
        assert_eq!(OAuthError::from(NotShared::OtherFamily).code, ErrorCode::InvalidGrant);
    }

    #[test]
    fn a_client_returns_as_far_as_it_was_in() {
        let loner = app("l", &json!({}));
        assert_eq!(may_return(&loner, None), Ok(Ceiling::NONE));
        let closed = app("c", &json!({"device_sso_family": "acme", "device_sso_sources": []}));
        assert_eq!(may_return(&closed, None), Err(NotShared::SignedOut));
        assert_eq!(may_return(&closed, Some(Ceiling::NONE)), Ok(Ceiling::NONE));
        assert_eq!(may_return(&loner, Some(Ceiling::NOTHING)), Ok(Ceiling::NOTHING));
    }

    #[test]
    fn a_client_is_of_its_own_family() {
        let (loner, other) = (app("l", &json!({})), app("l2", &json!({})));
        assert!(same_family(&loner, &loner) && !same_family(&loner, &other));
        let acme = |id| app(id, &json!({"device_sso_family": "acme"}));
        assert!(same_family(&acme("a"), &acme("b")) && !same_family(&acme("a"), &loner));
    }

    #[test]
    fn two_doors_open_what_either_opens() {
        let of = |scope: &str, offline_access| Ceiling { scope: Some(Scope::parse(scope).unwrap()), offline_access };
        assert_eq!(of("openid", false).joined(of("email", true)), of("openid email", true));
        assert_eq!(of("openid", false).joined(Ceiling::NONE), Ceiling::NONE);
        assert_eq!(Ceiling::NOTHING.joined(of("openid", false)), of("openid", false));
    }

    #[test]
    fn the_list_of_the_target_decides_with_a_ceiling() {
        let target = app(
            "t",
            &json!({"device_sso_family": "acme", "device_sso_sources": [
                "plain", {"client_id": "low", "scope": "openid", "offline_access": false}]}),
        );
        let from = |id| app(id, &json!({"device_sso_family": "acme"}));
        assert_eq!(may_share(&from("plain"), &target), Ok(Ceiling::NONE));
        let low = may_share(&from("low"), &target).unwrap();
        assert_eq!(low.scope.map(|scope| scope.to_string()).as_deref(), Some("openid"));
        assert!(!low.offline_access);
        assert_eq!(may_share(&from("other"), &target), Err(NotShared::NotListed));
        assert!(may_share(&target, &from("plain")).is_ok(), "the list binds one direction only");
    }

    #[test]
    fn a_device_secret_takes_the_grant_and_the_scope() {
        assert!(may_receive_device_secret(&app("a", &json!({}))));
        assert!(!may_receive_device_secret(&app("a", &json!({"scope": "openid"}))));
        assert!(!may_receive_device_secret(&app("a", &json!({"grant_types": ["authorization_code"]}))));
        assert!(known_scopes().contains_key(DEVICE_SSO));
    }
}
