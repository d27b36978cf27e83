//! What each connection of a workload does. Every connection owns what it uses, so that no two compete for one session.

use std::borrow::Cow;

use serde::Deserialize;

use crate::failure::Failure;
use crate::load::Sequence;
use crate::preparation::{Browser, Device, Endpoints};
use crate::server::{APP_ONE, APP_TWO, REDIRECT_URI};
use crate::wire::{Answer, Wire, form};

/// The members of a token answer that are followed up.
#[derive(Debug, Deserialize)]
pub(crate) struct Tokens<'a> {
    #[serde(borrow)]
    pub(crate) access_token: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) id_token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) refresh_token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) device_secret: Option<Cow<'a, str>>,
}

/// The tokens of a good answer; anything else is an error.
pub(crate) fn tokens<'a>(answer: &'a Answer, what: &str) -> Result<Tokens<'a>, Failure> {
    if answer.status != 200 {
        let body = String::from_utf8_lossy(&answer.body);
        return Err(Failure::said(format!("{what}: status {}: {body}", answer.status)));
    }
    let tokens: Tokens<'a> = serde_json::from_slice(&answer.body)?;
    if tokens.access_token.is_empty() {
        return Err(Failure::said(format!("{what}: an empty access token")));
    }
    Ok(tokens)
}

fn missing(what: &str) -> Failure {
    Failure::said(format!("{what} is missing from the answer"))
}

/// The same request over and over; its answer must contain a text.
#[derive(Debug, Clone)]
pub(crate) struct Repeat {
    /// Path.
    pub(crate) path: String,
    /// Header lines, each with CRLF.
    pub(crate) headers: String,
    /// The form to post; `None` = GET.
    pub(crate) form: Option<String>,
    /// What a success contains.
    pub(crate) contains: &'static str,
}

impl Sequence for Repeat {
    async fn turn(&mut self, wire: &mut Wire) -> Result<(), Failure> {
        let answer = match &self.form {
            Some(form) => wire.post(&self.path, &self.headers, form).await?,
            None => wire.get(&self.path, &self.headers).await?,
        };
        let answer = answer.expect_status(200, &self.path)?;
        if answer.body.windows(self.contains.len()).any(|window| window == self.contains.as_bytes()) {
            Ok(())
        } else {
            Err(Failure::said(format!("{}: no {} in the answer", self.path, self.contains)))
        }
    }
}

/// One refresh-token family: each answer's refresh token is the next request's.
#[derive(Debug)]
pub(crate) struct Refresh {
    /// `/token`.
    pub(crate) path: String,
    /// The newest refresh token.
    pub(crate) refresh_token: String,
}

impl Sequence for Refresh {
    async fn turn(&mut self, wire: &mut Wire) -> Result<(), Failure> {
        let body =
            form(&[("grant_type", "refresh_token"), ("client_id", APP_ONE), ("refresh_token", self.refresh_token.as_str())]);
        let answer = wire.post(&self.path, "", &body).await?;
        let tokens = tokens(&answer, "refresh")?;
        tokens.id_token.ok_or_else(|| missing("the ID token of a refresh"))?;
        let successor = tokens.refresh_token.ok_or_else(|| missing("the rotated refresh token"))?;
        if successor == self.refresh_token {
            return Err(Failure::said("the refresh token was not rotated"));
        }
        self.refresh_token = successor.into_owned();
        Ok(())
    }
}

/// One signed-in browser: authorize without a page, then exchange the code.
#[derive(Debug)]
pub(crate) struct CodeFlow {
    /// Where.
    pub(crate) endpoints: Endpoints,
    /// With its session cookie.
    pub(crate) browser: Browser,
}

impl Sequence for CodeFlow {
    async fn turn(&mut self, wire: &mut Wire) -> Result<(), Failure> {
        let code = self.browser.code(wire, &self.endpoints, "openid offline_access").await?;
        let body = form(&[
            ("grant_type", "authorization_code"),
            ("client_id", APP_ONE),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", self.browser.verifier()),
        ]);
        let answer = wire.post(&self.endpoints.token, "", &body).await?;
        let tokens = tokens(&answer, "code")?;
        tokens.id_token.ok_or_else(|| missing("the ID token"))?;
        tokens.refresh_token.ok_or_else(|| missing("the refresh token"))?;
        Ok(())
    }
}

/// Some device sessions, in turn.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// `/token`.
    pub(crate) path: String,
    /// The issuer, which is the audience of the exchange.
    pub(crate) issuer: String,
    /// Devices of this connection only.
    pub(crate) devices: Vec<Device>,
    /// Which is next.
    pub(crate) next: usize,
}

/// The form of a device-SSO exchange (Native SSO section 4.2).
pub(crate) fn exchange_form(issuer: &str, id_token: &str, secret: &str) -> String {
    form(&[
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("client_id", APP_TWO),
        ("audience", issuer),
        ("scope", "openid offline_access"),
        ("subject_token", id_token),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
        ("actor_token", secret),
        ("actor_token_type", "urn:openid:params:token-type:device-secret"),
    ])
}

impl Sequence for Exchange {
    async fn turn(&mut self, wire: &mut Wire) -> Result<(), Failure> {
        let turn = self.next;
        self.next = (turn + 1) % self.devices.len();
        let device = &mut self.devices[turn];
        let answer = wire.post(&self.path, "", &exchange_form(&self.issuer, &device.id_token, &device.secret)).await?;
        let tokens = tokens(&answer, "exchange")?;
        let id_token = tokens.id_token.ok_or_else(|| missing("the ID token of an exchange"))?;
        tokens.refresh_token.ok_or_else(|| missing("the refresh token of an exchange"))?;
        // The server may rotate the secret (section 4.4); the new ID token is then the one bound to it.
        if let Some(secret) = tokens.device_secret.filter(|secret| *secret != device.secret) {
            device.secret = secret.into_owned();
            device.id_token = id_token.into_owned();
        }
        Ok(())
    }
}
