//! The environment as a layer of settings. The only file of the server that asks the process for it.

use super::layers::{Layer, Layers, Origin};
use super::leaves::{ENVIRONMENT_PREFIX, LEAVES, Leaf, OTHER_ENVIRONMENT, PROPERTY_PREFIX};
use super::nearest::nearest;
use super::properties::Properties;
use super::value::Raw;

/// What an unreadable value is replaced by: no text that an operator types contains it.
const NOT_UNICODE: &str = "\u{fffd}";

/// The variables of this process that begin with our prefix.
pub(super) fn of_process() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name.starts_with(ENVIRONMENT_PREFIX))?;
        Some((name, value.into_string().unwrap_or_else(|_| NOT_UNICODE.to_owned())))
    })
}

/// The names of the variables of this process that are ours, for whoever starts another process.
pub fn own_environment() -> impl Iterator<Item = std::ffi::OsString> {
    let ours = |name: &std::ffi::OsString| name.as_encoded_bytes().starts_with(ENVIRONMENT_PREFIX.as_bytes());
    std::env::vars_os().map(|(name, _)| name).filter(ours)
}

/// Lays the environment over the settings file.
pub(super) fn read(environment: impl Iterator<Item = (String, String)>, layers: &mut Layers, properties: &mut Properties) {
    let mut ours: Vec<(String, String)> = environment.filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX)).collect();
    // The environment has no order; findings should.
    ours.sort();
    for (name, value) in ours {
        let origin = Origin::new(Layer::Environment, name.clone());
        let rest = &name[ENVIRONMENT_PREFIX.len()..];
        if value.contains(NOT_UNICODE) {
            layers.doubt(&name);
            layers.find("config.unreadable_value", &name, "a value that is not UTF-8", "UTF-8 text", "write the value in UTF-8");
        } else if let Some(leaf) = LEAVES.iter().find(|leaf| leaf.environment_name() == name) {
            layers.offer(leaf, &Raw::Shell(value), origin);
        } else if let Some(property) = rest.strip_prefix(PROPERTY_PREFIX).filter(|property| !property.is_empty()) {
            properties.offer(&property.replace('_', "."), &value, origin);
        } else if !is_foreign(rest) && OTHER_ENVIRONMENT.iter().all(|(known, _)| *known != name) {
            let known: Vec<String> = LEAVES.iter().map(Leaf::environment_name).collect();
            let remedy = nearest(&name, known.iter().map(String::as_str)).map_or_else(
                || "unset it; `symbolon config reference` lists every name".to_owned(),
                |known| format!("did you mean {known}?"),
            );
            layers.doubt(&name);
            layers.find(
                "config.unknown_environment",
                &name,
                format!("{name} (value not shown)"),
                "the name of a setting",
                remedy,
            );
        }
    }
}

/// What Kubernetes and Docker put into the environment of every container beside a service named `symbolon`.
fn is_foreign(rest: &str) -> bool {
    rest.starts_with("SERVICE_") || rest == "PORT" || rest.starts_with("PORT_")
}
