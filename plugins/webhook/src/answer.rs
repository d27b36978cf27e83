//! What the service's answer means. Read strictly: what is not understood to the last member is no answer, so that a slip of the pen in a
//! policy never grants more than was meant.

use serde::{Deserialize, Deserializer};
use symbolon_sdk::{HandlerError, Map, Value};

use crate::changes::{AccessToken, Changes, Claims, IdToken, RefreshToken};
use crate::strict::{given, given_object, parse, word};

/// The decision of the service.
#[derive(Debug)]
pub(crate) enum Answer {
    /// What the server itself would allow.
    Unchanged,
    /// That, with changes.
    Allow(Box<Changes>),
    /// A refusal.
    Deny(HandlerError),
}

#[derive(Debug, Clone, Copy)]
enum Decision {
    Allow,
    Deny,
}

/// As written. One flat record for both decisions: of such a one serde refuses a member that it does not know and one that is given twice,
/// where for an enum it would keep the last.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(deserialize_with = "decision")]
    decision: Decision,
    #[serde(default, deserialize_with = "given")]
    scope: Option<String>,
    #[serde(default, deserialize_with = "given_object")]
    access_token: Option<AccessToken>,
    #[serde(default, deserialize_with = "given_object")]
    refresh_token: Option<RefreshToken>,
    #[serde(default, deserialize_with = "given_object")]
    id_token: Option<IdToken>,
    #[serde(default, deserialize_with = "given_object")]
    claims: Option<Claims>,
    #[serde(default, deserialize_with = "given")]
    data: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "given")]
    error: Option<String>,
    #[serde(default, deserialize_with = "given")]
    error_description: Option<String>,
    #[serde(default, deserialize_with = "given")]
    status: Option<u16>,
    #[serde(default, deserialize_with = "given")]
    members: Option<Map<String, Value>>,
}

fn decision<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decision, D::Error> {
    word(deserializer, &[("allow", Decision::Allow), ("deny", Decision::Deny)])
}

impl Answer {
    /// Reads status and body.
    ///
    /// # Errors
    /// Why it is no answer, in words for the log: no value from the body is among them.
    pub(crate) fn read(status: u16, body: &[u8]) -> Result<Self, String> {
        match status {
            200 => Self::parse(body),
            204 => Ok(Self::Unchanged),
            // A refusal may say more in its body; whatever else is there, 403 grants nothing.
            403 => match Self::parse(body) {
                Ok(Self::Deny(error)) => Ok(Self::Deny(error)),
                _ => Ok(Self::Deny(HandlerError::custom("access_denied"))),
            },
            300..=399 => Err(format!("status {status}: redirects are not followed, correct the url")),
            _ => Err(format!("status {status} is no decision")),
        }
    }

    fn parse(body: &[u8]) -> Result<Self, String> {
        let written: Written = parse(body).map_err(|error| format!("its JSON is {}", fault(&error)))?;
        let changes = Changes {
            scope: written.scope,
            access_token: written.access_token,
            refresh_token: written.refresh_token,
            id_token: written.id_token,
            claims: written.claims,
            data: written.data,
        };
        let refusal = Refusal {
            error: written.error,
            description: written.error_description,
            status: written.status,
            members: written.members,
        };
        match written.decision {
            Decision::Allow if !refusal.is_empty() => Err("its JSON allows and has members of a refusal".to_owned()),
            Decision::Deny if !changes.is_empty() => Err("its JSON denies and has members of an authorization".to_owned()),
            Decision::Allow => changes.checked().map(|changes| Self::Allow(Box::new(changes))),
            Decision::Deny => refusal.checked().map(Self::Deny),
        }
    }
}

/// The members of a refusal.
struct Refusal {
    error: Option<String>,
    description: Option<String>,
    status: Option<u16>,
    members: Option<Map<String, Value>>,
}

impl Refusal {
    const fn is_empty(&self) -> bool {
        self.error.is_none() && self.description.is_none() && self.status.is_none() && self.members.is_none()
    }

    /// The rules of [`HandlerError`], here and not only in the server, so that the log names the service and not the handler.
    fn checked(self) -> Result<HandlerError, String> {
        let code = self.error.unwrap_or_else(|| "access_denied".to_owned());
        if code.is_empty() || code.len() > 64 || !code.bytes().all(is_text) {
            return Err("its error is not 1 to 64 printable ASCII characters without quote and backslash".to_owned());
        }
        let members = self.members.unwrap_or_default();
        if ["error", "error_description", "error_uri"].iter().any(|name| members.contains_key(*name)) {
            return Err("its members name error, error_description or error_uri, which are the server's".to_owned());
        }
        let mut error = HandlerError::custom(code);
        match self.status {
            Some(status) if !(400..=599).contains(&status) => return Err("its status is not within 400 to 599".to_owned()),
            Some(status) => error = error.with_status(status),
            None => {}
        }
        if let Some(description) = self.description {
            error = error.with_description(description);
        }
        Ok(members.into_iter().fold(error, |error, (name, value)| error.with_member(name, value)))
    }
}

/// The characters of error codes and of scopes (RFC 6749 sections 3.3 and 5.2), the space among them.
pub(crate) const fn is_text(byte: u8) -> bool {
    matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)
}

/// What is wrong with JSON, and where: a member's name where serde tells one, never a value, because serde tells those too.
fn fault(error: &serde_json::Error) -> String {
    let place = format!("at line {}, column {}", error.line(), error.column());
    let text = error.to_string();
    let named = ["unknown field", "missing field", "duplicate field"].into_iter().find(|kind| text.starts_with(*kind));
    if let (Some(kind), Some(name)) = (named, text.split('`').nth(1)) {
        let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')).take(40).collect();
        return format!("not as agreed: {} {name} {place}", kind.replace("field", "member"));
    }
    match error.classify() {
        serde_json::error::Category::Data => format!("not as agreed: a value of the wrong kind {place}"),
        _ => format!("malformed {place}"),
    }
}
