//! Requests that the server itself makes, to addresses that clients registered. Owns the limits: no private address unless the operator allows
//! it, no redirect, no proxy of the environment, an upper bound of time. Must not know what is said.

pub mod address;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use url::{Host, Url};

use self::address::is_public;

/// Why a request was not answered. Never holds what was sent.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The address is one of this machine or of a private network.
    #[error("the address is private, and outbound.allow_private_addresses is false")]
    Private,
    /// It cannot be reached, or not in time.
    #[error("{0}")]
    Unreachable(String),
}

/// Makes the requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbound {
    client: Result<reqwest::Client, String>,
    allow_private: bool,
}

impl Outbound {
    /// A maker of requests; with `allow_private` to any address.
    #[must_use]
    pub fn new(allow_private: bool) -> Self {
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .user_agent(concat!("symbolon/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(Resolver { allow_private }))
            .build()
            .map_err(|error| format!("no request can be made: {}", innermost(&error)));
        Self { client, allow_private }
    }

    /// Posts a form; gives the status of the answer, whose body is not read.
    ///
    /// # Errors
    /// When there is no answer within `limit`.
    pub async fn post_form(&self, url: &Url, body: String, limit: Duration) -> Result<u16, OutboundError> {
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        // A name is judged when it is resolved, so that what was judged is what is connected to.
        if !self.allow_private && literal.is_some_and(|address| !is_public(address)) {
            return Err(OutboundError::Private);
        }
        let client = self.client.as_ref().map_err(|reason| OutboundError::Unreachable(reason.clone()))?;
        let request =
            client.post(url.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body).timeout(limit);
        match request.send().await {
            Ok(answer) => Ok(answer.status().as_u16()),
            Err(error) if error.is_timeout() => Err(OutboundError::Unreachable("there was no answer in time".to_owned())),
            Err(error) => Err(OutboundError::Unreachable(innermost(&error))),
        }
    }
}

/// The cause of all causes; those above it repeat the address.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Resolves names, to public addresses alone unless private ones are allowed.
#[derive(Debug)]
struct Resolver {
    allow_private: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found.filter(|address| allow_private || is_public(address.ip())).collect();
            if allowed.is_empty() {
                return Err(OutboundError::Private.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
