//! Validation of an authorization request (RFC 6749 section 4.1.1, RFC 7636 section 4.3, RFC 9700 section 2.1).

use serde::{Deserialize, Serialize};

use super::answer::{ResponseMode, ReturnTo};
use super::claims::{AcrRequest, ClaimsRequest};
use crate::clients::Client;
use crate::foundation::{Digest, Timestamp};
use crate::grants::engine::Engine;
use crate::grants::parameters::Parameters;
use crate::grants::possession;
use crate::grants::request::parse_scope;
use crate::grants::target;
use crate::protocol::{ErrorCode, OAuthError, Scope, names};

/// Longer values of `state` and `nonce` are refused.
pub(super) const MAX_ECHO: usize = 2048;

/// A valid authorization request. Kept in the transaction while its person signs in.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// Whom the code is for.
    pub client_id: String,
    /// Where the answer goes, as presented.
    pub redirect_uri: String,
    /// Whether the request named it.
    pub redirect_uri_given: bool,
    /// The scope, already bounded by the client's registration.
    pub scope: Scope,
    /// To be repeated in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// To be repeated in the ID token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// PKCE S256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_challenge: Option<String>,
    /// Thumbprint of the key that the code will be bound to (RFC 9449 section 10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<String>,
    /// Targets (RFC 8707).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// How the answer is carried there.
    #[serde(default, skip_serializing_if = "ResponseMode::is_default")]
    pub response_mode: ResponseMode,
    /// Claims asked for one by one, as far as the client may have them.
    #[serde(default, skip_serializing_if = "ClaimsRequest::is_empty")]
    pub claims: ClaimsRequest,
    /// How well the person shall authenticate, the first the most welcome.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acr_values: Vec<String>,
    /// What `prompt` asked for.
    #[serde(default)]
    pub prompt: Prompt,
    /// The oldest acceptable authentication, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u64>,
    /// A name to fill in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_hint: Option<String>,
    /// The languages that the pages shall be in, best first (BCP 47 tags).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ui_locales: String,
    /// The person whom `id_token_hint` names, by the `sub` that the client knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hinted_sub: Option<String>,
    /// The device that waits for the answer (RFC 8628), by the digest of its code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Digest>,
    /// What that device called itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub device_description: String,
    /// When it came; absent in records that are older than this member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<Timestamp>,
    /// It was pushed: digest of its reference, which the answer uses up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed: Option<Digest>,
}

/// The values of `prompt` (OpenID Connect Core section 3.1.2.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the parameter is a set of these words")]
pub struct Prompt {
    /// Show nothing.
    pub none: bool,
    /// Sign in again, whatever session there is.
    pub login: bool,
    /// Ask consent again, whatever was remembered.
    pub consent: bool,
    /// Let the person say which of those in the browser they are, or somebody else; with nobody in it, this is a sign-in.
    pub select_account: bool,
}

impl Prompt {
    /// Its values.
    pub(super) fn words(self) -> Vec<&'static str> {
        let all =
            [(self.none, "none"), (self.login, "login"), (self.consent, "consent"), (self.select_account, "select_account")];
        all.into_iter().filter_map(|(wanted, word)| wanted.then_some(word)).collect()
    }
}

/// Why a request is not processed, and whether its client may be told by redirect.
#[derive(Debug)]
pub enum Refusal {
    /// Client or redirect URI are not to be trusted: the person is shown a page, nothing is redirected.
    Page(OAuthError),
    /// The client is told at its redirect URI.
    Redirect(Box<RedirectError>),
}

/// An error answer at the redirect URI (RFC 6749 section 4.1.2.1).
#[derive(Debug)]
pub struct RedirectError {
    /// Where to.
    pub to: ReturnTo,
    /// What is wrong.
    pub error: OAuthError,
}

impl Refusal {
    /// What is wrong, wherever it is told.
    #[must_use]
    pub fn into_error(self) -> OAuthError {
        match self {
            Self::Page(error) => error,
            Self::Redirect(refusal) => refusal.error,
        }
    }
}

impl AuthorizationRequest {
    /// Where its answer goes.
    #[must_use]
    pub fn return_to(&self) -> ReturnTo {
        ReturnTo { redirect_uri: self.redirect_uri.clone(), mode: self.response_mode, state: self.state.clone() }
    }

    /// How well the person shall authenticate: what the parameter `claims` says, else `acr_values`, which nobody must meet.
    pub(super) fn wished_acr(&self) -> AcrRequest {
        match &self.claims.acr {
            Some(acr) if acr.essential || !acr.values.is_empty() => acr.clone(),
            _ => AcrRequest { essential: false, values: self.acr_values.clone() },
        }
    }

