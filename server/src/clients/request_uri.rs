//! `request_uris` (OIDC Dynamic Client Registration section 2): where a client publishes request objects, and which presented `request_uri` is
//! one of them. Must not know how they are fetched.

use url::Url;

use crate::foundation::digest::constant_time_eq;
use crate::foundation::{Digest, encoding};

/// One registered address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestUri {
    /// Without its fragment, as registered.
    text: String,
    /// Where that is.
    url: Url,
    /// The fragment, if one is registered: then only that content is meant (OIDC Core section 6.2).
    fragment: Option<String>,
}

/// What a presented `request_uri` stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference<'a> {
    /// Where the request object is.
    pub url: &'a Url,
    /// The SHA-256 digest that its fragment says the content has.
    digest: Option<[u8; 32]>,
}

impl RequestUri {
    /// An address as it was registered; `url` is what it reads as.
    #[must_use]
    pub fn new(registered: &str, mut url: Url) -> Self {
        url.set_fragment(None);
        let (text, fragment) = split(registered);
        Self { text: text.to_owned(), url, fragment: fragment.map(str::to_owned) }
    }

    /// What `presented` stands for, if it is this address: to the letter, but that a digest may be added where none is registered.
    #[must_use]
    pub fn reference(&self, presented: &str) -> Option<Reference<'_>> {
        let (text, fragment) = split(presented);
        let digest = fragment.and_then(encoding::decode_array::<32>);
        let fits = match (&self.fragment, fragment) {
            (Some(own), presented) => Some(own.as_str()) == presented,
            (None, None) => true,
            (None, Some(_)) => digest.is_some(),
        };
        (fits && text == self.text).then_some(Reference { url: &self.url, digest })
    }
}

impl Reference<'_> {
    /// Whether that content is meant.
    #[must_use]
    pub fn is_of(&self, content: &[u8]) -> bool {
        self.digest.is_none_or(|digest| constant_time_eq(Digest::of(content).as_bytes(), &digest))
    }
}

fn split(uri: &str) -> (&str, Option<&str>) {
    uri.split_once('#').map_or((uri, None), |(text, fragment)| (text, Some(fragment)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    fn registered(uri: &str) -> RequestUri {
        RequestUri::new(uri, uri.parse().unwrap())
    }

    #[test]
    fn only_what_is_registered_is_meant() {
        let own = registered("https://a.example/request.jwt?x=1");
        assert_eq!(own.reference("https://a.example/request.jwt?x=1").unwrap().url.as_str(), "https://a.example/request.jwt?x=1");
        for other in [
            "https://a.example/request.jwt",
            "https://a.example/request.jwt?x=12",
            "https://a.example/./request.jwt?x=1",
            "https://a.example/request.jwt?x=1#part",
            "https://A.example/request.jwt?x=1",
            "",
        ] {
            assert!(own.reference(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_digest_names_the_content() {
        let digest = encoding::encode(Digest::of("content").as_bytes());
        let uri = format!("https://a.example/r#{digest}");
        for own in [registered(&uri), registered("https://a.example/r")] {
            let meant = own.reference(&uri).unwrap();
            assert_eq!(meant.url.as_str(), "https://a.example/r");
            assert!(meant.is_of(b"content") && !meant.is_of(b"other content"));
        }
        assert!(registered("https://a.example/r").reference("https://a.example/r").unwrap().is_of(b"anything"));
        // Registered with a digest, it is nothing without.
        assert!(registered(&uri).reference("https://a.example/r").is_none());
    }
}
