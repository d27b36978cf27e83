//! The store as a file: what is on the disk after a restart, who may open it, and what is said when it cannot be.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::{Embedded, OpenError, Options, about};
use crate::foundation::{Clock, Timestamp};
use crate::storage::snapshot::Entry;
use crate::storage::{Index, IndexKind, Key, Kind, StorageError, Store};

const OPTIONS: Options = Options { cache_bytes: 1 << 20, sync: true };

fn open(folder: &Path) -> Result<Embedded, OpenError> {
    Embedded::open(folder, OPTIONS, Clock::manual(1000))
}

fn key(id: usize) -> Key {
    Key::new(Kind::Session, id.to_be_bytes())
}

fn people() -> Index {
    Index::new(IndexKind::People, "")
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    store.insert(key(1), b"one".to_vec(), Some(Timestamp(5000))).await.unwrap();
    store.insert(key(2), b"two".to_vec(), None).await.unwrap();
    store.index_add(people(), b"ann".to_vec(), None).await.unwrap();
    let before = store.get(&key(1)).await.unwrap();
    store.close().await.unwrap();
    // Closing lets go of the file while the closed store still exists; dropping does so without closing.
    let again = open(folder.path()).unwrap();
    assert_eq!(again.get(&key(1)).await.unwrap(), before);
    assert!(again.compare_and_swap(key(1), before.unwrap().version, b"more".to_vec(), None).await.unwrap());
    drop(again);
    let last = open(folder.path()).unwrap();
    assert_eq!(last.get(&key(1)).await.unwrap().unwrap().value, b"more");
    assert_eq!(last.get(&key(2)).await.unwrap().unwrap().value, b"two");
    assert_eq!(last.index_list(&people()).await.unwrap(), [b"ann"]);
}

#[tokio::test]
async fn closing_finishes_what_was_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()).unwrap());
    let writes = (0..1500).map(|id| store.insert(key(id), vec![1; 100], None));
    let (written, closed) = tokio::join!(join_all(writes), store.close());
    closed.unwrap();
    assert!(written.into_iter().all(Result::unwrap), "every write was accepted before the store was closed");
    let again = open(folder.path()).unwrap();
    assert!(again.get(&key(1499)).await.unwrap().is_some());
    assert_eq!(again.counts()[0], 1500);
}

#[tokio::test]
async fn a_store_is_open_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    assert!(matches!(open(folder.path()), Err(OpenError::InUse(_))));
    store.ready().await.unwrap();
    drop(store);
    open(folder.path()).unwrap();
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let mode = fs::metadata(folder.path().join("store.redb")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_missing_folder_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("nowhere");
    let error = open(&missing).unwrap_err();
    assert!(matches!(error, OpenError::FolderMissing(_)));
    assert!(error.to_string().contains("nowhere does not exist"), "{error}");
    assert!(!missing.exists());
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(matches!(open(&file), Err(OpenError::FolderMissing(_))));
}

#[test]
fn what_is_not_a_store_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    for content in [b"hello".to_vec(), vec![0; 100_000], b"hello ".repeat(100_000)] {
        fs::write(&path, &content).unwrap();
        assert!(matches!(open(folder.path()), Err(OpenError::Damaged { .. })));
        assert!(fs::read(&path).unwrap() == content, "the file was changed");
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(open(folder.path()), Err(OpenError::Damaged { .. })));
}