    /// Whether it asks for something that the release before could not do.
    pub(super) fn has_more(&self) -> bool {
        self.device.is_some()
            || !self.response_mode.is_default()
            || !self.claims.is_empty()
            || !self.acr_values.is_empty()
            || self.dpop_jkt.is_some()
            || self.pushed.is_some()
    }
}

impl Engine {
    /// Validates an authorization request. Client and redirect URI come first; only then may anything be redirected.
    ///
    /// # Errors
    /// The refusal.
    pub async fn parse_authorization_request(&self, parameters: &Parameters) -> Result<AuthorizationRequest, Refusal> {
        let page = |description| Refusal::Page(OAuthError::invalid_request(description));
        let client_id = parameters.get("client_id").ok_or_else(|| page("The parameter client_id is missing."))?;
        let client = self
            .clients()
            .find(client_id)
            .await
            .map_err(|error| Refusal::Page(error.into()))?
            .ok_or_else(|| page("The client is not known here."))?;
        let (redirect_uri, redirect_uri_given) = match parameters.get("redirect_uri") {
            Some(uri) if client.redirect_uri_matches(uri) => (uri.to_owned(), true),
            Some(_) => return Err(page("The redirect_uri is not registered for this client.")),
            // Plain OAuth may leave out the only one there is; OpenID Connect Core section 3.1.2.1 may not.
            None => match client.only_redirect_uri().filter(|_| !speaks_openid(parameters)) {
                Some(uri) => (uri.to_owned(), false),
                None => return Err(page("The parameter redirect_uri is missing.")),
            },
        };
        let to = ReturnTo {
            redirect_uri,
            // What is no mode is told about in the usual one.
            mode: parameters.get("response_mode").and_then(ResponseMode::from_name).unwrap_or_default(),
            state: parameters.get("state").filter(|state| state.len() <= MAX_ECHO).map(str::to_owned),
        };
        let parsed = self.parse_rest(parameters, &client, &to, redirect_uri_given).await;
        parsed.map_err(|error| Refusal::Redirect(Box::new(RedirectError { to, error })))
    }

    async fn parse_rest(
        &self,
        parameters: &Parameters,
        client: &Client,
        to: &ReturnTo,
        redirect_uri_given: bool,
    ) -> Result<AuthorizationRequest, OAuthError> {
        if parameters.get("registration").is_some() {
            let description = "The server does not take the metadata of a client with its request.";
            return Err(OAuthError::new(ErrorCode::RegistrationNotSupported, description));
        }
        let response_type = parameters.require("response_type", "The parameter response_type is missing.")?;
        if response_type != "code" {
            return Err(OAuthError::new(ErrorCode::UnsupportedResponseType, "The server supports response_type code alone."));
        }
        // Registered together with the grant type authorization_code (RFC 7591 section 2.1).
        if !client.allows_response_type(response_type) {
            return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "The client is not registered for this response_type."));
        }
        if parameters.get("response_mode").is_some_and(|mode| ResponseMode::from_name(mode).is_none()) {
            return Err(OAuthError::invalid_request("response_mode must be query, fragment or form_post."));
        }
        for name in ["state", "nonce"] {
            if parameters.get(name).is_some_and(|value| value.len() > MAX_ECHO) {
                return Err(OAuthError::invalid_request("state or nonce is too long."));
            }
        }
        let scope = self.requested_scope(parameters, client)?;
        let mut claims = parameters.get("claims").map(ClaimsRequest::parse).transpose()?.unwrap_or_default();
        claims.retain(&self.settings().claims_of(&client.scope));
        let hinted_sub = match (parameters.get("id_token_hint"), claims.sub.take()) {
            (Some(hint), demanded) => {
                let hinted = self.subject_of_hint(hint, client).await?;
                if demanded.is_some_and(|demanded| demanded != hinted) {
                    return Err(OAuthError::invalid_request("id_token_hint and claims name different people."));
                }
                Some(hinted)
            }
            (None, demanded) => demanded,
        };
        Ok(AuthorizationRequest {
            client_id: client.id.clone(),
            redirect_uri: to.redirect_uri.clone(),
            redirect_uri_given,
            response_mode: to.mode,
            scope,
            state: to.state.clone(),
            nonce: parameters.get("nonce").map(str::to_owned),
            code_challenge: code_challenge(parameters, client)?,
            dpop_jkt: parameters.get("dpop_jkt").map(possession::parse_thumbprint).transpose()?,
            resources: target::check(parameters.all("resource"), self.settings())?,
            claims,
            acr_values: acr_values(parameters, client),
            prompt: parameters.get("prompt").map(parse_prompt).transpose()?.unwrap_or_default(),
            max_age: parameters.get("max_age").map(parse_max_age).transpose()?.or(client.requests.default_max_age),
            // What is too long for a list of languages is none.
            ui_locales: parameters.get("ui_locales").filter(|tags| tags.len() <= 256).unwrap_or_default().to_owned(),
            login_hint: parameters.get("login_hint").filter(|hint| hint.len() <= 256).map(str::to_owned),
            hinted_sub,
            received: Some(self.clock().now()),
            device: None,
            device_description: String::new(),
            pushed: None,
        })
    }

    /// The scope that this request is about: values unknown to the server are ignored (OpenID Connect Core section
    /// 3.1.2.1), known ones must be registered for the client.
    pub(in crate::grants) fn requested_scope(&self, parameters: &Parameters, client: &Client) -> Result<Scope, OAuthError> {
        let Some(text) = parameters.get("scope") else {
            // What speaks of a person or outlives them is given only to those who ask for it.
            let asked_for_only = [names::OPENID, names::OFFLINE_ACCESS, names::DEVICE_SSO];
            return Ok(client.scope.iter().filter(|value| !asked_for_only.contains(value)).collect());
        };
        let asked = parse_scope(text)?;
        let known: Scope = asked.iter().filter(|value| self.settings().scopes.contains_key(*value)).collect();
        if !known.is_subset(&client.scope) {
            return Err(OAuthError::new(ErrorCode::InvalidScope, "The scope is beyond what this client is registered for."));
        }
        if known.contains(names::DEVICE_SSO) && !known.contains(names::OPENID) {
            return Err(OAuthError::new(ErrorCode::InvalidScope, "The scope device_sso goes only together with openid."));
        }
        // Without the refresh grant there is nothing that offline_access could give (OpenID Connect Core section 11).
        let may_refresh = client.allows_grant(names::REFRESH_TOKEN);
        Ok(known.iter().filter(|value| may_refresh || *value != names::OFFLINE_ACCESS).collect())
    }

    async fn subject_of_hint(&self, hint: &str, client: &Client) -> Result<String, OAuthError> {
        let claims = self.read_id_token_hint(hint).await?;
        Ok(self.hinted_subject(&claims, client).await?)
    }

    /// Whether the person `sub` is whom the client asked for, if it asked for somebody.
    pub(super) fn is_hinted(&self, request: &AuthorizationRequest, client: &Client, sub: &str) -> bool {
        request.hinted_sub.as_ref().is_none_or(|hinted| *hinted == self.issuer().subject_for(client, sub))
    }
}

