//! The list of every single-valued setting: its name, kind, default and meaning. A pure list; everything that reads,
//! shows or documents settings is derived from it. Must not know files, the environment or the typed settings.

use super::kind::Kind;

/// One setting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf {
    /// Dotted name, as in `-D` and (by its last part) in the settings file.
    pub(super) key: &'static str,
    /// What may be written.
    pub(super) kind: Kind,
    /// What holds when nobody writes anything, in the same text form that `-D` takes. Empty = not set.
    pub(super) default: &'static str,
    /// One sentence.
    pub(super) doc: &'static str,
    /// Whether the value is never shown, and may come from the environment only.
    pub(super) secret: bool,
}

impl Leaf {
    /// The leaf of that name.
    #[must_use]
    pub(super) fn find(key: &str) -> Option<&'static Self> {
        LEAVES.iter().find(|leaf| leaf.key == key)
    }

    /// The environment name: `server.listen` is `SYMBOLON_SERVER__LISTEN`.
    #[must_use]
    pub(super) fn environment_name(&self) -> String {
        format!("{ENVIRONMENT_PREFIX}{}", self.key.replace('.', "__").to_ascii_uppercase())
    }
}

/// What every environment name of ours begins with.
pub(super) const ENVIRONMENT_PREFIX: &str = "SYMBOLON_";
/// What follows it for a handler property; the rest is the property name with `_` for `.`.
pub(super) const PROPERTY_PREFIX: &str = "PROPERTY_";
/// Names with our prefix that are not settings and are read elsewhere.
pub(super) const OTHER_ENVIRONMENT: [(&str, &str); 1] = [("SYMBOLON_CONFIG", "The settings file, when `--config` is not given.")];

/// Sections of the settings file that hold more than single values.
pub(super) const OTHER_SECTIONS: [(&str, &str); 3] = [
    (
        "scopes",
        "`[scopes.NAME]`: a scope value that may be registered, the claims it releases and the sentence on the consent page.",
    ),
    ("resource_servers", "`[[resource_servers]]`: an API that access tokens may be meant for, with its keys for encrypted ones."),
    ("clients", "`[[clients]]`: a client as RFC 7591 metadata, read-only at run time."),
];

/// Names from Connect2id installations, in seconds, and the setting that each means.
pub(super) const ALIASES: [(&str, &str); 2] = [
    ("authzStore.accessToken.defaultLifetime", "tokens.access_token.lifetime"),
    ("authzStore.refreshToken.defaultLifetime", "tokens.refresh_token.lifetime"),
];

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// Ten years: a longer lifetime is a slip of the pen, and the sum with the present stays far from any limit.
const LONG: u64 = 3650 * DAY;
const MIB: u64 = 1024 * 1024;

/// A lifetime between one second and ten years.
const LIFETIME: Kind = Kind::Duration { min: SECOND, max: LONG, never: false };
/// The same, or `"never"`.
const LIMIT: Kind = Kind::Duration { min: SECOND, max: LONG, never: true };

