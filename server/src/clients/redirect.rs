//! Redirect URIs: which may be registered and when a presented one is the registered one.
//! Works on the text as written, because that is what is compared; must not know clients.

use std::fmt;

use url::{Host, Url};

/// The longest redirect URI accepted, in bytes.
const MAX_LENGTH: usize = 2048;

/// The loopback addresses whose port is free (RFC 8252 section 7.3). `localhost` is a name, not an address: its port counts.
const LOOPBACK: [&str; 2] = ["http://127.0.0.1", "http://[::1]"];

/// Schemes that run code, read files or leave the web for something else than an app: never a place to send a code to.
const NEVER: [&str; 29] = [
    "about",
    "blob",
    "cid",
    "chrome",
    "chrome-extension",
    "content",
    "data",
    "file",
    "filesystem",
    "ftp",
    "gopher",
    "intent",
    "jar",
    "javascript",
    "ldap",
    "livescript",
    "mailto",
    "mid",
    "mocha",
    "moz-extension",
    "resource",
    "sms",
    "tel",
    "urn",
    "vbscript",
    "view-source",
    "ws",
    "wss",
    "xmpp",
];

/// A registered redirect URI: absolute, without fragment and user information, compared as text (RFC 6749 section 3.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    loopback: Option<Loopback>,
}

/// The two parts around the port of a loopback redirect URI.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Loopback {
    before: &'static str,
    after: String,
}

/// Why a text may not be registered as a redirect URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectProblem {
    /// Empty or longer than 2048 bytes.
    #[error("1 to 2048 characters")]
    Length,
    /// A character that RFC 3986 does not allow, or a `%` without two hexadecimal digits.
    #[error("only the characters that RFC 3986 allows in a URI, everything else percent-encoded")]
    Characters,
    /// No scheme, or nothing behind it.
    #[error("an absolute URI: scheme, colon and something behind it")]
    NotAbsolute,
    /// Has a fragment.
    #[error("a URI without a fragment (RFC 6749 section 3.1.2)")]
    Fragment,
    /// Has user information.
    #[error("a URI without user information before the host")]
    UserInformation,
    /// A scheme that is never accepted.
    #[error("https, http on a loopback address, or the scheme of an app")]
    NeverScheme,
    /// `http` to another machine.
    #[error("https; http only for 127.0.0.1, [::1] and localhost (RFC 8252 section 7.3)")]
    PlainHttp,
    /// `http` or `https` without a usable host.
    #[error("a URI with a valid host and port")]
    Host,
    /// `host:port` without a scheme, which reads as a private-use scheme.
    #[error("a URI that begins with its scheme")]
    SchemeMissing,
    /// A private-use scheme without a dot, which any other app may have chosen too.
    #[error("a private-use scheme in reverse domain order, with a dot (RFC 8252 section 7.1)")]
    Dotless,
}

impl RedirectProblem {
    /// What to do about it, in one sentence.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Length => "shorten it",
            Self::Characters => "percent-encode the character or write the host in its ASCII form",
            Self::NotAbsolute => "write it in full, for example https://app.example.com/callback",
            Self::Fragment => "remove the # and what follows",
            Self::UserInformation => "remove the part before the @",
            Self::NeverScheme => "use https or a scheme of your own such as com.example.app",
            Self::PlainHttp => "use https",
            Self::Host => "correct the host and the port",
            Self::SchemeMissing => "put https:// in front",
            Self::Dotless => "use a scheme such as com.example.app, or set allow_dotless_redirect_schemes",
        }
    }
}

