//! What a handler allows: scope, claims and the properties of each token. A proposal; the server's guard has the last word.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::DeviceSsoRequest;

/// How an access token is written.
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// As the server does by default for the client.
    #[default]
    Default,
    /// A signed JWT (RFC 9068).
    SelfContained,
    /// An opaque identifier, looked up at the introspection endpoint.
    Identifier,
}

/// The access token. Always issued.
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct AccessTokenSpec {
    /// Lifetime in whole seconds; `None` or zero is the server's default. Cut to the server's maximum and to the end of the device session.
    pub lifetime: Option<Duration>,
    /// How it is written. Default: the server's choice.
    pub encoding: Encoding,
    /// Whether a self-contained token is also encrypted, for the resource server or the client. Default: no.
    pub encrypt: bool,
    /// The resource servers it is for. Default: none named, so the server's own audience.
    pub audience: Vec<String>,
    /// Data for the resource servers, as the token's member `data`. Default: none.
    pub data: Option<Map<String, Value>>,
}

impl AccessTokenSpec {
    /// Sets the lifetime.
    #[must_use]
    pub const fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Sets how the token is written.
    #[must_use]
    pub const fn with_encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Sets whether a self-contained token is encrypted.
    #[must_use]
    pub const fn with_encryption(mut self, encrypt: bool) -> Self {
        self.encrypt = encrypt;
        self
    }

    /// Sets the audience.
    #[must_use]
    pub fn with_audience<S: Into<String>>(mut self, audience: impl IntoIterator<Item = S>) -> Self {
        self.audience = audience.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the data.
    #[must_use]
    pub fn with_data(mut self, data: Map<String, Value>) -> Self {
        self.data = Some(data);
        self
    }
}

/// How long a refresh token lives, in whole seconds.
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshLifetime {
    /// As long as the server's default.
    #[default]
    Default,
    /// No expiry of its own; it still ends with the device session.
    Never,
    /// This long, more than zero, whatever the server's default is. It still ends with the device session.
    For(Duration),
}

/// The refresh token.
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefreshTokenSpec {
    /// Whether one is issued. Default: yes. The server issues none where the client or the pair of clients may not have one.
    pub issue: bool,
    /// Its lifetime.
    pub lifetime: RefreshLifetime,
    /// The longest time between two uses, in whole seconds; `None` or zero means no limit, which is the default.
    pub max_idle: Option<Duration>,
    /// Whether each use replaces it. Default: `None`, the server's default. RFC 9700 section 2.2.2 wants it for public clients.
    pub rotate: Option<bool>,
}

impl Default for RefreshTokenSpec {
    fn default() -> Self {
        Self { issue: true, lifetime: RefreshLifetime::Default, max_idle: None, rotate: None }
    }
}

impl RefreshTokenSpec {
    /// None is issued.
    #[must_use]
    pub fn none() -> Self {
        Self { issue: false, ..Self::default() }
    }

    /// Sets the lifetime.
    #[must_use]
    pub const fn with_lifetime(mut self, lifetime: RefreshLifetime) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Sets the longest time between two uses.
    #[must_use]
    pub const fn with_max_idle(mut self, max_idle: Duration) -> Self {
        self.max_idle = Some(max_idle);
        self
    }

    /// Sets whether each use replaces it.
    #[must_use]
    pub const fn with_rotation(mut self, rotate: bool) -> Self {
        self.rotate = Some(rotate);
        self
    }
}

/// The ID token.
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct IdTokenSpec {
    /// Whether one is issued. Default: yes. Without one no device secret is returned either, because the two belong together.
    pub issue: bool,
    /// Lifetime in whole seconds; `None` or zero is the server's default. Cut to the server's maximum and to the end of the device session.
    pub lifetime: Option<Duration>,
    /// Further claims. The protocol's own claims cannot be replaced. Default: none.
    pub claims: Map<String, Value>,
}

impl Default for IdTokenSpec {
    fn default() -> Self {
        Self { issue: true, lifetime: None, claims: Map::new() }
    }
}

impl IdTokenSpec {
    /// None is issued.
    #[must_use]
    pub fn none() -> Self {
        Self { issue: false, ..Self::default() }
    }

