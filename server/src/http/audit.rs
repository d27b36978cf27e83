//! Audit events of the endpoints at which clients authenticate: one for each decision, and one more for each thing that
//! began, ended or was remarkable beside it. Writes what the floors below found out; decides nothing.

use std::net::IpAddr;

use crate::grants::Facts;
use crate::protocol::{ErrorCode, OAuthError};
use crate::telemetry::{AuditEvent, Outcome, codes};

/// A token request was answered.
pub fn token_request(facts: &Facts, address: Option<IpAddr>, error: Option<&OAuthError>) {
    let outcome = if error.is_some() { Outcome::Refused } else { Outcome::Granted };
    let mut event = about(facts, AuditEvent::token_request(facts.grant, outcome).address(address));
    if let Some((done, refused)) = facts.codes {
        event = event.with_code(if error.is_some() { refused } else { done });
    }
    if let Some(error) = error {
        if error.code == ErrorCode::InvalidClient {
            client_refused(facts, address, "token", error);
            // Whoever looks for what became of transfers finds this one among them, too.
            if facts.codes.is_none() {
                return;
            }
        }
        if error.code == ErrorCode::ServerError {
            tracing::error!(cause = error.cause, "a token request failed");
        }
        event = event.reason(reason(error));
    }
    let clamps = facts.clamps.join(" ");
    if clamps.is_empty() { event } else { event.detail(&clamps) }.emit();
    if let Some(code) = facts.change {
        event.done(code).emit();
    }
    if let Some(code) = facts.note {
        event.with_code(code).emit();
    }
}

/// A revocation request was carried out. One that found nothing to revoke is no event.
pub fn revocation(facts: &Facts, address: Option<IpAddr>) {
    let event = about(facts, AuditEvent::granted(codes::TOKEN_REVOKED).address(address).detail(facts.grant));
    for code in [facts.change, facts.note].into_iter().flatten() {
        event.with_code(code).emit();
    }
}

/// A pushed authorization request was answered.
pub fn pushed(facts: &Facts, address: Option<IpAddr>, error: Option<&OAuthError>) {
    match error {
        None => about(facts, AuditEvent::granted(codes::AUTHORIZATION_PUSHED).address(address)).emit(),
        Some(error) if error.code == ErrorCode::InvalidClient => client_refused(facts, address, "par", error),
        Some(error) => {
            let event = AuditEvent::refused(codes::PUSHED_AUTHORIZATION_REFUSED).address(address).detail(error.code.as_str());
            about(facts, event).reason(reason(error)).emit();
            if let Some(code) = facts.note {
                about(facts, AuditEvent::refused(code).address(address)).reason(reason(error)).emit();
            }
        }
    }
}

/// A client was not authenticated at the endpoint called `endpoint`.
pub fn client_refused(facts: &Facts, address: Option<IpAddr>, endpoint: &str, error: &OAuthError) {
    let event = AuditEvent::refused(codes::CLIENT_AUTHENTICATION_FAILED).address(address).detail(endpoint);
    let event = if facts.grant.is_empty() { event } else { event.grant(facts.grant) };
    about(facts, event).reason(reason(error)).emit();
}

fn about<'a>(facts: &'a Facts, mut event: AuditEvent<'a>) -> AuditEvent<'a> {
    if let Some(client_id) = &facts.client_id {
        event = event.client_id(client_id);
    }
    if let Some(subject) = &facts.subject {
        event = event.subject(subject);
    }
    match &facts.sid {
        Some(sid) => event.sid(sid),
        None => event,
    }
}

fn reason(error: &OAuthError) -> &str {
    error.cause.as_deref().unwrap_or(&error.description)
}
