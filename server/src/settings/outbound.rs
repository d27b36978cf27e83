//! `[outbound]`: what requests of the server may reach and whom they trust.

use super::backend::readable;
use super::layers::Layers;
use super::meaning::Outbound;
use crate::foundation::certificates;

const CA_FILE: &str = "outbound.ca_file";

/// `None` only when a setting is missing from the built-in list.
pub(super) fn read(layers: &mut Layers) -> Option<Outbound> {
    let text = layers.path(CA_FILE)?.and_then(|path| readable(layers, CA_FILE, &path));
    if let Some(Err(why)) = text.as_deref().map(certificates::count) {
        let place = layers.origin(CA_FILE).map(|origin| origin.place.clone()).unwrap_or_default();
        let remedy = "name a file with the certificates of the authorities, PEM";
        layers.find("config.unreadable_value", &place, format!("{CA_FILE}: {why}"), "certificates (PEM)", remedy);
    }
    Some(Outbound { allow_private_addresses: layers.flag("outbound.allow_private_addresses")?, ca_certificates: text })
}
