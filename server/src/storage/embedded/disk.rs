//! A disk made of memory, for tests: it can break in several ways, and forget what was not synced.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

use super::source::Source;
use super::{Embedded, Options, about};
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
    /// The engine's file and the journal.
    files: [Contents; 2],
    fault: Fault,
}

#[derive(Default, Clone)]
struct Contents {
    now: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Range<usize>>,
}

/// One of the files on the disk.
#[derive(Debug, Clone)]
struct OnDisk(Disk, usize);

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Image({} bytes, {:?})", self.files[0].now.len(), self.fault)
    }
}

impl Disk {
    /// A store on this disk; it must be all right at this moment.
    pub(in crate::storage) fn open(&self, clock: Clock) -> Embedded {
        self.open_with_cache(1 << 20, clock)
    }

    pub(super) fn open_with_cache(&self, bytes: usize, clock: Clock) -> Embedded {
        let disk = self.clone();
        let opener = move |_| Ok([0, 1].map(|n| Box::new(OnDisk(disk.clone(), n)) as Box<dyn StorageBackend>));
        Embedded::start(Source::of("disk", Options { cache_bytes: bytes, sync: true }, opener), clock).unwrap()
    }

    pub(in crate::storage) fn set_fault(&self, fault: Fault) {
        self.image().fault = fault;
    }

    /// The disk as it is found after the power went: without what was not synced.
    pub(in crate::storage) fn after_power_cut(&self) -> Self {
        let files = self.image().files.clone().map(|Contents { durable, .. }| Contents {
            now: durable.clone(),
            durable,
            unsynced: Vec::new(),
        });
        Self(Arc::new(Mutex::new(Image { files, fault: Fault::None })))
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

impl StorageBackend for OnDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.image().files[self.1].now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let image = self.0.image();
        if image.fault == Fault::Unreadable {
            return Err(io::Error::other("the disk cannot be read"));
        }
        let start = usize::try_from(offset).unwrap();
        out.copy_from_slice(image.files[self.1].now.get(start..start + out.len()).ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut image = self.0.image();
        let len = usize::try_from(len).unwrap();
        if matches!(image.fault, Fault::Full | Fault::NoBlocks) && len > image.files[self.1].now.len() {
            return Err(ErrorKind::StorageFull.into());
        }
        image.write_or_fail()?;
        image.files[self.1].now.resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut image = self.0.image();
        if image.fault == Fault::SyncFails {
            return Err(io::Error::other("the disk cannot be synced"));
        }
        image.write_or_fail()?;
        let Contents { now, durable, unsynced } = &mut image.files[self.1];
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
        let mut image = self.0.image();
        image.write_or_fail()?;
        let start = usize::try_from(offset).unwrap();
        if image.fault == Fault::NoBlocks && start >= 4096 {
            return Err(ErrorKind::StorageFull.into());
        }
        let Contents { now, unsynced, .. } = &mut image.files[self.1];
        let range = start..start + data.len();
        now.get_mut(range.clone()).ok_or(ErrorKind::UnexpectedEof)?.copy_from_slice(data);
        unsynced.push(range);
        Ok(())
    }
}

impl Embedded {
    /// The number of records, index members and reminders.
    pub(in crate::storage) fn counts(&self) -> [u64; 3] {
        self.engine.read(|database| about::counts(database).map(Ok)).unwrap()
    }
}
