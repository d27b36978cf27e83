//! Software statements (RFC 7591 section 2.3): metadata of a client that somebody signed whom the operator trusts with that.

use serde_json::{Map, Value};

use super::assertion;
use crate::foundation::Timestamp;
use crate::settings::meaning::StatementIssuer;
use crate::tokens;

/// The member that carries one.
pub(super) const MEMBER: &str = "software_statement";
/// How far the issuer's clock may be off, in seconds.
const LEEWAY: u64 = 60;
/// Claims about the statement itself (RFC 7519 section 4.1), which are no metadata.
const OF_THE_JWT: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

/// Why a software statement counts for nothing. Never holds anything of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatementProblem {
    /// Not a JWT in a string.
    #[error("it is no signed JWT with an iss")]
    Malformed,
    /// Nobody whom the operator named.
    #[error("its issuer is none of registration.software_statement_issuers")]
    Issuer,
    /// The signature does not hold.
    #[error("{0}")]
    Signature(tokens::assertion::AssertionError),
    /// Over, or not yet valid.
    #[error("it has expired or is not valid yet")]
    Time,
}

/// The metadata with what the statement in it says (RFC 7591 section 2.3: that takes precedence); unchanged when there is none.
///
/// `known` is the statement of an earlier registration, whose time may be over meanwhile.
///
/// # Errors
/// Why it counts for nothing.
pub(super) fn apply(
    metadata: &Map<String, Value>,
    issuers: &[StatementIssuer],
    known: Option<&Value>,
    now: Timestamp,
) -> Result<Map<String, Value>, StatementProblem> {
    let mut out = metadata.clone();
    let Some(statement) = metadata.get(MEMBER).filter(|value| !value.is_null()) else { return Ok(out) };
    let jwt = statement.as_str().ok_or(StatementProblem::Malformed)?;
    let claimed = assertion::part(jwt, 1).map_err(|_| StatementProblem::Malformed)?;
    let claimed = claimed.get("iss").and_then(Value::as_str).ok_or(StatementProblem::Malformed)?;
    let issuer = issuers.iter().find(|issuer| issuer.issuer == claimed).ok_or(StatementProblem::Issuer)?;
    let claims = tokens::assertion::verify(&issuer.jwks, jwt).map_err(StatementProblem::Signature)?;
    if known != Some(statement) && !is_in_time(&claims, now) {
        return Err(StatementProblem::Time);
    }
    out.extend(claims.into_iter().filter(|(name, _)| !OF_THE_JWT.contains(&name.as_str()) && name != MEMBER));
    Ok(out)
}

/// `exp` and `nbf`, where they are (RFC 7519 sections 4.1.4 and 4.1.5).
fn is_in_time(claims: &Map<String, Value>, now: Timestamp) -> bool {
    let seconds = |name: &str| claims.get(name).map(assertion::seconds);
    let lives = seconds("exp").is_none_or(|exp| exp.is_some_and(|exp| exp.saturating_add(LEEWAY) > now.0));
    let begun = seconds("nbf").is_none_or(|nbf| nbf.is_some_and(|nbf| nbf <= now.0.saturating_add(LEEWAY)));
    lives && begun
}
