//! What may be registered, what matches, and the tricks that must not.

#![expect(clippy::unwrap_used, reason = "a test")]

use proptest::prelude::*;

use super::*;

#[test]
fn accepts_what_rfc_8252_names() {
    for text in [
        "https://app.example.com/callback",
        "https://app.example.com:8443/callback?tenant=a",
        "https://*.example.com/*",
        "http://127.0.0.1/cb",
        "http://127.0.0.1:8080",
        "http://[::1]:3000/cb",
        "http://localhost:3000/cb",
        "com.example.app:/oauth2redirect",
        "com.example.app://oauth/callback",
        "com.Example.App:callback",
    ] {
        assert!(RedirectUri::parse(text, false).is_ok(), "{text}");
    }
    assert!(RedirectUri::parse("appname://oauth/callback", true).is_ok());
}

#[test]
fn names_the_rule_that_is_broken() {
    use RedirectProblem as P;
    for (text, problem) in [
        ("", P::Length),
        ("/relative", P::NotAbsolute),
        ("https", P::NotAbsolute),
        ("com.example.app:", P::NotAbsolute),
        ("1a.b:/x", P::NotAbsolute),
        ("https://a.example/cb#here", P::Fragment),
        ("https://a.example/cb#", P::Fragment),
        ("https://user@a.example/cb", P::UserInformation),
        ("https://user:word@a.example/cb", P::UserInformation),
        ("com.example.app://evil@host/cb", P::UserInformation),
        ("http://127.0.0.1@evil.example/cb", P::UserInformation),
        ("https://a.example\\@evil.example/", P::Characters),
        ("https://a.example/c b", P::Characters),
        ("https://a.example/%zz", P::Characters),
        ("https://a.example/%2", P::Characters),
        ("https://bücher.example/", P::Characters),
        ("https://a.example/\u{0}", P::Characters),
        ("javascript:alert(1)", P::NeverScheme),
        ("JavaScript:alert(1)", P::NeverScheme),
        ("data:text/html,x", P::NeverScheme),
        ("file:///etc/passwd", P::NeverScheme),
        ("urn:ietf:wg:oauth:2.0:oob", P::NeverScheme),
        ("about:blank", P::NeverScheme),
        ("http://app.example.com/cb", P::PlainHttp),
        ("http://127.0.0.1.evil.example/cb", P::PlainHttp),
        ("http://localhost.evil.example/cb", P::PlainHttp),
        ("http://127.0.0.2/cb", P::PlainHttp),
        ("http://0x7f.0.0.1/cb", P::PlainHttp),
        ("http://[0:0:0:0:0:0:0:1]/cb", P::PlainHttp),
        ("http://localhost:99999/cb", P::Host),
        ("http://localhost:0/cb", P::Host),
        ("https:/a.example", P::Host),
        ("https:///a.example", P::Host),
        ("https://:443/cb", P::Host),
        ("https://a.example:port/", P::Host),
        ("HTTPS://a.example/", P::Host),
        ("app.example.com:8443/cb", P::SchemeMissing),
        ("localhost:3000", P::SchemeMissing),
        ("appname://oauth/callback", P::Dotless),
    ] {
        assert_eq!(RedirectUri::parse(text, false), Err(problem), "{text}");
    }
    assert_eq!(RedirectUri::parse(&format!("https://a.example/{}", "x".repeat(2048)), false), Err(P::Length));
    for text in ["javascript:alert(1)", "vbscript:x", "blob:https://a/b", "data:,", "intent://x"] {
        assert_eq!(RedirectUri::parse(text, true), Err(P::NeverScheme), "{text}");
    }
}