#[tokio::test]
async fn damage_is_told_and_never_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let value = |id: usize| vec![u8::try_from(id % 250).unwrap(); 600];
    let store = open(folder.path()).unwrap();
    join_all((0..500).map(|id| store.insert(key(id), value(id), None))).await;
    drop(store);
    let whole = fs::read(&path).unwrap();
    let (mut refused, mut told, mut intact) = (0, 0, 0);
    for (n, at) in (0..whole.len()).step_by(whole.len() / 120).enumerate() {
        fs::write(&path, &whole).unwrap();
        let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(at as u64)).unwrap();
        // A page that is garbage, or one byte that is wrong.
        file.write_all(if n % 2 == 0 { &[0xA5; 4096] } else { &[0x5A] }).unwrap();
        drop(file);
        let Ok(store) = open(folder.path()) else {
            refused += 1;
            continue;
        };
        for id in 0..500 {
            match store.get(&key(id)).await {
                Ok(Some(found)) => {
                    assert!(found.value == value(id), "another value was served, with damage at {at}");
                    intact += 1;
                }
                Err(StorageError::Damaged(_)) => told += 1,
                other => panic!("with damage at {at}: {other:?}"),
            }
        }
        drop(store.insert(key(1000), value(1), None).await);
    }
    assert!(told > 0 && intact > 1000, "{refused} refused, {told} told, {intact} intact");
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(open(folder.path()).is_err());
}

#[tokio::test]
async fn a_store_of_format_1_is_read_and_moved_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    for id in 0..1200 {
        let old = |database: &_| about::as_format_1(database, key(id).as_bytes(), 7, &id.to_be_bytes()).map(Ok);
        store.engine.read(old).unwrap();
    }
    drop(store);
    for _ in 0..2 {
        let store = open(folder.path()).unwrap();
        for id in 0..1200 {
            let found = store.get(&key(id)).await.unwrap().unwrap();
            assert_eq!((found.value, found.version.0, found.expires), (id.to_be_bytes().to_vec(), 7, None));
        }
    }
}

#[test]
fn the_store_of_a_newer_release_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    store.engine.read(|database| about::pretend_format(database, about::FORMAT + 1).map(Ok)).unwrap();
    drop(store);
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 4, known: 3, .. }));
    assert!(error.to_string().contains("newer release"), "{error}");
}

#[tokio::test]
async fn a_snapshot_is_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    join_all((0..1200).map(|id| store.insert(key(id), id.to_be_bytes().to_vec(), None))).await;
    let mut snapshot = store.snapshot().await.unwrap();
    let mut found = snapshot.next().await.unwrap().len();
    // Written, deleted and changed between two pages of it.
    join_all((1200..2000).map(|id| store.insert(key(id), b"late".to_vec(), None))).await;
    join_all((600..1200).map(|id| store.delete(key(id)))).await;
    let version = store.get(&key(599)).await.unwrap().unwrap().version;
    assert!(store.compare_and_swap(key(599), version, b"late".to_vec(), None).await.unwrap());
    loop {
        let page = snapshot.next().await.unwrap();
        if page.is_empty() {
            break;
        }
        found += page.len();
        let late = |entry: &Entry| matches!(entry, Entry::Record { value, .. } if value == b"late");
        assert!(!page.iter().any(late), "a later moment");
    }
    assert_eq!(found, 1200);
}

/// Members of an index, the last of which [`rot_a_name`] finds.
pub(super) async fn add_three(store: &Embedded) {
    for member in [0x77, 0x88, 0xEE] {
        store.index_add(people(), vec![member; 40], None).await.unwrap();
    }
}

/// In a store that is closed, the last of the three becomes one that would have to be the first.
pub(super) fn rot_a_name(folder: &Path) {
    let path = folder.join("store.redb");
    let mut damaged = fs::read(&path).unwrap();
    for at in 0..damaged.len() - 40 {
        if damaged[at..at + 40] == [0xEE; 40] {
            damaged[at..at + 40].fill(0x11);
        }
    }
    fs::write(&path, &damaged).unwrap();
}

#[tokio::test]
async fn a_rotten_name_does_not_send_a_walk_in_circles() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    add_three(&store).await;
    drop(store);
    rot_a_name(folder.path());
    let store = open(folder.path()).unwrap();
    let mut snapshot = store.snapshot().await.unwrap();
    for _ in 0..3 {
        match snapshot.next().await {
            Ok(page) => assert!(!page.is_empty(), "nobody was told"),
            Err(error) => return assert!(matches!(error, StorageError::Damaged(_)), "{error}"),
        }
    }
    panic!("it goes on and on");
}

