//! A file between the engine and the disk: as it is, or without waiting for syncs, or with everything that is written kept aside in memory.
//! Knows no table.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

const BLOCK: usize = 4096;

/// A file as the engine sees it.
#[derive(Debug)]
pub(super) struct Layer {
    below: Box<dyn StorageBackend>,
    sync: bool,
    aside: Option<Mutex<Aside>>,
}

/// What was written, by blocks, and never reaches the disk.
#[derive(Debug)]
struct Aside {
    len: u64,
    blocks: HashMap<u64, Vec<u8>>,
}

impl Layer {
    /// The file; with `sync` every sync is waited for.
    pub(super) fn of(below: Box<dyn StorageBackend>, sync: bool) -> Self {
        Self { below, sync, aside: None }
    }

    /// The file as it is now, which nothing changes from here on: for a disk that cannot be written.
    pub(super) fn aside(below: Box<dyn StorageBackend>) -> io::Result<Self> {
        let aside = Aside { len: below.len()?, blocks: HashMap::new() };
        Ok(Self { below, sync: false, aside: Some(Mutex::new(aside)) })
    }

    fn written(&self) -> Option<MutexGuard<'_, Aside>> {
        self.aside.as_ref().map(|aside| aside.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Aside {
    /// The pieces of a range, each within one block: block, place in it, place in the range, length.
    fn pieces(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
        let mut done = 0;
        std::iter::from_fn(move || {
            let at = offset + done as u64;
            // A remainder by BLOCK is far below the end of any integer.
            let within = usize::try_from(at % BLOCK as u64).unwrap_or(0);
            let piece = (length - done).min(BLOCK - within);
            let found = (piece > 0).then_some((at / BLOCK as u64, within, done, piece));
            done += piece;
            found
        })
    }

    /// A block as it lies below, zeros behind its end.
    fn below(file: &dyn StorageBackend, block: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; BLOCK];
        let (from, end) = (block * BLOCK as u64, file.len()?);
        let there = usize::try_from(end.saturating_sub(from).min(BLOCK as u64)).unwrap_or(0);
        if there > 0 {
            file.read(from, &mut bytes[..there])?;
        }
        Ok(bytes)
    }
}

impl StorageBackend for Layer {
    fn len(&self) -> io::Result<u64> {
        self.written().map_or_else(|| self.below.len(), |aside| Ok(aside.len))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let Some(aside) = self.written() else { return self.below.read(offset, out) };
        for (block, within, from, length) in Aside::pieces(offset, out.len()) {
            let out = &mut out[from..from + length];
            match aside.blocks.get(&block) {
                Some(bytes) => out.copy_from_slice(&bytes[within..within + length]),
                None => out.copy_from_slice(&Aside::below(&*self.below, block)?[within..within + length]),
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let Some(mut aside) = self.written() else { return self.below.set_len(len) };
        aside.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.sync { self.below.sync_data() } else { Ok(()) }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let Some(mut aside) = self.written() else { return self.below.write(offset, data) };
        for (block, within, from, length) in Aside::pieces(offset, data.len()) {
            let bytes = match aside.blocks.entry(block) {
                Entry::Occupied(there) => there.into_mut(),
                Entry::Vacant(place) => place.insert(Aside::below(&*self.below, block)?),
            };
            bytes[within..within + length].copy_from_slice(&data[from..from + length]);
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.below.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.query_lock_range(start, end)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;

    #[test]
    fn what_is_kept_aside_is_read_and_never_reaches_the_file() {
        let below = InMemoryBackend::new();
        below.set_len(10_000).unwrap();
        below.write(0, &[7; 10_000]).unwrap();
        let layer = Layer::aside(Box::new(below)).unwrap();
        let mut expected = vec![7; 10_000];
        let mut put = |at: usize, data: &[u8]| {
            layer.write(at as u64, data).unwrap();
            if expected.len() < at + data.len() {
                expected.resize(at + data.len(), 0);
            }
            expected[at..at + data.len()].copy_from_slice(data);
        };
        put(5, b"within");
        put(4090, &[1; 5000]);
        layer.set_len(20_000).unwrap();
        put(9_990, &[2; 10_010]);
        assert_eq!(layer.len().unwrap(), 20_000);
        for (at, length) in [(0, 20_000), (4_000, 200), (8_191, 2), (9_999, 9)] {
            let mut read = vec![0; length];
            layer.read(at as u64, &mut read).unwrap();
            assert_eq!(read, expected[at..at + length], "{length} at {at}");
        }
        let mut below = [0; 10];
        layer.below.read(4090, &mut below).unwrap();
        assert_eq!(below, [7; 10]);
    }
}
