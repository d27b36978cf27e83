//! Every property: its default, and what it refuses.

use symbolon_sdk::host::{ConfigureFailure, HandlerFault};
use symbolon_sdk::testing::TestRequest;

use super::stand_in::{StandIn, allow};
use super::{KEY, KeyFile, allowed, asking, code, findings, try_with};

const URL: &str = "https://policy.example.com/decide";

/// The remedies and expectations for one property, when the handler is enabled with a good key.
#[track_caller]
fn found(name: &str, value: &str) -> String {
    let file = KeyFile::new(KEY);
    let path = file.path();
    let mut properties = vec![("enable", "true"), ("url", URL), ("secretFile", path.to_str().unwrap())];
    properties.retain(|(usual, _)| *usual != name);
    properties.push((name, value));
    let found = findings(&properties);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].key, format!("op.webhookHandler.{name}"));
    format!("{}; {}", found[0].expected, found[0].remedy)
}

/// The same for a key file.
#[track_caller]
fn found_in(text: impl AsRef<[u8]>, mode: u32) -> String {
    let file = KeyFile::new(text).mode(mode);
    found("secretFile", file.path().to_str().unwrap())
}

#[test]
fn it_is_off_by_default_and_needs_nothing_then() {
    for properties in [[].as_slice(), &[("enable", "false")], &[("enable", " ")], &[("enable", "false"), ("url", URL)]] {
        let handler = try_with(properties).unwrap();
        assert!(!handler.enabled());
        assert_eq!(handler.described().name(), "WebhookHandler");
        assert_eq!(code(TestRequest::new().ask(&handler)), ("server_error".to_owned(), Some(500)));
    }
}

#[test]
fn blank_means_default() {
    let file = KeyFile::new(KEY);
    let path = file.path();
    let mut properties: Vec<(&str, &str)> = crate::configuration::NAMES.iter().map(|name| (*name, " ")).collect();
    assert!(!try_with(&properties).unwrap().enabled());
    for (name, value) in &mut properties {
        match *name {
            "enable" => *value = "true",
            "url" => *value = URL,
            "secretFile" => *value = path.to_str().unwrap(),
            _ => {}
        }
    }
    assert!(try_with(&properties).unwrap().enabled());
}

#[test]
fn the_shipped_file_says_the_defaults() {
    let shipped = include_str!("../../../../config/webhookHandler.properties");
    let lines = shipped.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let pairs: Vec<(&str, &str)> =
        lines.map(|line| line.strip_prefix("op.webhookHandler.").unwrap().split_once('=').unwrap()).collect();
    assert!(pairs.iter().map(|(name, _)| name).eq(crate::configuration::NAMES));
    let file = KeyFile::new(KEY);
    let path = file.path();
    let own = |pair: &(&'static str, &'static str)| if pair.0 == "secretFile" { (pair.0, path.to_str().unwrap()) } else { *pair };
    assert!(try_with(&pairs.iter().map(own).collect::<Vec<_>>()).unwrap().enabled());
    for (name, value) in pairs.into_iter().filter(|(name, _)| !["enable", "url", "secretFile"].contains(name)) {
        let default = if value.is_empty() { "none" } else { value };
        assert!(shipped.contains(&format!("Default: {default}.\nop.webhookHandler.{name}={value}\n")), "{name}");
    }
}

#[test]
fn one_that_is_not_in_charge_can_be_asked_when_it_is_configured() {
    let service = StandIn::always(allow());
    let file = KeyFile::new(KEY);
    let path = file.path();
    let url = service.url();
    let handler = try_with(&[("url", &url), ("secretFile", path.to_str().unwrap()), ("allowPrivateAddresses", "true")]).unwrap();
    assert!(!handler.enabled());
    allowed(TestRequest::new().ask(&handler));
}

#[test]
fn what_an_enabled_handler_needs() {
    let found = findings(&[("enable", "true")]);
    let keys: Vec<_> = found.iter().map(|finding| finding.key.as_str()).collect();
    assert_eq!(keys, ["op.webhookHandler.url", "op.webhookHandler.secretFile"]);
}

#[test]
fn the_key_file() {
    assert!(found("secretFile", "/no/such/file").contains("No such file"));
    assert!(found("secretFile", "/dev/zero").contains("a regular file"));
    assert!(found_in("", 0o600).contains("a file with a key"));
    assert!(found_in(" \n\n", 0o600).contains("a file with a key"));
    assert!(found_in("x".repeat(23), 0o600).contains("at least 24 bytes"));
    assert!(found_in("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRY=", 0o600).contains("at least 24 bytes"));
    assert!(found_in(format!("{KEY}\nshort"), 0o600).contains("at least 24 bytes"));
    assert!(found_in("whsec_not base64 at all, but long enough", 0o600).contains("base64 after whsec_"));
    assert!(found_in([0xff; 40], 0o600).contains("UTF-8"));
    for mode in [0o644, 0o604, 0o602] {
        assert!(found_in(KEY, mode).contains(&format!("its mode is {mode:03o}")), "{mode:o}");
    }
}

