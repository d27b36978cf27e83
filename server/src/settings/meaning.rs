//! What the settings mean, after every layer was merged and every value checked. Read-only for the rest of the server.

mod audit;
mod handlers;
mod levels;
mod logout;
mod network;
mod outbound;
mod proxy;
mod registration;
mod scopes;
mod session_transfer;
mod sign_in;
mod storage;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::{Map, Value};
use url::Url;

pub use audit::{Audit, AuditFile, AuditWebhook};
pub use handlers::{Handlers, Isolation, IsolationMode, Property, Shadow};
pub use levels::{Factor, Level, Levels, amr};
pub use logout::OfflineAccess;
pub use network::{NetworkData, Prefixes};
pub use outbound::Outbound;
pub use proxy::Proxy;
pub use registration::{Registration, RegistrationMode, StatementIssuer};
pub use scopes::ScopeMeaning;
pub use session_transfer::SessionTransfer;
pub use sign_in::{LANGUAGES, SignIn};
pub use storage::{Backend, Redis, RedisMode, RedisServer, SealingKeySource, Storage};

/// All settings of one server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `[server]`
    pub server: Server,
    /// `[storage]`
    pub storage: Storage,
    /// `[tokens]`
    pub tokens: Tokens,
    /// `[authorization]`
    pub authorization: Authorization,
    /// `[sessions]`
    pub sessions: Sessions,
    /// `[sign_in]`
    pub sign_in: SignIn,
    /// `[userinfo]`
    pub user_info: UserInfo,
    /// `[session_transfer]`
    pub session_transfer: SessionTransfer,
    /// `[device_authorization]`
    pub device_authorization: DeviceAuthorization,
    /// `[registration]`
    pub registration: Registration,
    /// `[proxy]`
    pub proxy: Proxy,
    /// `[network]`
    pub network: NetworkData,
    /// `[outbound]`
    pub outbound: Outbound,
    /// `[audit]`
    pub audit: Audit,
    /// `[handlers]`
    pub handlers: Handlers,
    /// `[telemetry]`
    pub telemetry: Telemetry,
    /// `[scopes.NAME]`: every scope value that may be registered, with the claims it releases. The standard ones
    /// (`openid`, `profile`, `email`, `address`, `phone`, `offline_access`, `device_sso`) are always there.
    pub scopes: BTreeMap<String, ScopeMeaning>,
    /// `[[resource_servers]]`
    pub resource_servers: Vec<ResourceServer>,
    /// `[[clients]]`: RFC 7591 metadata as JSON, each with its `client_id`; read-only at run time. Checked by `clients`.
    pub clients: Vec<FileClient>,
}

/// `[server]`
#[derive(Debug, Clone)]
pub struct Server {
    /// `server.listen`, default `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// `server.issuer`: https, or http on a loopback address; no query, no fragment, no trailing slash. May have a path.
    pub issuer: Issuer,
    /// `server.workers`: HTTP worker threads; default the number of cores.
    pub workers: usize,
    /// `server.max_body`: the largest request body in bytes, default 65536.
    pub max_body: usize,
    /// `server.shutdown_grace`: how long running requests may finish, default 10s.
    pub shutdown_grace: Duration,
}

/// The issuer identifier (RFC 8414 section 2), kept both as written (it is compared as text) and parsed.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// As written: the `iss` of every token.
    pub text: String,
    /// Parsed.
    pub url: Url,
}

impl Issuer {
    /// The path below which every endpoint lives: empty, or `/name` without a trailing slash.
    #[must_use]
    pub fn path(&self) -> &str {
        self.url.path().trim_end_matches('/')
    }

    /// The absolute address of an endpoint, `path` beginning with a slash.
    #[must_use]
    pub fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// Whether browsers reach us over TLS, so that cookies may be `Secure`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }
}

/// A signature algorithm (RFC 7518, RFC 8037) that this server signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SigningAlg {
    /// RSASSA-PKCS1-v1_5 with SHA-256: what every client understands, the default.
    Rs256,
    /// ECDSA on P-256.
    Es256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// Ed25519.
    EdDsa,
}

impl SigningAlg {
    /// All of them, in the order of preference for interoperability.
    pub const ALL: [Self; 4] = [Self::Rs256, Self::Es256, Self::Ps256, Self::EdDsa];

    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::Ps256 => "PS256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of that registered name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.as_str() == name)
    }
}