#[tokio::test]
async fn the_pages_of_a_file_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = open(folder.path()).unwrap();
    join_all((0..500).map(|id| store.insert(key(id), vec![7; 600], None))).await;
    assert!(matches!(Embedded::check_pages(folder.path()), Err(OpenError::InUse(_))));
    drop(store);
    assert!(Embedded::check_pages(folder.path()).unwrap());
    let whole = fs::read(&path).unwrap();
    let at = whole.windows(600).position(|window| window == [7; 600]).unwrap();
    let mut damaged = whole.clone();
    damaged[at + 5] ^= 1;
    fs::write(&path, &damaged).unwrap();
    assert!(matches!(Embedded::check_pages(folder.path()), Err(OpenError::Damaged { .. })));
}

#[tokio::test]
async fn a_sweep_frees_the_space() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(1000);
    let store = Embedded::open(folder.path(), OPTIONS, clock.clone()).unwrap();
    let mut sizes = Vec::new();
    for _ in 0..5 {
        let expires = Some(clock.now().plus(Duration::from_mins(1)));
        join_all((0..2500).map(|id| store.insert(key(id), vec![7; 700], expires)))
            .await
            .into_iter()
            .for_each(|new| assert!(new.unwrap()));
        join_all((0..100_u8).map(|id| store.index_add(people(), vec![id], expires))).await;
        store.insert(key(9_999_999), b"stays".to_vec(), None).await.unwrap();
        assert_eq!(store.counts(), [2501, 100, 2600]);
        assert_eq!(store.sweep().await.unwrap(), 0, "nothing has expired yet");
        clock.advance(Duration::from_mins(1));
        // The committer may have begun by itself; together they leave nothing.
        assert!(store.sweep().await.unwrap() <= 2600);
        assert_eq!(store.counts(), [1, 0, 0]);
        sizes.push(fs::metadata(folder.path().join("store.redb")).unwrap().len());
    }
    assert!(sizes.iter().all(|size| *size <= 2 * sizes[0]), "the space of the expired is not used again: {sizes:?}");
}

#[tokio::test]
async fn a_prolonged_record_is_not_swept() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(1000);
    let store = Embedded::open(folder.path(), OPTIONS, clock.clone()).unwrap();
    store.insert(key(1), b"x".to_vec(), Some(Timestamp(1010))).await.unwrap();
    for expires in [Some(Timestamp(1020)), Some(Timestamp(90_000)), Some(Timestamp(1040))] {
        let version = store.get(&key(1)).await.unwrap().unwrap().version;
        assert!(store.compare_and_swap(key(1), version, b"x".to_vec(), expires).await.unwrap());
        clock.advance(Duration::from_secs(9));
        store.sweep().await.unwrap();
        assert!(store.get(&key(1)).await.unwrap().is_some());
    }
    clock.advance(Duration::from_secs(20));
    assert_eq!(store.sweep().await.unwrap(), 1);
    assert_eq!(store.counts(), [0, 0, 0]);
}

#[tokio::test]
async fn an_idle_store_sweeps_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(1000);
    let store = Embedded::open(folder.path(), OPTIONS, clock.clone()).unwrap();
    join_all((0..1500).map(|id| store.insert(key(id), vec![7; 10], Some(Timestamp(1001))))).await;
    clock.advance(Duration::from_secs(1));
    for _ in 0..3000 {
        if store.counts() == [0, 0, 0] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing was swept");
}

#[tokio::test]
async fn without_syncs_it_is_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let unsynced = || Embedded::open(folder.path(), Options { sync: false, ..OPTIONS }, Clock::manual(1000));
    let store = unsynced().unwrap();
    assert!(store.insert(key(1), b"x".to_vec(), None).await.unwrap());
    assert!(matches!(unsynced(), Err(OpenError::InUse(_))));
    assert!(matches!(open(folder.path()), Err(OpenError::InUse(_))));
    drop(store);
    let store = open(folder.path()).unwrap();
    assert_eq!(store.get(&key(1)).await.unwrap().unwrap().value, b"x");
    drop(store);
    assert!(unsynced().unwrap().get(&key(1)).await.unwrap().is_some());
}
