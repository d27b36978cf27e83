//! The codes of audit events. A pure list: a code, once released, keeps its meaning for ever.

use std::fmt::Write as _;

use super::audit::Outcome;
use crate::protocol::names;

/// A sort of audit event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Stable identifier: two letters and four digits.
    pub id: &'static str,
    /// What happened, in words.
    pub meaning: &'static str,
}

/// Declares the codes and the list of all of them, so that none is missing in the reference.
macro_rules! codes {
    ($($name:ident = $id:literal: $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $name: Code = Code { id: $id, meaning: $meaning };)*
        /// Every code, in order.
        pub const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    SERVER_STARTED = "OP7001": "server started";
    SERVER_STOPPED = "OP7002": "server stopped";
    HANDLER_LOADED = "OP7106": "device SSO handler loaded";
    HANDLER_NOT_LOADED = "OP7107": "device SSO handler not loaded";
    HANDLERS_RELOADED = "OP7108": "device SSO handlers reloaded";
    HANDLER_FAILED = "OP7109": "device SSO handler failed: panic, crash, deadline or nonsense";
    HANDLER_SUSPENDED = "OP7110": "device SSO handler left alone for failing too often, until a trial succeeds";
    HANDLER_RESUMED = "OP7111": "device SSO handler in service again";
    RELOAD_REFUSED = "OP7112": "reload of the device SSO handlers refused; those in service stay";
    SHADOW_DIFFERED = "OP7113": "shadow handler would have decided otherwise";

    CODE_GRANT_ISSUED = "TK1001": "tokens issued for an authorization code";
    CODE_GRANT_REFUSED = "TK1002": "authorization code grant refused";
    REFRESH_GRANT_ISSUED = "TK1011": "tokens issued for a refresh token";
    REFRESH_GRANT_REFUSED = "TK1012": "refresh token grant refused";
    CREDENTIALS_GRANT_ISSUED = "TK1021": "token issued for client credentials";
    CREDENTIALS_GRANT_REFUSED = "TK1022": "client credentials grant refused";
    EXCHANGE_GRANT_ISSUED = "TK1031": "tokens issued for a device session";
    EXCHANGE_GRANT_REFUSED = "TK1032": "token exchange refused";
    OTHER_GRANT_ISSUED = "TK1091": "tokens issued for another grant";
    OTHER_GRANT_REFUSED = "TK1092": "token request refused before its grant was known";
    CODE_REPLAYED = "TK1101": "authorization code used a second time; what the first use issued is revoked";
    TOKEN_REVOKED = "TK1201": "token revoked by its client";

    SIGNED_IN = "SI2001": "person signed in";
    SIGN_IN_FAILED = "SI2002": "sign-in failed";
    SIGN_IN_THROTTLED = "SI2003": "sign-in refused after too many attempts";
    SIGN_IN_DISABLED = "SI2004": "sign-in to a disabled account refused";
    CONSENT_GIVEN = "SI2011": "consent given";
    CONSENT_DENIED = "SI2012": "consent denied";
    AUTHORIZATION_REFUSED = "SI2021": "authorization request refused";

    DEVICE_SESSION_STARTED = "SE3001": "device session started";
    DEVICE_SESSION_JOINED = "SE3002": "app joined a device session";
    BROWSER_SESSION_STARTED = "SE3003": "browser session started";
    OFFLINE_SESSION_STARTED = "SE3004": "offline session started";
    SESSION_ENDED = "SE3011": "session ended by its person or client";
    SESSION_ENDED_BY_ADMINISTRATOR = "SE3012": "session ended by an administrator";
    SESSION_EXPIRED = "SE3013": "session expired";
    DEVICE_SECRET_ROTATED = "SE3021": "device secret rotated";
    DEVICE_SECRET_REFUSED = "SE3022": "device secret and ID token refused";

    REFRESH_REPLAY_ANSWERED = "RT4001": "refresh token used again while its successor is unused; answered again";
    REFRESH_FAMILY_REVOKED = "RT4002": "refresh token used again after its successor; the family is revoked";
    REFRESH_REVOKED = "RT4003": "refresh token revoked";
    GRANT_DISPLACED = "RT4004": "an app has more grants in one session than are kept; the least used one was ended";

    CLIENT_AUTHENTICATION_FAILED = "CL5001": "client authentication failed";
    CLIENT_NOT_IN_FAMILY = "CL5002": "client may not share the device session";

    KEY_GENERATED = "KY6001": "signing key generated";
    KEY_IN_USE = "KY6002": "signing key began to sign";
    KEY_RETIRED = "KY6003": "signing key retired";
    KEY_ROTATED = "KY6004": "signing key rotation asked for";

    USER_ADDED = "AD8001": "person added";
    USER_CHANGED = "AD8002": "person changed";
    USER_DISABLED = "AD8003": "person disabled or enabled";
    USER_DELETED = "AD8004": "person deleted";
    PASSWORD_SET = "AD8005": "password set";
    CLIENT_ADDED = "AD8011": "client added";
    CLIENT_CHANGED = "AD8012": "client changed";
    CLIENT_DELETED = "AD8013": "client deleted";
    SETTINGS_RELOADED = "AD8021": "settings reloaded";
}

/// The code of a token request, by its `grant_type`.
#[must_use]
pub fn token_request(grant: &str, outcome: Outcome) -> Code {
    let (issued, refused) = match grant {
        names::AUTHORIZATION_CODE => (CODE_GRANT_ISSUED, CODE_GRANT_REFUSED),
        names::REFRESH_TOKEN => (REFRESH_GRANT_ISSUED, REFRESH_GRANT_REFUSED),
        names::CLIENT_CREDENTIALS => (CREDENTIALS_GRANT_ISSUED, CREDENTIALS_GRANT_REFUSED),
        names::TOKEN_EXCHANGE => (EXCHANGE_GRANT_ISSUED, EXCHANGE_GRANT_REFUSED),
        _ => (OTHER_GRANT_ISSUED, OTHER_GRANT_REFUSED),
    };
    match outcome {
        Outcome::Granted => issued,
        Outcome::Refused => refused,
    }
}

/// The list in Markdown, for `config reference`.
#[must_use]
pub fn reference() -> String {
    let mut page = "\n# Audit events\n\nEach decision is one log line with the target `symbolon::audit`; it names ids, never secrets. To keep \
                    them while the rest is quiet: `telemetry.level = \"warn,symbolon::audit=info\"`.\n\n| code | meaning |\n|---|---|\n"
        .to_owned();
    for code in ALL {
        // Writing into a String cannot fail.
        let _ = writeln!(page, "| `{}` | {} |", code.id, code.meaning);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_well_formed() {
        for (n, code) in ALL.iter().enumerate() {
            assert!(ALL[..n].iter().all(|other| other.id != code.id), "{} twice", code.id);
            let (letters, digits) = code.id.split_at(2);
            assert!(
                code.id.len() == 6
                    && letters.bytes().all(|b| b.is_ascii_uppercase())
                    && digits.bytes().all(|b| b.is_ascii_digit())
            );
            assert!(reference().contains(&format!("| `{}` | {} |", code.id, code.meaning)));
        }
    }

    #[test]
    fn token_requests_have_a_code_for_each_grant() {
        assert_eq!(token_request("refresh_token", Outcome::Granted), REFRESH_GRANT_ISSUED);
        assert_eq!(token_request(names::TOKEN_EXCHANGE, Outcome::Refused), EXCHANGE_GRANT_REFUSED);
        assert_eq!(token_request("password", Outcome::Refused), OTHER_GRANT_REFUSED);
    }
}
