//! The judgement of one request: whether the sign-in is good enough for what is asked, and if not, the authorization request that would
//! help. It knows neither how rules are written nor what tokens are issued.

use std::time::Duration;

use symbolon_sdk::{DeviceSsoRequest, HandlerError};

use crate::rules::{Need, Rules};
use crate::sign_in::{SignIn, Wish};

const OPENID: &str = "openid";

/// What leads a new sign-in back to the device: a code is redeemed into the device session only when its scope has both (Native SSO draft
/// 08 section 3), and without that the next exchange would find the old sign-in again.
const SIGN_ON_SCOPE: [&str; 2] = [OPENID, "device_sso"];

/// A scope value or claim, and what it needs.
type Needing<'a> = (&'a str, Need);

/// The scope to grant: all that was requested; when nothing was, what of the default needs no other sign-in.
///
/// # Errors
/// `interaction_required` with what the app has to ask the authorization endpoint for; `invalid_scope` when it asks for more than it may
/// have; `unmet_authentication_requirements` when no class can satisfy both the app and the rules.
pub(crate) fn judge<'a>(rules: &Rules, request: &DeviceSsoRequest<'a>) -> Result<Vec<&'a str>, HandlerError> {
    let wish = Wish::of(request)?;
    let sign_in = SignIn::of(request, &rules.levels);
    let mut scope: Vec<Needing<'a>> = scope_in_question(request)?
        .into_iter()
        .map(|value| (value, rules.of_scope(value, || request.resolve_claim_names(&[value]))))
        .collect();
    if request.requested_scope().is_none() {
        // Nobody asked for these, so nobody is sent to sign in for them, and what stays binds no other sign-in. Without openid, though,
        // there is nothing to hand over.
        scope.retain(|(value, need)| *value == OPENID || sign_in.meets(*need));
        scope.iter_mut().filter(|(value, _)| *value != OPENID).for_each(|(_, need)| *need = Need::default());
    }
    let claim_names = request.requested_claim_names();
    let claims: Vec<Needing<'_>> = claim_names.iter().map(|name| (name.as_str(), rules.of_claim(name))).collect();

    let of_all = rules.default.and(wish.need());
    let need = scope.iter().chain(&claims).fold(of_all, |all, (_, need)| all.and(*need));
    let is_accepted = wish.accepts(sign_in, &rules.levels);
    if sign_in.meets(need) && is_accepted {
        return Ok(names(&scope));
    }

    let acr_values = if sign_in.is_strong(need) && is_accepted {
        Vec::new()
    } else {
        wish.classes(need, &rules.levels).ok_or_else(no_class_for_both)?
    };
    let (unmet_scope, unmet_claims) = (unmet(&scope, sign_in), unmet(&claims, sign_in));
    // What is wrong with the exchange as a whole keeps back all of it; so does a requested claim alone, which no scope value stands for.
    let whole = !sign_in.meets(of_all) || !is_accepted;
    let whole_scope = whole || unmet_scope.is_empty() || unmet_scope.contains(&OPENID);
    let mut blamed: Vec<String> =
        [("default", sign_in.meets(rules.default)), ("acr_values", is_accepted), ("max_age", sign_in.meets(wish.need()))]
            .iter()
            .filter(|(_, is_met)| !is_met)
            .map(|(name, _)| (*name).to_owned())
            .collect();
    // Names that a rule has, never those that the app made up.
    blamed.extend(unmet_scope.iter().map(|value| format!("scope.{value}")));
    blamed.extend(unmet_claims.iter().map(|name| format!("claim.{name}")));
    let missing = Missing {
        acr_values,
        max_age: need.max_age.filter(|_| !sign_in.is_recent(need)),
        scope: next_scope(request, if whole_scope { names(&scope) } else { unmet_scope }),
        claims: if whole { names(&claims) } else { unmet_claims },
    };
    Err(missing.refusal().with_log_message(format!("{}, not enough for {}", sign_in.words(), blamed.join(" "))))
}

/// What is asked for, as far as this client may have it.
fn scope_in_question<'a>(request: &DeviceSsoRequest<'a>) -> Result<Vec<&'a str>, HandlerError> {
    let may_have = |value: &&&str| request.grantable_scope().contains(value);
    let Some(requested) = request.requested_scope() else {
        return Ok(request.default_scope().iter().filter(may_have).copied().collect());
    };
    let excess: Vec<&str> = requested.iter().filter(|value| !may_have(value)).copied().collect();
    if excess.is_empty() {
        Ok(requested.to_vec())
    } else {
        Err(HandlerError::invalid_scope(format!("The client may not have: {}.", excess.join(" "))))
    }
}

fn names<'n>(needing: &[Needing<'n>]) -> Vec<&'n str> {
    needing.iter().map(|(name, _)| *name).collect()
}

fn unmet<'n>(needing: &[Needing<'n>], sign_in: SignIn<'_>) -> Vec<&'n str> {
    needing.iter().filter(|(_, need)| !sign_in.meets(*need)).map(|(name, _)| *name).collect()
}

/// The scope of the authorization request: what is missing, and what leads back to the device.
fn next_scope<'a>(request: &DeviceSsoRequest<'a>, missing: Vec<&'a str>) -> Vec<&'a str> {
    // A ceiling between two apps binds the exchange alone, so the registration counts as well.
    let registered = request.metadata_field("scope");
    let registered = registered.as_ref().and_then(|scope| scope.as_str()).unwrap_or_default();
    let may_ask = |value: &str| request.grantable_scope().contains(&value) || registered.split(' ').any(|own| own == value);
    let mut scope: Vec<&str> = SIGN_ON_SCOPE.into_iter().filter(|value| may_ask(value)).collect();
    scope.extend(missing.into_iter().filter(|value| !SIGN_ON_SCOPE.contains(value)));
    scope
}

/// A wish for classes without a level, where a level is needed (RFC 9470 section 5): to send the person to the browser would send them in
/// circles.
fn no_class_for_both() -> HandlerError {
    HandlerError::custom("unmet_authentication_requirements")
        .with_description("none of acr_values is good enough for the requested scope and claims")
        .with_log_message("acr_values names no class that has a level, and a rule needs one")
}

/// What the app has to ask for; empty where nothing is missing.
struct Missing<'m> {
    acr_values: Vec<&'m str>,
    max_age: Option<u64>,
    scope: Vec<&'m str>,
    claims: Vec<&'m str>,
}

impl Missing<'_> {
    fn refusal(self) -> HandlerError {
        let mut error = HandlerError::interaction_required(match (self.acr_values.is_empty(), self.max_age) {
            (false, None) => "the sign-in is not strong enough: acr_values says what is needed",
            (true, _) => "the sign-in is too old: max_age says how old it may be",
            (false, Some(_)) => "the sign-in is neither strong nor recent enough: acr_values and max_age say what is needed",
        });
        if !self.acr_values.is_empty() {
            error = error.required_acr_values(self.acr_values);
        }
        if let Some(seconds) = self.max_age {
            error = error.required_max_age(Duration::from_secs(seconds));
        }
        if !self.scope.is_empty() {
            error = error.missing_scope(self.scope);
        }
        if !self.claims.is_empty() {
            error = error.missing_claims(self.claims);
        }
        error
    }
}