const fn leaf(key: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Leaf {
    Leaf { key, kind, default, doc, secret: false }
}

/// Every setting, section by section.
pub(super) const LEAVES: &[Leaf] = &[
    leaf("server.listen", Kind::Address, "127.0.0.1:8080", "The address and port that the server listens on."),
    leaf(
        "server.issuer",
        Kind::Issuer,
        "http://127.0.0.1:8080",
        "The issuer identifier: the address by which clients reach the server, and the `iss` of every token. https, or http on a \
         loopback address; without query, fragment or trailing slash. May have a path.",
    ),
    leaf("server.workers", Kind::Cores { max: 1024 }, "auto", "HTTP worker threads; `auto` is the number of processor cores."),
    leaf("server.max_body", Kind::Bytes { min: 1024, max: 16 * MIB }, "64KiB", "The largest request body."),
    leaf(
        "server.shutdown_grace",
        Kind::Duration { min: 0, max: 10 * MINUTE, never: false },
        "10s",
        "How long requests that are running may take to finish when the server is told to stop.",
    ),
    leaf(
        "storage.path",
        Kind::Path { required: true },
        "var",
        "The data folder, created with mode 0700. Each server has its own, on Redis too: its administration socket is there.",
    ),
    leaf(
        "storage.backend",
        Kind::Choice(&["embedded", "redis"]),
        "embedded",
        "What keeps the state: `embedded`, a file in the data folder, for one server; `redis`, for as many as you like.",
    ),
    leaf(
        "storage.sealing_key_file",
        Kind::Path { required: false },
        "",
        "A file with 32 bytes as base64url or hex that seal the signing keys at rest. Not set: `sealing.key` in the data folder, made \
         at the first start.",
    ),
    Leaf {
        key: "storage.sealing_key",
        kind: Kind::SealingKey,
        default: "",
        doc: "The sealing key itself: 32 bytes as base64url or hex.",
        secret: true,
    },
    leaf(
        "storage.previous_sealing_keys",
        Kind::Paths,
        "",
        "Files with earlier sealing keys: what was sealed with them can be opened until `symbolon key reseal` has sealed it anew.",
    ),
    leaf(
        "storage.cache",
        Kind::Bytes { min: MIB, max: 1024 * 1024 * MIB },
        "16MiB",
        "Memory for the page cache of the embedded store.",
    ),
    leaf(
        "storage.sync",
        Kind::Flag,
        "true",
        "Whether the embedded store answers only when a write is on the disk. `false` is for measuring and for servers that are thrown \
         away: what was acknowledged is lost when the machine fails, and perhaps all of the store.",
    ),
    leaf(
        "storage.redis.url",
        Kind::RedisServers,
        "redis://127.0.0.1:6379",
        "The Redis server; in mode `cluster` one or more of its nodes; in mode `sentinel` the sentinels. `rediss://` is TLS.",
    ),
    leaf(
        "storage.redis.mode",
        Kind::Choice(&["single", "cluster", "sentinel"]),
        "single",
        "How the Redis servers belong together: `single`, a Redis Cluster, or one master watched by sentinels.",
    ),
    leaf(
        "storage.redis.sentinel_master",
        Kind::Text { required: false },
        "",
        "The name by which the sentinels know the master. Needed in mode `sentinel`.",
    ),
    leaf(
        "storage.redis.prefix",
        Kind::Text { required: true },
        "symbolon:",
        "What every key in Redis begins with, so that one Redis can serve more than us. Without braces.",
    ),
    leaf(
        "storage.redis.username",
        Kind::Text { required: false },
        "",
        "The Redis user. Not set: the default user. Sentinels are always asked as the default user.",
    ),
    leaf(
        "storage.redis.password_file",
        Kind::Path { required: false },
        "",
        "A file with the password for Redis and its sentinels.",
    ),
    Leaf {
        key: "storage.redis.password",
        kind: Kind::Text { required: false },
        default: "",
        doc: "The password itself.",
        secret: true,
    },
    leaf(
        "storage.redis.ca_file",
        Kind::Path { required: false },
        "",
        "Certificates (PEM) that the certificates of `rediss://` servers are verified by. Not set: those that the system trusts.",
    ),
    leaf(
        "storage.redis.timeout",
        Kind::Duration { min: 10, max: MINUTE, never: false },
        "2s",
        "The longest that Redis may take for an answer before the request is answered with `temporarily_unavailable`.",
    ),
    leaf(
        "storage.redis.connect_timeout",
        Kind::Duration { min: 10, max: MINUTE, never: false },
        "1s",
        "The longest that a connection to Redis may take to be made.",
    ),
    leaf(
        "storage.redis.wait_replicas",
        Kind::Number { min: 0, max: 100 },
        "0",
        "How many replicas must have a write before it is acknowledged. With 1 or more, no acknowledged write is lost when a master dies.",
    ),
    leaf(
        "storage.redis.wait_timeout",
        Kind::Duration { min: 10, max: MINUTE, never: false },
        "1s",
        "How long the replicas may take to have it.",
    ),
    leaf(
        "storage.redis.connections",
        Kind::Number { min: 1, max: 64 },
        "2",
        "How many connections to each master wait for replicas. Writes that come while one waits go together in the next turn.",
    ),
    leaf(
        "tokens.signing_alg",
        Kind::Choice(&["RS256", "ES256", "PS256", "EdDSA"]),
        "RS256",
        "The algorithm that signs tokens of clients that asked for no other.",
    ),
    leaf(
        "tokens.access_token.lifetime",
        LIFETIME,
        "10m",
        "How long an access token lives when nothing else says so. Also `authzStore.accessToken.defaultLifetime`, in seconds.",
    ),
    leaf(
        "tokens.access_token.max_lifetime",
        LIFETIME,
        "24h",
        "The longest an access token may live, whatever a client or handler asks for.",
    ),
    leaf(
        "tokens.access_token.format",
        Kind::Choice(&["jwt", "opaque"]),
        "jwt",
        "`jwt`: signed and self-contained (RFC 9068). `opaque`: an identifier that is looked up by introspection.",
    ),
    leaf(
        "tokens.access_token.audience",
        Kind::Text { required: false },
        "",
        "The `aud` of an access token when nothing else names one. Not set: the issuer.",
    ),
    leaf("tokens.id_token.lifetime", LIFETIME, "10m", "How long an ID token lives."),
    leaf("tokens.id_token.max_lifetime", LIFETIME, "24h", "The longest an ID token may live, whatever a handler asks for."),
    leaf(
        "tokens.refresh_token.lifetime",
        LIMIT,
        "30d",
        "How long a refresh token lives; `never`: as long as its session. Also `authzStore.refreshToken.defaultLifetime`, in seconds, 0 \
         for never.",
    ),
    leaf("tokens.refresh_token.max_idle", LIMIT, "never", "How long a refresh token may lie unused."),
    leaf("tokens.refresh_token.rotate", Kind::Flag, "true", "Whether each use of a refresh token answers with a new one."),
    leaf(
        "tokens.code.lifetime",
        Kind::Duration { min: SECOND, max: 10 * MINUTE, never: false },
        "60s",
        "How long an authorization code lives (RFC 6749 section 4.1.2: at most 10 minutes).",
    ),
    leaf(
        "tokens.dpop.nonce",
        Kind::Choice(&["off", "required"]),
        "off",
        "Whether a DPoP proof must repeat a nonce of the server (RFC 9449 section 8). A nonce tells how old the proof is, so that the clocks of \
         devices do not matter.",
    ),
    leaf(
        "tokens.dpop.nonce_lifetime",
        Kind::Duration { min: SECOND, max: HOUR, never: false },
        "5m",
        "How long a nonce is accepted at least; twice as long at most.",
    ),
    leaf(
        "tokens.dpop.max_age",
        Kind::Duration { min: SECOND, max: HOUR, never: false },
        "5m",
        "How long ago a DPoP proof without a nonce may have been made, by its `iat`. Each is accepted once.",
    ),
    leaf(
        "tokens.keys.publish_before_use",
        Kind::Duration { min: 0, max: 30 * DAY, never: false },
        "1h",
        "How long a new signing key stands in the JWKS before it signs.",
    ),
    leaf("tokens.keys.rotate_every", LIMIT, "90d", "How often a new signing key is made; `never`: only by hand."),
    leaf(
        "authorization.pushed.lifetime",
        Kind::Duration { min: 5 * SECOND, max: 10 * MINUTE, never: false },
        "90s",
        "How long the browser may take to bring a pushed authorization request (RFC 9126).",
    ),
    leaf(
        "authorization.pushed.required",
        Kind::Flag,
        "false",
        "Whether every authorization request must be pushed. A client can be told so alone: `require_pushed_authorization_requests`.",
    ),
    leaf("sessions.device.max_lifetime", LIMIT, "90d", "The longest a device session lives, from sign-in."),
    leaf("sessions.device.max_idle", LIMIT, "30d", "How long a device session lives without a token request."),
    leaf(
        "sessions.device.auth_lifetime",
        LIMIT,
        "never",
        "How old the sign-in of a device session may be before the next app needs the person to sign in again. Apps that are signed in stay so.",
    ),
    leaf(
        "sessions.device.key_enrolment",
        Kind::Choice(&["vouched", "first_exchange", "closed"]),
        "vouched",
        "How a further key comes to a device session that was begun with a DPoP proof, and in which the next app must therefore prove a key: \
         `vouched`, by a JWT of an enrolled key in `device_key_voucher`; `first_exchange`, each client may enrol one; `closed`, only by a sign-in.",
    ),
    leaf("sessions.browser.max_lifetime", LIMIT, "12h", "The longest a browser session lives, from sign-in."),
    leaf("sessions.browser.max_idle", LIMIT, "1h", "How long a browser session lives without an authorization."),
    leaf(
        "sessions.browser.auth_lifetime",
        LIMIT,
        "never",
        "How old the sign-in of a browser session may be before an authorization needs the person to sign in again.",
    ),
    leaf(
        "sessions.browser.accounts",
        Kind::Number { min: 1, max: 20 },
        "5",
        "How many people may be signed in to one browser; one more signs out who did nothing for the longest.",
    ),
    leaf(
        "sessions.browser.persistent",
        Kind::Choice(&["never", "ask", "always"]),
        "never",
        "Whether a browser session outlives the browser: `ask` puts a choice on the sign-in page.",
    ),
    leaf(
        "sessions.kept.max_lifetime",
        LIMIT,
        "90d",
        "The longest a browser session lives that outlives the browser, from sign-in.",
    ),
    leaf("sessions.kept.max_idle", LIMIT, "30d", "How long such a session lives without an authorization."),
    leaf(
        "sessions.transferred.max_lifetime",
        LIMIT,
        "30m",
        "The longest a browser session lives that a session transfer token began. It ends before if what it grew from ends.",
    ),
    leaf("sessions.transferred.max_idle", LIMIT, "15m", "How long such a session lives without an authorization or a refresh."),
    leaf("sessions.offline.max_lifetime", LIMIT, "90d", "The longest an offline session lives, from sign-in."),
    leaf("sessions.offline.max_idle", LIMIT, "30d", "How long an offline session lives without a token request."),
    leaf(
        "sessions.logout.offline_access",
        Kind::Choice(&["keep", "end"]),
        "keep",
        "What becomes of the device and offline sessions that were granted in a browser session when its person signs out of the browser.",
    ),
    leaf(
        "sessions.logout.retry_for",
        Kind::Duration { min: SECOND, max: 30 * DAY, never: false },
        "1d",
        "How long a client that does not take its back-channel logout token is tried again, less and less often.",
    ),
    leaf(
        "sessions.logout.timeout",
        Kind::Duration { min: SECOND, max: MINUTE, never: false },
        "10s",
        "How long a client may take to answer a back-channel logout token.",
    ),
    leaf(
        "sign_in.transaction_lifetime",
        Kind::Duration { min: SECOND, max: DAY, never: false },
        "1h",
        "How long a person may take to sign in and consent.",
    ),
    leaf(
        "sign_in.throttle.account_attempts",
        Kind::Number { min: 0, max: 1_000_000 },
        "10",
        "Failed sign-ins for one name within the window before more are refused; 0 switches the limit off.",
    ),
    leaf(
        "sign_in.throttle.address_attempts",
        Kind::Number { min: 0, max: 1_000_000 },
        "100",
        "Failed sign-ins from one address within the window before more are refused; 0 switches the limit off.",
    ),
    leaf(
        "sign_in.throttle.window",
        Kind::Duration { min: SECOND, max: DAY, never: false },
        "5m",
        "The window in which failed sign-ins are counted.",
    ),
    leaf(
        "sign_in.password.memory_kib",
        Kind::Number { min: 8, max: 4 * 1024 * 1024 },
        "19456",
        "Memory of one password digest (argon2id), in KiB.",
    ),
    leaf("sign_in.password.iterations", Kind::Number { min: 1, max: 1000 }, "2", "Iterations of one password digest (argon2id)."),
    leaf("sign_in.password.lanes", Kind::Number { min: 1, max: 64 }, "1", "Lanes of one password digest (argon2id)."),
    leaf(
        "sign_in.password.concurrency",
        Kind::Cores { max: 1024 },
        "auto",
        "How many passwords are verified at once; `auto` is the number of processor cores.",
    ),
    leaf("sign_in.acr", Kind::Text { required: true }, "urn:symbolon:acr:password", "The `acr` of a sign-in with a password."),
    leaf(
        "sign_in.levels",
        Kind::Texts,
        "",
        "The `acr` values from the weakest to the strongest, each with the factors that reach it: `ACR=pwd`, `ACR=pwd+otp`. Empty: `sign_in.acr` \
         with a password, and `urn:symbolon:acr:two-factor` with a one-time password besides.",
    ),
    leaf(
        "sign_in.second_factor",
        Kind::Choice(&["on_request", "if_enrolled", "always"]),
        "if_enrolled",
        "Who is asked for a one-time password: whoever an app wants it of, also whoever has an authenticator app, or everybody.",
    ),
    leaf(
        "sign_in.totp.enrolment",
        Kind::Choice(&["at_sign_in", "by_administrator"]),
        "at_sign_in",
        "Whether a person who needs a second factor and has none sets up an authenticator app while signing in.",
    ),
    leaf(
        "sign_in.totp.issuer",
        Kind::Text { required: false },
        "",
        "What an authenticator app calls this server. Empty: the host of the issuer.",
    ),
    leaf(
        "sign_in.languages",
        Kind::Texts,
        "",
        "The languages of the pages that are offered, of `en`, `de` and `fr`; the first is for whoever asks for none of them. Empty: all three.",
    ),
    leaf("sign_in.title", Kind::Text { required: true }, "Sign in", "The heading of the sign-in pages."),
    leaf(
        "userinfo.required_acr",
        Kind::Texts,
        "",
        "Values of `acr` of which the sign-in behind an access token must reach one to be answered at the UserInfo endpoint; otherwise the \
         app is told to have the person sign in so (RFC 9470). Not set: any.",
    ),
    leaf(
        "userinfo.max_age",
        LIMIT,
        "never",
        "How long ago the sign-in behind an access token may have been to be answered at the UserInfo endpoint; `never`: any time.",
    ),
    leaf(
        "device_authorization.lifetime",
        Kind::Duration { min: MINUTE, max: HOUR, never: false },
        "10m",
        "How long a person may take to let in a device that shows a user code.",
    ),
    leaf(
        "device_authorization.interval",
        Kind::Duration { min: SECOND, max: MINUTE, never: false },
        "5s",
        "The least between two polls of such a device.",
    ),
    leaf(
        "session_transfer.lifetime",
        Kind::Duration { min: SECOND, max: 10 * MINUTE, never: false },
        "1m",
        "How long a session transfer token may be used, with which a signed-in app signs a browser in.",
    ),
    leaf(
        "session_transfer.interclient_lifetime",
        Kind::Duration { min: SECOND, max: 10 * MINUTE, never: false },
        "5m",
        "The same of a token that was asked for as an interclient token.",
    ),
    leaf(
        "session_transfer.binding",
        Kind::Choice(&["enforce", "log"]),
        "enforce",
        "What becomes of a token that is used otherwise than its clients bind it (`enforce_device_binding`): it is refused, or let through with an audit event.",
    ),
    leaf(
        "session_transfer.end_other_sessions",
        Kind::Flag,
        "false",
        "Whether a good token ends the sessions of other people in the browser that brings it. A mere link can then sign somebody out.",
    ),
    leaf(
        "session_transfer.hosts",
        Kind::Texts,
        "",
        "Other names of this server in the audience `urn:HOST:session_transfer`, such as a custom domain. That of the issuer is known.",
    ),
    leaf(
        "registration.mode",
        Kind::Choice(&["off", "token", "open"]),
        "off",
        "Who may register a client over HTTP (RFC 7591): `off`, nobody; `token`, whoever has an initial access token (`symbolon client \
         initial-token add`); `open`, anybody.",
    ),
    leaf(
        "registration.scopes",
        Kind::Texts,
        "openid,profile,email,address,phone,offline_access",
        "The scope values that a client may register for itself.",
    ),
    leaf(
        "registration.grant_types",
        Kind::Texts,
        "authorization_code,refresh_token,urn:ietf:params:oauth:grant-type:device_code",
        "The grant types that a client may register for itself.",
    ),
    leaf(
        "registration.address_limit",
        Kind::Number { min: 0, max: 1_000_000 },
        "20",
        "How many clients one address may register within an hour without a token; 0 switches the limit off.",
    ),
    leaf(
        "registration.total_limit",
        Kind::Number { min: 0, max: 1_000_000 },
        "1000",
        "How many clients all addresses together may register at this server within an hour without a token; 0 switches the limit off.",
    ),
    leaf(
        "registration.unused_lifetime",
        LIMIT,
        "7d",
        "How long a client that registered without a token is kept if nobody signs in with it; `never`: for ever.",
    ),
    leaf(
        "registration.software_statement_issuers",
        Kind::Paths,
        "",
        "Files that name who may sign software statements (RFC 7591 section 2.3): each a JWK set with the member `issuer`, the `iss` of \
         its statements, beside `keys`.",
    ),
    leaf(
        "proxy.trusted",
        Kind::Networks,
        "",
        "Addresses or CIDR networks of the reverse proxies whose `X-Forwarded-For` counts.",
    ),
    leaf(
        "proxy.client_certificate_header",
        Kind::Text { required: false },
        "",
        "The header in which trusted proxies forward the certificate of a client's TLS connection, as `Client-Cert`. They must take it away from what clients send. Not set: none is read.",
    ),
    leaf(
        "proxy.mtls_address",
        Kind::Text { required: false },
        "",
        "Where clients with a certificate come in, if not at the issuer, as `https://mtls.example.com`: announced as `mtls_endpoint_aliases`.",
    ),
    leaf(
        "network.databases",
        Kind::Paths,
        "",
        "Files of the MaxMind DB format (`.mmdb`) that tell where an address is and in whose network: one of cities or countries, one of \
         AS numbers. What an earlier one does not know is asked of the later ones.",
    ),
    leaf(
        "network.watch",
        Kind::Duration { min: 100, max: DAY, never: true },
        "1m",
        "How often these files are looked at for changes, which are then taken over; `never`: only by `symbolon handler reload` and SIGHUP. Of a \
         file that is broken the old content stays.",
    ),
    leaf(
        "network.prefix_v4",
        Kind::Number { min: 8, max: 32 },
        "24",
        "How many leading bits of two IPv4 addresses must agree where something is bound to a prefix.",
    ),
    leaf(
        "network.prefix_v6",
        Kind::Number { min: 16, max: 128 },
        "56",
        "The same for IPv6 addresses: a household or a phone usually has a /56 or a /64.",
    ),
    leaf(
        "outbound.allow_private_addresses",
        Kind::Flag,
        "false",
        "Whether the server sends requests to addresses of this machine and of private networks where a client registered them.",
    ),
    leaf(
        "outbound.ca_file",
        Kind::Path { required: false },
        "",
        "Certificates (PEM) of authorities that are trusted beside those of the system when the server makes a request.",
    ),
    leaf(
        "handlers.folder",
        Kind::Path { required: false },
        "",
        "The folder with the handler libraries (`.so`). Not set: no handlers.",
    ),
    leaf("handlers.properties", Kind::Paths, "", "Handler properties files; where two say different things the later one holds."),
    leaf(
        "handlers.deadline",
        Kind::Duration { min: 10, max: 5 * MINUTE, never: false },
        "2s",
        "The longest that a handler may take for one decision.",
    ),
    leaf(
        "handlers.start_deadline",
        Kind::Duration { min: 100, max: 5 * MINUTE, never: false },
        "10s",
        "The longest that a handler may take to be opened, described and configured.",
    ),
    leaf(
        "handlers.watch",
        Kind::Duration { min: 100, max: HOUR, never: true },
        "never",
        "How often the handler folder and the properties files are looked at for changes, which are then taken over as `symbolon handler \
         reload` does. `never`: only on demand.",
    ),
    leaf(
        "handlers.threads",
        Kind::Number { min: 1, max: 512 },
        "16",
        "How many calls of one handler with isolation `pool` run at once, each on a thread of its own.",
    ),
    leaf(
        "handlers.processes",
        Kind::Number { min: 1, max: 64 },
        "2",
        "How many processes host one handler with isolation `process`; each answers one call at a time.",
    ),
    leaf(
        "handlers.memory",
        Kind::Bytes { min: 16 * MIB, max: 64 * 1024 * MIB },
        "256MiB",
        "How much memory a process that hosts a handler may take beyond what it starts with.",
    ),
    leaf(
        "handlers.shadow",
        Kind::Text { required: false },
        "",
        "The name of a handler that is asked beside the enabled one, without effect: where it would have decided otherwise is counted and \
         logged. Not set: none.",
    ),
    leaf(
        "handlers.shadow_properties",
        Kind::Paths,
        "",
        "Properties files that are laid over the others for the shadow alone, to watch a change of properties before it is made.",
    ),
    leaf(
        "handlers.audiences",
        Kind::Texts,
        "",
        "What access tokens of a device-SSO exchange may be for, beside the issuer and the resources that were requested. Not set: whatever \
         the handler says.",
    ),
    leaf(
        "handlers.trusted_digests",
        Kind::Digests,
        "",
        "SHA-256 digests (hex) of the libraries that may be loaded. Not set, and no `handlers.trusted_keys`: any.",
    ),
    leaf(
        "handlers.trusted_keys",
        Kind::Paths,
        "",
        "Files with Ed25519 public keys (PEM): a library may be loaded when the file of the same name with `.sig` holds the signature of one \
         of them over it. A library with a trusted digest needs none.",
    ),
    leaf(
        "audit.file.path",
        Kind::Path { required: false },
        "",
        "The file that audit events are written to besides the log, whatever `telemetry.level` says: one JSON object a line. Each server has its own. Not \
         set: none.",
    ),
    leaf(
        "audit.file.max_size",
        Kind::Bytes { min: 4096, max: 64 * 1024 * MIB },
        "64MiB",
        "The size at which the file is put aside under its name and the time, and another is begun.",
    ),
    leaf(
        "audit.file.keep",
        Kind::Number { min: 1, max: 10_000 },
        "10",
        "How many files that were put aside are kept; the oldest goes, delivered by the webhook or not.",
    ),
    leaf(
        "audit.file.queue",
        Kind::Number { min: 16, max: 10_000_000 },
        "65536",
        "How many events may wait in memory while the file cannot be written. What is more is lost from the file, which is counted and told there; the \
         log still has it.",
    ),
    leaf(
        "audit.webhook.url",
        Kind::Text { required: false },
        "",
        "Where audit events are posted, signed as Standard Webhooks has it: https, or http on a loopback address. Needs `audit.file.path`. Not set: nowhere.",
    ),
    leaf(
        "audit.webhook.secret_file",
        Kind::Path { required: false },
        "",
        "A file with the secret of the signatures: `whsec_` and 24 to 64 bytes as base64. Each further line is another secret that signs too, for the \
         time in which the receiver changes to a new one.",
    ),
    Leaf {
        key: "audit.webhook.secret",
        kind: Kind::Text { required: false },
        default: "",
        doc: "The secret itself.",
        secret: true,
    },
    leaf(
        "audit.webhook.codes",
        Kind::Texts,
        "",
        "The codes of the events that are posted, or what their codes begin with, such as `SE` or `TK103`. Not set: all.",
    ),
    leaf("audit.webhook.batch", Kind::Number { min: 1, max: 1000 }, "100", "The most events in one request."),
    leaf(
        "audit.webhook.timeout",
        Kind::Duration { min: 100, max: MINUTE, never: false },
        "10s",
        "How long the receiver may take to answer; then it is asked again, less and less often, up to every five minutes.",
    ),
    leaf("telemetry.format", Kind::Choice(&["pretty", "json"]), "pretty", "How log lines are written on standard error."),
    leaf(
        "telemetry.level",
        Kind::Directives,
        "info",
        "What is logged: `error`, `warn`, `info`, `debug`, `trace` or `off`, or a list such as `warn,symbolon::audit=info`. \
         Requests that are no HTTP are told with `actix_http::h1=error`.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_well_formed_and_documented() {
        for (n, leaf) in LEAVES.iter().enumerate() {
            assert!(LEAVES[..n].iter().all(|other| other.key != leaf.key), "{} twice", leaf.key);
            assert!(
                leaf.key.contains('.')
                    && leaf.key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'_'),
                "{}",
                leaf.key
            );
            assert!(!leaf.key.contains("__"), "{}: a double underscore is the separator in environment names", leaf.key);
            assert!(leaf.doc.ends_with('.'), "{}: {}", leaf.key, leaf.doc);
        }
        assert!(ALIASES.iter().all(|(_, key)| Leaf::find(key).is_some()));
    }

    #[test]
    fn environment_names_follow_the_key() {
        let leaf = Leaf::find("tokens.access_token.lifetime").map(Leaf::environment_name);
        assert_eq!(leaf.as_deref(), Some("SYMBOLON_TOKENS__ACCESS_TOKEN__LIFETIME"));
    }
}
