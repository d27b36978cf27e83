//! The properties of the default handler: names, values and defaults as operators have them in their files.

use std::time::Duration;

use symbolon_sdk::{ClaimsTransport, Encoding, Properties, RefreshLifetime};

/// Without the prefix, in the order of the shipped file.
pub(crate) const NAMES: &[&str] = &[
    "enable",
    "scopeRequiringInteraction",
    "accessToken.lifetime",
    "accessToken.encoding",
    "accessToken.encrypt",
    "accessToken.audienceList",
    "accessToken.includeClientMetadataFields",
    "refreshToken.issue",
    "refreshToken.lifetime",
    "refreshToken.maxIdleTime",
    "refreshToken.rotate",
    "claimsTransport",
];

/// A hundred years, in seconds: longer is a typing mistake.
const LONGEST: i64 = 100 * 366 * 86_400;

/// What the properties mean.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// Default: no.
    pub(crate) enable: bool,
    /// Scope values that only the authorization endpoint grants. Default: none.
    pub(crate) scope_requiring_interaction: Vec<String>,
    /// `None` (zero or blank): the server's default.
    pub(crate) access_token_lifetime: Option<Duration>,
    /// Default: self-contained.
    pub(crate) access_token_encoding: Encoding,
    /// Default: no.
    pub(crate) access_token_encrypt: bool,
    /// Default: none named.
    pub(crate) access_token_audience: Vec<String>,
    /// Paths into the client's metadata that the access token's `data` takes along. Default: none.
    pub(crate) client_metadata_fields: Vec<String>,
    /// Default: yes.
    pub(crate) refresh_token_issue: bool,
    /// -1 or blank: the server's default; zero: no expiry.
    pub(crate) refresh_token_lifetime: RefreshLifetime,
    /// `None` (zero or blank): no limit.
    pub(crate) refresh_token_max_idle: Option<Duration>,
    /// `None` (blank): the server's default.
    pub(crate) refresh_token_rotate: Option<bool>,
    /// Default: `UserInfo`. The server diverts to it when no ID token is issued.
    pub(crate) claims_transport: ClaimsTransport,
}

impl Configuration {
    /// Reads all of it; what cannot be read is noted by the readers and refuses the configuration.
    pub(crate) fn read(properties: &Properties) -> Self {
        let not_zero = |seconds: Duration| !seconds.is_zero();
        Self {
            enable: properties.flag("enable", false),
            scope_requiring_interaction: properties.list("scopeRequiringInteraction"),
            access_token_lifetime: properties.seconds("accessToken.lifetime").filter(|seconds| not_zero(*seconds)),
            access_token_encoding: properties.choice(
                "accessToken.encoding",
                &[("SELF_CONTAINED", Encoding::SelfContained), ("IDENTIFIER", Encoding::Identifier)],
                Encoding::SelfContained,
            ),
            access_token_encrypt: properties.flag("accessToken.encrypt", false),
            access_token_audience: properties.list("accessToken.audienceList"),
            client_metadata_fields: properties.list("accessToken.includeClientMetadataFields"),
            refresh_token_issue: properties.flag("refreshToken.issue", true),
            refresh_token_lifetime: match properties.integer("refreshToken.lifetime", -1..=LONGEST).map(u64::try_from) {
                None | Some(Err(_)) => RefreshLifetime::Default,
                Some(Ok(0)) => RefreshLifetime::Never,
                Some(Ok(seconds)) => RefreshLifetime::For(Duration::from_secs(seconds)),
            },
            refresh_token_max_idle: properties.seconds("refreshToken.maxIdleTime").filter(|seconds| not_zero(*seconds)),
            refresh_token_rotate: properties.optional_flag("refreshToken.rotate"),
            claims_transport: properties.choice(
                "claimsTransport",
                &[("USERINFO", ClaimsTransport::UserInfo), ("ID_TOKEN", ClaimsTransport::IdToken)],
                ClaimsTransport::UserInfo,
            ),
        }
    }
}