impl RedirectUri {
    /// Checks a text as redirect URI of a client.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str, allow_dotless: bool) -> Result<Self, RedirectProblem> {
        if text.is_empty() || text.len() > MAX_LENGTH {
            return Err(RedirectProblem::Length);
        }
        if !is_uri_text(text) {
            return Err(RedirectProblem::Characters);
        }
        let (scheme, rest) = text.split_once(':').ok_or(RedirectProblem::NotAbsolute)?;
        if !is_scheme(scheme) || rest.is_empty() {
            return Err(RedirectProblem::NotAbsolute);
        }
        if NEVER.iter().any(|never| never.eq_ignore_ascii_case(scheme)) {
            return Err(RedirectProblem::NeverScheme);
        }
        if text.contains('#') {
            return Err(RedirectProblem::Fragment);
        }
        let authority = rest.strip_prefix("//").map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
        if authority.is_some_and(|authority| authority.contains('@')) {
            return Err(RedirectProblem::UserInformation);
        }
        if scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http") {
            // Lower case only: the comparison is by text, and no client writes it otherwise by intention.
            let authority = authority.filter(|authority| !authority.is_empty() && !authority.starts_with(':'));
            let authority = authority.ok_or(RedirectProblem::Host)?;
            if scheme != scheme.to_ascii_lowercase() || !Url::parse(text).is_ok_and(|url| url.has_host()) {
                return Err(RedirectProblem::Host);
            }
            if scheme == "http" && !is_loopback(authority)? {
                return Err(RedirectProblem::PlainHttp);
            }
        } else {
            if authority.is_none() && looks_like_port(rest) {
                return Err(RedirectProblem::SchemeMissing);
            }
            if !scheme.contains('.') && !allow_dotless {
                return Err(RedirectProblem::Dotless);
            }
        }
        let loopback = LOOPBACK.into_iter().find_map(|before| {
            let after = after_port(text.strip_prefix(before)?)?;
            Some(Loopback { before, after: after.to_owned() })
        });
        Ok(Self { text: text.to_owned(), loopback })
    }

    /// As registered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the presented text is this URI: the same text, or, on a loopback address, the same but for the port.
    #[must_use]
    pub fn matches(&self, presented: &str) -> bool {
        presented == self.text
            || self.loopback.as_ref().is_some_and(|own| {
                presented.len() <= MAX_LENGTH
                    && presented.strip_prefix(own.before).and_then(after_port) == Some(own.after.as_str())
            })
    }

    /// The origin (`scheme://host:port`) of a web address; `None` for the scheme of an app.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        let url = Url::parse(&self.text).ok()?;
        matches!(url.scheme(), "https" | "http").then(|| url.origin().ascii_serialization())
    }

    /// The host of a web address that belongs to somebody; `None` for the scheme of an app and for this machine.
    #[must_use]
    pub fn owned_host(&self) -> Option<String> {
        let url = Url::parse(&self.text).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?;
        let host = url.host_str()?;
        let is_nobodys = match url.host()? {
            Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        (!is_nobodys).then(|| host.to_owned())
    }

    /// Whether it leads to an app by a scheme of its own.
    #[must_use]
    pub fn is_private_use(&self) -> bool {
        !self.text.starts_with("https:") && !self.text.starts_with("http:")
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether every character is one of RFC 3986 section 2 and every `%` begins an encoded octet.
fn is_uri_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
        byte => byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(byte),
    })
}

/// RFC 3986 section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Whether the authority, as written, is this machine. Other spellings of the address (`127.1`, `0x7f.0.0.1`) are not.
fn is_loopback(authority: &str) -> Result<bool, RedirectProblem> {
    let Some(rest) = ["127.0.0.1", "[::1]", "localhost"].into_iter().find_map(|host| authority.strip_prefix(host)) else {
        return Ok(false);
    };
    match rest.strip_prefix(':') {
        None => Ok(rest.is_empty()),
        Some(port) if is_port(port) => Ok(true),
        Some(_) => Err(RedirectProblem::Host),
    }
}

/// What follows the (optional) port in the text behind a host; `None` when the host goes on or the port is none.
fn after_port(behind_host: &str) -> Option<&str> {
    let rest = match behind_host.strip_prefix(':') {
        None => behind_host,
        Some(behind_colon) => {
            let end = behind_colon.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind_colon.len());
            let (port, rest) = behind_colon.split_at(end);
            is_port(port).then_some(rest)?
        }
    };
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some(rest)
}

/// A port as a client writes it: 1 to 65535 without leading zeros or sign.
fn is_port(text: &str) -> bool {
    text.starts_with(|first: char| matches!(first, '1'..='9'))
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u16>().is_ok()
}

/// `8443/cb` behind `host:`, the sign that somebody left the scheme out.
fn looks_like_port(rest: &str) -> bool {
    let digits = rest.split(['/', '?']).next().unwrap_or_default();
    !digits.is_empty() && digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
