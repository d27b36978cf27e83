//! The audit events of signing keys. Whoever wrote a change reports it, so that each is reported once however many processes
//! take it over. Knows names, and lets no key out.

use super::pair::Pair;
use super::record::{Record, StoredKey};
use crate::foundation::digest::constant_time_eq;
use crate::settings::meaning::SigningAlg;
use crate::telemetry::{AuditEvent, Code, codes};

/// Reports which keys a written record has that it had not `before`, and the other way round.
pub(super) fn changed(before: &Record, after: &Record) {
    let lacks = |record: &Record, key: &StoredKey| {
        !record.keys.iter().any(|other| constant_time_eq(other.private.expose(), key.private.expose()))
    };
    for key in after.keys.iter().filter(|key| lacks(before, key)) {
        report(codes::KEY_GENERATED, key);
    }
    for key in before.keys.iter().filter(|key| lacks(after, key)) {
        report(codes::KEY_REMOVED, key);
    }
}

/// Reports that a key signs from now on.
pub(super) fn in_use(alg: SigningAlg, kid: &str) {
    AuditEvent::granted(codes::KEY_IN_USE).kid(kid).detail(alg.as_str()).emit();
}

fn report(code: Code, key: &StoredKey) {
    // One that does not parse is refused by whoever wants to use it, with a reason.
    if let Ok(public) = Pair::from_pkcs8(key.alg, key.private.expose()).and_then(|pair| pair.public()) {
        AuditEvent::granted(code).kid(&public.kid).detail(key.alg.as_str()).emit();
    }
}
