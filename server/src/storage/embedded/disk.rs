//! A disk made of memory, for tests: it can break in several ways, and forget what was not synced.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::{Database, StorageBackend};

use super::engine::Source;
use super::{Embedded, tables};
use crate::foundation::Clock;

/// What goes wrong from now on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::storage) enum Fault {
    #[default]
    None,
    /// The file cannot grow.
    Full,
    /// No block can be had for what is new; the header, which is there, can be written again.
    NoBlocks,
    /// After so many more writes and syncs, each of them fails.
    Broken(usize),
    /// Writes look well; every sync fails.
    SyncFails,
    /// Reads fail.
    Unreadable,
    /// A write makes the engine panic.
    Panics,
}

#[derive(Debug, Clone, Default)]
pub(in crate::storage) struct Disk(Arc<Mutex<Image>>);

#[derive(Default)]
struct Image {
    now: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Range<usize>>,
    fault: Fault,
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Image({} bytes, {:?})", self.now.len(), self.fault)
    }
}

impl Disk {
    /// A store on this disk; it must be all right at this moment.
    pub(in crate::storage) fn open(&self, clock: Clock) -> Embedded {
        self.open_with_cache(1 << 20, clock)
    }

    pub(super) fn open_with_cache(&self, bytes: usize, clock: Clock) -> Embedded {
        let disk = self.clone();
        let opener = move |_| Database::builder().set_cache_size(bytes).create_with_backend(disk.clone());
        Embedded::start(Source::of("disk", opener), clock).unwrap()
    }

    pub(in crate::storage) fn set_fault(&self, fault: Fault) {
        self.image().fault = fault;
    }

    /// The disk as it is found after the power went: without what was not synced.
    pub(in crate::storage) fn after_power_cut(&self) -> Self {
        let durable = self.image().durable.clone();
        Self(Arc::new(Mutex::new(Image { now: durable.clone(), durable, ..Image::default() })))
    }

    fn image(&self) -> MutexGuard<'_, Image> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Image {
    /// Fails if that is what is asked for; counts down to it otherwise.
    fn write_or_fail(&mut self) -> io::Result<()> {
        match &mut self.fault {
            Fault::Broken(0) => Err(io::Error::other("the disk is broken")),
            Fault::Broken(left) => {
                *left -= 1;
                Ok(())
            }
            Fault::Panics => panic!("the engine does not like this page"),
            _ => Ok(()),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.image().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let image = self.image();
        if image.fault == Fault::Unreadable {
            return Err(io::Error::other("the disk cannot be read"));
        }
        let start = usize::try_from(offset).unwrap();
        out.copy_from_slice(image.now.get(start..start + out.len()).ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut image = self.image();
        let len = usize::try_from(len).unwrap();
        if matches!(image.fault, Fault::Full | Fault::NoBlocks) && len > image.now.len() {
            return Err(ErrorKind::StorageFull.into());
        }
        image.write_or_fail()?;
        image.now.resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut image = self.image();
        if image.fault == Fault::SyncFails {
            return Err(io::Error::other("the disk cannot be synced"));
        }
        image.write_or_fail()?;
        let Image { now, durable, unsynced, .. } = &mut *image;
        durable.resize(now.len(), 0);
        for range in unsynced.drain(..) {
            let end = range.end.min(now.len());
            if range.start < end {
                durable[range.start..end].copy_from_slice(&now[range.start..end]);
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut image = self.image();
        image.write_or_fail()?;
        let start = usize::try_from(offset).unwrap();
        if image.fault == Fault::NoBlocks && start >= 4096 {
            return Err(ErrorKind::StorageFull.into());
        }
        let range = start..start + data.len();
        image.now.get_mut(range.clone()).ok_or(ErrorKind::UnexpectedEof)?.copy_from_slice(data);
        image.unsynced.push(range);
        Ok(())
    }
}

impl Embedded {
    /// The number of records, index members and reminders.
    pub(in crate::storage) fn counts(&self) -> [u64; 3] {
        self.engine.read(|database| tables::counts(database).map(Ok)).unwrap()
    }
}
