//! What the verdicts of all actions together mean. The first that denies ends it; of the others everything holds at once, and of a claim that two
//! of them set, what the later one says: the operator has put them in that order.

use std::time::Duration;

use serde_json::{Map, Value};
use symbolon_sdk::Verdict;

use crate::issuance::guard;
use crate::protocol::{ErrorCode, OAuthError};
use crate::settings::Settings;

/// What a sign-in may become.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judgement {
    /// Whether a second factor must have been shown.
    pub second_factor: bool,
    /// Levels that must be reached, each of them; all are known.
    pub acr_values: Vec<String>,
    /// Further claims of the ID token; none of them the protocol's.
    pub id_token_claims: Map<String, Value>,
    /// Further members of `data` in access tokens.
    pub access_token_data: Map<String, Value>,
    /// The longest that its sessions may live from now.
    pub session_lifetime: Option<Duration>,
}

/// Why somebody is not signed in.
#[derive(Debug, Clone)]
pub struct Unjudged {
    /// The action that says so, or that failed.
    pub action: String,
    /// Whether it denied; else it failed.
    pub denied: bool,
    /// What the client is told; the cause is for the log.
    pub error: Box<OAuthError>,
}

impl Judgement {
    /// Adds a verdict; gives what had to be cut from it.
    ///
    /// # Errors
    /// `access_denied` when it denies; `server_error` when it asks for a level that does not exist, or for a session without any time.
    pub(in crate::issuance) fn add(
        &mut self,
        verdict: Verdict,
        action: &str,
        settings: &Settings,
    ) -> Result<Vec<&'static str>, Unjudged> {
        let because = |denied, error| Unjudged { action: action.to_owned(), denied, error: Box::new(error) };
        if let Some(reason) = verdict.deny {
            let mut error = OAuthError::new(ErrorCode::AccessDenied, "The sign-in policy does not allow this.");
            if !reason.trim().is_empty() {
                error.description = reason.into();
            }
            return Err(because(true, error));
        }
        if let Some(unknown) = verdict.acr_values.iter().find(|acr| settings.sign_in.levels.find(acr).is_none()) {
            let cause = format!("action {action} asks for {unknown:?}, which is none of sign_in.levels");
            return Err(because(false, OAuthError::server_error(cause)));
        }
        if verdict.session_lifetime == Some(0) {
            let cause = format!(
                "action {action} lets the session end at once, with which nobody is signed in: to keep somebody out, deny"
            );
            return Err(because(false, OAuthError::server_error(cause)));
        }
        let mut cut = Vec::new();
        self.second_factor |= verdict.second_factor;
        self.acr_values.extend(verdict.acr_values);
        self.id_token_claims.extend(guard::clamp_claims(verdict.id_token_claims, &mut cut));
        self.access_token_data.extend(guard::clamp_data(verdict.access_token_claims, &mut cut));
        let lifetime = verdict.session_lifetime.map(Duration::from_secs);
        self.session_lifetime = match (self.session_lifetime, lifetime) {
            (Some(before), Some(now)) => Some(before.min(now)),
            (before, now) => before.or(now),
        };
        Ok(cut)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    fn all(verdicts: impl IntoIterator<Item = Verdict>) -> Result<Judgement, Unjudged> {
        let settings = Settings::built_in();
        let mut judgement = Judgement::default();
        for verdict in verdicts {
            judgement.add(verdict, "Test", &settings)?;
        }
        Ok(judgement)
    }

    #[test]
    fn everything_holds_at_once_and_the_later_claim_counts() {
        let two_factor = "urn:symbolon:acr:two-factor";
        let judgement = all([
            Verdict::allow().with_id_token_claim("a", 1).with_id_token_claim("b", 1).limiting_session(Duration::from_mins(1)),
            Verdict::allow().requiring_acr(two_factor).with_access_token_claim("c", 1),
            Verdict::allow().requiring_second_factor().with_id_token_claim("a", 2).limiting_session(Duration::from_secs(90)),
        ])
        .unwrap();
        assert_eq!(Value::from(judgement.id_token_claims), serde_json::json!({ "a": 2, "b": 1 }));
        assert_eq!(Value::from(judgement.access_token_data), serde_json::json!({ "c": 1 }));
        assert_eq!((judgement.second_factor, judgement.acr_values), (true, vec![two_factor.to_owned()]));
        assert_eq!(judgement.session_lifetime, Some(Duration::from_mins(1)));
        assert_eq!(all([Verdict::allow()]).unwrap(), Judgement::default());
    }

    #[test]
    fn the_first_that_denies_ends_it() {
        let denied = all([Verdict::allow(), Verdict::deny("Not today"), Verdict::deny("Never")]).unwrap_err();
        assert!(denied.denied);
        assert_eq!((denied.error.code, denied.error.description.as_ref()), (ErrorCode::AccessDenied, "Not today"));
        assert!(all([Verdict::deny("  ")]).unwrap_err().error.description.contains("policy"));
    }

    #[test]
    fn what_is_not_the_actions_to_set_is_cut() {
        let mut judgement = Judgement::default();
        let verdict = Verdict::allow()
            .with_id_token_claim("sub", "eve")
            .with_id_token_claim("acr", "gold")
            .with_id_token_claim("tier", "gold")
            .with_access_token_claim("much", "x".repeat(20_000));
        let cut = judgement.add(verdict, "Test", &Settings::built_in()).unwrap();
        assert_eq!(cut, ["id_token.claims", "access_token.data"]);
        assert_eq!(Value::from(judgement.id_token_claims), serde_json::json!({ "tier": "gold" }));
        assert!(judgement.access_token_data.is_empty());
    }

    #[test]
    fn a_session_that_ends_at_once_is_a_fault() {
        let failed = all([Verdict::allow().limiting_session(Duration::ZERO)]).unwrap_err();
        assert_eq!((failed.denied, failed.error.code), (false, ErrorCode::ServerError));
        assert!(all([Verdict::allow().limiting_session(Duration::from_millis(1))]).is_ok(), "a fraction counts as a second");
    }

    #[test]
    fn a_level_that_nobody_can_reach_is_a_fault() {
        let failed = all([Verdict::allow().requiring_acr("urn:elsewhere")]).unwrap_err();
        assert!(!failed.denied);
        assert_eq!(failed.error.code, ErrorCode::ServerError);
    }
}