#[test]
fn good_key_files() {
    for (text, mode) in [(KEY, 0o600), (KEY, 0o400), (KEY, 0o640), ("exactly twenty-four chars", 0o600)] {
        let file = KeyFile::new(text).mode(mode);
        try_with(&[("enable", "true"), ("url", URL), ("secretFile", file.path().to_str().unwrap())]).unwrap();
    }
}

#[test]
fn a_key_is_never_shown_in_a_finding() {
    for text in ["whsec_of the key, no base64", "of the key"] {
        assert!(!found_in(text, 0o600).contains("of the key"));
    }
}

#[test]
fn a_new_configuration_reads_the_new_key() {
    let service = StandIn::always(allow());
    let signatures: Vec<String> = [KEY, "another key of enough bytes"]
        .into_iter()
        .map(|text| {
            let file = KeyFile::new(text);
            let path = file.path();
            let url = service.url();
            let properties = [("url", url.as_str()), ("secretFile", path.to_str().unwrap()), ("allowPrivateAddresses", "true")];
            allowed(TestRequest::new().ask(&try_with(&properties).unwrap()));
            service.received().last().unwrap().header("webhook-signature").to_owned()
        })
        .collect();
    assert_ne!(signatures[0], signatures[1]);
}

#[test]
fn the_url() {
    for url in ["policy.example.com", "ftp://policy.example.com", "unix:/run/policy", "https://", "/decide", "file:///decide"] {
        assert!(found("url", url).contains("https://"), "{url}");
    }
    for url in ["http://policy.example.com", "http://10.0.0.1", "http://[2606:4700::1111]/", "http://1.1.1.1/"] {
        assert!(found("url", url).contains("on this machine"), "{url}");
    }
    for url in ["http://localhost:8000", "http://127.0.0.1", "http://[::1]:8000", "http://127.1", "http://x.localhost"] {
        assert!(found("url", url).contains("allowPrivateAddresses=true"), "{url}");
        asking(url, &[]);
    }
    let private = [
        "https://127.0.0.1",
        "https://2130706433",
        "https://0x7f.1",
        "https://[::1]",
        "https://[::ffff:10.0.0.1]",
        "https://10.1.2.3",
        "https://169.254.169.254",
        "https://100.64.0.1",
        "https://[fd00::1]",
        "https://0.0.0.0",
    ];
    for url in private {
        assert!(found("url", url).contains("allowPrivateAddresses=true"), "{url}");
        asking(url, &[]);
    }
}

#[test]
fn a_url_with_a_password_is_refused_without_being_shown() {
    let file = KeyFile::new(KEY);
    let path = file.path();
    for url in ["https://ada:hunter2@policy.example.com", "https://hunter2@policy.example.com"] {
        match try_with(&[("enable", "true"), ("url", url), ("secretFile", path.to_str().unwrap())]) {
            Err(ConfigureFailure::Refused { message: None, findings }) => {
                assert_eq!(findings.len(), 1, "{findings:?}");
                assert!(findings[0].expected.contains("without user name and password"), "{findings:?}");
                assert!(!format!("{findings:?}").contains("hunter2"));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_private_authority() {
    assert!(found("caFile", "/no/such/file").contains("No such file"));
    for text in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n"] {
        let file = KeyFile::new(text);
        assert!(found("caFile", file.path().to_str().unwrap()).contains("certificate"), "{text}");
    }
}

#[test]
fn numbers_and_words() {
    let wrong = [
        ("timeout", "0"),
        ("timeout", "60001"),
        ("timeout", "1s"),
        ("deadline", "0"),
        ("deadline", "-1"),
        ("retries", "11"),
        ("retries", "-1"),
        ("retryDelay", "-1"),
        ("failure", "ajar"),
        ("maxResponseBytes", "0"),
        ("maxResponseBytes", "64k"),
        ("allowPrivateAddresses", "yes"),
        ("includeClaims", "email"),
    ];
    for (name, value) in wrong {
        assert!(!found(name, value).is_empty());
    }
    assert!(found("timeout", "1600").contains("1500 ms"), "an attempt may not outlast all attempts");
    asking(URL, &[("allowPrivateAddresses", ""), ("timeout", ""), ("deadline", "500")]);
}

#[test]
fn a_wrong_name_is_found() {
    let found = findings(&[("secretfile", "x")]);
    assert_eq!(found[0].remedy, "did you mean op.webhookHandler.secretFile?");
}

#[test]
fn everything_wrong_is_found_at_once() {
    let wrong = [("enable", "true"), ("url", "http://10.0.0.1"), ("secretFile", "/no"), ("caFile", "/no"), ("retries", "x")];
    assert_eq!(findings(&wrong).len(), 4);
    let fault: Result<_, HandlerFault> = TestRequest::new().ask(&try_with(&[]).unwrap());
    assert!(fault.is_err());
}
