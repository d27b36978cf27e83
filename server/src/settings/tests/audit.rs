//! Where audit events go: what is asked for, and what contradicts itself.

use super::*;
use crate::foundation::encoding;

/// A secret of so many bytes.
fn secret(bytes: usize) -> String {
    format!("whsec_{}", encoding::encode_standard(vec![7; bytes]))
}

fn file_of(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    file
}

const FILE: &str = "[audit]\nfile.path = \"log/audit.jsonl\"\n";

#[test]
fn nothing_is_asked_for_by_default() {
    let audit = Settings::built_in().audit;
    assert!(audit.file.is_none() && audit.webhook.is_none());
    let audit = good(FILE, &[], &[]).settings.audit;
    let file = audit.file.unwrap();
    assert_eq!(file.path, Path::new("/etc/symbolon/log/audit.jsonl"));
    assert_eq!((file.max_size, file.keep, file.queue), (64 * 1024 * 1024, 10, 65536));
    assert!(audit.webhook.is_none());
}

#[test]
fn a_webhook_has_an_address_and_secrets() {
    let secrets = file_of(&format!("{}\n\n{}\r\n", secret(24), secret(64)));
    let toml = format!("{FILE}webhook = {{ url = \"https://siem.example.com/in?a=b\", secret_file = {:?} }}", secrets.path());
    let webhook = good(&toml, &["audit.webhook.codes=SE,TK1032,w,sertft"], &[]).settings.audit.webhook.unwrap();
    assert_eq!(webhook.url.as_str(), "https://siem.example.com/in?a=b");
    assert_eq!(webhook.secrets.iter().map(|secret| secret.expose().len()).collect::<Vec<_>>(), [24, 64]);
    assert_eq!(
        (webhook.codes, webhook.batch, webhook.timeout),
        (["SE", "TK1032", "w", "sertft"].map(str::to_owned).to_vec(), 100, Duration::from_secs(10))
    );
    let value = secret(32);
    let loaded = good(&toml, &[], &[("SYMBOLON_AUDIT__WEBHOOK__SECRET", &value)]);
    assert!(loaded.show().iter().all(|shown| !shown.value.contains(&value)), "it is not shown");
    assert_eq!(loaded.settings.audit.webhook.unwrap().secrets.len(), 1, "the environment is stronger");
}

#[test]
fn what_contradicts_itself_is_found() {
    let key = file_of(&secret(32));
    let good = format!("secret_file = {:?}", key.path());
    let with = |url: &str, rest: &str| format!("{FILE}webhook.url = {url:?}\nwebhook.{rest}\n");
    for (toml, place, id) in [
        (with("https://a.example", "batch = 5"), "symbolon.toml:3", "config.relation"),
        (format!("[audit.webhook]\nurl = \"https://a.example\"\n{good}"), "symbolon.toml:2", "config.relation"),
        (format!("[audit.webhook]\n{good}"), "symbolon.toml:2", "config.relation"),
        (with("http://a.example", &good), "symbolon.toml:3", "config.unreadable_value"),
        (with("https://user:hunter2@a.example", &good), "symbolon.toml:3", "config.unreadable_value"),
        (with("a.example", &good), "symbolon.toml:3", "config.unreadable_value"),
        (with("https://a.example", "secret_file = \"/nonexistent/key\""), "symbolon.toml:4", "config.unreadable_file"),
        (with("https://a.example", "secret = \"whsec_x\""), "symbolon.toml:4", "config.secret_in_the_open"),
        (format!("{FILE}webhook.codes = [\"SE\", \"se3\"]"), "symbolon.toml:3", "config.unreadable_value"),
        ("[audit]\nfile.max_size = \"1KiB\"".to_owned(), "symbolon.toml:2", "config.out_of_range"),
    ] {
        let seen = findings(&toml, &[], &[]);
        assert!(seen.contains(&found(place, id)), "{toml}: {seen:?}");
    }
    assert_eq!(findings(&with("http://127.0.0.1:1/in", &good), &[], &[]), [], "this machine");
    for wrong in ["", "hunter2", &secret(23), &secret(65), &secret(32)["whsec_".len()..], &format!("{}\nhunter2", secret(32))] {
        let file = file_of(wrong);
        let toml = with("https://a.example", &format!("secret_file = {:?}", file.path()));
        assert_eq!(findings(&toml, &[], &[]), [found("symbolon.toml:4", "config.unreadable_value")], "{wrong}");
        assert!(!in_memory(&toml, &[], &[]).unwrap_err().to_string().contains("hunter2"));
    }
}
