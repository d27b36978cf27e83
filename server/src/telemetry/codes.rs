//! The codes of audit events. A pure list: a code, once released, keeps its meaning for ever.

use std::fmt::Write as _;

use super::audit::Outcome;
use crate::protocol::names;

/// A sort of audit event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Stable identifier: two letters and four digits, or what Auth0 calls the same event.
    pub id: &'static str,
    /// What happened, in words.
    pub meaning: &'static str,
    /// The members of the event, separated by spaces; one with `?` is there when it is known.
    named: &'static str,
}

impl Code {
    /// The members that an event of this code has beside `code` and `outcome`, and whether each is always there.
    pub fn members(&self) -> impl Iterator<Item = (&'static str, bool)> {
        self.named.split_ascii_whitespace().map(|name| match name.strip_suffix('?') {
            Some(name) => (name, false),
            None => (name, true),
        })
    }
}

/// Declares the codes and the list of all of them, so that none is missing in the reference.
macro_rules! codes {
    ($($name:ident = $id:literal: $meaning:literal ($named:literal);)*) => {
        $(#[doc = $meaning] pub const $name: Code = Code { id: $id, meaning: $meaning, named: $named };)*
        /// Every code, in order.
        pub const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    SERVER_STARTED = "OP7001": "server started" ("detail");
    SERVER_STOPPED = "OP7002": "server stopped" ("reason?");
    HANDLER_LOADED = "OP7106": "device SSO handler loaded" ("handler");
    HANDLER_NOT_LOADED = "OP7107": "device SSO handler not loaded" ("reason");
    HANDLERS_RELOADED = "OP7108": "device SSO handlers reloaded" ("reason detail");
    HANDLER_FAILED = "OP7109": "device SSO handler or post-login action failed: panic, crash, deadline or nonsense" ("handler reason");
    HANDLER_SUSPENDED = "OP7110": "device SSO handler left alone for failing too often, until a trial succeeds" ("handler detail");
    HANDLER_RESUMED = "OP7111": "device SSO handler in service again" ("handler");
    RELOAD_REFUSED = "OP7112": "reload of the device SSO handlers refused; those in service stay" ("reason detail");
    SHADOW_DIFFERED = "OP7113": "shadow handler would have decided otherwise" ("handler client_id sid reason detail");

    ACTION_LOADED = "OP7114": "post-login action loaded" ("handler detail");
    NETWORK_DATABASES_RELOADED = "OP7121": "databases of addresses taken over from their files" ("detail");
    NETWORK_DATABASE_REFUSED = "OP7122": "changed database of addresses not taken over; what was known stays" ("reason");

    AUDIT_LOST = "OP7131": "audit events missing in the audit file: it could not be written for longer than they could wait" ("detail");
    AUDIT_NOT_DELIVERED = "OP7132": "audit webhook takes no events; they wait in the audit file and are tried again" ("reason");
    AUDIT_DELIVERED_AGAIN = "OP7133": "audit webhook takes events again" ("detail");
    AUDIT_REMOVED = "OP7134": "audit events removed with the oldest audit file before the webhook took them" ("detail");

    CODE_GRANT_ISSUED = "TK1001": "tokens issued for an authorization code" ("client_id subject sid address grant detail?");
    CODE_GRANT_REFUSED = "TK1002": "authorization code grant refused" ("client_id? subject? sid? address grant reason detail?");
    REFRESH_GRANT_ISSUED = "TK1011": "tokens issued for a refresh token" ("client_id subject sid address grant detail?");
    REFRESH_GRANT_REFUSED = "TK1012": "refresh token grant refused" ("client_id? subject? sid? address grant reason detail?");
    CREDENTIALS_GRANT_ISSUED = "TK1021": "token issued for client credentials" ("client_id address grant detail?");
    CREDENTIALS_GRANT_REFUSED = "TK1022": "client credentials grant refused" ("client_id? address grant reason");
    EXCHANGE_GRANT_ISSUED = "TK1031": "tokens issued for a device session" ("client_id subject sid address grant detail?");
    EXCHANGE_GRANT_REFUSED = "TK1032": "token exchange refused" ("client_id? subject? sid? address grant reason detail?");
    TRANSFER_EXCHANGED = "TK1051": "session transfer token made for a device secret or an access token" ("client_id subject sid address grant detail?");
    TRANSFER_EXCHANGE_REFUSED = "TK1052": "session transfer token for a device secret or an access token refused" ("client_id? subject? sid? address grant reason detail?");
    TRANSFER_ISSUED = "sertft": "session transfer token made for a refresh token" ("client_id subject sid address grant detail?");
    TRANSFER_REFUSED = "fertft": "session transfer token for a refresh token refused" ("client_id? subject? sid? address grant reason detail?");
    DEVICE_GRANT_ISSUED = "TK1041": "tokens issued for a device code" ("client_id subject sid address grant detail?");
    DEVICE_GRANT_REFUSED = "TK1042": "device grant refused, or not decided yet" ("client_id? subject? sid? address grant reason detail?");
    UNKNOWN_GRANT_REFUSED = "TK1092": "token request refused before its grant was known" ("address reason");
    CODE_REPLAYED = "TK1101": "authorization code used a second time; what the first use issued is revoked, with the session if nothing is left in it" ("client_id subject? sid address grant reason?");
    TOKEN_REVOKED = "TK1201": "access token revoked by its client" ("client_id subject sid? address detail");

    SIGNED_IN = "SI2001": "person signed in" ("client_id subject sid address");
    SIGN_IN_FAILED = "SI2002": "sign-in failed" ("client_id subject? address reason");
    SIGN_IN_THROTTLED = "SI2003": "sign-in refused after too many attempts" ("client_id subject? address reason");
    SIGN_IN_DISABLED = "SI2004": "sign-in to a disabled account refused; the password was right" ("client_id subject address");
    SECOND_FACTOR_SHOWN = "SI2005": "person showed a second factor" ("client_id subject sid address detail");
    SECOND_FACTOR_FAILED = "SI2006": "second factor refused" ("client_id subject sid address reason");
    FACTOR_ENROLLED = "SI2007": "person set up an authenticator app and was given recovery codes" ("client_id subject sid address");
    CONSENT_GIVEN = "SI2011": "consent given" ("client_id subject sid address detail?");
    CONSENT_DENIED = "SI2012": "consent denied" ("client_id subject sid address detail?");
    CONSENT_REVOKED = "SI2013": "consent revoked, and what the client was granted by that person ended" ("client_id subject address? actor? detail");
    AUTHORIZATION_REFUSED = "SI2021": "authorization request refused" ("client_id? address reason detail");
    AUTHORIZATION_PUSHED = "SI2022": "authorization request pushed" ("client_id address");
    PUSHED_AUTHORIZATION_REFUSED = "SI2023": "pushed authorization request refused" ("client_id? address reason detail");

    TRANSFERRED = "SI2041": "person signed in to a browser by a session transfer token" ("client_id subject sid address detail");
    TRANSFER_FROM_ELSEWHERE = "SI2042": "session transfer token used otherwise than it is bound; let through, because the binding is only logged" ("client_id subject address reason detail");
    TRANSFER_NOT_TAKEN = "w": "session transfer token of a browser not taken; the reason is one word" ("client_id subject? address reason detail?");
    SIGN_IN_DENIED = "SI2051": "post-login action denied a sign-in; the session is the one that would have begun, where none had" ("client_id subject sid address handler reason");
    SIGN_IN_NOT_JUDGED = "SI2052": "sign-in refused because a post-login action could not judge it" ("client_id subject sid address handler reason");

    DEVICE_AUTHORIZATION_STARTED = "SI2031": "device asked to be signed in" ("client_id address");
    DEVICE_LET_IN = "SI2032": "person let a device in that shows a user code" ("client_id subject");

    DEVICE_SESSION_STARTED = "SE3001": "device session started" ("client_id subject sid address grant");
    DEVICE_SESSION_JOINED = "SE3002": "app joined a device session" ("client_id subject sid address grant");
    BROWSER_SESSION_STARTED = "SE3003": "browser session started" ("client_id subject sid address");
    OFFLINE_SESSION_STARTED = "SE3004": "offline session started" ("client_id subject sid address grant");
    SESSION_ENDED = "SE3011": "session ended by its person or client" ("client_id? subject sid address detail");
    SESSION_ENDED_BY_ADMINISTRATOR = "SE3012": "session ended by an administrator" ("subject sid actor detail");
    SESSION_ENDED_WITH_ITS_ORIGIN = "SE3013": "session ended with the session or app that it grew from" ("subject sid");
    LOGOUT_DELIVERED = "SE3031": "client told by back channel that a session ended" ("client_id subject sid");
    LOGOUT_NOT_DELIVERED = "SE3032": "client could not be told by back channel that a session ended; it is tried again" ("client_id subject sid reason");
    LOGOUT_GIVEN_UP = "SE3033": "client was not told by back channel that a session ended, and is not tried again" ("client_id subject sid reason");
    DEVICE_SECRET_ISSUED = "SE3021": "app of a device session given a device secret of its own" ("client_id subject sid address grant");
    DEVICE_SECRET_REFUSED = "SE3022": "device secret and ID token refused" ("client_id subject? sid? address grant reason");
    DEVICE_KEY_ENROLLED = "SE3023": "key enrolled in a device session" ("client_id subject sid address grant");
    DEVICE_KEY_REFUSED = "SE3024": "device secret refused for want of a key that is enrolled" ("client_id subject sid address grant reason");

    DEVICE_KEY_REMOVED = "SE3025": "enrolled key of a device session removed, and the grants that were bound to it" ("client_id subject sid actor detail");

    REFRESH_REPLAY_ANSWERED = "RT4001": "refresh token used again while its successor is unused; answered again" ("client_id subject sid address grant reason?");
    REFRESH_FAMILY_REVOKED = "RT4002": "refresh token used again after its successor; the family is revoked, with the session if nothing is left in it" ("client_id subject sid address grant reason");
    REFRESH_REVOKED = "RT4003": "refresh token revoked by its client" ("client_id subject sid address detail");
    GRANT_DISPLACED = "RT4004": "an app has more grants in one session than are kept; the least used one was ended" ("client_id subject sid address grant");

    CLIENT_AUTHENTICATION_FAILED = "CL5001": "client authentication failed" ("client_id? address grant? reason detail");
    PROOF_REPLAYED = "CL5003": "DPoP proof used a second time" ("client_id address grant reason");
    CLIENT_NOT_IN_FAMILY = "CL5002": "client may not share the device session" ("client_id subject sid address grant reason");
    CLIENT_REGISTERED = "CL5011": "client registered itself" ("client_id address detail?");
    REGISTRATION_REFUSED = "CL5012": "registration of a client refused" ("client_id? address reason detail");
    REGISTRATION_CHANGED = "CL5013": "client changed its registration" ("client_id address");
    REGISTRATION_ENDED = "CL5014": "client ended its registration" ("client_id address");

    KEY_GENERATED = "KY6001": "signing key generated" ("kid detail");
    KEY_IN_USE = "KY6002": "signing key in use: what this server signs is signed with it from now on" ("kid detail");
    KEY_REMOVED = "KY6003": "signing key removed: it verifies no longer" ("kid detail");
    KEY_ROTATED = "KY6004": "signing key rotation asked for" ("actor detail");
    KEYS_RESEALED = "KY6005": "signing keys sealed anew with the present sealing key" ("actor");
    KEY_WITHDRAWN = "KY6006": "signing key withdrawn by hand: nothing that it signed is accepted any more" ("kid actor");

    STORE_BACKED_UP = "ST9001": "everything in the store was written to a file" ("actor detail");
    STORE_FILLED = "ST9002": "an empty store was filled from a file or from another store" ("actor detail");

    USER_ADDED = "AD8001": "person added" ("subject actor");
    USER_DISABLED = "AD8003": "person disabled" ("subject actor");
    USER_DELETED = "AD8004": "person deleted" ("subject actor");
    PASSWORD_SET = "AD8005": "password set" ("subject actor");
    USER_ENABLED = "AD8006": "person enabled" ("subject actor");
    FACTORS_REMOVED = "AD8007": "second factors of a person removed" ("subject actor");
    FACTORS_CHANGED = "AD8008": "authenticator app or recovery codes of a person set by an administrator" ("subject actor detail");
    CLIENT_ADDED = "AD8011": "client added" ("client_id actor");
    CLIENT_CHANGED = "AD8012": "client changed" ("client_id actor");
    CLIENT_DELETED = "AD8013": "client deleted" ("client_id actor");
    INITIAL_TOKEN_ADDED = "AD8014": "initial access token made, with which clients may register" ("actor detail");
    INITIAL_TOKEN_REMOVED = "AD8015": "initial access token revoked" ("actor detail");
}

/// The code of a token request, by its `grant_type`.
#[must_use]
pub fn token_request(grant: &str, outcome: Outcome) -> Code {
    let (issued, refused) = match grant {
        names::AUTHORIZATION_CODE => (CODE_GRANT_ISSUED, CODE_GRANT_REFUSED),
        names::REFRESH_TOKEN => (REFRESH_GRANT_ISSUED, REFRESH_GRANT_REFUSED),
        names::CLIENT_CREDENTIALS => (CREDENTIALS_GRANT_ISSUED, CREDENTIALS_GRANT_REFUSED),
        names::DEVICE_CODE => (DEVICE_GRANT_ISSUED, DEVICE_GRANT_REFUSED),
        names::TOKEN_EXCHANGE => (EXCHANGE_GRANT_ISSUED, EXCHANGE_GRANT_REFUSED),
        // Nothing is issued for a grant that is not known.
        _ => return UNKNOWN_GRANT_REFUSED,
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
                    them while the rest is quiet: `telemetry.level = \"warn,symbolon::audit=info\"`.\n\nEvery event has `code` and `outcome` \
                    (`granted` or `refused`) and the members of its row; one in brackets is there when it is known. A request may be several \
                    events: what came of it, and each thing that began, changed, ended or was remarkable with it. A `client_id` or `subject` is one that \
                    exists here, except that `SI2021` repeats the `client_id` of its request. A command on a stopped server writes its events to its \
                    own standard error. In the audit file (`audit.file.path`) an event has `id` and `time` besides.\n\n| code | meaning | members |\n|---|---|---|\n"
        .to_owned();
    for code in ALL {
        let members: Vec<String> =
            code.members().map(|(name, always)| if always { format!("`{name}`") } else { format!("[`{name}`]") }).collect();
        // Writing into a String cannot fail.
        let _ = writeln!(page, "| `{}` | {} | {} |", code.id, code.meaning, members.join(" "));
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
            assert!(reference().contains(&format!("| `{}` | {} | ", code.id, code.meaning)));
            if ["sertft", "fertft", "w"].contains(&code.id) {
                continue;
            }
            let (letters, digits) = code.id.split_at(2);
            assert!(
                code.id.len() == 6
                    && letters.bytes().all(|b| b.is_ascii_uppercase())
                    && digits.bytes().all(|b| b.is_ascii_digit())
            );
        }
    }

    #[test]
    fn token_requests_have_a_code_for_each_grant() {
        assert_eq!(token_request("refresh_token", Outcome::Granted), REFRESH_GRANT_ISSUED);
        assert_eq!(token_request(names::TOKEN_EXCHANGE, Outcome::Refused), EXCHANGE_GRANT_REFUSED);
        assert_eq!(token_request("password", Outcome::Refused), UNKNOWN_GRANT_REFUSED);
    }
}
