//! One walk through the story: sends requests, prints them with their answers, and checks what came. Must not know the story.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Map, Value};
use url::{Host, Url};

use super::narrator::{Narrator, shorten, shorten_address};
use crate::cli::output::{Failure, Output};

/// The longest a server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// The person's browser, with its cookies.
    Browser,
    /// Another one, that a web page is opened in.
    OtherBrowser,
    WebPage,
    AppOne,
    AppTwo,
    Outsider,
}

impl Who {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::OtherBrowser => "other browser",
            Self::WebPage => "web page",
            Self::AppOne => "app one",
            Self::AppTwo => "app two",
            Self::Outsider => "outsider",
        }
    }
}

/// Which members of a JSON answer are printed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Show {
    All,
    Only(&'static [&'static str]),
}

/// One answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Where it came from.
    pub(super) url: Url,
    /// Where a redirect leads.
    pub(super) location: Option<Url>,
    /// A body that is a JSON object, else empty.
    pub(super) members: Map<String, Value>,
    /// The body.
    pub(super) body: String,
}

impl Answer {
    /// A member's text, empty when there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.members.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Status and error code, for the sentence about a surprise.
    pub(super) fn in_short(&self) -> String {
        match (self.text("error"), self.text("error_description")) {
            ("", _) => self.status.to_string(),
            (error, description) => {
                format!("{}, {}: {}", self.status, shorten("error", error), shorten("error_description", description))
            }
        }
    }
}

/// The walk.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) narrator: Narrator,
    browser: Client,
    other_browser: Client,
    apps: Client,
}

impl Walk {
    /// Gets ready to speak with the server of this issuer.
    ///
    /// # Errors
    /// When the issuer is no address, or TLS cannot be set up.
    pub(super) fn new(issuer: &str, output: Output) -> Result<Self, Failure> {
        let address = Url::parse(issuer).map_err(|error| Failure::refusal(format!("{issuer} is no address: {error}")))?;
        let client = |cookies: bool| {
            let mut builder = Client::builder().redirect(Policy::none()).timeout(PATIENCE).cookie_store(cookies);
            builder = builder.user_agent(concat!("symbolon-demo/", env!("CARGO_PKG_VERSION")));
            if is_loopback(&address) {
                builder = builder.no_proxy();
            }
            if address.scheme() == "http" {
                // A machine without any root certificate can play the story too.
                builder = builder.tls_certs_only([]);
            }
            builder.build().map_err(|error| Failure::refusal(format!("requests cannot be sent: {error}")))
        };
        Ok(Self { narrator: Narrator::new(output), browser: client(true)?, other_browser: client(true)?, apps: client(false)? })
    }

    /// Sends a GET request.
    ///
    /// # Errors
    /// When there is no answer.
    pub(super) async fn get(&mut self, who: Who, url: &Url, bearer: Option<&str>, show: Show) -> Result<Answer, Failure> {
        self.narrator.request(who.as_str(), "GET", url, &[]);
        let mut request = self.client(who).get(url.clone());
        if let Some(token) = bearer {
            self.narrator.row("Authorization: Bearer", &shorten("access_token", token));
            request = request.bearer_auth(token);
        }
        self.send(request, url, show).await
    }

    /// Sends a form.
    ///
    /// # Errors
    /// When there is no answer.
    pub(super) async fn post(&mut self, who: Who, url: &Url, form: &[(&str, &str)], show: Show) -> Result<Answer, Failure> {
        self.narrator.request(who.as_str(), "POST", url, form);
        let request = self.client(who).post(url.clone()).form(form);
        self.send(request, url, show).await
    }

    const fn client(&self, who: Who) -> &Client {
        match who {
            Who::Browser => &self.browser,
            Who::OtherBrowser => &self.other_browser,
            Who::WebPage | Who::AppOne | Who::AppTwo | Who::Outsider => &self.apps,
        }
    }

    async fn send(&self, request: RequestBuilder, url: &Url, show: Show) -> Result<Answer, Failure> {
        // The error's own text would repeat the address with its parameters.
        let lost = |error: reqwest::Error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(" ({cause})")).unwrap_or_default();
            let server = url.origin().ascii_serialization();
            Failure::refusal(format!("{server} gives no answer, is the server running? {}{cause}", error.without_url()))
        };
        let response = request.send().await.map_err(lost)?;
        let status = response.status();
        let header =
            |response: &Response, name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let location = header(&response, LOCATION).and_then(|to| url.join(&to).ok());
        let challenge = header(&response, WWW_AUTHENTICATE);
        let is_json = header(&response, CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"));
        let body = response.text().await.map_err(lost)?;
        let members = if is_json { serde_json::from_str(&body).unwrap_or_default() } else { Map::new() };
        let answer = Answer { status, url: url.clone(), location, members, body };
        self.narrator.status(&match &answer.location {
            Some(to) => format!("{status}, to {}", shorten_address(to)),
            None => status.to_string(),
        });
        if let Some(challenge) = challenge {
            self.narrator.row("WWW-Authenticate", &challenge);
        }
        match show {
            Show::Only(names) if status.is_success() => self.narrator.members(&answer.members, Some(names)),
            Show::Only(_) | Show::All => self.narrator.members(&answer.members, None),
        }
        Ok(answer)
    }

    /// Says that something is so, or ends the walk with what was seen instead.
    ///
    /// # Errors
    /// When it is not so.
    pub(super) fn check(&mut self, holds: bool, sentence: &str, seen: impl FnOnce() -> String) -> Result<(), Failure> {
        if holds {
            self.narrator.shown(sentence);
            return Ok(());
        }
        Err(Failure::refusal(format!("a surprise; expected: {sentence}; seen: {}", seen())))
    }

    /// Says that a request was granted.
    ///
    /// # Errors
    /// When it was not.
    pub(super) fn granted(&mut self, answer: &Answer, sentence: &str) -> Result<(), Failure> {
        self.check(answer.status == StatusCode::OK, sentence, || answer.in_short())
    }

    /// Says that a request was refused, and with the right error.
    ///
    /// # Errors
    /// When it was granted, or refused in another way.
    pub(super) fn refused(&mut self, answer: &Answer, status: StatusCode, error: &str, sentence: &str) -> Result<(), Failure> {
        self.check(answer.status == status && answer.text("error") == error, sentence, || answer.in_short())
    }

    /// All that was shown.
    pub(super) fn into_checks(self) -> Vec<String> {
        self.narrator.into_checks()
    }
}

fn is_loopback(address: &Url) -> bool {
    match address.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
