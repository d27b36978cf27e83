//! The languages of the pages. English is what stands in the templates; the other languages are files beside them, from the English
//! sentence to theirs. Must not know what a page is about.

use std::collections::HashMap;
use std::sync::LazyLock;

use actix_web::HttpRequest;
use actix_web::http::header::{AcceptLanguage, Header as _, Preference};

use crate::grants::Engine;
use crate::settings::meaning::LANGUAGES;

type Catalogue = HashMap<&'static str, String>;

static GERMAN: LazyLock<Catalogue> = LazyLock::new(|| read(include_str!("../../templates/words/de.json")));
static FRENCH: LazyLock<Catalogue> = LazyLock::new(|| read(include_str!("../../templates/words/fr.json")));

/// A file that cannot be read leaves the pages in English; the tests read it.
fn read(text: &'static str) -> Catalogue {
    serde_json::from_str(text).unwrap_or_default()
}

/// The language that somebody is spoken to in.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    tag: &'static str,
    catalogue: Option<&'static Catalogue>,
}

impl Words {
    /// The language for whoever makes a request: the first of `ui_locales` that is offered (OpenID Connect Core section 3.1.2.1: best first),
    /// else the first that the browser accepts, else the first that is offered.
    #[must_use]
    pub fn of(request: &HttpRequest, ui_locales: &str, offered: &[&'static str]) -> Self {
        let asked = || ui_locales.split_ascii_whitespace().find_map(|tag| find(tag, offered));
        let accepted = || {
            let ranked = AcceptLanguage::parse(request).map(|accept| accept.ranked()).unwrap_or_default();
            ranked.iter().find_map(|preference| match preference {
                Preference::Any => offered.first().copied(),
                Preference::Specific(tag) => find(tag.as_str(), offered),
            })
        };
        Self::in_language(asked().or_else(accepted).or_else(|| offered.first().copied()).unwrap_or(LANGUAGES[0]))
    }

    /// The language for whoever makes a request of which no more is known.
    #[must_use]
    pub fn plain(request: &HttpRequest, engine: &Engine) -> Self {
        Self::of(request, "", &engine.settings().sign_in.languages)
    }

    fn in_language(tag: &'static str) -> Self {
        let catalogue = match tag {
            "de" => Some(&*GERMAN),
            "fr" => Some(&*FRENCH),
            _ => None,
        };
        Self { tag, catalogue }
    }

    /// Its tag (BCP 47).
    #[must_use]
    pub const fn tag(&self) -> &'static str {
        self.tag
    }

    /// An English sentence in this language; as it is when nobody has translated it, such as what an operator wrote.
    #[must_use]
    pub fn say<'a>(&self, english: &'a str) -> &'a str {
        self.catalogue.and_then(|catalogue| catalogue.get(english)).map_or(english, String::as_str)
    }
}

/// The language that a tag asks for, without its region and script (RFC 4647 section 3.4).
fn find(tag: &str, offered: &[&'static str]) -> Option<&'static str> {
    let primary = tag.split('-').next().unwrap_or_default();
    offered.iter().copied().find(|own| own.eq_ignore_ascii_case(primary))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use actix_web::test::TestRequest;

    use super::*;

    fn language(ui_locales: &str, accept: Option<&str>, offered: &[&'static str]) -> &'static str {
        let request = TestRequest::default();
        let request = accept.map_or_else(TestRequest::default, |accept| request.insert_header(("accept-language", accept)));
        Words::of(&request.to_http_request(), ui_locales, offered).tag()
    }

    #[test]
    fn who_asks_is_answered_in_their_language() {
        assert_eq!(language("de-AT", Some("fr"), &LANGUAGES), "de");
        assert_eq!(language("xx FR-ca de", None, &LANGUAGES), "fr");
        assert_eq!(language("xx", Some("ja, de;q=0.5, fr;q=0.8"), &LANGUAGES), "fr");
        assert_eq!(language("", None, &LANGUAGES), "en");
        assert_eq!(language("", Some("*"), &["fr", "en"]), "fr");
        assert_eq!(language("de", Some("de"), &["fr", "en"]), "fr", "what is not offered");
        for odd in ["-", "\u{e4}", ";;q=", "de;q=x", "x-y-z-"] {
            assert_eq!(language(odd, Some("not a header, (("), &LANGUAGES), "en", "{odd}");
        }
    }

    #[test]
    fn every_language_has_every_sentence_and_no_other() {
        let catalogues = LANGUAGES.map(|tag| Words::in_language(tag).catalogue);
        let said = sentences();
        assert!(said.len() > 30, "{said:?}");
        for (tag, catalogue) in LANGUAGES.iter().zip(catalogues).skip(1) {
            let catalogue = catalogue.unwrap();
            let missing: Vec<&String> = said.iter().filter(|sentence| !catalogue.contains_key(sentence.as_str())).collect();
            assert!(missing.is_empty(), "{tag} has no {missing:#?}");
            assert!(catalogue.values().all(|text| !text.trim().is_empty()));
        }
        assert_eq!(catalogues[1].map(|own| own.keys().collect::<BTreeSet<_>>()), catalogues[2].map(|own| own.keys().collect()));
        let standard = crate::settings::Settings::built_in().scopes.into_values().map(|meaning| meaning.description);
        assert_eq!(standard.filter(|text| !GERMAN.contains_key(text.as_str())).collect::<Vec<_>>(), [""; 0]);
    }

    /// What templates and pages say: every literal that they hand to `say`.
    fn sentences() -> BTreeSet<String> {
        let root = env!("CARGO_MANIFEST_DIR");
        let mut found = BTreeSet::new();
        for folder in ["templates", "src/http"] {
            for entry in fs::read_dir(format!("{root}/{folder}")).unwrap() {
                let Ok(text) = fs::read_to_string(entry.unwrap().path()) else { continue };
                // In two parts, so that this line is none of them.
                let begin = concat!("say", "(\"");
                found
                    .extend(text.split(begin).skip(1).filter_map(|rest| rest.split_once("\")")).map(|(text, _)| text.to_owned()));
            }
        }
        found
    }
}
