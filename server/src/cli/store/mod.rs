//! `symbolon store …`

pub mod work;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use self::work::Filling;
use super::admin::{self, AdminCommand, socket};
use super::arguments::Place;
use super::assemble::{self, Opened};
use super::output::{Failure, Output};
use crate::grants::examination::Examiner;
use crate::settings::meaning::Backend;
use crate::settings::{self, Settings};
use crate::storage::archive::{Counts, Reader};
use crate::storage::embedded::Embedded;
use crate::storage::formats::Formats;
use crate::storage::snapshot::Entry;
use crate::storage::{Key, Kind};
use crate::tokens::keys;

/// What to do with everything that is stored.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Count what is in the store
    Stat,
    /// Read every record as a server would, and when no server runs, every page of the embedded store
    Check,
    /// Write everything to a file, also while the server runs
    Backup {
        /// The file, which must not be there yet
        file: PathBuf,
    },
    /// Fill an empty store from a backup; the server must be stopped
    Restore {
        /// The file that `store backup` wrote
        file: PathBuf,
    },
    /// List the formats of records that this release reads and writes
    Formats,
    /// Copy everything to the empty store of other settings; the server must be stopped
    Migrate {
        /// The settings file of the other store
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
}

/// Carries it out.
///
/// # Errors
/// Findings or the refusal.
pub async fn run(command: StoreCommand, place: &Place, output: Output) -> Result<(), Failure> {
    match command {
        StoreCommand::Stat => output.value(&admin::call(place, AdminCommand::StoreStat).await?),
        StoreCommand::Formats => output.value(&formats()),
        StoreCommand::Check => return check(place, output).await,
        StoreCommand::Backup { file } => {
            // The running server has another working directory.
            let file = std::path::absolute(&file).map_err(Failure::refusal_of)?;
            output.value(&admin::call(place, AdminCommand::StoreBackup { file }).await?);
        }
        StoreCommand::Restore { file } => output.value(&shown(restore(place, &file).await?)),
        StoreCommand::Migrate { to } => output.value(&shown(migrate(place, &to).await?)),
    }
    Ok(())
}

/// What decides whether two releases can share a store: each must read what the other writes.
fn formats() -> Value {
    let of = |kind: Kind| kind.formats().map(|formats| (kind, formats));
    let all = Kind::ALL.into_iter().filter_map(of);
    all.map(|(kind, Formats { reads, writes })| (kind.label().to_owned(), json!({ "reads": reads, "writes": writes }))).collect()
}

fn shown(counts: Counts) -> Value {
    json!({ "records": counts.records, "members": counts.members })
}

async fn check(place: &Place, output: Output) -> Result<(), Failure> {
    let settings = settings::from_process(place.config.as_deref(), &place.define)?.settings;
    let found = match socket::ask(&settings.storage.path, &AdminCommand::StoreCheck).await? {
        Some(answer) => answer?,
        None => check_stopped(&settings).await?,
    };
    output.value(&found);
    match found["damaged"].as_array().map_or(0, Vec::len) {
        0 => Ok(()),
        damaged => Err(Failure::refusal(format!(
            "{damaged} records are damaged; restore the store from a backup, or do without them: whoever needs one of them is refused"
        ))),
    }
}

/// A store that no server can open must be looked at all the same, so this makes no engine on it.
async fn check_stopped(settings: &Settings) -> Result<Value, Failure> {
    // Redis has no pages of ours.
    let pages = match settings.storage.backend {
        Backend::Redis(_) => None,
        Backend::Embedded => {
            let Opened { store, .. } = assemble::open(settings).await?;
            store.close().await.map_err(Failure::refusal_of)?;
            drop(store);
            let fine = Embedded::check_pages(&settings.storage.path).map_err(Failure::refusal_of)?;
            Some(if fine { "fine" } else { "mended" })
        }
    };
    let Opened { store, sealing, .. } = assemble::open(settings).await?;
    let examiner = Examiner { sealing: &sealing, scopes: &settings.scopes };
    let checked = work::check(&*store, &examiner).await.map_err(Failure::refusal_of);
    store.close().await.map_err(Failure::refusal_of)?;
    let mut found = serde_json::to_value(checked?).map_err(Failure::refusal_of)?;
    if let Some(pages) = pages {
        found["pages"] = pages.into();
    }
    Ok(found)
}

/// The store of a server that must be stopped.
async fn stopped(settings: &Settings) -> Result<Opened, Failure> {
    if socket::ask(&settings.storage.path, &AdminCommand::Ping).await?.is_some() {
        return Err(Failure::refusal(format!("the server on {} is running; stop it first", settings.storage.path.display())));
    }
    assemble::open(settings).await
}

