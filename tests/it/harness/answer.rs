//! An HTTP answer, read to its end, and what most tests ask of it.

use reqwest::blocking::Response;
use serde_json::Value;

/// Status, headers and body of one answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The headers, names in lower case.
    headers: Vec<(String, String)>,
    /// The body as text; bytes that are not UTF-8 are replaced.
    pub(crate) body: String,
}

impl Answer {
    /// Reads a response to its end.
    #[track_caller]
    pub(crate) fn read(response: Response) -> Self {
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let body = response.text().expect("the body of an answer");
        Self { status, headers, body }
    }

    /// The first header of that name (lower case).
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// All headers of that name.
    pub(crate) fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        match serde_json::from_str(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("not JSON ({error}): status {} body {}", self.status, self.body),
        }
    }

    /// The JSON body of a 200.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.json()
    }

    /// The JSON body of an OAuth refusal (RFC 6749 section 5.2): this status, this code, a sentence, never cached.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> Value {
        let body = self.json();
        assert_eq!((self.status, body["error"].as_str()), (status, Some(code)), "{}", self.body);
        assert!(body["error_description"].as_str().is_some_and(|text| text.len() > 5), "a refusal says why: {}", self.body);
        self.is_not_cached();
        body
    }

    /// The refusal of a server whose store fails (RFC 6749 section 4.1.2.1): later the same request may be made again.
    #[track_caller]
    pub(crate) fn is_told_to_come_again(&self) {
        self.refused(503, "temporarily_unavailable");
        assert!(self.header("retry-after").is_some(), "{:?}", self.headers);
    }

    /// RFC 6749 section 5.1: credentials are never cached.
    #[track_caller]
    pub(crate) fn is_not_cached(&self) {
        assert!(self.header("cache-control").is_some_and(|value| value.contains("no-store")), "{:?}", self.headers);
    }
}
