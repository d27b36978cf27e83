//! Handler properties: Java properties files, the environment and `-D`, the later stronger. What a property means is for
//! the handlers; only the two Connect2id names of our own lifetimes are read here.

use std::collections::BTreeMap;
use std::path::Path;

use java_properties::{LineContent, PropertiesIter};

use super::document;
use super::layers::{Layer, Layers, Origin};
use super::leaves::{ALIASES, Leaf};
use super::meaning::Property;
use super::nearest::nearest;

/// Where the Connect2id names of our own settings live.
pub(super) const STORE_PREFIX: &str = "authzStore.";
/// Where the default handler's properties live.
pub(super) const HANDLER_PREFIX: &str = "op.";

/// Properties by name, each with the layer it comes from.
#[derive(Debug, Clone, Default)]
pub(super) struct Properties(BTreeMap<String, (Layer, Property)>);

impl Properties {
    /// Lays a property over what a weaker layer, or an earlier place in the same layer, said.
    pub(super) fn offer(&mut self, name: &str, value: &str, origin: Origin) {
        if self.0.get(name).is_none_or(|(layer, _)| *layer <= origin.layer) {
            let property = Property { value: value.trim().to_owned(), place: origin.place };
            self.0.insert(name.to_owned(), (origin.layer, property));
        }
    }

    /// Reads a properties file; `named_at` is where the operator named it.
    pub(super) fn read_file(&mut self, path: &Path, named_at: &str, layers: &mut Layers) {
        match document::read_file(path) {
            Ok(bytes) => self.read_bytes(&bytes, &path.display().to_string(), layers),
            Err(why) => layers.find(
                "config.unreadable_file",
                named_at,
                format!("handlers.properties: {why}"),
                "a file that can be read",
                "correct the path, or let the server's user read it",
            ),
        }
    }

    /// Reads the content of a properties file: UTF-8, or else ISO 8859-1 as Java had it.
    pub(super) fn read_bytes(&mut self, bytes: &[u8], name: &str, layers: &mut Layers) {
        let text =
            std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().map(|byte| char::from(*byte)).collect(), str::to_owned);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        // The byte order mark tells the parser that this is UTF-8. The line breaks end a last line that ends in a
        // backslash, which the parser would otherwise drop without a word.
        let framed = format!("\u{feff}{text}\n\n");
        let lines = natural_lines(text);
        let mut first_lines: BTreeMap<String, usize> = BTreeMap::new();
        for line in PropertiesIter::new(framed.as_bytes()) {
            let line = match line {
                Ok(line) => line,
                Err(error) => {
                    let number = error.line_number().unwrap_or(1);
                    // The parser unescapes comments too; Java does not, and `# C:\users` is a fine comment.
                    let comment = lines.get(number - 1).is_some_and(|line| line.trim_start().starts_with(['#', '!']));
                    if !comment {
                        let seen = "an escape \\u without four hexadecimal digits of one character";
                        let remedy = "write the character itself in UTF-8, or double the backslash if one is meant";
                        layers.find("config.properties", &format!("{name}:{number}"), seen, "name=value", remedy);
                    }
                    continue;
                }
            };
            let number = line.line_number();
            let LineContent::KVPair(key, value) = line.consume_content() else { continue };
            let place = format!("{name}:{number}");
            if key.is_empty() {
                layers.find(
                    "config.properties",
                    &place,
                    "a line without a name",
                    "name=value",
                    "write the name, or begin the line with # for a comment",
                );
            } else if let Some(first) = first_lines.get(&key) {
                let seen = format!("{key} a second time (first on line {first})");
                layers.find("config.duplicate", &place, seen, "each name once in a file", "take one of them out");
            } else {
                first_lines.insert(key.clone(), number);
                self.offer(&key, &value, Origin::new(Layer::File, place));
            }
        }
    }

    /// Takes the Connect2id names out and lays them over the settings that they mean.
    pub(super) fn apply_aliases(&mut self, layers: &mut Layers) {
        let (ours, handlers) = std::mem::take(&mut self.0).into_iter().partition(|(name, _)| name.starts_with(STORE_PREFIX));
        self.0 = handlers;
        for (name, (layer, property)) in ours {
            let alias = ALIASES.iter().find(|(alias, _)| *alias == name).and_then(|(_, key)| Leaf::find(key));
            if let Some(leaf) = alias {
                layers.offer_seconds(&name, leaf, &property.value, Origin::new(layer, property.place));
            } else {
                let known = ALIASES.map(|(alias, _)| alias);
                let remedy =
                    nearest(&name, known).map_or_else(|| "take it out".to_owned(), |alias| format!("did you mean {alias}?"));
                layers.find("config.unknown_key", &property.place, name, known.join(" or "), remedy);
            }
        }
    }

    /// The properties, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Property)> {
        self.0.iter().map(|(name, (_, property))| (name, property))
    }

    /// The properties for the handlers.
    pub(super) fn into_map(self) -> BTreeMap<String, Property> {
        self.0.into_iter().map(|(name, (_, property))| (name, property)).collect()
    }
}

/// Lines as Java counts them: ended by LF, CR or CR LF.
fn natural_lines(text: &str) -> Vec<&str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r')).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> (BTreeMap<String, Property>, Vec<(String, &'static str)>) {
        let mut layers = Layers::built_in(Path::new(""));
        let mut properties = Properties::default();
        properties.read_bytes(bytes, "f", &mut layers);
        (properties.into_map(), layers.findings.into_iter().map(|finding| (finding.place, finding.id)).collect())
    }

    #[test]
    fn reads_what_java_reads() {
        let (found, findings) =
            read(b"# C:\\users\n! note\n\na=1\nb : two words \nc three\nd=x,\\\n   y\ne\nf=caf\\u00e9\ng\\ h=\\=\nlast=z\\");
        let value = |name: &str| found.get(name).map(|property| property.value.as_str());
        assert_eq!(findings, []);
        assert_eq!(value("a"), Some("1"));
        assert_eq!(value("b"), Some("two words"));
        assert_eq!(value("c"), Some("three"));
        assert_eq!(value("d"), Some("x,y"));
        assert_eq!(value("e"), Some(""));
        assert_eq!(value("f"), Some("café"));
        assert_eq!(value("g h"), Some("="));
        assert_eq!(value("last"), Some("z"));
        assert_eq!(found.get("d").unwrap().place, "f:7");
        assert_eq!(found.get("e").unwrap().place, "f:9");
    }

    #[test]
    fn reads_utf8_and_latin_1_and_every_line_end() {
        for bytes in ["a=café".as_bytes(), b"a=caf\xe9", "\u{feff}a=café\r\n".as_bytes(), b"x=1\ra=caf\xe9\r"] {
            assert_eq!(read(bytes).0.get("a").unwrap().value, "café");
        }
    }

    #[test]
    fn malformed_and_repeated_lines_are_found_with_their_line() {
        let (found, findings) = read(b"a=1\r\nb=\\u12g4\r\n=x\r\na=2\r\nc=3");
        assert_eq!(
            findings,
            [
                ("f:2".to_owned(), "config.properties"),
                ("f:3".to_owned(), "config.properties"),
                ("f:4".to_owned(), "config.duplicate"),
            ]
        );
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a", "c"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        #[test]
        fn no_text_makes_it_panic(text in "([a-z\\\\u0-9:= \t#!.\r\n]|\\PC)*") {
            let _ = read(text.as_bytes());
        }
    }
}
