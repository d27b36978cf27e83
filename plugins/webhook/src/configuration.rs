//! The properties: what they are called, what they mean, and what is wrong with them.

use std::path::Path;
use std::time::Duration;

use reqwest::Certificate;
use symbolon_sdk::{ConfigureError, Properties};
use url::{Host, Url};

use crate::addresses::Reach;
use crate::keys::Keys;

/// Without the prefix, in the order of the shipped file.
pub(crate) const NAMES: &[&str] = &[
    "enable",
    "url",
    "secretFile",
    "includeClaims",
    "failure",
    "timeout",
    "deadline",
    "retries",
    "retryDelay",
    "maxResponseBytes",
    "allowPrivateAddresses",
    "caFile",
];

/// What becomes of an exchange when the service cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It is refused. The default.
    Closed,
    /// It is given what the server itself would allow.
    Open,
}

/// How long and how often the service is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// For one attempt. Default: 1 s.
    pub(crate) timeout: Duration,
    /// For all attempts together. Default: 1.5 s, because the server waits 2 s for a handler by default.
    pub(crate) deadline: Duration,
    /// How often it is asked again. Default: once.
    pub(crate) retries: u32,
    /// The pause before that. Default: 50 ms.
    pub(crate) pause: Duration,
}

/// Who is asked, and how.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) url: Url,
    pub(crate) keys: Keys,
    pub(crate) pace: Pace,
    /// Default: 64 KiB.
    pub(crate) max_response_bytes: usize,
    pub(crate) reach: Reach,
    /// Trusted beside the system's own. Default: none.
    pub(crate) authorities: Vec<Certificate>,
}

/// What the properties mean.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// Default: no.
    pub(crate) enable: bool,
    /// Default: no.
    pub(crate) include_claims: bool,
    pub(crate) failure: Failure,
    /// `None` when the handler is not enabled and not enough is said, or when something is wrong.
    pub(crate) destination: Option<Destination>,
}

impl Configuration {
    /// Reads all of it; what cannot be read is noted and refuses the configuration.
    pub(crate) fn read(properties: &Properties) -> Result<Self, ConfigureError> {
        let enable = properties.flag("enable", false);
        for name in ["url", "secretFile"] {
            if enable && properties.text(name).is_none() {
                properties.finding(name, "a value, because the handler is enabled", "write one, or disable the handler");
            }
        }
        let include_claims = properties.flag("includeClaims", false);
        let failure = properties.choice("failure", &[("closed", Failure::Closed), ("open", Failure::Open)], Failure::Closed);
        let pace = pace(properties);
        let max_response_bytes = properties
            .integer("maxResponseBytes", 1..=16 * 1024 * 1024)
            .and_then(|bytes| usize::try_from(bytes).ok())
            .unwrap_or(64 * 1024);
        let allow_private = properties.flag("allowPrivateAddresses", false);
        let authorities = properties.text("caFile").and_then(|path| authorities(properties, path)).unwrap_or_default();
        let keys = properties.text("secretFile").and_then(|path| match Keys::read(Path::new(path)) {
            Ok(keys) => Some(keys),
            Err(unfit) => {
                properties.finding("secretFile", unfit.expected, unfit.remedy);
                None
            }
        });
        let url = match properties.text("url").map(Url::parse) {
            Some(Ok(url)) if !url.username().is_empty() || url.password().is_some() => {
                properties.secret_finding(
                    "url",
                    "an address without user name and password",
                    "take them out: each question is signed with the key of secretFile",
                );
                None
            }
            url => url.and_then(|url| reach(properties, url.ok(), allow_private)),
        };
        let destination =
            url.zip(keys).map(|((url, reach), keys)| Destination { url, keys, pace, max_response_bytes, reach, authorities });
        Ok(Self { enable, include_claims, failure, destination })
    }
}

fn pace(properties: &Properties) -> Pace {
    let milliseconds = |name, least, default| {
        let written = properties.integer(name, least..=60_000).and_then(|number| u64::try_from(number).ok());
        Duration::from_millis(written.unwrap_or(default))
    };
    let pace = Pace {
        timeout: milliseconds("timeout", 1, 1000),
        deadline: milliseconds("deadline", 1, 1500),
        retries: properties.integer("retries", 0..=10).and_then(|number| u32::try_from(number).ok()).unwrap_or(1),
        pause: milliseconds("retryDelay", 0, 50),
    };
    // What the operator wrote could not be kept. A deadline below the default of the timeout just shortens it.
    if pace.timeout > pace.deadline && properties.text("timeout").is_some() {
        properties.finding(
            "timeout",
            format!("at most the deadline of all attempts together, {} ms", pace.deadline.as_millis()),
            "shorten it, or raise the deadline here and that of the server (handlers.deadline)",
        );
    }
    pace
}

/// The certificates of a PEM file.
fn authorities(properties: &Properties, path: &str) -> Option<Vec<Certificate>> {
    let wrong = |expected: String| {
        properties.finding("caFile", expected, "name a PEM file with the certificates of the authorities to be trusted");
    };
    let pem = std::fs::read(path).inspect_err(|cause| wrong(format!("a file that the server can read ({cause})"))).ok()?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Some(certificates),
        _ => {
            wrong("a file with at least one certificate between BEGIN CERTIFICATE and END CERTIFICATE".to_owned());
            None
        }
    }
}

/// What the address of the service allows itself to be asked by.
fn reach(properties: &Properties, url: Option<Url>, allow_private: bool) -> Option<(Url, Reach)> {
    let wrong = |expected: &str, remedy: &str| {
        properties.finding("url", expected, remedy);
        None
    };
    let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return wrong(
            "an address that begins with https://, or with http:// for this machine",
            "write the service's whole address",
        );
    };
    let (loopback, literal) = match url.host() {
        Some(Host::Ipv4(address)) => (address.is_loopback(), Some(address.into())),
        Some(Host::Ipv6(address)) => (address.to_canonical().is_loopback(), Some(address.into())),
        // RFC 6761 section 6.3; the resolver still looks at what it stands for.
        Some(Host::Domain(name)) => (name == "localhost" || name.ends_with(".localhost"), None),
        None => return wrong("an address with a host", "write the service's whole address"),
    };
    let secure = url.scheme() == "https";
    if !secure && !loopback {
        return wrong("https, because only a service on this machine may be asked without TLS", "give the service a certificate");
    }
    let reach = match (secure, allow_private) {
        (true, false) => Reach::Public,
        (true, true) => Reach::Anywhere,
        (false, true) => Reach::Loopback,
        (false, false) => {
            return wrong("a public address, because allowPrivateAddresses is false", "set allowPrivateAddresses=true");
        }
    };
    if literal.is_some_and(|address| !reach.admits(address)) {
        return wrong("a public address, because allowPrivateAddresses is false", "set allowPrivateAddresses=true");
    }
    Some((url, reach))
}
