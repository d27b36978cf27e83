//! What was acknowledged since the engine's last durable commit: frames in a file of its own, each synced before anybody is answered.
//! Knows bytes and numbers, not what they do.
//!
//! A frame is its length (u32), the CRC-32 of all that follows (u32), the id of its store and its number (u64 each, little endian), then
//! its content. Frames are numbered without a gap. Once the engine has everything, the next frame is written at the beginning again: what
//! lies behind it there has other numbers.

use std::io;

use redb::StorageBackend;

/// Length, checksum, id, number.
const HEADER: usize = 4 + 4 + 8 + 8;
/// The file grows by so much at a time, in bytes.
const STEP: u64 = 1024 * 1024;
/// So long it may become before it is time for a durable commit of the engine.
const FULL: u64 = 32 * STEP;

/// Why a journal cannot be carried on.
#[derive(Debug, thiserror::Error)]
pub(super) enum JournalError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0}")]
    Damaged(&'static str),
    #[error(transparent)]
    Engine(#[from] redb::Error),
}

#[derive(Debug)]
pub(super) struct Journal {
    file: Box<dyn StorageBackend>,
    /// Of the store that it belongs to: one that lies beside another store says nothing about it.
    id: u64,
    /// Where the next frame goes, and how long the file is.
    end: u64,
    len: u64,
    /// The number of the last frame.
    last: u64,
    frame: Vec<u8>,
}

impl Journal {
    /// The journal in this file, of the store that has everything up to `last` by itself.
    pub(super) fn open(file: Box<dyn StorageBackend>, id: u64, last: u64) -> io::Result<Self> {
        let len = file.len()?;
        Ok(Self { file, id, end: 0, len, last, frame: Vec::new() })
    }

    /// Hands out the content of the frames up to number `until` that the store does not have, in order. The next frame goes behind them.
    pub(super) fn replay(
        &mut self,
        until: u64,
        mut each: impl FnMut(&[u8]) -> Result<(), redb::Error>,
    ) -> Result<(), JournalError> {
        let (mut at, mut expected) = (0, None);
        while let Some((number, content)) = self.frame_at(at)? {
            if expected.is_some_and(|expected| expected != number) || number > until {
                break;
            }
            if expected.is_none() && number > self.last + 1 {
                return Err(JournalError::Damaged("its journal goes on from a later state than it has"));
            }
            at += (HEADER + content.len()) as u64;
            expected = Some(number + 1);
            if number > self.last {
                each(&content)?;
                self.last = number;
            }
        }
        self.end = at;
        self.is_the_end(at, expected)
    }

    /// A frame that is no good is one that was being written, unless another follows it.
    fn is_the_end(&self, at: u64, expected: Option<u64>) -> Result<(), JournalError> {
        let mut length = [0; 4];
        if self.len < at + length.len() as u64 {
            return Ok(());
        }
        let expected = expected.unwrap_or(self.last + 1);
        self.file.read(at, &mut length)?;
        let next = at + HEADER as u64 + u64::from(u32::from_le_bytes(length));
        match self.frame_at(next)? {
            Some((number, _)) if number == expected + 1 => Err(JournalError::Damaged("its journal is damaged")),
            _ => Ok(()),
        }
    }

    /// The frame at a place: its number and content; nothing if there is no whole one of ours.
    fn frame_at(&self, at: u64) -> io::Result<Option<(u64, Vec<u8>)>> {
        let mut header = [0; HEADER];
        if self.len < at + HEADER as u64 {
            return Ok(None);
        }
        self.file.read(at, &mut header)?;
        let word = |from: usize| u64::from_le_bytes(std::array::from_fn(|n| header[from + n]));
        let half = |from: usize| u32::from_le_bytes(std::array::from_fn(|n| header[from + n]));
        let (length, checksum, id, number) = (half(0), half(4), word(8), word(16));
        if id != self.id || self.len - at - (HEADER as u64) < u64::from(length) {
            return Ok(None);
        }
        // What fits into the file fits into memory on every machine that we run on.
        let mut content = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        self.file.read(at + HEADER as u64, &mut content)?;
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&header[8..]);
        hasher.update(&content);
        Ok((hasher.finalize() == checksum).then_some((number, content)))
    }

    /// Writes a frame and waits until it is on the disk.
    pub(super) fn append(&mut self, content: &[u8]) -> io::Result<()> {
        let length = u32::try_from(content.len()).map_err(|_| io::Error::other("a frame is too long"))?;
        let number = self.last + 1;
        self.frame.clear();
        self.frame.extend_from_slice(&length.to_le_bytes());
        self.frame.extend_from_slice(&[0; 4]);
        self.frame.extend_from_slice(&self.id.to_le_bytes());
        self.frame.extend_from_slice(&number.to_le_bytes());
        self.frame.extend_from_slice(content);
        let checksum = crc32fast::hash(&self.frame[8..]).to_le_bytes();
        self.frame[4..8].copy_from_slice(&checksum);
        let end = self.end + self.frame.len() as u64;
        if end > self.len {
            let len = end.next_multiple_of(STEP);
            self.file.set_len(len)?;
            self.len = len;
        }
        self.file.write(self.end, &self.frame)?;
        self.file.sync_data()?;
        (self.end, self.last) = (end, number);
        // One large frame must not keep its memory.
        if self.frame.capacity() as u64 > STEP {
            self.frame = Vec::new();
        }
        Ok(())
    }

    /// The number of the last frame.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// The engine has everything up to the last frame.
    pub(super) const fn begin_anew(&mut self) {
        self.end = 0;
    }

    pub(super) const fn is_full(&self) -> bool {
        self.end >= FULL
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;

    /// A file in memory that several journals can be opened on, one after the other.
    #[derive(Debug, Clone, Default)]
    struct File(std::sync::Arc<InMemoryBackend>);

    impl StorageBackend for File {
        fn len(&self) -> io::Result<u64> {
            self.0.len()
        }
        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.0.read(offset, out)
        }
        fn set_len(&self, len: u64) -> io::Result<()> {
            self.0.set_len(len)
        }
        fn sync_data(&self) -> io::Result<()> {
            Ok(())
        }
        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.0.write(offset, data)
        }
    }

    impl File {
        fn journal(&self, id: u64, last: u64) -> Journal {
            Journal::open(Box::new(self.clone()), id, last).unwrap()
        }

        fn flip(&self, at: u64) {
            let mut byte = [0];
            self.0.read(at, &mut byte).unwrap();
            self.0.write(at, &[byte[0] ^ 1]).unwrap();
        }
    }

    /// What a store that has everything up to `last` is told to do again.
    fn replayed(file: &File, last: u64) -> Result<Vec<String>, String> {
        let mut told = Vec::new();
        let mut journal = file.journal(1, last);
        let replay = journal.replay(u64::MAX, |content| {
            told.push(String::from_utf8(content.to_vec()).unwrap());
            Ok(())
        });
        replay.map(|()| told).map_err(|error| error.to_string())
    }

    fn with(contents: &[&str]) -> File {
        let file = File::default();
        let mut journal = file.journal(1, 0);
        for content in contents {
            journal.append(content.as_bytes()).unwrap();
        }
        file
    }

    #[test]
    fn what_the_store_does_not_have_is_told_in_order() {
        let file = with(&["one", "", "three"]);
        assert_eq!(replayed(&file, 0).unwrap(), ["one", "", "three"]);
        assert_eq!(replayed(&file, 2).unwrap(), ["three"]);
        assert!(replayed(&file, 3).unwrap().is_empty());
        assert!(replayed(&File::default(), 7).unwrap().is_empty());
        let mut told = 0;
        let replay = file.journal(1, 0).replay(2, |_| {
            told += 1;
            Ok(())
        });
        replay.unwrap();
        assert_eq!(told, 2, "no further than was asked for");
    }

    #[test]
    fn begun_anew_it_tells_nothing_of_before() {
        let file = with(&["one", "two", "three", "four"]);
        let mut journal = file.journal(1, 4);
        journal.replay(u64::MAX, |_| panic!("the store has it")).unwrap();
        journal.begin_anew();
        journal.append(b"55").unwrap();
        assert_eq!(replayed(&file, 4).unwrap(), ["55"]);
        journal.append(b"six").unwrap();
        assert_eq!(replayed(&file, 4).unwrap(), ["55", "six"]);
        assert_eq!(replayed(&file, 6).unwrap(), [""; 0]);
        // An older copy of the store beside it would miss what came between.
        assert!(replayed(&file, 2).unwrap_err().contains("a later state"));
    }

    #[test]
    fn one_of_another_store_says_nothing() {
        let file = with(&["one"]);
        let mut journal = file.journal(2, 0);
        journal.replay(u64::MAX, |_| panic!("it is of another store")).unwrap();
        journal.begin_anew();
        journal.append(b"ours").unwrap();
        assert!(replayed(&file, 0).unwrap().is_empty());
    }

    #[test]
    fn a_torn_frame_at_the_end_never_was_and_one_before_is_damage() {
        let frame = (HEADER + 3) as u64;
        for at in 0..frame {
            let file = with(&["one", "two"]);
            file.flip(frame + at);
            assert_eq!(replayed(&file, 0).unwrap(), ["one"], "byte {at}");
        }
        // Where the length is wrong, the next frame is not found.
        for at in 4..frame {
            for broken in 0..2 {
                let file = with(&["one", "two", "thr"]);
                file.flip(broken * frame + at);
                assert!(replayed(&file, 0).unwrap_err().contains("damaged"), "frame {broken}, byte {at}");
            }
        }
    }
}
