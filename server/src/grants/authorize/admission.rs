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
    /// Whether a token counts, be it the first time or once more; gives how closely it is bound to where it comes from.
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
        let grant = token.parent.grant.as_ref();
        if above.is_none_or(|above| grant.is_some_and(|grant| !above.session.has_grant(grant))) {
            return Ok(Err(PARENT));
        }
        if self.issuer().people().find_by_sub(&token.sub).await?.is_none_or(|person| person.disabled) {
            return Ok(Err(PERSON));
        }
        if !self.is_about(visit, &token.sub).await? {
            return Ok(Err(USER));
        }
        let demands = Demands::of(&origin.session_transfer, rules);
        if demands.key && !token.key_proven {
            return Ok(Err(KEY));
        }
        let Err(reason) = self.compare(demands.network, &made.context, browser.address) else {
            return Ok(Ok(demands.network));
        };
        if self.settings().session_transfer.enforce_binding {
            return Ok(Err(reason));
        }
        let event = AuditEvent::granted(codes::TRANSFER_FROM_ELSEWHERE).client_id(&client.id).subject(&token.sub);
        event.address(browser.address).reason(reason.0).detail(reason.1).emit();
        Ok(Ok(demands.network))
    }

    /// Whether two requests come from the same network, as far as that is demanded.
    fn compare(&self, demanded: Binding, made: &RequestContext, address: Option<IpAddr>) -> Result<(), Reason> {
        let then = Origin { address: made.address, asn: made.asn };
        match self.networks().compare(demanded, then, self.networks().origin(address)).difference() {
            None => Ok(()),
            Some(Difference::Address) => Err(("address_mismatch", "it comes from another address")),
            Some(Difference::Prefix) => Err(("prefix_mismatch", "it comes from another network")),
            Some(Difference::Asn) => Err(("asn_mismatch", "it comes from the network of another operator")),
            Some(Difference::AsnUnknown) => Err(("asn_unknown", "no database tells in whose network one of the addresses is")),
            Some(Difference::AddressFamily) => {
                Err(("address_family", "one address is IPv4 and one IPv6, and nothing tells more"))
            }
            Some(Difference::AddressUnknown) => {
                Err(("address_unknown", "an address is not known, so that it cannot be compared"))
            }
        }
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
