//! What a client tells people of itself: names and addresses, each also with a language tag (RFC 7591 section 2.2).

use super::reader::{Reader, shown};
use crate::clients::translations::Translations;

/// The members that may have a language tag behind a `#`.
pub(in crate::clients) const FOR_PEOPLE: [&str; 5] = ["client_name", "client_uri", "logo_uri", "policy_uri", "tos_uri"];
/// Pages that are shown as links where people decide: https alone.
const LINKS: [&str; 2] = ["policy_uri", "tos_uri"];

/// `policy_uri` and `tos_uri`, and what people are shown in other languages; checks `initiate_login_uri` and everything else with a
/// language tag.
pub(super) fn read(r: &mut Reader<'_>) -> (Option<String>, Option<String>, Translations) {
    let [policy_uri, tos_uri] = LINKS.map(|field| r.https_address(field));
    let mut translations = Translations::default();
    // OpenID Connect Core section 4: whoever is sent there brings an issuer along.
    r.https_address("initiate_login_uri");
    for field in r.fields().filter(|field| field.contains('#')) {
        let Some((name, tag)) = field.split_once('#').filter(|(name, _)| FOR_PEOPLE.contains(name)) else { continue };
        // BCP 47: letters, digits and hyphens; 35 characters are what its section 4.4.1 asks to make room for.
        let is_tag = (1..=35).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_tag {
            r.refuse(name, format!("the language tag {}", shown(tag)), "a language tag such as de or pt-BR", "correct the tag");
            continue;
        }
        let text = if name == "client_name" {
            r.line(field, 256)
        } else if LINKS.contains(&name) {
            r.https_address(field)
        } else {
            // Nobody is shown it.
            r.web_address(field);
            None
        };
        if let Some(text) = text {
            translations.add(name, tag, text);
        }
    }
    (policy_uri, tos_uri, translations)
}