/// How an access token is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessTokenFormat {
    /// A signed JWT (RFC 9068).
    Jwt,
    /// An identifier without content.
    Opaque,
}

/// `[tokens]`
#[derive(Debug, Clone)]
pub struct Tokens {
    /// `tokens.signing_alg`, default RS256.
    pub signing_alg: SigningAlg,
    /// `tokens.access_token.lifetime`, default 10m; also named `authzStore.accessToken.defaultLifetime` (seconds) in
    /// properties files and `-D`.
    pub access_token_lifetime: Duration,
    /// `tokens.access_token.max_lifetime`, default 24h: the guard's maximum.
    pub access_token_max_lifetime: Duration,
    /// `tokens.access_token.format` = `jwt` (default) | `opaque`.
    pub access_token_format: AccessTokenFormat,
    /// `tokens.access_token.audience`: the `aud` when nothing else names one; default the issuer.
    pub access_token_audience: Option<String>,
    /// `tokens.id_token.lifetime`, default 10m.
    pub id_token_lifetime: Duration,
    /// `tokens.id_token.max_lifetime`, default 24h: the guard's maximum.
    pub id_token_max_lifetime: Duration,
    /// `tokens.refresh_token.lifetime`; `None` (written `"never"`) = as long as the session. Default 30d; also named
    /// `authzStore.refreshToken.defaultLifetime` (seconds, 0 = never).
    pub refresh_token_lifetime: Option<Duration>,
    /// `tokens.refresh_token.max_idle`; `None` = no idle limit of its own. Default none.
    pub refresh_token_max_idle: Option<Duration>,
    /// `tokens.refresh_token.rotate`, default true.
    pub refresh_token_rotate: bool,
    /// `tokens.code.lifetime`, default 60s, at most 10m.
    pub code_lifetime: Duration,
    /// `[tokens.dpop]`
    pub dpop: Dpop,
    /// `tokens.keys.publish_before_use`, default 1h: how long a new key is in the JWKS before it signs.
    pub key_publish_before_use: Duration,
    /// `tokens.keys.rotate_every`, default 90d; `None` (`"never"`) = only by hand.
    pub key_rotate_every: Option<Duration>,
}

/// `[tokens.dpop]`: proofs of possession (RFC 9449).
#[derive(Debug, Clone, Copy)]
pub struct Dpop {
    /// `tokens.dpop.nonce` = `off` (default) | `required`: whether a proof must repeat a nonce of ours.
    pub nonce_required: bool,
    /// `tokens.dpop.nonce_lifetime`, default 5m: how long a nonce is accepted at least.
    pub nonce_lifetime: Duration,
    /// `tokens.dpop.max_age`, default 5m: how long ago a proof without a nonce may have been made.
    pub max_age: Duration,
}

/// `[authorization]`
#[derive(Debug, Clone)]
pub struct Authorization {
    /// `authorization.pushed.lifetime`, default 90s: how long a browser may take to bring a pushed request.
    pub pushed_lifetime: Duration,
    /// `authorization.pushed.required`, default false: whether there is no other way to ask.
    pub pushed_required: bool,
}

/// Limits of one sort of session.
#[derive(Debug, Clone, Copy)]
pub struct SessionLimits {
    /// From sign-in to the end, whatever happens. `None` (`"never"`) = no limit.
    pub max_lifetime: Option<Duration>,
    /// Without a token request (device, offline) or an authorization (browser). `None` = no limit.
    pub max_idle: Option<Duration>,
}

/// Whether a browser session outlives the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistent {
    /// It ends with it.
    Never,
    /// The person is asked on the sign-in page.
    Ask,
    /// It does.
    Always,
}

/// `sessions.device.key_enrolment`: how a further key comes to a device session that is bound to keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyEnrolment {
    /// One that is enrolled vouches for it.
    Vouched,
    /// Each client may enrol one when it comes first.
    FirstExchange,
    /// Not at all but by a sign-in of the person.
    Closed,
}

