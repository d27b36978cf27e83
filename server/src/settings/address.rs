//! Addresses with rules of their own: the issuer identifier, resource identifiers and networks.

use std::net::IpAddr;

use url::{Host, Url};

use super::meaning::{Issuer, Network, RedisServer};
use super::value::{Mismatch, Raw, UNREADABLE};

const ID: &str = "config.issuer";

/// Reads an issuer identifier (RFC 8414 section 2). It is compared as text by clients, so only its canonical form is accepted.
pub(super) fn issuer(text: &str) -> Result<Issuer, Mismatch> {
    let wrong = |remedy: &str| Mismatch::new(ID, format!("{text:?}"), remedy);
    let url =
        Url::parse(text).map_err(|error| wrong(&format!("write a whole address such as https://login.example.com ({error})")))?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(wrong("use https: http is allowed on a loopback address only")),
        _ => return Err(wrong("begin it with https://")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Mismatch::new(ID, "an address with a user name or password", "leave out everything before the @"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("leave out the query and fragment"));
    }
    let canonical = url.as_str().trim_end_matches('/');
    if canonical != text {
        return Err(wrong(&format!("write it as {canonical}")));
    }
    Ok(Issuer { text: text.to_owned(), url })
}

/// Whether a text can be a resource identifier (RFC 8707 section 2): an absolute URI without fragment.
pub(super) fn is_resource_identifier(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.fragment().is_none())
}

/// Reads an address, or a network in CIDR form.
pub(super) fn network(text: &str) -> Result<Network, Mismatch> {
    let wrong = || {
        Mismatch::new(
            UNREADABLE,
            format!("{text:?}"),
            "write an address such as 10.1.2.3 or a network such as 10.0.0.0/8 or fd00::/8",
        )
    };
    let (address, prefix) = text.trim().split_once('/').map_or((text.trim(), None), |(address, prefix)| (address, Some(prefix)));
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => longest,
        Some(prefix) => prefix.parse().ok().filter(|prefix| *prefix <= longest).ok_or_else(wrong)?,
    };
    Ok(Network { address, prefix })
}

/// Reads the addresses of Redis servers: one text, or a list. A user or password in one would be shown wherever the setting is.
pub(super) fn redis_servers(raw: &Raw) -> Result<Vec<String>, Mismatch> {
    let list = match raw {
        Raw::Text(text) => Raw::Shell(text.clone()),
        other => other.clone(),
    };
    let named = match &list {
        Raw::Shell(text) => text.contains('@'),
        Raw::Texts(items) => items.iter().any(|item| item.contains('@')),
        _ => false,
    };
    if named {
        return Err(Mismatch::new(
            UNREADABLE,
            "an address with a user name or password",
            "leave out everything before the @: the name belongs in storage.redis.username, the password in a file named by \
             storage.redis.password_file",
        ));
    }
    list.list()?.iter().map(|item| redis_server(item).map(|server| server.to_url())).collect()
}

/// Reads the address of one.
pub(super) fn redis_server(text: &str) -> Result<RedisServer, Mismatch> {
    let wrong = |remedy: &str| Mismatch::new(UNREADABLE, format!("{text:?}"), remedy);
    let whole = "write it as redis://HOST:PORT, or rediss://HOST:PORT for TLS";
    let url = Url::parse(text.trim()).map_err(|_| wrong(whole))?;
    let tls = match url.scheme() {
        "redis" => false,
        "rediss" => true,
        _ => return Err(wrong(whole)),
    };
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong(whole))?;
    if !matches!(url.path(), "" | "/" | "/0") || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong(
            "leave out what follows the port: the database is always 0, and storage.redis.prefix keeps keys apart",
        ));
    }
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(RedisServer { host, port: url.port().unwrap_or(6379), tls })
}

impl RedisServer {
    /// As it may be written.
    pub(super) fn to_url(&self) -> String {
        format!("{}://{self}", if self.tls { "rediss" } else { "redis" })
    }
}

/// Whether the address names this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_form_is_accepted() {
        for right in [
            "https://login.example.com",
            "https://example.com/tenant",
            "http://127.0.0.1:8080",
            "http://localhost:1",
            "http://[::1]:8080/a",
        ] {
            assert_eq!(issuer(right).map(|issuer| issuer.text).as_deref(), Ok(right));
        }
    }

    #[test]
    fn everything_else_is_refused_with_a_remedy() {
        for (wrong, remedy) in [
            ("http://login.example.com", "use https"),
            ("http://10.0.0.1", "use https"),
            ("https://example.com/", "write it as https://example.com"),
            ("https://EXAMPLE.com", "write it as https://example.com"),
            ("https://example.com:443", "write it as https://example.com"),
            ("https://example.com/a/../b", "write it as https://example.com/b"),
            ("https://example.com/?a=b", "leave out the query"),
            ("https://example.com#x", "leave out the query and fragment"),
            ("https://me:pw@example.com", "leave out everything before"),
            ("ftp://example.com", "begin it with https://"),
            ("example.com", "write a whole address"),
            ("", "write a whole address"),
        ] {
            let mismatch = issuer(wrong).err();
            assert!(mismatch.as_ref().is_some_and(|found| found.remedy.contains(remedy)), "{wrong}: {mismatch:?}");
        }
        assert!(issuer("https://me:hunter2@example.com").is_err_and(|found| !found.seen.contains("hunter2")));
    }

    #[test]
    fn resource_identifiers_are_absolute_without_fragment() {
        assert!(is_resource_identifier("https://api.example.com/v1"));
        assert!(is_resource_identifier("urn:example:api"));
        assert!(!is_resource_identifier("/v1"));
        assert!(!is_resource_identifier("https://api.example.com/#v1"));
    }
}
