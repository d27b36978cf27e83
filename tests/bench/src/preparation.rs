//! Gets what the workloads start from: signed-in browsers, refresh tokens, device sessions. Drives the sign-in page as a
//! browser would; nothing here is measured.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use url::Url;

use crate::failure::Failure;
use crate::sequences::{Tokens, tokens};
use crate::server::{APP_ONE, PASSWORD, REDIRECT_URI, Server, Site, person};
use crate::wire::{Answer, Wire, challenge, form};

/// Device sessions that exist before the clock starts.
pub(crate) const DEVICES: usize = 256;

const VERIFIER: &str = "the-same-verifier-does-for-every-request-of-a-benchmark";

/// Paths, taken from the discovery document.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    /// The issuer as written.
    pub(crate) issuer: String,
    /// Path of the authorization endpoint.
    pub(crate) authorize: String,
    /// Path of the token endpoint.
    pub(crate) token: String,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
}

impl Endpoints {
    /// Reads the discovery document.
    pub(crate) async fn discover(wire: &mut Wire) -> Result<Self, Failure> {
        let answer = wire.get("/.well-known/openid-configuration", "").await?.expect_status(200, "discovery")?;
        let document: Discovery = serde_json::from_slice(&answer.body)?;
        Ok(Self {
            issuer: document.issuer,
            authorize: document.authorization_endpoint.path().to_owned(),
            token: document.token_endpoint.path().to_owned(),
        })
    }
}

/// One device session as its apps hold it.
#[derive(Debug)]
pub(crate) struct Device {
    /// App one's ID token.
    pub(crate) id_token: String,
    /// The device secret.
    pub(crate) secret: String,
}

impl Device {
    /// The id of its session, from the ID token's `sid`.
    pub(crate) fn session_id(&self) -> Option<[u8; 16]> {
        let payload = URL_SAFE_NO_PAD.decode(self.id_token.split('.').nth(1)?).ok()?;
        let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
        URL_SAFE_NO_PAD.decode(claims["sid"].as_str()?).ok()?.try_into().ok()
    }
}

/// A running server with people on it: so many browsers signed in, and [`DEVICES`] device sessions made in them.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) server: Server,
    pub(crate) endpoints: Endpoints,
    pub(crate) devices: Vec<Device>,
}

impl Prepared {
    /// Prepares a site that was never started.
    pub(crate) async fn on(site: &Site, browsers: usize) -> Result<Self, Failure> {
        site.start().await?.stop().await?;
        site.add_people().await?;
        let server = site.start().await?;
        let mut wire = Wire::connect(server.address).await?;
        let endpoints = Endpoints::discover(&mut wire).await?;
        let mut signed_in = Vec::with_capacity(browsers);
        for n in 0..browsers {
            signed_in.push(Browser::signed_in(&mut wire, &endpoints, &person(n)).await?);
        }
        let mut devices = Vec::with_capacity(DEVICES);
        for n in 0..DEVICES {
            devices.push(signed_in[n % browsers].device(&mut wire, &endpoints).await?);
        }
        Ok(Self { server, endpoints, devices })
    }
}

/// A browser: its cookies.
#[derive(Debug, Default)]
pub(crate) struct Browser {
    cookies: Vec<(String, String)>,
    header: String,
    query: String,
    queried_scope: String,
}

impl Browser {
    /// A browser in which a person has signed in.
    pub(crate) async fn signed_in(wire: &mut Wire, endpoints: &Endpoints, person: &str) -> Result<Self, Failure> {
        let mut browser = Self::default();
        let page = browser.authorize(wire, endpoints, "openid").await?.expect_status(200, "the sign-in page")?;
        let html = String::from_utf8_lossy(&page.body).into_owned();
        let (action, mut fields) = sign_in_form(&html).ok_or_else(|| Failure::said(format!("no sign-in form in:\n{html}")))?;
        fields.push(("username".to_owned(), person.to_owned()));
        fields.push(("password".to_owned(), PASSWORD.to_owned()));
        let pairs: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let base = Url::parse(&endpoints.issuer)?.join(&endpoints.authorize)?;
        let target = base.join(&action)?;
        let answer =
            wire.post(target.path(), &format!("{}Origin: {}\r\n", browser.header, endpoints.issuer), &form(&pairs)).await?;
        let answer = answer.expect_status(303, "signing in")?;
        browser.keep(&answer);
        code_of(&answer)?;
        Ok(browser)
    }