pub(super) fn speaks_openid(parameters: &Parameters) -> bool {
    parameters.get("scope").is_some_and(|scope| scope.split(' ').any(|value| value == names::OPENID))
}

fn code_challenge(parameters: &Parameters, client: &Client) -> Result<Option<String>, OAuthError> {
    let method = parameters.get("code_challenge_method");
    match parameters.get("code_challenge") {
        None if method.is_some() => Err(OAuthError::invalid_request("code_challenge_method is given without code_challenge.")),
        None if client.require_pkce => {
            Err(OAuthError::invalid_request("PKCE is required: the parameter code_challenge is missing."))
        }
        None => Ok(None),
        Some(_) if method != Some("S256") => Err(OAuthError::invalid_request("code_challenge_method must be S256.")),
        Some(challenge) => {
            let well_formed = challenge.len() == 43
                && challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
            if well_formed {
                Ok(Some(challenge.to_owned()))
            } else {
                Err(OAuthError::invalid_request("code_challenge must be the 43 characters of a base64url SHA-256."))
            }
        }
    }
}

/// The values of `acr_values`, or else those that the client registered; those that are too many or too long to be anybody's are left out.
pub(in crate::grants) fn acr_values(parameters: &Parameters, client: &Client) -> Vec<String> {
    let Some(text) = parameters.get("acr_values") else { return client.requests.default_acr_values.clone() };
    let values = text.split_ascii_whitespace();
    values.filter(|value| value.len() <= 256).take(20).map(str::to_owned).collect()
}

fn parse_prompt(text: &str) -> Result<Prompt, OAuthError> {
    let mut prompt = Prompt::default();
    for word in text.split_ascii_whitespace() {
        match word {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "consent" => prompt.consent = true,
            "select_account" => prompt.select_account = true,
            _ => return Err(OAuthError::invalid_request("The parameter prompt has an unknown value.")),
        }
    }
    if prompt.none && (prompt.login || prompt.consent || prompt.select_account) {
        return Err(OAuthError::invalid_request("prompt none goes with no other value."));
    }
    Ok(prompt)
}

fn parse_max_age(text: &str) -> Result<u64, OAuthError> {
    let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| OAuthError::invalid_request("The parameter max_age must be a whole number of seconds."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompt_none_stands_alone() {
        assert!(parse_prompt("none").is_ok_and(|prompt| prompt.none));
        assert!(parse_prompt("login consent").is_ok_and(|prompt| prompt.login && prompt.consent));
        assert!(parse_prompt("none login").is_err());
        assert!(parse_prompt("create").is_err());
    }
}
