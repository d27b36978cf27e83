//! Requests that the server itself makes, to addresses that clients registered or the operator named. Owns the limits: no private address unless the operator allows
//! it, no redirect, no proxy of the environment, an upper bound of time and of bytes. Must not know what is said.

pub mod address;
#[cfg(test)]
pub(crate) mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};
use serde_json::Value;
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
    /// It answered, and not with 200. A redirect is such an answer.
    #[error("the answer has status {0}")]
    Status(u16),
    /// The answer has more bytes than allowed.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// The answer is no JSON.
    #[error("the answer is no JSON")]
    NotJson,
}

/// How long an answer may take and how long it may be.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// From the beginning of the request to the last byte of the answer.
    pub time: Duration,
    /// Bytes of the body.
    pub bytes: usize,
}

impl Bounds {
    /// Those of a document that somebody waits for: three seconds, 64 KiB.
    pub const DOCUMENT: Self = Self { time: Duration::from_secs(3), bytes: 64 * 1024 };
}

/// Makes the requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbound {
    client: Result<Client, String>,
    allow_private: bool,
}

impl Outbound {
    /// A maker of requests; with `allow_private` to any address. It trusts the system's authorities.
    #[must_use]
    pub fn new(allow_private: bool) -> Self {
        Self::trusting(allow_private, None)
    }

    /// The same, that trusts these authorities (PEM), too.
    #[must_use]
    pub fn trusting(allow_private: bool, authorities: Option<&str>) -> Self {
        let authorities =
            Certificate::from_pem_bundle(authorities.unwrap_or_default().as_bytes()).map_err(|error| innermost(&error));
        Self { client: authorities.and_then(|more| client(allow_private, more)), allow_private }
    }

    /// Posts a form; gives the status of the answer, whose body is not read.
    ///
    /// # Errors
    /// When there is no answer within `limit`.
    pub async fn post_form(&self, url: &Url, body: String, limit: Duration) -> Result<u16, OutboundError> {
        let client = self.client_for(url)?;
        let request =
            client.post(url.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body).timeout(limit);
        request.send().await.map(|answer| answer.status().as_u16()).map_err(|error| unreachable(&error))
    }

    /// Posts JSON with these headers besides; gives the status of the answer, whose body is not read.
    ///
    /// # Errors
    /// When there is no answer within `limit`.
    pub async fn post_json(
        &self,
        url: &Url,
        headers: &[(&'static str, String)],
        body: String,
        limit: Duration,
    ) -> Result<u16, OutboundError> {
        let request = self.client_for(url)?.post(url.clone()).header(CONTENT_TYPE, "application/json").body(body).timeout(limit);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        request.send().await.map(|answer| answer.status().as_u16()).map_err(|error| unreachable(&error))
    }

    /// Gets a document of one of the media types in `accept`; what type the answer says it is counts for nothing.
    ///
    /// # Errors
    /// When it is not answered with 200, or not within `bounds`.
    pub async fn get(&self, url: &Url, accept: &'static str, bounds: Bounds) -> Result<Vec<u8>, OutboundError> {
        let request = self.client_for(url)?.get(url.clone()).header(ACCEPT, accept).timeout(bounds.time);
        let mut answer = request.send().await.map_err(|error| unreachable(&error))?;
        if answer.status().as_u16() != 200 {
            return Err(OutboundError::Status(answer.status().as_u16()));
        }
        let mut body = Vec::new();
        // The length that the answer announces may be a lie, so what comes is counted.
        while let Some(part) = answer.chunk().await.map_err(|error| unreachable(&error))? {
            if body.len() + part.len() > bounds.bytes {
                return Err(OutboundError::TooLarge(bounds.bytes));
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }

    /// Gets a JSON document.
    ///
    /// # Errors
    /// As [`Outbound::get`], and when it is no JSON.
    pub async fn get_json(&self, url: &Url, accept: &'static str, bounds: Bounds) -> Result<Value, OutboundError> {
        let body = self.get(url, accept, bounds).await?;
        serde_json::from_slice(&body).map_err(|_| OutboundError::NotJson)
    }

    /// Who makes a request to that address, unless none may be made.
    fn client_for(&self, url: &Url) -> Result<&Client, OutboundError> {
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        // A name is judged when it is resolved, so that what was judged is what is connected to.
        if !self.allow_private && literal.is_some_and(|address| !is_public(address)) {
            return Err(OutboundError::Private);
        }
        self.client.as_ref().map_err(|reason| OutboundError::Unreachable(reason.clone()))
    }
}

fn client(allow_private: bool, authorities: Vec<Certificate>) -> Result<Client, String> {
    let builder = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .user_agent(concat!("symbolon/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(Arc::new(Resolver { allow_private }));
    // Merged with the system's: whoever has an authority of their own still talks to the rest of the world.
    let builder = if authorities.is_empty() { builder } else { builder.tls_certs_merge(authorities) };
    builder.build().map_err(|error| format!("no request can be made: {}", innermost(&error)))
}

fn unreachable(error: &reqwest::Error) -> OutboundError {
    if error.is_timeout() {
        return OutboundError::Unreachable("there was no answer in time".to_owned());
    }
    OutboundError::Unreachable(innermost(error))
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
