//! Whether a session transfer token counts for a request: at this client, from this place, for this person. Looks, and changes nothing; what
//! becomes of a token that counts is the business of its arrival.

use std::net::IpAddr;

use super::browser::Visit;
use crate::clients::Demands;
use crate::grants::engine::Engine;
use crate::network::{Binding, Difference, Origin};
use crate::protocol::OAuthError;
use crate::sessions::{RequestContext, TransferToken};
use crate::telemetry::{AuditEvent, codes};

/// Why a token is not taken: a word for machines, and a sentence.
pub(super) type Reason = (&'static str, &'static str);

pub(super) const UNKNOWN: Reason = ("unknown", "there is no such token, or it has expired");
const TARGET: Reason = ("target_mismatch", "it was made for another client");
const ORIGIN: Reason = ("origin_not_allowed", "people may not come to this client from the app that had it made");
const ORIGIN_GONE: Reason = ("origin_gone", "the app that had it made is gone, or may have none made any more");
pub(super) const PARENT: Reason = ("parent_gone", "the session or grant that it was made in has ended");
const PERSON: Reason = ("person_unavailable", "the person is disabled or gone");
const USER: Reason = ("user_mismatch", "the request is about another person");
const KEY: Reason = ("key_missing", "no key was proven when it was made, and the client demands one");

impl Engine {
    /// Whether a token counts, be it the first time or once more; gives by what it was found to come from where it was made.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn check_token(
        &self,
        visit: Visit<'_>,
        token: &TransferToken,
    ) -> Result<Result<Binding, Reason>, OAuthError> {
        let Visit { client, browser, .. } = visit;
        let Some(made) = token.made() else { return Ok(Err(UNKNOWN)) };
        if token.target.as_ref().is_some_and(|target| *target != client.id) {
            return Ok(Err(TARGET));
        }
        let origin = self.clients().find(&made.client_id).await?;
        let Some(origin) = origin.filter(|origin| origin.stood_at(token.issued) && origin.session_transfer.can_create) else {
            return Ok(Err(ORIGIN_GONE));
        };
        let rules = &client.session_transfer;
        // An interclient token is for a client that names whom it takes, and that may have changed since.
        if !rules.admits(&origin.id) || (token.interclient && rules.origins.is_none()) {
            return Ok(Err(ORIGIN));
        }
        // Whatever it follows later: a token is no better than the sign-in that it was made in.
        let above = self.sessions().find(token.parent.session).await?;
        if above.is_none_or(|above| !token.parent.stands_in(&above.session, token.issued, self.clock().now())) {
            return Ok(Err(PARENT));
        }
        if self.issuer().people().find_by_sub(&token.sub).await?.is_none_or(|person| person.disabled) {
            return Ok(Err(PERSON));
        }
        if !self.is_about(visit, &token.sub).await? {
            return Ok(Err(USER));
        }
        let demands = Demands::of(&origin.session_transfer, rules);
        let lacks_key = demands.key && !token.key_proven;
        let compared = if lacks_key { Err(KEY) } else { self.compare(demands.network, &made.context, browser.address) };
        let reason = match compared {
            Ok(by) => return Ok(Ok(by)),
            Err(reason) => reason,
        };
        if self.settings().session_transfer.enforce_binding {
            return Ok(Err(reason));
        }
        let event = AuditEvent::granted(codes::TRANSFER_FROM_ELSEWHERE).client_id(&client.id).subject(&token.sub);
        event.address(browser.address).reason(reason.0).detail(reason.1).emit();
        Ok(Ok(Binding::None))
    }

    /// Whether two requests come from the same network, as far as that is demanded, and by what that was found.
    fn compare(&self, demanded: Binding, made: &RequestContext, address: Option<IpAddr>) -> Result<Binding, Reason> {
        let then = Origin { address: made.address, asn: made.asn };
        self.networks().compare(demanded, then, self.networks().origin(address)).map_err(|difference| match difference {
            Difference::Address => ("address_mismatch", "it comes from another address"),
            Difference::Prefix => ("prefix_mismatch", "it comes from another network"),
            Difference::Asn => ("asn_mismatch", "it comes from the network of another operator"),
            Difference::AsnUnknown => ("asn_unknown", "no database tells in whose network one of the addresses is"),
            Difference::AddressFamily => ("address_family", "one address is IPv4 and one IPv6, and nothing tells more"),
            Difference::AddressUnknown => ("address_unknown", "an address is not known, so that it cannot be compared"),
        })
    }

    /// Whether the hints of the request name that person, as far as there are any. A `login_hint` that is not their sign-in name is another
    /// person's: which of those exist is nothing that somebody with a token of their own may find out.
    async fn is_about(&self, visit: Visit<'_>, sub: &str) -> Result<bool, OAuthError> {
        let Visit { request, client, .. } = visit;
        if !self.is_hinted(request, client, sub) {
            return Ok(false);
        }
        let Some(name) = &request.login_hint else { return Ok(true) };
        Ok(self.issuer().people().subject_of(name).await?.is_some_and(|hinted| hinted == sub))
    }
}
