//! The settings file as written: finds every single-valued setting in its section, and every name that is none.

use toml::de::{DeTable, DeValue};

use super::document::{self, Document};
use super::layers::{Layer, Layers, Origin};
use super::leaves::{LEAVES, Leaf, OTHER_SECTIONS};
use super::nearest::nearest;
use super::sections::{self, Sections};

/// Lays a settings file over the built-in layer.
pub(super) fn read(document: &Document, table: &DeTable<'_>, layers: &mut Layers, sections: &mut Sections) {
    read_section(document, "", table, layers, sections);
}

fn read_section(document: &Document, path: &str, table: &DeTable<'_>, layers: &mut Layers, sections: &mut Sections) {
    for (name, value) in table {
        let key = if path.is_empty() { name.get_ref().to_string() } else { format!("{path}.{}", name.get_ref()) };
        let place = document.place(&name.span());
        if let Some(leaf) = Leaf::find(&key) {
            layers.offer(leaf, &document::raw(value.get_ref()), Origin::new(Layer::File, place));
        } else if OTHER_SECTIONS.iter().any(|(section, _)| *section == key) {
            sections::read(document, &key, value, layers, sections);
        } else if is_section(&key) {
            match value.get_ref() {
                DeValue::Table(inner) => read_section(document, &key, inner, layers, sections),
                other => {
                    layers.doubt(&key);
                    layers.find(
                        "config.wrong_type",
                        &place,
                        format!("{key} = {}", document::type_name(other)),
                        format!("a section [{key}]"),
                        format!("write [{key}] on a line of its own and its settings below"),
                    );
                }
            }
        } else {
            unknown(&key, &place, layers);
        }
    }
}

/// Reports a name that is no setting.
pub(super) fn unknown(key: &str, place: &str, layers: &mut Layers) {
    layers.doubt(key);
    let last = key.rsplit('.').next().unwrap_or(key);
    let elsewhere = || LEAVES.iter().map(|leaf| leaf.key).find(|known| known.rsplit('.').next() == Some(last));
    let remedy = match nearest(key, known_names()).or_else(elsewhere) {
        Some(known) => format!("did you mean {known}?"),
        None => "take it out; `symbolon config reference` lists every setting".to_owned(),
    };
    layers.find("config.unknown_key", place, key, "a setting", remedy);
}

/// Whether settings begin with this name and a dot.
pub(super) fn is_section(key: &str) -> bool {
    LEAVES.iter().any(|leaf| leaf.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
}

/// Every setting, section and part of a section.
fn known_names() -> impl Iterator<Item = &'static str> {
    let leaves = LEAVES.iter().map(|leaf| leaf.key);
    let parts = LEAVES.iter().flat_map(|leaf| leaf.key.match_indices('.').map(|(dot, _)| &leaf.key[..dot]));
    leaves.chain(parts).chain(OTHER_SECTIONS.iter().map(|(section, _)| *section))
}
