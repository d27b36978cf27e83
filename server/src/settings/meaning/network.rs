//! What `[network]` means.

use std::path::PathBuf;
use std::time::Duration;

/// `[network]`: what is known of addresses.
#[derive(Debug, Clone)]
pub struct NetworkData {
    /// `network.databases`: files of the MaxMind DB format, those that are asked first first. Default none.
    pub databases: Vec<PathBuf>,
    /// `network.watch`, default 1m: how often they are looked at for changes. `None` (`"never"`) = only when told.
    pub watch: Option<Duration>,
    /// `network.prefix_v4` and `network.prefix_v6`.
    pub prefixes: Prefixes,
}

/// How many leading bits two addresses share that belong to one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefixes {
    /// Of IPv4 addresses, 8 to 32; default 24.
    pub v4: u8,
    /// Of IPv6 addresses, 16 to 128; default 56.
    pub v6: u8,
}
