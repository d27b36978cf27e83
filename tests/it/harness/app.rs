//! The requests of an app: redeem, exchange, refresh, ask, revoke.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, Header, encode};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use super::answer::Answer;
use super::browser::Browser;
use super::cast::{BACKEND, Client, Proof, SECRET, client_key};
use super::person::{Person, unique};
use super::request::{Authorization, Form};
use super::server::{Server, http};
use super::{DEVICE_SECRET_TYPE, ID_TOKEN_TYPE, TOKEN_EXCHANGE};

/// A token response.
#[derive(Debug, Clone)]
pub(crate) struct Tokens(pub(crate) Value);

impl Tokens {
    /// A member that must be there.
    #[track_caller]
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_else(|| panic!("no {name}: {:?}", self.0))
    }

    /// Whether a member is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        !self.0[name].is_null()
    }

    /// `access_token`
    #[track_caller]
    pub(crate) fn access(&self) -> &str {
        self.get("access_token")
    }

    /// `id_token`
    #[track_caller]
    pub(crate) fn id(&self) -> &str {
        self.get("id_token")
    }

    /// `refresh_token`
    #[track_caller]
    pub(crate) fn refresh(&self) -> &str {
        self.get("refresh_token")
    }

    /// `device_secret`
    #[track_caller]
    pub(crate) fn secret(&self) -> &str {
        self.get("device_secret")
    }

    /// The values of `scope`, sorted.
    #[track_caller]
    pub(crate) fn scope(&self) -> Vec<&str> {
        let mut values: Vec<&str> = self.get("scope").split(' ').collect();
        values.sort_unstable();
        values
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The Basic header of a client (RFC 6749 section 2.3.1: both halves form-encoded).
pub(crate) fn basic(id: &str, secret: &str) -> String {
    use base64::Engine as _;
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let both = format!("{}:{}", encode(id), encode(secret));
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(both))
}

impl Server {
    /// The claims of a correct client assertion of `client`.
    pub(crate) fn assertion_claims(&self, client: Client) -> Value {
        json!({
            "iss": client.id, "sub": client.id, "aud": self.issuer, "jti": unique("jti"), "iat": now(), "exp": now() + 60,
        })
    }

    /// Signs a client assertion.
    #[track_caller]
    pub(crate) fn assertion(claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some("client-key".to_owned());
        encode(&header, claims, &client_key().0).expect("an assertion")
    }

    /// Posts a form to an endpoint as that client.
    #[track_caller]
    pub(crate) fn post_as(&self, client: Client, path: &str, form: Form) -> Answer {
        self.post_with(&[], client, path, form)
    }

    /// The same with further headers.
    #[track_caller]
    pub(crate) fn post_with(&self, headers: &[(&str, &str)], client: Client, path: &str, form: Form) -> Answer {
        let mut request = http().post(self.url(path)).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let form = match client.proof {
            Proof::None => form.and("client_id", client.id),
            Proof::Basic => {
                request = request.header(AUTHORIZATION, basic(client.id, SECRET));
                form
            }
            Proof::Post => form.and("client_id", client.id).and("client_secret", SECRET),
            Proof::PrivateKeyJwt => form
                .and("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
                .and("client_assertion", &Self::assertion(&self.assertion_claims(client))),
        };
        Self::send(request.body(form.encoded()))
    }

    /// A token request.
    #[track_caller]
    pub(crate) fn token(&self, client: Client, form: Form) -> Answer {
        self.post_as(client, "/token", form)
    }

    /// The whole front channel and the code: a new browser, a signed-in person, the tokens of the client.
    #[track_caller]
    pub(crate) fn sign_in(&self, client: Client, person: &Person, scope: &str) -> Tokens {
        self.sign_in_by(&Browser::new(), client, person, scope, None)
    }

    /// The same in a given browser, with a device secret that the app holds already.
    #[track_caller]
    pub(crate) fn sign_in_by(
        &self,
        browser: &Browser,
        client: Client,
        person: &Person,
        scope: &str,
        secret: Option<&str>,
    ) -> Tokens {
        let request = Authorization::new(client, scope);
        let code = browser.authorize(self, &request, person).code();
        let mut form = request.redeem(&code);
        if let Some(secret) = secret {
            form = form.and("device_secret", secret);
        }
        let tokens = Tokens(self.token(client, form).ok());
        if tokens.has("id_token") {
            assert_eq!(super::jwt::claims(tokens.id())["nonce"], request.nonce.as_str());
        }
        tokens
    }

    /// App one signs somebody new in on a device.
    #[track_caller]
    pub(crate) fn device(&self, client: Client) -> Tokens {
        self.sign_in(client, &self.person(), "openid profile email offline_access device_sso")
    }

    /// The form of a Native SSO exchange.
    pub(crate) fn exchange_form(&self, id_token: &str, secret: &str) -> Form {
        Form::of(&[
            ("grant_type", TOKEN_EXCHANGE),
            ("audience", &self.issuer),
            ("subject_token", id_token),
            ("subject_token_type", ID_TOKEN_TYPE),
            ("actor_token", secret),
            ("actor_token_type", DEVICE_SECRET_TYPE),
        ])
    }

    /// A Native SSO exchange.
    #[track_caller]
    pub(crate) fn exchange(&self, client: Client, device: &Tokens, scope: &str) -> Answer {
        self.token(client, self.exchange_form(device.id(), device.secret()).and("scope", scope))
    }

    /// A refresh.
    #[track_caller]
    pub(crate) fn refresh(&self, client: Client, refresh_token: &str) -> Answer {
        self.token(client, Form::of(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]))
    }

    /// What introspection says to a back end that may ask about everything.
    #[track_caller]
    pub(crate) fn introspect(&self, token: &str) -> Value {
        let answer = self.post_as(BACKEND, "/introspect", Form::of(&[("token", token)]));
        answer.is_not_cached();
        answer.ok()
    }

    /// Whether a token is active.
    #[track_caller]
    pub(crate) fn is_active(&self, token: &str) -> bool {
        self.introspect(token)["active"].as_bool().expect("active is a boolean")
    }

    /// A revocation, which always succeeds for a client that may ask.
    #[track_caller]
    pub(crate) fn revoke(&self, client: Client, token: &str) {
        let answer = self.post_as(client, "/revoke", Form::of(&[("token", token)]));
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// `UserInfo` with a bearer token.
    #[track_caller]
    pub(crate) fn userinfo(&self, access_token: &str) -> Answer {
        Self::send(http().get(self.url("/userinfo")).bearer_auth(access_token))
    }
}