/// The same, when nothing is in it.
async fn empty(settings: &Settings) -> Result<Opened, Failure> {
    let opened = stopped(settings).await?;
    if work::is_empty(&*opened.store).await.map_err(Failure::refusal_of)? {
        return Ok(opened);
    }
    opened.store.close().await.map_err(Failure::refusal_of)?;
    Err(Failure::refusal(format!(
        "the store on {} is not empty; name another storage.path or storage.redis.prefix, or move what is there away",
        shown_place(settings)
    )))
}

/// Only keys that a server with these settings can open are of any use to it.
fn fits(entry: &Entry, target: &Opened) -> Result<(), Failure> {
    match entry {
        Entry::Record { key, value, .. } if key.kind() == Some(Kind::SigningKeys) => keys::check(&target.sealing, value)
            .map_err(|error| Failure::refusal(format!("{}: {error}; bring the sealing key along", Key::shown(key.as_bytes())))),
        _ => Ok(()),
    }
}

async fn restore(place: &Place, file: &Path) -> Result<Counts, Failure> {
    let settings = settings::from_process(place.config.as_deref(), &place.define)?.settings;
    let _trail = admin::listen(&settings)?;
    // All of it is read before any of it is written.
    Reader::verify(file).map_err(Failure::refusal_of)?;
    let target = empty(&settings).await?;
    let filled = async {
        let mut filling = Filling::new(target.store.clone(), target.clock.now());
        for entry in Reader::open(file).map_err(Failure::refusal_of)? {
            let entry = entry.map_err(Failure::refusal_of)?;
            fits(&entry, &target)?;
            filling.add(entry).await.map_err(Failure::refusal_of)?;
        }
        filling.finish("a backup").await.map_err(Failure::refusal_of)
    };
    settled(filled.await, &target).await
}

async fn migrate(place: &Place, to: &Path) -> Result<Counts, Failure> {
    let settings = settings::from_process(place.config.as_deref(), &place.define)?.settings;
    let _trail = admin::listen(&settings)?;
    // What the operator overrides on the command line is about the store that is left.
    let other = settings::from_process(Some(to), &[])?.settings;
    let source = stopped(&settings).await?;
    if is_same(&settings, &other) {
        return Err(Failure::refusal(format!("source and target are the same: {}", shown_place(&settings))));
    }
    let target = empty(&other).await?;
    let filled = async {
        let mut filling = Filling::new(target.store.clone(), target.clock.now());
        let mut snapshot = source.store.snapshot().await.map_err(Failure::refusal_of)?;
        loop {
            let page = snapshot.next().await.map_err(Failure::refusal_of)?;
            if page.is_empty() {
                break;
            }
            for entry in page {
                fits(&entry, &target)?;
                filling.add(entry).await.map_err(Failure::refusal_of)?;
            }
        }
        filling.finish("another store").await.map_err(Failure::refusal_of)
    };
    let counts = settled(filled.await, &target).await?;
    source.store.close().await.map_err(Failure::refusal_of)?;
    Ok(counts)
}

/// Whether both keep their records in the same place. The source has made its folder by now, so that both folders can be told from
/// each other whatever they are called.
fn is_same(source: &Settings, target: &Settings) -> bool {
    match (&source.storage.backend, &target.storage.backend) {
        (Backend::Embedded, Backend::Embedded) => {
            let folder = |settings: &Settings| settings.storage.path.canonicalize();
            folder(target).is_ok_and(|target| folder(source).is_ok_and(|source| source == target))
        }
        (Backend::Redis(source), Backend::Redis(target)) => {
            source.prefix == target.prefix && source.servers.iter().any(|server| target.servers.contains(server))
        }
        _ => false,
    }
}

/// Where the records of a server are, in words.
fn shown_place(settings: &Settings) -> String {
    match &settings.storage.backend {
        Backend::Embedded => settings.storage.path.display().to_string(),
        Backend::Redis(redis) => {
            let servers: Vec<String> = redis.servers.iter().map(ToString::to_string).collect();
            format!("{} on Redis at {}", redis.prefix, servers.join(", "))
        }
    }
}

/// What was counted is on the disk; what failed half way says that the store is not to be used.
async fn settled(filled: Result<Counts, Failure>, target: &Opened) -> Result<Counts, Failure> {
    let closed = target.store.close().await.map_err(Failure::refusal_of);
    match filled {
        Ok(counts) => closed.map(|()| counts),
        Err(Failure::Refusal(why)) => {
            Err(Failure::refusal(format!("{why}; what was copied so far is not to be used: remove it")))
        }
        Err(failure) => Err(failure),
    }
}
