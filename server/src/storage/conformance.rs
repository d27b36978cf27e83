//! What every backend must do, run against each of them. A backend is finished when this passes.
#![expect(clippy::unwrap_used, reason = "a test")]

mod expiry;
mod listing;
mod model;
mod operations;
mod races;

use std::sync::Arc;
use std::time::Duration;

use super::embedded::disk::Disk;
use super::embedded::{Embedded, Options};
use super::memory::Memory;
use super::redis::{Redis, rig};
use super::{Key, Kind, SharedStore, StorageError};
use crate::foundation::{Clock, Timestamp};
use crate::settings::meaning;

/// One empty store, and the clock by which its records expire.
struct Subject {
    store: SharedStore,
    clock: Clock,
    /// Kept so that the folder lives as long as the store in it.
    _folder: Option<tempfile::TempDir>,
}

impl Subject {
    fn memory() -> Self {
        let clock = Clock::manual(1000);
        Self { store: Arc::new(Memory::new(clock.clone())), clock, _folder: None }
    }

    /// The embedded store on a disk made of memory.
    fn embedded() -> Self {
        let clock = Clock::manual(1000);
        Self { store: Arc::new(Disk::default().open(clock.clone())), clock, _folder: None }
    }

    /// The embedded store on the real disk.
    fn file() -> Self {
        let clock = Clock::manual(1000);
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Embedded::open(folder.path(), Options { cache_bytes: 1 << 20, sync: true }, clock.clone()).unwrap());
        Self { store, clock, _folder: Some(folder) }
    }

    /// On the Redis server of this test process, under a prefix that nothing else has.
    async fn redis() -> Self {
        Self::shared(rig::redis()).await
    }

    /// The same, where each write waits for one replica.
    async fn cluster() -> Self {
        Self::shared(rig::cluster()).await
    }

    async fn sentinel() -> Self {
        Self::shared(rig::sentinels()).await
    }

    async fn shared(settings: meaning::Redis) -> Self {
        let clock = Clock::manual(1000);
        let store = Arc::new(Redis::open(&settings, clock.clone()).await.unwrap());
        Self { store, clock, _folder: None }
    }

    /// The moment so many seconds from now.
    #[expect(clippy::unnecessary_wraps, reason = "an expiry as every operation takes it")]
    fn after(&self, seconds: u64) -> Option<Timestamp> {
        Some(self.clock.now().plus(Duration::from_secs(seconds)))
    }

    fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

fn key(id: &str) -> Key {
    Key::new(Kind::Session, id)
}

/// Runs each case of the suite against each backend.
macro_rules! conformance {
    ($($room:ident::$case:ident)*) => {
        mod memory { $(#[tokio::test] async fn $case() { super::$room::$case(super::Subject::memory()).await; })* }
        mod embedded { $(#[tokio::test] async fn $case() { super::$room::$case(super::Subject::embedded()).await; })* }
        mod file { $(#[tokio::test] async fn $case() { super::$room::$case(super::Subject::file()).await; })* }
        mod redis { $(#[tokio::test] async fn $case() { super::$room::$case(super::Subject::redis().await).await; })* }
        mod cluster { $(#[tokio::test] async fn $case() { super::$room::$case(super::Subject::cluster().await).await; })* }
        mod sentinel { $(#[tokio::test] async fn $case() { super::$room::$case(super::Subject::sentinel().await).await; })* }
    };
}

conformance! {
    operations::a_record_is_read_as_it_was_written
    operations::an_insert_leaves_a_live_record_alone
    operations::a_swap_needs_the_version_that_was_read
    operations::no_version_ever_comes_back
    operations::a_record_is_taken_once
    operations::a_tombstone_stands_in_its_place
    operations::a_deleted_record_is_gone
    operations::kinds_do_not_collide
    operations::an_index_lists_its_members_in_byte_order
    operations::indexes_do_not_run_into_each_other
    operations::large_values_are_kept_and_larger_ones_refused
    operations::long_names_are_refused
    operations::a_future_that_is_never_polled_does_nothing
    operations::a_closed_store_refuses_everything
    listing::a_snapshot_has_everything
    listing::a_closed_store_has_no_snapshot
    expiry::an_expired_record_is_absent_for_every_operation
    expiry::an_insert_over_an_expired_record_works
    expiry::a_swap_replaces_the_expiry
    expiry::a_tombstone_lives_as_long_as_its_record_would_have
    expiry::the_members_of_an_index_expire
    expiry::what_never_expires_stays
    races::one_insert_wins
    races::one_take_wins
    races::one_delete_wins
    races::no_swap_is_lost
    races::every_member_arrives
    races::different_keys_do_not_disturb_each_other
    races::hundreds_at_once
}

fn is_unavailable<T>(result: &Result<T, StorageError>) -> bool {
    matches!(result, Err(StorageError::Unavailable(_)))
}
