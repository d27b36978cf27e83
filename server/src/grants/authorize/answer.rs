//! The answer at the redirect URI: its parameters, and the way in which the browser carries them there (OAuth 2.0 Multiple Response
//! Types section 2.1, OAuth 2.0 Form Post Response Mode). Says what is sent; must not know HTTP.

use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use crate::grants::logout::session_state::StateCookie;

/// How the browser carries the answer to the client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query of a redirect: the default of `response_type=code`.
    #[default]
    Query,
    /// In the fragment of a redirect, which the client's web server is not sent.
    Fragment,
    /// As a form that the browser posts, so that nothing of it is in an address.
    FormPost,
}

impl ResponseMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Query, Self::Fragment, Self::FormPost];

    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
        }
    }

    /// The mode of that registered name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }

    /// Whether it is what is answered by unless a request says otherwise.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Where an answer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnTo {
    /// The redirect URI as presented.
    pub redirect_uri: String,
    /// How.
    pub mode: ResponseMode,
    /// To be repeated.
    pub state: Option<String>,
}

/// An answer on its way to the client.
#[derive(Debug)]
pub struct Answer {
    /// The redirect URI as presented.
    pub redirect_uri: String,
    /// How.
    pub mode: ResponseMode,
    /// What, in order.
    pub pairs: Vec<(&'static str, String)>,
    /// What a script may see of the browser from now on, if that is not what it sees already.
    pub browser_state: Option<StateCookie>,
}

impl ReturnTo {
    /// The answer with these parameters, `state`, and `iss` (RFC 9207).
    #[must_use]
    pub fn answer(self, pairs: impl IntoIterator<Item = (&'static str, String)>, issuer: &str) -> Answer {
        let mut pairs: Vec<_> = pairs.into_iter().collect();
        pairs.extend(self.state.map(|state| ("state", state)));
        pairs.push(("iss", issuer.to_owned()));
        Answer { redirect_uri: self.redirect_uri, mode: self.mode, pairs, browser_state: None }
    }
}

impl Answer {
    /// The address to redirect the browser to; `None` for a form.
    #[must_use]
    pub fn location(&self) -> Option<String> {
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(&self.pairs);
        let (uri, text) = (&self.redirect_uri, text.finish());
        // Appended as text: a parsed and rewritten URI might not be the registered one any more.
        match self.mode {
            ResponseMode::FormPost => None,
            // A redirect URI has no fragment (RFC 6749 section 3.1.2).
            ResponseMode::Fragment => Some(format!("{uri}#{text}")),
            ResponseMode::Query => {
                let joint = if !uri.contains('?') {
                    "?"
                } else if uri.ends_with(['?', '&']) {
                    ""
                } else {
                    "&"
                };
                Some(format!("{uri}{joint}{text}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(uri: &str, mode: ResponseMode) -> Option<String> {
        let to = ReturnTo { redirect_uri: uri.to_owned(), mode, state: Some("s&t".to_owned()) };
        to.answer([("code", "a b".to_owned())], "https://op").location()
    }

    #[test]
    fn the_answer_keeps_the_redirect_uri_as_it_is() {
        let query = |uri| location(uri, ResponseMode::Query);
        assert_eq!(query("app://cb").as_deref(), Some("app://cb?code=a+b&state=s%26t&iss=https%3A%2F%2Fop"));
        assert_eq!(query("https://rp/cb?x=1").as_deref(), Some("https://rp/cb?x=1&code=a+b&state=s%26t&iss=https%3A%2F%2Fop"));
        assert_eq!(query("https://rp/cb?").as_deref(), Some("https://rp/cb?code=a+b&state=s%26t&iss=https%3A%2F%2Fop"));
    }

    #[test]
    fn a_fragment_follows_the_query_and_a_form_has_no_address() {
        let fragment = location("https://rp/cb?x=1", ResponseMode::Fragment);
        assert_eq!(fragment.as_deref(), Some("https://rp/cb?x=1#code=a+b&state=s%26t&iss=https%3A%2F%2Fop"));
        assert_eq!(location("https://rp/cb", ResponseMode::FormPost), None);
    }

    #[test]
    fn names_are_read_back() {
        for mode in ResponseMode::ALL {
            assert_eq!(ResponseMode::from_name(mode.as_str()), Some(mode));
        }
        assert_eq!(ResponseMode::from_name("query.jwt"), None);
    }
}
