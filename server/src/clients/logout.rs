//! Where a client is told that a session has ended (OpenID Connect Back-Channel Logout 1.0 section 2.2, Front-Channel Logout 1.0
//! section 2).

use url::Url;

/// The registered members of a client that have to do with sign-out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogoutUris {
    /// `backchannel_logout_uri`: a logout token is posted there.
    pub back_channel: Option<Url>,
    /// `frontchannel_logout_uri`: shown in an iframe by the browser that signs out.
    pub front_channel: Option<Url>,
    /// `frontchannel_logout_session_required`: whether `iss` and `sid` are added to it.
    pub front_channel_session: bool,
}

impl LogoutUris {
    /// Where to send the browser's iframe: the registered address, with issuer and session when they are required.
    #[must_use]
    pub fn frame(&self, issuer: &str, sid: &str) -> Option<Url> {
        let mut uri = self.front_channel.clone()?;
        if self.front_channel_session {
            // Beside the query that it may have (Front-Channel Logout section 3).
            uri.query_pairs_mut().append_pair("iss", issuer).append_pair("sid", sid);
        }
        Some(uri)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn issuer_and_session_stand_beside_the_registered_query() {
        let of = |uri: &str, front_channel_session| LogoutUris {
            front_channel: Some(uri.parse().unwrap()),
            front_channel_session,
            ..LogoutUris::default()
        };
        let frame = of("https://a.example/out?x=1", true).frame("https://op.example", "s&1").unwrap();
        assert_eq!(frame.as_str(), "https://a.example/out?x=1&iss=https%3A%2F%2Fop.example&sid=s%261");
        let frame = of("https://a.example/out", false).frame("https://op.example", "s1").unwrap();
        assert_eq!(frame.as_str(), "https://a.example/out");
        assert_eq!(LogoutUris::default().frame("https://op.example", "s1"), None);
    }
}
