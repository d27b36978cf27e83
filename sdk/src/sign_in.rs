//! What an action is told of a sign-in. Read-only; what the server does not know is absent.

use serde_json::{Map, Value};

static NOTHING: Value = Value::Null;

/// One sign-in, as the server has proven it.
///
/// The names are those of JSON members, so that an action can also look for one that this SDK has no method for: [`SignIn::get`].
#[derive(Debug, Clone, PartialEq)]
pub struct SignIn(Value);

impl SignIn {
    pub(crate) const fn new(facts: Value) -> Self {
        Self(facts)
    }

    /// Any fact by its JSON pointer, e.g. `/session/sid`.
    #[must_use]
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        self.0.pointer(pointer).filter(|value| !value.is_null())
    }

    fn text(&self, pointer: &str) -> &str {
        self.get(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The time, in Unix seconds.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.get("/now").and_then(Value::as_u64).unwrap_or_default()
    }

    /// `sub` of the person, as the server knows them: the same for every client.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.text("/subject")
    }

    /// A claim of the person that the server has, e.g. `email`.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.0.get("claims")?.get(name)
    }

    /// The client that asks.
    #[must_use]
    pub fn client_id(&self) -> &str {
        self.text("/client/client_id")
    }

    /// Whether that client has credentials.
    #[must_use]
    pub fn client_is_confidential(&self) -> bool {
        self.get("/client/confidential").and_then(Value::as_bool).unwrap_or_default()
    }

    /// A member of the client's metadata (RFC 7591), with whatever the operator has added to it.
    #[must_use]
    pub fn client_metadata(&self, name: &str) -> Option<&Value> {
        self.0.pointer("/client/metadata")?.get(name)
    }

    /// The browser session.
    #[must_use]
    pub fn session(&self) -> BrowserSession<'_> {
        let number = |name| self.0.pointer(name).and_then(Value::as_u64).unwrap_or_default();
        BrowserSession {
            sid: self.text("/session/sid"),
            auth_time: number("/session/auth_time"),
            acr: self.text("/session/acr"),
            amr: words(self.get("/session/amr")),
            created: number("/session/created"),
            transferred: self.get("/session/transferred").and_then(Value::as_bool).unwrap_or_default(),
        }
    }

    /// The requested scope values.
    #[must_use]
    pub fn requested_scope(&self) -> Vec<&str> {
        words(self.get("/requested/scope"))
    }

    /// The requested levels of authentication, best first.
    #[must_use]
    pub fn requested_acr_values(&self) -> Vec<&str> {
        words(self.get("/requested/acr_values"))
    }

    /// The values of `prompt`.
    #[must_use]
    pub fn prompt(&self) -> Vec<&str> {
        words(self.get("/requested/prompt"))
    }

    /// Where this request comes from.
    #[must_use]
    pub fn request(&self) -> RequestContext<'_> {
        RequestContext::of(self.0.get("request").unwrap_or(&NOTHING))
    }

    /// The session transfer token that this request came with, else the one that the browser session grew from: that is told at every sign-in in
    /// such a session. A request may come with a token to somebody who has a session of their own: that stays what it is, see
    /// [`transferred`](BrowserSession::transferred).
    #[must_use]
    pub fn session_transfer_token(&self) -> Option<SessionTransferToken<'_>> {
        let token = self.get("/session_transfer_token")?;
        Some(SessionTransferToken {
            client_id: token.get("client_id").and_then(Value::as_str).unwrap_or_default(),
            scope: words(token.get("scope")),
            request: RequestContext::of(token.get("request").unwrap_or(&NOTHING)),
        })
    }

    /// All of it, as JSON.
    #[must_use]
    pub fn as_json(&self) -> Option<&Map<String, Value>> {
        self.0.as_object()
    }
}

fn words(list: Option<&Value>) -> Vec<&str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The browser session that the person is signed in with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrowserSession<'a> {
    /// Its identifier.
    pub sid: &'a str,
    /// When the person proved who they are, in Unix seconds.
    pub auth_time: u64,
    /// How well.
    pub acr: &'a str,
    /// By what means (RFC 8176).
    pub amr: Vec<&'a str>,
    /// When the session began, in Unix seconds.
    pub created: u64,
    /// Whether it grew from a session transfer token.
    pub transferred: bool,
}

/// The session transfer token of a session.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SessionTransferToken<'a> {
    /// The app that it was issued to.
    pub client_id: &'a str,
    /// The scope of that app's session.
    pub scope: Vec<&'a str>,
    /// Where it was asked for from.
    pub request: RequestContext<'a>,
}

/// Where a request comes from, as far as it is known.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RequestContext<'a> {
    /// The address, as the server's trusted proxies tell it.
    pub ip: Option<&'a str>,
    /// The number of the autonomous system that it is in.
    pub asn: Option<u32>,
    /// What the browser or app says it is; anybody can say anything.
    pub user_agent: Option<&'a str>,
    /// Where that is, by the server's databases (`network.databases`).
    pub geoip: GeoIp<'a>,
}

/// A place. Names are English.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct GeoIp<'a> {
    /// Two letters, such as `EU`.
    pub continent_code: Option<&'a str>,
    /// ISO 3166-1, two letters.
    pub country_code: Option<&'a str>,
    /// Its name.
    pub country_name: Option<&'a str>,
    /// ISO 3166-2 without the country.
    pub subdivision_code: Option<&'a str>,
    /// Its name.
    pub subdivision_name: Option<&'a str>,
    /// The city.
    pub city_name: Option<&'a str>,
    /// Degrees north.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// As in the IANA database.
    pub time_zone: Option<&'a str>,
}

impl<'a> RequestContext<'a> {
    fn of(facts: &'a Value) -> Self {
        let text = |name: &str| facts.get(name).and_then(Value::as_str);
        let geoip = facts.get("geoip").unwrap_or(&NOTHING);
        let place = |name: &str| geoip.get(name).and_then(Value::as_str);
        Self {
            ip: text("ip"),
            asn: facts.get("asn").and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok()),
            user_agent: text("user_agent"),
            geoip: GeoIp {
                continent_code: place("continent_code"),
                country_code: place("country_code"),
                country_name: place("country_name"),
                subdivision_code: place("subdivision_code"),
                subdivision_name: place("subdivision_name"),
                city_name: place("city_name"),
                latitude: geoip.get("latitude").and_then(Value::as_f64),
                longitude: geoip.get("longitude").and_then(Value::as_f64),
                time_zone: place("time_zone"),
            },
        }
    }
}