/// `[sessions.device]`, `[sessions.browser]`, `[sessions.offline]`.
///
/// `auth_lifetime` is how old an authentication may be before the person must sign in again; `None` (the default) = any age. As in
/// Connect2id it ends nothing. An offline session has none: it is one app's refresh token, and nobody is there to be asked.
#[derive(Debug, Clone)]
pub struct Sessions {
    /// Default 90d, idle 30d.
    pub device: SessionLimits,
    /// `sessions.device.auth_lifetime`, for a token exchange.
    pub device_auth_lifetime: Option<Duration>,
    /// `sessions.device.key_enrolment` = `vouched` (default) | `first_exchange` | `closed`.
    pub device_key_enrolment: KeyEnrolment,
    /// Default 12h, idle 1h.
    pub browser: SessionLimits,
    /// `sessions.browser.auth_lifetime`, for an authorization.
    pub browser_auth_lifetime: Option<Duration>,
    /// `sessions.browser.accounts`: how many people may be signed in to one browser, default 5.
    pub browser_accounts: usize,
    /// `sessions.browser.persistent` = `never` (default) | `ask` | `always`: whether a browser session outlives the browser.
    pub browser_persistent: Persistent,
    /// `[sessions.kept]`: a browser session that outlives the browser. Default 90d, idle 30d.
    pub kept: SessionLimits,
    /// `[sessions.transferred]`: a browser session that a session transfer token began. Default 30m, idle 15m.
    pub transferred: SessionLimits,
    /// Default 90d, idle 30d.
    pub offline: SessionLimits,
    /// `sessions.logout.offline_access` = `keep` (default) | `end`.
    pub offline_access: OfflineAccess,
    /// `sessions.logout.retry_for`, default 1d: how long a client is tried to be told of a sign-out.
    pub logout_retry_for: Duration,
    /// `sessions.logout.timeout`, default 10s: how long it may take to answer.
    pub logout_timeout: Duration,
}

/// Who is asked for a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondFactor {
    /// Whoever is to reach a level that takes it.
    OnRequest,
    /// Also whoever has one.
    IfEnrolled,
    /// Everybody.
    Always,
}

/// `[userinfo]`: what the sign-in behind an access token must be like to be answered (RFC 9470).
#[derive(Debug, Clone)]
pub struct UserInfo {
    /// `userinfo.required_acr`: any of these; empty (the default) = any at all.
    pub required_acr: Vec<String>,
    /// `userinfo.max_age`: how long ago it may have been; `None` (the default) = any time.
    pub max_age: Option<Duration>,
}

/// `[device_authorization]` (RFC 8628)
#[derive(Debug, Clone)]
pub struct DeviceAuthorization {
    /// `device_authorization.lifetime`: how long a person may take, from the code on the device to the last page; default 10m.
    pub lifetime: Duration,
    /// `device_authorization.interval`: the least between two polls, default 5s.
    pub interval: Duration,
}

/// A network in CIDR form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Any address in it.
    pub address: IpAddr,
    /// How many leading bits count.
    pub prefix: u8,
}

impl Network {
    /// Whether the address lies in the network. An IPv4-mapped IPv6 address counts as its IPv4 one.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix.min(32))).unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix.min(128))).unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            _ => false,
        }
    }
}

/// `[telemetry]`
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// `telemetry.format` = `pretty` (default) | `json`.
    pub json: bool,
    /// `telemetry.level`, default `info` (an env-filter directive list is accepted).
    pub level: String,
}

/// `[[resource_servers]]`: an API that access tokens may be meant for.
#[derive(Debug, Clone)]
pub struct ResourceServer {
    /// Absolute URI (RFC 8707), the `aud` of its tokens.
    pub identifier: String,
    /// `jwks`: its public keys, for encrypted access tokens.
    pub jwks: Option<Value>,
}

/// One `[[clients]]` entry.
#[derive(Clone)]
pub struct FileClient {
    /// RFC 7591 metadata (`client_id` required, `client_secret` allowed; what `client_secret_file` named is already read into it).
    pub metadata: Map<String, Value>,
    /// `file:line` of the entry.
    pub place: String,
}

// By hand, because the metadata may hold a secret.
impl fmt::Debug for FileClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members: Vec<&String> = self.metadata.keys().collect();
        f.debug_struct("FileClient").field("members", &members).field("place", &self.place).finish()
    }
}
