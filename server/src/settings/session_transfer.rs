//! `[session_transfer]`: reads it.

use super::layers::Layers;
use super::meaning::SessionTransfer;

/// `None` only when a setting is missing from the built-in list.
pub(super) fn read(layers: &Layers) -> Option<SessionTransfer> {
    Some(SessionTransfer {
        lifetime: layers.span("session_transfer.lifetime")?,
        interclient_lifetime: layers.span("session_transfer.interclient_lifetime")?,
        enforce_binding: layers.text("session_transfer.binding")? == "enforce",
        end_other_sessions: layers.flag("session_transfer.end_other_sessions")?,
        hosts: layers.texts("session_transfer.hosts")?.into_iter().map(|host| host.to_ascii_lowercase()).collect(),
    })
}