    /// Sets the lifetime.
    #[must_use]
    pub const fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Adds a claim.
    #[must_use]
    pub fn with_claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }
}

/// Where the person's claims are released.
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimsTransport {
    /// At the `UserInfo` endpoint. The default.
    #[default]
    UserInfo,
    /// In the ID token; at the `UserInfo` endpoint when no ID token is issued.
    IdToken,
}

/// The person's claims that the client may see.
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClaimsSpec {
    /// Their names.
    pub names: Vec<String>,
    /// Where they are released.
    pub transport: ClaimsTransport,
    /// Languages (BCP 47) in which the claims are released too, as `name#language` (`OpenID` Connect Core section 5.2). Default: none.
    pub locales: Vec<String>,
}

impl ClaimsSpec {
    /// Sets the names.
    #[must_use]
    pub fn with_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets where they are released.
    #[must_use]
    pub const fn with_transport(mut self, transport: ClaimsTransport) -> Self {
        self.transport = transport;
        self
    }

    /// Sets the preferred languages.
    #[must_use]
    pub fn with_locales<S: Into<String>>(mut self, locales: impl IntoIterator<Item = S>) -> Self {
        self.locales = locales.into_iter().map(Into::into).collect();
        self
    }
}

/// What the client receives, as the handler would have it.
#[must_use = "an authorization does nothing until it is returned"]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DeviceSsoAuthorization {
    /// The scope values granted, each once.
    pub scope: Vec<String>,
    /// The access token.
    pub access_token: AccessTokenSpec,
    /// The refresh token.
    pub refresh_token: RefreshTokenSpec,
    /// The ID token.
    pub id_token: IdTokenSpec,
    /// The person's claims.
    pub claims: ClaimsSpec,
    /// Data that the server keeps with the grant and shows to whoever may introspect its tokens, as `grant_data`. Default: none.
    pub data: Option<Map<String, Value>>,
}

impl DeviceSsoAuthorization {
    /// What the server itself would allow: the requested scope (the default scope when none was requested) as far as the client may have it,
    /// the claims that follow from it and those requested, and the server's defaults for everything else.
    pub fn allow(request: &DeviceSsoRequest<'_>) -> Self {
        let grantable = request.grantable_scope();
        Self::allow_scope(request, request.effective_scope().iter().copied().filter(|value| grantable.contains(value)))
    }

    /// As [`allow`](Self::allow), with this scope and the claims that follow from it.
    pub fn allow_scope<'s>(request: &DeviceSsoRequest<'_>, scope: impl IntoIterator<Item = &'s str>) -> Self {
        let mut values: Vec<&str> = Vec::new();
        for value in scope {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        let mut names = request.resolve_claim_names(&values);
        for name in request.requested_claim_names() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Self::of_scope(values).with_claims(ClaimsSpec { names, ..ClaimsSpec::default() })
    }

    /// This scope, no claims, and the server's defaults for everything else; for what does not follow from a request.
    pub fn of_scope<'s>(scope: impl IntoIterator<Item = &'s str>) -> Self {
        Self {
            scope: scope.into_iter().map(str::to_owned).collect(),
            access_token: AccessTokenSpec::default(),
            refresh_token: RefreshTokenSpec::default(),
            id_token: IdTokenSpec::default(),
            claims: ClaimsSpec::default(),
            data: None,
        }
    }

    /// Sets the access token.
    pub fn with_access_token(mut self, spec: AccessTokenSpec) -> Self {
        self.access_token = spec;
        self
    }

    /// Sets the refresh token.
    pub fn with_refresh_token(mut self, spec: RefreshTokenSpec) -> Self {
        self.refresh_token = spec;
        self
    }

    /// Sets the ID token.
    pub fn with_id_token(mut self, spec: IdTokenSpec) -> Self {
        self.id_token = spec;
        self
    }

    /// Sets the claims.
    pub fn with_claims(mut self, spec: ClaimsSpec) -> Self {
        self.claims = spec;
        self
    }

    /// Sets the data kept with the grant.
    pub fn with_data(mut self, data: Map<String, Value>) -> Self {
        self.data = Some(data);
        self
    }
}