#[test]
fn a_loopback_address_matches_with_any_port_and_nothing_else() {
    let own = RedirectUri::parse("http://127.0.0.1:8080/cb?x=1", false).unwrap();
    for yes in
        ["http://127.0.0.1:8080/cb?x=1", "http://127.0.0.1:1/cb?x=1", "http://127.0.0.1:65535/cb?x=1", "http://127.0.0.1/cb?x=1"]
    {
        assert!(own.matches(yes), "{yes}");
    }
    for no in [
        "http://127.0.0.1:/cb?x=1",
        "http://127.0.0.1:0/cb?x=1",
        "http://127.0.0.1:080/cb?x=1",
        "http://127.0.0.1:65536/cb?x=1",
        "http://127.0.0.1:+80/cb?x=1",
        "http://127.0.0.1.evil/cb?x=1",
        "http://127.0.0.1:80.evil/cb?x=1",
        "http://127.0.0.1:80@evil/cb?x=1",
        "http://127.0.0.1@evil/cb?x=1",
        "http://127.0.0.1:80\\cb?x=1",
        "http://127.0.0.1./cb?x=1",
        "http://127.0.0.1:80/cb",
        "http://127.0.0.1:80/cb?x=1&y=2",
        "http://127.0.0.1:80/cb?x=1#f",
        "http://127.0.0.1:80/CB?x=1",
        "http://127.0.0.1:80/c%62?x=1",
        "http://127.0.0.1:80/./cb?x=1",
        "HTTP://127.0.0.1:80/cb?x=1",
        "https://127.0.0.1:80/cb?x=1",
        "http://localhost:80/cb?x=1",
        "http://[::1]:80/cb?x=1",
        " http://127.0.0.1:80/cb?x=1",
        "http://127.0.0.1:80/cb?x=1 ",
    ] {
        assert!(!own.matches(no), "{no}");
    }
    let six = RedirectUri::parse("http://[::1]/cb", false).unwrap();
    assert!(six.matches("http://[::1]:4711/cb"));
    assert!(!six.matches("http://127.0.0.1:4711/cb"));
}

#[test]
fn elsewhere_the_port_counts() {
    for own in ["http://localhost:3000/cb", "https://127.0.0.1:3000/cb", "https://a.example:3000/cb"] {
        let uri = RedirectUri::parse(own, false).unwrap();
        assert!(uri.matches(own));
        assert!(!uri.matches(&own.replace("3000", "3001")), "{own}");
        assert!(!uri.matches(&own.replace(":3000", "")), "{own}");
    }
}

#[test]
fn origins_are_for_browsers_only() {
    let origin = |text| RedirectUri::parse(text, false).unwrap().origin();
    assert_eq!(origin("https://a.example:443/cb").as_deref(), Some("https://a.example"));
    assert_eq!(origin("http://localhost:3000/cb").as_deref(), Some("http://localhost:3000"));
    assert_eq!(origin("com.example.app:/cb"), None);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,80}", dotless: bool) {
        if let Ok(uri) = RedirectUri::parse(&text, dotless) {
            prop_assert!(uri.matches(&text));
            prop_assert!(!text.contains(['#', '\\', ' ']));
        }
    }

    #[test]
    fn off_loopback_only_the_same_text_matches(
        own in "(https://[a-z]{1,8}\\.example|com\\.example\\.[a-z]{1,5}:|http://localhost)(:[1-9][0-9]{1,3})?/[a-z%/.]{0,6}",
        presented in "(https://[a-z]{1,8}\\.example|com\\.example\\.[a-z]{1,5}:|http://localhost)(:[1-9][0-9]{1,3})?/[a-zA-Z%/.?#@]{0,8}",
    ) {
        if let Ok(uri) = RedirectUri::parse(&own, false) {
            prop_assert_eq!(uri.matches(&presented), own == presented);
        }
    }

    #[test]
    fn what_matches_on_loopback_stays_on_this_machine(port in "(:[0-9]{0,6})?", trick in "[.@\\\\:/?#%a-z0-9\\[\\]]{0,6}", tail in "/cb|/cb/|/CB|") {
        let uri = RedirectUri::parse("http://127.0.0.1/cb", false).unwrap();
        let presented = format!("http://127.0.0.1{trick}{port}{tail}");
        if uri.matches(&presented) {
            let url = Url::parse(&presented).unwrap();
            prop_assert_eq!(url.host_str(), Some("127.0.0.1"));
            prop_assert_eq!(url.path(), "/cb");
            prop_assert!(url.username().is_empty() && url.password().is_none());
            prop_assert!(url.query().is_none() && url.fragment().is_none());
        }
    }
}
