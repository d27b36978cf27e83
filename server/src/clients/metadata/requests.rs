//! Metadata members about the authorization requests of a client (RFC 9101 section 10.5, RFC 9126 section 6, OpenID Connect Dynamic
//! Client Registration section 2).

use serde_json::Value;

use super::keys;
use super::reader::Reader;
use crate::clients::client::RequestRules;
use crate::tokens;

/// Reads them all. `jwks` are the keys by value.
pub(super) fn read(r: &mut Reader<'_>, jwks: Option<&Value>) -> RequestRules {
    let rules = RequestRules {
        require_pushed: r.flag("require_pushed_authorization_requests").unwrap_or(false),
        require_signed: r.flag("require_signed_request_object").unwrap_or(false),
        // `none` is not among them: what nobody signed is a plain request.
        signing_alg: r.word("request_object_signing_alg", &tokens::assertion::ALGS).map(str::to_owned),
    };
    if rules.require_signed && r.value("jwks_uri").is_none() && !jwks.is_some_and(keys::has_signature_key) {
        r.refuse("jwks", "no key for signatures", "the public keys that verify its request objects", "add jwks or jwks_uri");
    }
    rules
}
