//! A plan in short: what two decisions are compared by, and what an operator is shown of one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::answer::Trouble;
use crate::issuance::guard::IssuePlan;
use crate::settings::meaning::AccessTokenFormat;

/// What was decided, by field. The values of claims and data are compared but never logged.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// Tokens, with these properties.
    Allowed(BTreeMap<&'static str, Value>),
    /// A refusal with this code and these members.
    Refused(String, Map<String, Value>),
    /// No decision.
    None,
}

/// Fields whose values may be personal.
const PRIVATE: [&str; 3] = ["access_token.data", "id_token.claims", "data"];
/// Members of a refusal whose values say what is asked for, not of whom.
const PLAIN: [&str; 3] = ["scope", "acr_values", "max_age"];

impl Verdict {
    pub(super) fn of(decision: Result<&IssuePlan, &Trouble>) -> Self {
        match decision {
            Ok(plan) => Self::Allowed(outline(plan)),
            Err(Trouble::Handler(symbolon_sdk::host::HandlerFault::Refused(error))) => {
                Self::Refused(error.code().to_owned(), error.members().clone())
            }
            Err(_) => Self::None,
        }
    }

    /// `allowed`, the error code, or `none`.
    pub(super) fn word(&self) -> &str {
        match self {
            Self::Allowed(_) => "allowed",
            Self::Refused(code, _) => code,
            Self::None => "none",
        }
    }

    /// Where another decides otherwise, as text for the log: ids, words and numbers, no personal data.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        match (self, other) {
            (Self::Allowed(own), Self::Allowed(theirs)) => own
                .iter()
                .filter_map(|(field, value)| {
                    differing(field, value, theirs.get(field).unwrap_or(&Value::Null), !PRIVATE.contains(field))
                })
                .collect(),
            (Self::Refused(own, members), Self::Refused(theirs, others)) if own == theirs => {
                let names: BTreeSet<&String> = members.keys().chain(others.keys()).collect();
                let of = |list: &Map<String, Value>, name: &str| list.get(name).cloned().unwrap_or_default();
                let member = |name: &String| {
                    let plain = PLAIN.contains(&name.as_str());
                    differing(&format!("member {name}"), &of(members, name), &of(others, name), plain)
                };
                names.into_iter().filter_map(member).collect()
            }
            (own, other) if own != other => vec![format!("decision: {} or {}", own.word(), other.word())],
            _ => Vec::new(),
        }
    }
}

/// That two values differ, and how unless that is private.
fn differing(what: &str, one: &Value, other: &Value, plain: bool) -> Option<String> {
    (one != other).then(|| if plain { format!("{what}: {one} or {other}") } else { what.to_owned() })
}

/// Every field of a plan.
pub(super) fn outline(plan: &IssuePlan) -> BTreeMap<&'static str, Value> {
    let mut scope: Vec<&str> = plan.scope().iter().collect();
    scope.sort_unstable();
    let access = plan.access();
    let mut claims = plan.user_info_claims().to_vec();
    claims.sort_unstable();
    let id_token = plan.id_token();
    let refresh = plan.refresh();
    BTreeMap::from([
        ("scope", json!(scope.join(" "))),
        ("access_token.lifetime", json!(plan.access_lifetime().as_secs())),
        (
            "access_token.format",
            access.format().map_or(Value::Null, |format| {
                json!(match format {
                    AccessTokenFormat::Jwt => "jwt",
                    AccessTokenFormat::Opaque => "opaque",
                })
            }),
        ),
        ("access_token.encrypt", json!(access.encrypt)),
        ("access_token.audience", json!(access.audience)),
        ("access_token.data", json!(access.data)),
        ("id_token", json!(id_token.is_some())),
        ("id_token.lifetime", json!(id_token.map(|plan| plan.lifetime.as_secs()))),
        ("id_token.claims", json!(id_token.map(|plan| &plan.claims))),
        ("id_token.person_claims", json!(id_token.map(|plan| &plan.person_claims))),
        ("refresh_token", json!(refresh.is_some())),
        ("refresh_token.lifetime", json!(refresh.and_then(|terms| terms.lifetime).map(|life| life.as_secs()))),
        ("refresh_token.max_idle", json!(refresh.and_then(|terms| terms.max_idle).map(|idle| idle.as_secs()))),
        ("refresh_token.rotate", json!(refresh.map(|terms| terms.rotate))),
        ("claims", json!(claims)),
        ("data", json!(plan.data())),
    ])
}

#[cfg(test)]
mod tests {
    use symbolon_sdk::HandlerError;
    use symbolon_sdk::host::HandlerFault;

    use super::*;

    fn allowed(scope: &str, secret: &str) -> Verdict {
        Verdict::Allowed(BTreeMap::from([("scope", json!(scope)), ("id_token.claims", json!({ "name": secret }))]))
    }

    fn refused(error: HandlerError) -> Verdict {
        Verdict::of(Err(&Trouble::Handler(HandlerFault::Refused(error))))
    }

    #[test]
    fn only_what_differs_is_named_and_nothing_personal() {
        assert!(allowed("a", "Ada").differences(&allowed("a", "Ada")).is_empty());
        let differences = allowed("a", "Ada").differences(&allowed("a b", "Grace"));
        assert_eq!(differences, ["id_token.claims", "scope: \"a\" or \"a b\""]);
        let no = refused(HandlerError::access_denied("no"));
        assert_eq!(allowed("a", "Ada").differences(&no), ["decision: allowed or access_denied"]);
        assert!(no.differences(&refused(HandlerError::access_denied("another sentence"))).is_empty());
        let more = refused(HandlerError::access_denied("no").with_member("person", "Ada").with_member("max_age", 1));
        assert_eq!(no.differences(&more), ["member max_age: null or 1", "member person"]);
        assert_eq!(no.differences(&Verdict::of(Err(&Trouble::Busy))), ["decision: access_denied or none"]);
    }
}
