//! `-D name=value`: the strongest layer. The name is that of a setting or of a handler property.

use super::file::{is_section, unknown};
use super::layers::{Layer, Layers, Origin};
use super::leaves::{LEAVES, Leaf, OTHER_SECTIONS};
use super::nearest::distance;
use super::properties::{HANDLER_PREFIX, Properties, STORE_PREFIX};
use super::value::Raw;

/// Lays the overrides over everything else; of two with the same name the later one holds.
pub(super) fn read(overrides: &[String], layers: &mut Layers, properties: &mut Properties) {
    for text in overrides {
        let Some((name, value)) = text.split_once('=') else {
            layers.doubt(text);
            layers.find("config.override", "-D", format!("{text:?}"), "name=value", "write -D name=value");
            continue;
        };
        let name = name.trim();
        let place = format!("-D {name}");
        let origin = Origin::new(Layer::Override, place.clone());
        let section = name.split('.').next().unwrap_or(name);
        if let Some(leaf) = Leaf::find(name) {
            layers.offer(leaf, &Raw::Shell(value.to_owned()), origin);
        } else if name.starts_with(HANDLER_PREFIX) || name.starts_with(STORE_PREFIX) {
            properties.offer(name, value, origin);
        } else if OTHER_SECTIONS.iter().any(|(other, _)| *other == section) {
            layers.find(
                "config.override",
                &place,
                name,
                "a single setting or a handler property",
                format!("write {section} in the settings file"),
            );
        } else if is_section(section) || !name.contains('.') || is_slip(name) {
            unknown(name, &place, layers);
        } else {
            properties.offer(name, value, origin);
        }
    }
}

/// Whether a name in no section of ours is so near to a setting that the section must be mistyped (`servr.listen`).
fn is_slip(name: &str) -> bool {
    name.len() < 100 && LEAVES.iter().any(|leaf| distance(name, leaf.key) <= 2)
}
