//! What `[network]` says. The files themselves are opened by the room of that name.

use super::layers::Layers;
use super::meaning::{NetworkData, Prefixes};

/// `None` only when a setting used here is missing from the built-in list.
pub(super) fn read(layers: &Layers) -> Option<NetworkData> {
    Some(NetworkData {
        databases: layers.paths("network.databases")?,
        watch: layers.limit("network.watch")?,
        prefixes: Prefixes { v4: layers.number("network.prefix_v4")?, v6: layers.number("network.prefix_v6")? },
    })
}
