//! `/account`: what a person can see and end of their own account, by an app with the scope `symbolon:account`. By access token alone.

use std::net::IpAddr;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use serde::Serialize;
use serde_json::json;

use super::serve::Shared;
use super::{cors, origin, possession, protected, respond};
use crate::grants::{Account, Engine, Parameters, Scheme};
use crate::protocol::OAuthError;
use crate::tokens::session_id::SessionId;

const LISTED: &str = "GET, DELETE, OPTIONS";
const ONLY_SEEN: &str = "GET, OPTIONS";
const ONLY_ENDED: &str = "DELETE, OPTIONS";

/// The endpoints.
pub fn routes(config: &mut web::ServiceConfig) {
    let at = |path: &str, allowed: &'static str| -> Resource {
        web::resource(path)
            .route(web::method(Method::OPTIONS).to(cors::preflight_of_account))
            .default_service(web::to(move || async move { respond::method_not_allowed(allowed) }))
    };
    config
        .service(at("/account/sessions", LISTED).route(web::get().to(sessions)).route(web::delete().to(end_sessions)))
        .service(at("/account/sessions/{id}", ONLY_ENDED).route(web::delete().to(end_session)))
        .service(at("/account/consents", ONLY_SEEN).route(web::get().to(consents)))
        .service(at("/account/consents/{client_id}", ONLY_ENDED).route(web::delete().to(revoke_consent)))
        .service(at("/account/factors", ONLY_SEEN).route(web::get().to(factors)));
}

/// Somebody who was let in, and how to answer them.
struct Caller<'a> {
    shared: &'a Shared,
    request: &'a HttpRequest,
    scheme: Scheme,
    client_id: String,
    account: Account,
}

impl<'a> Caller<'a> {
    /// Lets in whoever presents a token that opens an account; gives the refusal otherwise.
    async fn admit(request: &'a HttpRequest, shared: &'a Shared) -> Result<Self, HttpResponse> {
        let (scheme, token) = protected::token(request, shared).await?;
        let account = shared.engine.open_account(&token).await;
        let account = account.map_err(|error| protected::refused(shared, request, scheme, &error))?;
        Ok(Self { shared, request, scheme, client_id: token.claims().client_id.clone(), account })
    }

    fn engine(&self) -> &'a Engine {
        &self.shared.engine
    }

    fn address(&self) -> Option<IpAddr> {
        origin::address(self.request, &self.engine().settings().proxy)
    }

    /// Answers with what was found, for scripts of the client's own origins too.
    async fn answer(&self, found: Result<impl Serialize, OAuthError>) -> HttpResponse {
        let mut answer = match found {
            Ok(found) => respond::json(&found),
            Err(error) => return protected::refused(self.shared, self.request, self.scheme, &error),
        };
        possession::offer_nonce(self.engine(), self.request, None, &mut answer);
        cors::for_client_called(&self.client_id, self.request, self.engine(), &mut answer).await;
        answer
    }
}

/// Answers whoever is let in with what `act` finds or does for them.
async fn serve<'a, T: Serialize>(
    request: &'a HttpRequest,
    shared: &'a Shared,
    act: impl AsyncFnOnce(&Caller<'a>) -> Result<T, OAuthError>,
) -> HttpResponse {
    match Caller::admit(request, shared).await {
        Ok(caller) => caller.answer(act(&caller).await).await,
        Err(refusal) => refusal,
    }
}

/// Reads the same for what never was, what has ended and what is somebody else's.
fn nothing_there(sentence: &'static str) -> OAuthError {
    OAuthError { status: Some(404), ..OAuthError::invalid_request(sentence) }
}

async fn sessions(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    serve(&request, &shared, async |caller| Ok(json!({ "sessions": caller.engine().account_sessions(&caller.account).await? })))
        .await
}

async fn end_session(request: HttpRequest, shared: web::Data<Shared>, id: web::Path<String>) -> HttpResponse {
    serve(&request, &shared, async |caller| {
        let ended = match id.parse::<SessionId>() {
            Ok(id) => caller.engine().end_account_session(&caller.account, id, caller.address()).await?,
            Err(_) => None,
        };
        Ok(json!({ "ended": ended.ok_or_else(|| nothing_there("There is no such session."))? }))
    })
    .await
}

async fn end_sessions(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    serve(&request, &shared, async |caller| {
        let except = except_current(caller.request.query_string())?;
        Ok(json!({ "ended": caller.engine().end_account_sessions(&caller.account, except, caller.address()).await? }))
    })
    .await
}

/// Reads the query of who ends all sessions. What is not understood must not end more than was meant.
fn except_current(query: &str) -> Result<bool, OAuthError> {
    if query.is_empty() {
        return Ok(false);
    }
    let parameters = Parameters::from_form(query.as_bytes())?;
    // An empty value counts as none elsewhere (RFC 6749 section 3.1); here it would end everything.
    if parameters.iter().eq([("except", "current")]) {
        Ok(true)
    } else {
        Err(OAuthError::invalid_request("The only parameter is except, and its only value is current."))
    }
}

async fn consents(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    serve(&request, &shared, async |caller| Ok(json!({ "consents": caller.engine().account_consents(&caller.account).await? })))
        .await
}

async fn revoke_consent(request: HttpRequest, shared: web::Data<Shared>, client_id: web::Path<String>) -> HttpResponse {
    serve(&request, &shared, async |caller| {
        let revoked = caller.engine().revoke_account_consent(&caller.account, &client_id, caller.address()).await?;
        revoked.ok_or_else(|| nothing_there("There is no such consent."))
    })
    .await
}

async fn factors(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    serve(&request, &shared, async |caller| caller.engine().account_factors(&caller.account).await).await
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_one_query_spares_the_callers_session() {
        for (query, means) in [("", false), ("except=current", true), ("%65xcept=current", true)] {
            assert_eq!(except_current(query).ok(), Some(means), "{query}");
        }
        for query in ["except", "except=", "except=Current", "except=all", "x=y", "&", "x=", "except=current&except=current"] {
            assert!(except_current(query).is_err(), "{query}");
        }
    }

    proptest! {
        #[test]
        fn what_is_not_understood_ends_nothing(query in "[ -~]{1,40}|(except|current|[a-z]{1,3}|=|&|%[0-9A-F]{2}){1,8}") {
            let known: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            let current = known.iter().any(|(name, value)| (name.as_str(), value.as_str()) == ("except", "current"));
            prop_assert!(except_current(&query).map_or(true, |except| except && current), "{known:?}");
        }
    }
}
