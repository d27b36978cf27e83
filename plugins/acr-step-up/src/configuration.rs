//! The properties of the handler: names, values and defaults. The tokens' have the names and the meaning that operators know from the
//! default handler; what the rules mean is theirs to say.

use std::time::Duration;

use symbolon_sdk::{ClaimsTransport, Properties, RefreshLifetime};

use crate::rules::Rules;

/// Without the prefix, in the order of the shipped file.
pub(crate) const NAMES: &[&str] = &[
    "enable",
    "levels",
    "default.acr",
    "default.maxAge",
    "scope.*",
    "claim.*",
    "accessToken.lifetime",
    "accessToken.audienceList",
    "refreshToken.issue",
    "refreshToken.lifetime",
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
    /// What needs which authentication. Default: nothing needs any.
    pub(crate) rules: Rules,
    /// `None` (blank) or zero: the server's default.
    pub(crate) access_token_lifetime: Option<Duration>,
    /// Default: none named.
    pub(crate) access_token_audience: Vec<String>,
    /// Default: yes.
    pub(crate) refresh_token_issue: bool,
    /// -1 or blank: the server's default; zero: no expiry.
    pub(crate) refresh_token_lifetime: RefreshLifetime,
    /// `None` (blank): the server's default.
    pub(crate) refresh_token_rotate: Option<bool>,
    /// Default: `UserInfo`.
    pub(crate) claims_transport: ClaimsTransport,
}

impl Configuration {
    /// Reads all of it; what cannot be read is noted by the readers and refuses the configuration.
    pub(crate) fn read(properties: &Properties) -> Self {
        Self {
            enable: properties.flag("enable", false),
            rules: Rules::read(properties),
            access_token_lifetime: properties.seconds("accessToken.lifetime"),
            access_token_audience: properties.list("accessToken.audienceList"),
            refresh_token_issue: properties.flag("refreshToken.issue", true),
            refresh_token_lifetime: match properties.integer("refreshToken.lifetime", -1..=LONGEST).map(u64::try_from) {
                None | Some(Err(_)) => RefreshLifetime::Default,
                Some(Ok(0)) => RefreshLifetime::Never,
                Some(Ok(seconds)) => RefreshLifetime::For(Duration::from_secs(seconds)),
            },
            refresh_token_rotate: properties.optional_flag("refreshToken.rotate"),
            claims_transport: properties.choice(
                "claimsTransport",
                &[("USERINFO", ClaimsTransport::UserInfo), ("ID_TOKEN", ClaimsTransport::IdToken)],
                ClaimsTransport::UserInfo,
            ),
        }
    }
}
