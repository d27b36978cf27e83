//! The address of a request as `htu` names it: compared after normalisation, without query and fragment (RFC 9449 section 4.3, 9).

use url::Url;

/// Whether both are the same address.
pub(super) fn same(one: &str, other: &str) -> bool {
    matches!((normalised(one), normalised(other)), (Some(one), Some(other)) if one == other)
}

/// Scheme and host in lower case, no default port, no dot segments (all by the parser), and no escapes that are not needed (RFC 3986
/// sections 6.2.2 and 6.2.3). `None` for what no request of ours has.
fn normalised(address: &str) -> Option<String> {
    let mut url = Url::parse(address).ok()?;
    if !matches!(url.scheme(), "https" | "http") || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let path = unescaped(url.path())?;
    url.set_query(None);
    url.set_fragment(None);
    url.set_path("");
    Some(format!("{}{path}", url.as_str().trim_end_matches('/')))
}

/// The path with the escapes of unreserved characters undone, and the others in upper case.
fn unescaped(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        let escape = after.get(..2)?;
        let byte = u8::from_str_radix(escape, 16).ok()?;
        out.push_str(before);
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&escape.to_ascii_uppercase());
        }
        rest = &after[2..];
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_address_is_written_in_many_ways() {
        let token = "https://op.example/a~b/token";
        for spelt in [
            token,
            "HTTPS://OP.Example/a~b/token",
            "https://op.example:443/a~b/token",
            "https://op.example/a%7Eb/%74oken",
            "https://op.example/a~b/token?x=1#y",
            "https://op.example/x/../a~b/./token",
        ] {
            assert!(same(spelt, token), "{spelt}");
        }
        assert!(same("http://h/a%2fb", "http://h/a%2Fb"));
    }

    #[test]
    fn another_address_is_another() {
        for spelt in [
            "",
            "token",
            "/token",
            "http://op.example/token",
            "https://op.example:8443/token",
            "https://op.example/token/",
            "https://op.example/Token",
            "https://op.example/userinfo",
            "https://op.example.org/token",
            "https://user@op.example/token",
            "https://op.example/%",
            "https://op.example/to%2Fken",
            "data:op.example/token",
        ] {
            assert!(!same(spelt, "https://op.example/token"), "{spelt}");
        }
        assert!(!same("http://h/a/b", "http://h/a%2Fb"));
    }
}
