//! Audit events: one log line for each decision, with a stable code and ids. There is no field for a secret.

pub mod handoff;

use std::fmt;
use std::net::IpAddr;

use super::codes::{self, Code};

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Granted,
    /// It was not.
    Refused,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Refused => "refused",
        }
    }
}

/// An id that is written only if somebody listens.
#[derive(Clone, Copy)]
struct Id<'a>(&'a (dyn fmt::Display + Sync));

impl fmt::Debug for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A decision to be reported. Begin with [`AuditEvent::granted`] or [`AuditEvent::refused`], name what is known, end with
/// [`AuditEvent::emit`]. Nothing is formatted unless somebody listens.
#[derive(Debug, Clone, Copy)]
#[must_use = "an audit event is only written by emit()"]
pub struct AuditEvent<'a> {
    code: Code,
    outcome: Outcome,
    client_id: Option<&'a str>,
    subject: Option<&'a str>,
    sid: Option<Id<'a>>,
    address: Option<IpAddr>,
    reason: Option<&'a str>,
    grant: Option<&'a str>,
    handler: Option<&'a str>,
    kid: Option<&'a str>,
    actor: Option<&'a str>,
    detail: Option<&'a str>,
}

impl<'a> AuditEvent<'a> {
    /// An event of that code and outcome that names nothing yet.
    pub const fn new(code: Code, outcome: Outcome) -> Self {
        Self {
            code,
            outcome,
            client_id: None,
            subject: None,
            sid: None,
            address: None,
            reason: None,
            grant: None,
            handler: None,
            kid: None,
            actor: None,
            detail: None,
        }
    }

    /// Something was done.
    pub const fn granted(code: Code) -> Self {
        Self::new(code, Outcome::Granted)
    }

    /// Something was refused.
    pub const fn refused(code: Code) -> Self {
        Self::new(code, Outcome::Refused)
    }

    /// The same facts under another code.
    pub const fn with_code(self, code: Code) -> Self {
        Self { code, ..self }
    }

    /// The same facts as something that was done, whatever became of the rest.
    pub const fn done(self, code: Code) -> Self {
        Self { code, outcome: Outcome::Granted, reason: None, ..self }
    }

    /// A token request by its grant type (empty = it is not known), with the code that belongs to both.
    pub fn token_request(grant: &'a str, outcome: Outcome) -> Self {
        let grant_type = if grant.is_empty() { None } else { Some(grant) };
        Self { grant: grant_type, ..Self::new(codes::token_request(grant, outcome), outcome) }
    }

    /// The client that asked.
    pub const fn client_id(self, client_id: &'a str) -> Self {
        Self { client_id: Some(client_id), ..self }
    }

    /// The person concerned, by `sub`.
    pub const fn subject(self, subject: &'a str) -> Self {
        Self { subject: Some(subject), ..self }
    }

    /// The session concerned, by its id.
    pub const fn sid(self, sid: &'a (dyn fmt::Display + Sync)) -> Self {
        Self { sid: Some(Id(sid)), ..self }
    }

    /// Where the request came from, when known.
    pub const fn address(self, address: Option<IpAddr>) -> Self {
        Self { address, ..self }
    }

