//! An authorization request comes in: which parameters hold, who is signed in to the browser, also by what it brings along, and then the first step.

use super::arrival::{Arrival, Brought, Means, brought_by};
use super::browser::{Browser, Cookies, SignedIn, Visit};
use super::flow::Outcome;
use super::request::{AuthorizationRequest, RedirectError, Refusal};
use super::transaction::Progress;
use crate::foundation::Digest;
use crate::grants::engine::Engine;
use crate::grants::parameters::Parameters;
use crate::protocol::OAuthError;

/// An authorization request that was processed.
#[derive(Debug)]
pub struct Authorized {
    /// What to do next.
    pub outcome: Result<Outcome, Refusal>,
    /// What changes in the browser, whatever the outcome.
    pub changes: Changes,
}

/// What changes in a browser.
#[derive(Debug, Default)]
pub struct Changes {
    /// The cookies that it shall have from now on, if they are others.
    pub cookies: Option<Cookies>,
    /// The cookie with the session transfer token has done its work.
    pub used_cookie: bool,
}

impl Engine {
    /// Processes an authorization request, and signs the person in by the tokens that the browser brings beside it: at most
    /// one in the request, at most one in a cookie.
    pub async fn authorize(&self, parameters: &Parameters, browser: &Browser, brought: Vec<Brought>) -> Authorized {
        let mut changes = Changes::default();
        let outcome = self.authorize_with(parameters, browser, brought, &mut changes).await;
        Authorized { outcome, changes }
    }

    async fn authorize_with(
        &self,
        parameters: &Parameters,
        browser: &Browser,
        mut brought: Vec<Brought>,
        changes: &mut Changes,
    ) -> Result<Outcome, Refusal> {
        let (parameters, provenance) = self.resolve(parameters, Digest::of(browser.binding.expose())).await?;
        let mut request = self.parse_authorization_request(&parameters).await?;
        request.pushed = provenance.pushed;
        // A token beside a reference comes first: apps add theirs to what the web app has prepared.
        if brought.iter().all(|brought| brought.means != Means::Query) {
            brought.extend(provenance.brought.or_else(|| brought_by(&parameters)));
        }
        let (to, pushed) = (request.return_to(), request.pushed);
        let mut proceeded = match self.settle_arrival(&request, browser, &brought, changes).await {
            Ok((people, progress)) => self.proceed_with(request, browser, &people, progress).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &proceeded
            && !error.is_ours()
        {
            // An error is an answer, too; a second one is none.
            proceeded = self.finish_pushed(pushed.as_ref()).await.map_or_else(Err, |()| proceeded);
        }
        proceeded.map_err(|error| Refusal::Redirect(Box::new(RedirectError { to, error })))
    }

    /// Who is signed in to the browser, also by what it brings, and how far the request has thereby come.
    async fn settle_arrival(
        &self,
        request: &AuthorizationRequest,
        browser: &Browser,
        brought: &[Brought],
        changes: &mut Changes,
    ) -> Result<(Vec<SignedIn>, Progress), OAuthError> {
        let mut people = self.signed_in(browser).await?;
        if brought.is_empty() {
            return Ok((people, Progress::default()));
        }
        let client = self.client_of(request).await?;
        let (arrival, tried) = self.arrive(Visit { request, client: &client, browser }, brought, &mut people).await?;
        changes.used_cookie = tried == Some(Means::Cookie);
        if matches!(arrival, Arrival::SignedIn { new: true, .. } | Arrival::Refused { ended: true }) {
            changes.cookies = Some(self.cookies(&people));
        }
        let progress = match arrival {
            Arrival::Nothing => Progress::default(),
            Arrival::SignedIn { session, begun, transfer, .. } => {
                Progress { session: Some(session), begun, transfer, ..Progress::default() }
            }
            Arrival::Refused { .. } => Progress { another: true, ..Progress::default() },
            Arrival::Denied(error) => return Err(error),
        };
        Ok((people, progress))
    }
}
