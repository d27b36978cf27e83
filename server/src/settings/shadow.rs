//! `handlers.shadow` with the properties that are for it alone.

use super::layers::Layers;
use super::meaning::Shadow;
use super::properties::Properties;

/// The shadow handler with its properties: all, and over them those of its own files.
pub(super) fn read(properties: &Properties, layers: &mut Layers) -> Option<Shadow> {
    let named_at = |layers: &Layers, key: &str| layers.origin(key).map(|origin| origin.place.clone()).unwrap_or_default();
    let files = layers.paths("handlers.shadow_properties").unwrap_or_default();
    let Some(name) = layers.text("handlers.shadow").filter(|name| !name.is_empty()) else {
        if !files.is_empty() {
            layers.find(
                "config.relation",
                &named_at(layers, "handlers.shadow_properties"),
                "handlers.shadow_properties without handlers.shadow",
                "both, or neither",
                "name the handler that they are for in handlers.shadow",
            );
        }
        return None;
    };
    let mut own = properties.clone();
    let place = named_at(layers, "handlers.shadow_properties");
    for path in files {
        own.read_file(&path, &place, layers);
    }
    Some(Shadow { name, properties: own.into_map() })
}
