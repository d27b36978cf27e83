//! `[audit]`: from what was written to what it means, and what contradicts itself.

use url::Url;

use super::address::is_loopback;
use super::backend::readable;
use super::layers::{Layer, Layers};
use super::meaning::{Audit, AuditFile, AuditWebhook};
use super::relations::ID;
use super::value::UNREADABLE;
use crate::foundation::{Secret, encoding};

const PATH: &str = "audit.file.path";
const URL: &str = "audit.webhook.url";
const SECRET: &str = "audit.webhook.secret";
const SECRET_FILE: &str = "audit.webhook.secret_file";
const CODES: &str = "audit.webhook.codes";

/// What a secret begins with, and its length in bytes (Standard Webhooks 1.0, "Signature scheme").
const PREFIX: &str = "whsec_";
const LENGTH: std::ops::RangeInclusive<usize> = 24..=64;

/// `None` only when a setting is missing from the built-in list.
pub(super) fn read(layers: &mut Layers) -> Option<Audit> {
    let file = layers.path(PATH)?.map(|path| {
        Some(AuditFile {
            path,
            max_size: layers.number("audit.file.max_size")?,
            keep: layers.number("audit.file.keep")?,
            queue: layers.number("audit.file.queue")?,
        })
    });
    let file = match file {
        Some(file) => Some(file?),
        None => None,
    };
    let (address, secrets) = (url(layers), secrets(layers));
    for code in layers.texts(CODES)? {
        if !is_code(&code) {
            let expected = "audit codes such as TK1032, or what they begin with, such as TK";
            find(layers, CODES, UNREADABLE, format!("{code:?}"), expected, "`symbolon audit codes` lists them");
        }
    }
    let Some(url) = address else {
        if !secrets.is_empty() && layers.text(URL).is_some_and(|text| text.is_empty()) {
            let seen = format!("a secret for the audit webhook, and no {URL}");
            find(layers, SECRET_FILE, ID, seen, "both, or neither", "name the receiver in audit.webhook.url");
        }
        return Some(Audit { file, webhook: None });
    };
    if file.is_none() && !layers.is_wrong(PATH) {
        let expected = "a file, from which the webhook is fed, so that nothing is lost while the receiver is away";
        find(layers, URL, ID, format!("{URL} without {PATH}"), expected, "write audit.file.path, such as \"audit/audit.jsonl\"");
    }
    let webhook = AuditWebhook {
        url,
        secrets,
        codes: layers.texts(CODES)?,
        batch: layers.number("audit.webhook.batch")?,
        timeout: layers.span("audit.webhook.timeout")?,
    };
    Some(Audit { file, webhook: Some(webhook) })
}

/// The receiver's address. What is said there must not be read on the way.
fn url(layers: &mut Layers) -> Option<Url> {
    let text = layers.text(URL).filter(|text| !text.is_empty())?;
    let url = Url::parse(&text).ok().filter(|url| {
        let secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
        secure && url.username().is_empty() && url.password().is_none() && url.fragment().is_none()
    });
    if url.is_none() {
        let expected = "an https address (or http on a loopback address) without user, password and fragment";
        // A password may stand in it.
        find(layers, URL, UNREADABLE, "an address that is none of these", expected, "write https://HOST/PATH");
    }
    url
}

/// The keys, one a line, so that a receiver can be given another before the old one goes.
fn secrets(layers: &mut Layers) -> Vec<Secret<Vec<u8>>> {
    let Some((key, text)) = written(layers) else { return Vec::new() };
    let lines = text.expose().lines().map(str::trim).filter(|line| !line.is_empty());
    let read = |line: &str| {
        let bytes = encoding::decode_standard(line.strip_prefix(PREFIX)?)?;
        LENGTH.contains(&bytes.len()).then(|| Secret::new(bytes))
    };
    let secrets: Option<Vec<_>> = lines.map(read).collect();
    if let Some(secrets) = secrets.filter(|secrets| !secrets.is_empty()) {
        return secrets;
    }
    let expected = "whsec_ and 24 to 64 bytes as base64, one secret a line";
    let remedy = "make one with: (printf whsec_; openssl rand -base64 32) > FILE";
    find(layers, key, UNREADABLE, "a secret of another form", expected, remedy);
    Vec::new()
}

/// The text of the keys and the setting that it comes from: of a value and a file that of the stronger layer, and the value where both are of one.
fn written(layers: &mut Layers) -> Option<(&'static str, Secret<String>)> {
    let layer = |key: &str| layers.origin(key).map_or(Layer::BuiltIn, |origin| origin.layer);
    let stronger = layer(SECRET) >= layer(SECRET_FILE);
    if let Some(value) = layers.text(SECRET).filter(|text| stronger && !text.is_empty()) {
        return Some((SECRET, Secret::new(value)));
    }
    if let Some(path) = layers.path(SECRET_FILE).flatten() {
        return readable(layers, SECRET_FILE, &path).map(|text| (SECRET_FILE, Secret::new(text)));
    }
    if layers.text(URL).is_some_and(|text| !text.is_empty()) {
        let expected = "a secret, by which the receiver knows that it was this server";
        let remedy = "make one with: (printf whsec_; openssl rand -base64 32) > FILE, and name it in audit.webhook.secret_file";
        find(layers, URL, ID, format!("{URL} without {SECRET_FILE}"), expected, remedy);
    }
    None
}

/// Whether audit codes may begin so: two letters, then up to four digits.
fn is_code(text: &str) -> bool {
    // What Auth0 calls the same event.
    if ["sertft", "fertft", "w"].contains(&text) {
        return true;
    }
    let (letters, digits) = text.split_at_checked(2).unwrap_or((text, ""));
    letters.len() == 2
        && letters.bytes().all(|b| b.is_ascii_uppercase())
        && digits.len() <= 4
        && digits.bytes().all(|b| b.is_ascii_digit())
}

fn find(layers: &mut Layers, key: &str, id: &'static str, seen: impl Into<String>, expected: &str, remedy: &str) {
    let place = layers.origin(key).map(|origin| origin.place.clone()).unwrap_or_default();
    let seen = format!("{key}: {}", seen.into());
    layers.find(id, &place, seen, expected, remedy);
}
