//! Metadata members about the authorization requests of a client (RFC 9101 section 10.5, RFC 9126 section 6, OpenID Connect Dynamic
//! Client Registration section 2).

use super::keys::Keys;
use super::reader::Reader;
use crate::clients::client::RequestRules;
use crate::tokens;

/// Reads them all.
pub(super) fn read(r: &mut Reader<'_>, keys: &Keys) -> RequestRules {
    let rules = RequestRules {
        require_pushed: r.flag("require_pushed_authorization_requests").unwrap_or(false),
        require_signed: r.flag("require_signed_request_object").unwrap_or(false),
        // `none` is not among them: what nobody signed is a plain request.
        signing_alg: r.word("request_object_signing_alg", &tokens::assertion::ALGS).map(str::to_owned),
    };
    if rules.require_signed {
        keys.demand_signature(r, "request objects");
    }
    rules
}
