//! What the demo says: requests and answers, short and readable, and what was shown. No secret is printed in full.

use serde_json::{Map, Value};
use url::Url;

use crate::cli::output::Output;

/// Parameters and members whose value opens something: only their beginning is printed.
const SECRET: [&str; 16] = [
    "access_token",
    "actor_token",
    "client_secret",
    "code",
    "code_verifier",
    "csrf",
    "device_secret",
    "device_token",
    "id_token",
    "id_token_hint",
    "proof",
    "refresh_token",
    "session_transfer_token",
    "subject_token",
    "token",
    "transaction",
];
/// How much of a secret is printed, of its beginning and of its end: enough to tell two apart, useless to a thief.
const BEGINNING: usize = 6;
const END: usize = 4;
/// A secret shorter than this shows no end.
const SHORT: usize = 32;
/// The longest other value, in characters.
const LONGEST: usize = 100;

/// Speaks, and remembers what was shown.
#[derive(Debug)]
pub(super) struct Narrator {
    output: Output,
    checks: Vec<String>,
}

impl Narrator {
    pub(super) const fn new(output: Output) -> Self {
        Self { output, checks: Vec::new() }
    }

    /// Begins an act.
    pub(super) fn act(&self, title: &str, sentence: &str) {
        self.output.line(&format!("\n{title}\n{}\n  {sentence}", "-".repeat(title.chars().count())));
    }

    /// Says what comes next.
    pub(super) fn say(&self, sentence: &str) {
        self.output.line(&format!("\n  {sentence}"));
    }

    /// Prints a request.
    pub(super) fn request(&self, who: &str, method: &str, url: &Url, parameters: &[(&str, &str)]) {
        self.output.line(&format!("\n  {who} > {method} {}", url.path()));
        let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let query = query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in query.chain(parameters.iter().copied()) {
            self.row(name, value);
        }
    }

    /// Prints the status of an answer.
    pub(super) fn status(&self, text: &str) {
        self.output.line(&format!("  server < {text}"));
    }

    /// Prints one value.
    pub(super) fn row(&self, name: &str, value: &str) {
        self.output.line(&format!("      {name:<22} {}", shorten(name, value)));
    }

    /// Prints the members of an answer that are named, or all.
    pub(super) fn members(&self, members: &Map<String, Value>, names: Option<&[&str]>) {
        let all: Vec<&str> = members.keys().map(String::as_str).collect();
        for name in names.unwrap_or(&all) {
            match members.get(*name) {
                Some(Value::String(text)) => self.row(name, text),
                Some(value) => self.row(name, &value.to_string()),
                None => {}
            }
        }
    }

    /// Says that something was shown to be true.
    pub(super) fn shown(&mut self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        self.output.line(&format!("  ok     {sentence}"));
        self.checks.push(sentence);
    }

    /// All that was shown.
    pub(super) fn into_checks(self) -> Vec<String> {
        self.checks
    }
}

/// A value as it may be printed.
pub(super) fn shorten(name: &str, value: &str) -> String {
    // What a server sends must not move the cursor of a terminal.
    let characters: Vec<char> = value.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let (beginning, end) = match name {
        "password" => (0, 0),
        // The handles of one session begin alike: their ends tell them apart.
        secret if SECRET.contains(&secret) => (BEGINNING, if characters.len() < SHORT { 0 } else { END }),
        _ => (LONGEST, 0),
    };
    if characters.len() <= beginning + end {
        return characters.into_iter().collect();
    }
    let (first, last) = (&characters[..beginning], &characters[characters.len() - end..]);
    first.iter().chain(&['…']).chain(last).collect()
}

/// A redirect's address with shortened parameters.
pub(super) fn shorten_address(address: &Url) -> String {
    let mut bare = address.clone();
    bare.set_query(None);
    let parameters: Vec<String> =
        address.query_pairs().map(|(name, value)| format!("{name}={}", shorten(&name, &value))).collect();
    if parameters.is_empty() { bare.to_string() } else { format!("{bare}?{}", parameters.join("&")) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_cut_and_passwords_are_not_shown_at_all() {
        assert_eq!(shorten("device_secret", "ds_AbCdEfGhIj"), "ds_AbC…");
        assert_eq!(shorten("refresh_token", &format!("rt_AbC{}wxyz", "-".repeat(80))), "rt_AbC…wxyz");
        assert_eq!(shorten("scope", &"s".repeat(101)).chars().count(), 101, "a hundred and the sign that there is more");
        assert_eq!(shorten("code", "short"), "short");
        assert_eq!(shorten("password", "hunter2"), "…");
        assert_eq!(shorten("scope", "openid device_sso"), "openid device_sso");
        assert_eq!(shorten("error", "a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
    }

    #[test]
    fn the_code_in_a_redirect_is_cut() {
        let address = Url::parse("com.example.one:/callback?code=0123456789&state=s").unwrap();
        assert_eq!(shorten_address(&address), "com.example.one:/callback?code=012345…&state=s");
    }
}
