//! All databases of the settings, exchanged as a whole while look-ups go on: a look-up takes no lock and waits for nobody.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::binding::{Binding, Difference, Origin, compare};
use super::database::{Database, Picture, picture};
use super::place::Place;
use crate::settings::meaning::NetworkData;
use crate::settings::{Finding, Findings};
use crate::telemetry::{AuditEvent, codes};

/// What is known of addresses. Cheap to share.
#[derive(Debug, Clone)]
pub struct Networks {
    settings: Arc<NetworkData>,
    open: Arc<ArcSwap<Vec<Arc<Database>>>>,
}

impl Networks {
    /// Opens the databases of the settings.
    ///
    /// # Errors
    /// A finding for each that cannot be used.
    pub fn open(settings: &NetworkData) -> Result<Self, Findings> {
        let (mut open, mut findings) = (Vec::new(), Findings::default());
        for path in &settings.databases {
            match Database::open(path) {
                Ok(database) => open.push(Arc::new(database)),
                Err(why) => findings.0.push(unusable(path.display().to_string(), why)),
            }
        }
        findings.unless_any(Self { settings: Arc::new(settings.clone()), open: Arc::new(ArcSwap::from_pointee(open)) })
    }

    /// Without databases: nothing is known of any address. For commands that ask nobody where they are.
    #[must_use]
    pub fn none(settings: &NetworkData) -> Self {
        Self { settings: Arc::new(settings.clone()), open: Arc::default() }
    }

    /// Where an address is. An IPv4-mapped IPv6 address is its IPv4 one.
    #[must_use]
    pub fn look_up(&self, address: IpAddr) -> Place {
        let address = address.to_canonical();
        self.open.load().iter().fold(Place::default(), |known, database| known.or(&database.look_up(address)))
    }

    /// The address with its autonomous system, to be compared later.
    #[must_use]
    pub fn origin(&self, address: Option<IpAddr>) -> Origin {
        Origin { address, asn: address.and_then(|address| self.look_up(address).asn) }
    }

    /// Compares two origins by the prefixes of the settings.
    ///
    /// # Errors
    /// Why they are not the same.
    pub fn compare(&self, binding: Binding, issued_from: Origin, now: Origin) -> Result<Binding, Difference> {
        compare(binding, self.settings.prefixes, issued_from, now)
    }

    /// Takes over the files that have changed. One that is broken or missing is told, and its old content stays. Reads files: not for
    /// a thread that answers requests.
    pub fn refresh(&self) {
        let current = self.open.load_full();
        let (mut next, mut changed, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for database in current.iter() {
            if picture(&database.path).is_ok_and(|now| now == database.picture) {
                next.push(Arc::clone(database));
                continue;
            }
            match Database::open(&database.path) {
                Ok(new) => {
                    changed.push(new.describe());
                    next.push(Arc::new(new));
                }
                Err(why) => {
                    refused.push(format!("{}: {why}", database.path.display()));
                    next.push(Arc::clone(database));
                }
            }
        }
        if !changed.is_empty() {
            self.open.store(Arc::new(next));
            AuditEvent::granted(codes::NETWORK_DATABASES_RELOADED).detail(&changed.join("; ")).emit();
        }
        for why in refused {
            AuditEvent::refused(codes::NETWORK_DATABASE_REFUSED).reason(&why).emit();
        }
    }

    /// Looks at the files as often as `network.watch` says, and takes them over when a change has come to rest: a file that is still
    /// being copied changes from look to look. Does not end.
    pub async fn watch(self) {
        let Some(every) = self.settings.watch.filter(|_| !self.settings.databases.is_empty()) else {
            return std::future::pending().await;
        };
        let opened = self.open.load().iter().map(|database| (database.path.clone(), database.picture)).collect();
        let mut known: BTreeMap<PathBuf, Picture> = opened;
        let mut previous = known.clone();
        loop {
            tokio::time::sleep(every).await;
            let now = self.look().await;
            if now != known && now == previous {
                known.clone_from(&now);
                let own = self.clone();
                // What came of it is in the log; what was refused is tried again when the file changes again.
                drop(tokio::task::spawn_blocking(move || own.refresh()).await);
            }
            previous = now;
        }
    }

    async fn look(&self) -> BTreeMap<PathBuf, Picture> {
        let paths = self.settings.databases.clone();
        let look = move || paths.into_iter().filter_map(|path| picture(&path).ok().map(|picture| (path, picture))).collect();
        tokio::task::spawn_blocking(look).await.unwrap_or_default()
    }
}

fn unusable(place: String, seen: String) -> Finding {
    Finding {
        id: "network.database",
        place,
        seen,
        expected: "a file of the MaxMind DB format with cities, countries or AS numbers".to_owned(),
        remedy: "correct network.databases, or bring the file there and let the server's user read it".to_owned(),
    }
}
