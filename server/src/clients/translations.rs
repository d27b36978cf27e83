//! What a client calls itself and its pages in other languages (RFC 7591 section 2.2). Must not know which languages our pages have.

/// Texts of members that have a language tag behind a `#`, as checked when they were registered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Translations(Vec<Translation>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Translation {
    member: String,
    tag: String,
    text: String,
}

/// One text, in the languages that there are of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Localized {
    plain: String,
    others: Vec<(String, String)>,
}

impl Translations {
    /// Adds the text of `member#tag`.
    pub(super) fn add(&mut self, member: &str, tag: &str, text: String) {
        self.0.push(Translation { member: member.to_owned(), tag: tag.to_owned(), text });
    }

    /// A member's text with what there is of it in other languages.
    #[must_use]
    pub fn of(&self, member: &str, plain: &str) -> Localized {
        let own = self.0.iter().filter(|own| own.member == member).map(|own| (own.tag.clone(), own.text.clone()));
        Localized { plain: plain.to_owned(), others: own.collect() }
    }
}

impl Localized {
    /// The text for readers of a language: that of the very tag, else of the same language elsewhere (`de-AT` for `de`), else the one without
    /// a tag. Tags are compared without case (BCP 47 section 2.1.1).
    #[must_use]
    pub fn in_language(&self, language: &str) -> &str {
        let primary = |tag: &str| tag.split('-').next().unwrap_or_default().eq_ignore_ascii_case(language);
        let found = self.others.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(language));
        let found = found.or_else(|| self.others.iter().find(|(tag, _)| primary(tag)));
        found.map_or(&self.plain, |(_, text)| text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_reads_their_own_language_or_the_plain_text() {
        let mut all = Translations::default();
        for (member, tag, text) in [
            ("client_name", "de-AT", "Servus"),
            ("client_name", "DE", "Guten Tag"),
            ("client_name", "fr-CA", "Allô"),
            ("policy_uri", "en", "https://app.example/en"),
        ] {
            all.add(member, tag, text.to_owned());
        }
        let name = all.of("client_name", "Hello");
        let read = ["de", "fr", "en", ""].map(|language| name.in_language(language));
        assert_eq!(read, ["Guten Tag", "Allô", "Hello", "Hello"]);
        assert_eq!(all.of("policy_uri", "https://app.example/").in_language("en"), "https://app.example/en");
        assert_eq!(all.of("tos_uri", "https://app.example/t").in_language("de"), "https://app.example/t");
    }
}