    /// The verifier of this browser's requests.
    pub(crate) fn verifier(&self) -> &'static str {
        debug_assert!(!self.cookies.is_empty(), "a browser that has signed in has a cookie");
        VERIFIER
    }

    /// An authorization code, given without a page because the person is signed in.
    pub(crate) async fn code(&mut self, wire: &mut Wire, endpoints: &Endpoints, scope: &str) -> Result<String, Failure> {
        let answer = self.authorize(wire, endpoints, scope).await?.expect_status(303, "authorize with a live session")?;
        self.keep(&answer);
        code_of(&answer)
    }

    async fn authorize(&mut self, wire: &mut Wire, endpoints: &Endpoints, scope: &str) -> Result<Answer, Failure> {
        if self.queried_scope != scope {
            scope.clone_into(&mut self.queried_scope);
            self.query = format!(
                "{}?{}",
                endpoints.authorize,
                form(&[
                    ("response_type", "code"),
                    ("client_id", APP_ONE),
                    ("redirect_uri", REDIRECT_URI),
                    ("scope", scope),
                    ("state", "c3RhdGUtb2YtdGhlLWJlbmNo"),
                    ("nonce", "bm9uY2Utb2YtdGhlLWJlbmNo"),
                    ("code_challenge", &challenge(VERIFIER)),
                    ("code_challenge_method", "S256"),
                ])
            );
        }
        let answer = wire.get(&self.query, &self.header).await?;
        self.keep(&answer);
        Ok(answer)
    }

    fn keep(&mut self, answer: &Answer) {
        if answer.cookies.is_empty() {
            return;
        }
        for cookie in &answer.cookies {
            if let Some((name, value)) = cookie.split_once('=') {
                self.cookies.retain(|(known, _)| known != name);
                if !value.is_empty() {
                    self.cookies.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        let all: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.header = if all.is_empty() { String::new() } else { format!("Cookie: {}\r\n", all.join("; ")) };
    }

    /// A new refresh-token family of app one.
    pub(crate) async fn refresh_token(&mut self, wire: &mut Wire, endpoints: &Endpoints) -> Result<String, Failure> {
        let answer = self.redeem(wire, endpoints, "openid offline_access").await?;
        let Tokens { refresh_token, .. } = tokens(&answer, "code")?;
        refresh_token.map(String::from).ok_or_else(|| Failure::said("no refresh token although offline_access was granted"))
    }

    /// A new device session.
    pub(crate) async fn device(&mut self, wire: &mut Wire, endpoints: &Endpoints) -> Result<Device, Failure> {
        let answer = self.redeem(wire, endpoints, "openid offline_access device_sso").await?;
        match tokens(&answer, "code")? {
            Tokens { id_token: Some(id_token), device_secret: Some(secret), .. } => {
                Ok(Device { id_token: id_token.into_owned(), secret: secret.into_owned() })
            }
            _ => Err(Failure::said("no ID token or no device secret although device_sso was granted")),
        }
    }

    async fn redeem(&mut self, wire: &mut Wire, endpoints: &Endpoints, scope: &str) -> Result<Answer, Failure> {
        let code = self.code(wire, endpoints, scope).await?;
        let body = form(&[
            ("grant_type", "authorization_code"),
            ("client_id", APP_ONE),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ]);
        wire.post(&endpoints.token, "", &body).await
    }
}

/// The code in a redirect to the client.
fn code_of(answer: &Answer) -> Result<String, Failure> {
    let location = Url::parse(&answer.location)
        .map_err(|error| Failure::from(error).while_doing(&format!("a redirect to the client, not to {:?}", answer.location)))?;
    location
        .query_pairs()
        .find(|(name, _)| name == "code")
        .map(|(_, code)| code.into_owned())
        .ok_or_else(|| Failure::said(format!("no code in the redirect to {location}")))
}

/// Action and hidden fields of the first form of a page.
fn sign_in_form(html: &str) -> Option<(String, Vec<(String, String)>)> {
    let form = html.split_once("<form")?.1.split_once("</form>")?.0;
    let action = attribute(form.split_once('>')?.0, "action")?;
    let fields = form
        .split("<input")
        .skip(1)
        .filter_map(|input| input.split_once('>'))
        .filter(|(tag, _)| attribute(tag, "type").as_deref() == Some("hidden"))
        .filter_map(|(tag, _)| Some((attribute(tag, "name")?, attribute(tag, "value")?)))
        .collect();
    Some((action, fields))
}

/// One attribute of a tag, its character references resolved as far as addresses and tokens need them.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split_once(&format!(" {name}=\""))?.1.split_once('"')?.0;
    Some(value.replace("&quot;", "\"").replace("&#38;", "&").replace("&#x26;", "&").replace("&amp;", "&"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn the_hidden_fields_of_a_form_are_found() {
        let html = r#"<p/><form method="post" action="/a?b=1&amp;c=2"><input type="hidden" name="transaction" value="t"/>
            <input name="username" value=""/><input value="x" name="csrf" type="hidden"/></form>"#;
        let (action, fields) = sign_in_form(html).unwrap();
        assert_eq!(action, "/a?b=1&c=2");
        assert_eq!(fields, [("transaction".to_owned(), "t".to_owned()), ("csrf".to_owned(), "x".to_owned())]);
    }

    #[test]
    fn cookies_replace_and_vanish() {
        let mut browser = Browser::default();
        let with = |cookies: &[&str]| Answer { cookies: cookies.iter().map(|&c| c.to_owned()).collect(), ..Answer::default() };
        browser.keep(&with(&["a=1", "b=2"]));
        browser.keep(&with(&["a=3"]));
        assert_eq!(browser.header, "Cookie: b=2; a=3\r\n");
        browser.keep(&with(&["a=", "b="]));
        assert_eq!(browser.header, "");
    }

    #[test]
    fn a_redirect_without_a_code_is_an_error() {
        let to = |location: &str| Answer { location: location.to_owned(), ..Answer::default() };
        assert_eq!(code_of(&to("https://a.example/cb?state=s&code=c")).unwrap(), "c");
        assert!(code_of(&to("https://a.example/cb?error=access_denied")).is_err());
        assert!(code_of(&to("/consent")).is_err());
    }
}