    /// Why it was refused: what an operator needs and a client is not told.
    pub const fn reason(self, reason: &'a str) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// The grant type.
    pub const fn grant(self, grant: &'a str) -> Self {
        Self { grant: Some(grant), ..self }
    }

    /// The handler that decided.
    pub const fn handler(self, handler: &'a str) -> Self {
        Self { handler: Some(handler), ..self }
    }

    /// The signing key concerned, by its id.
    pub const fn kid(self, kid: &'a str) -> Self {
        Self { kid: Some(kid), ..self }
    }

    /// Who did it, when it was not the client or the person: an administrator's command.
    pub const fn actor(self, actor: &'a str) -> Self {
        Self { actor: Some(actor), ..self }
    }

    /// Anything else worth knowing, such as the granted scope.
    pub const fn detail(self, detail: &'a str) -> Self {
        Self { detail: Some(detail), ..self }
    }

    /// Writes the event.
    pub fn emit(self) {
        handoff::offer(&self, self.code.meaning);
        self.log();
    }

    /// Writes it to the log alone, for whoever writes down what was handed over.
    pub fn log(self) {
        tracing::info!(
            target: "symbolon::audit",
            code = self.code.id,
            outcome = self.outcome.as_str(),
            client_id = self.client_id,
            subject = self.subject,
            sid = self.sid.map(tracing::field::debug),
            address = self.address.map(tracing::field::display),
            reason = self.reason,
            grant = self.grant,
            handler = self.handler,
            kid = self.kid,
            actor = self.actor,
            detail = self.detail,
            "{}",
            self.code.meaning,
        );
    }
}

/// The load line of a handler, in the words that operators of Connect2id servers search their logs for.
pub fn handler_loaded(class: &str, enabled: bool) {
    let code = codes::HANDLER_LOADED.id;
    let outcome = Outcome::Granted.as_str();
    let message = format!("[{code}] Loaded device SSO handler: class={class} enabled={enabled}");
    handoff::offer(&AuditEvent::granted(codes::HANDLER_LOADED).handler(class), &message);
    tracing::info!(target: "symbolon::audit", code, outcome, handler = class, "{message}");
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::listening;
    use super::*;

    fn written(json: bool, level: &str, emit: impl FnOnce()) -> String {
        let (lines, guard) = listening::listen(json, level);
        emit();
        drop(guard);
        lines.take()
    }

    fn sample() {
        AuditEvent::token_request("refresh_token", Outcome::Refused)
            .client_id("app-one")
            .subject("alice")
            .sid(&"s1")
            .address(Some(IpAddr::from([192, 0, 2, 1])))
            .reason("expired\n\"quoted\"")
            .emit();
    }

    #[test]
    fn an_event_is_one_flat_json_object_with_what_is_known() {
        let line = written(true, "info", sample);
        let mut event: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(event.as_object_mut().unwrap().remove("timestamp").is_some());
        let expected = serde_json::json!({
            "level": "INFO", "target": "symbolon::audit", "message": "refresh token grant refused", "code": "TK1012", "outcome": "refused",
            "client_id": "app-one", "subject": "alice", "sid": "s1", "address": "192.0.2.1", "reason": "expired\n\"quoted\"",
            "grant": "refresh_token",
        });
        assert_eq!(event, expected);
    }

    #[test]
    fn an_event_is_one_line_for_people() {
        let line = written(false, "warn,symbolon::audit=info", sample);
        assert_eq!(line.lines().count(), 1);
        assert!(line.contains("refresh token grant refused code=\"TK1012\" outcome=\"refused\" client_id=\"app-one\""), "{line}");
    }

    #[test]
    fn the_level_holds_for_events_too() {
        assert_eq!(written(true, "warn", sample), "");
        assert_eq!(written(true, "info,symbolon::audit=off", sample), "");
    }

    /// An id whose digits were never asked for.
    struct Unread(AtomicBool);

    impl fmt::Display for Unread {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.store(true, Ordering::Relaxed);
            f.write_str("s1")
        }
    }

    #[test]
    fn nothing_is_formatted_unless_somebody_listens() {
        for (level, formatted) in [("warn", false), ("info", true)] {
            let sid = Unread(false.into());
            written(true, level, || AuditEvent::granted(codes::SESSION_ENDED).sid(&sid).emit());
            assert_eq!(sid.0.load(Ordering::Relaxed), formatted, "{level}");
        }
    }

    #[test]
    fn the_load_line_reads_as_in_connect2id() {
        let line = written(false, "info", || handler_loaded("local-device-sso", true));
        assert!(line.contains("[OP7106] Loaded device SSO handler: class=local-device-sso enabled=true"), "{line}");
    }

    #[test]
    fn what_a_code_promises_is_what_an_event_has() {
        let members = ["client_id", "subject", "sid", "address", "reason", "grant", "handler", "kid", "actor", "detail"];
        for code in codes::ALL {
            for (member, _) in code.members() {
                assert!(members.contains(&member), "{}: {member}", code.id);
            }
        }
    }
}
