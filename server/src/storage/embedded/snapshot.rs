//! A walk over all tables as of one commit. It keeps the pages of that commit from being reused while it lasts.

use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};

use redb::{AccessGuard, Database, ReadOnlyTable, ReadableDatabase, ReadableTableMetadata as _, Value};

use super::record::{Header, NEVER};
use super::tables::{Applied, MEMBERS, PAGE, RECORDS, member_of};
use crate::foundation::Timestamp;
use crate::storage::snapshot::{Entry, Snapshot};
use crate::storage::{Key, Outcome, StorageError};

/// The tables, and the last name that was told of the present one.
pub(super) struct Walk {
    records: ReadOnlyTable<&'static [u8], &'static [u8]>,
    members: ReadOnlyTable<&'static [u8], u64>,
    told: Vec<u8>,
    in_members: bool,
    /// Entries of the present table that are still to come, by its own count.
    left: u64,
}

impl Walk {
    pub(super) fn begin(database: &Database) -> Applied<Self> {
        let transaction = database.begin_read()?;
        let (records, members) = (transaction.open_table(RECORDS)?, transaction.open_table(MEMBERS)?);
        let left = records.len()?;
        Ok(Ok(Self { records, members, told: Vec::new(), in_members: false, left }))
    }

    fn page(&mut self) -> Result<Vec<Entry>, redb::StorageError> {
        if !self.in_members {
            let page = self.page_of_records()?;
            self.counts(page.len())?;
            if !page.is_empty() {
                return Ok(page);
            }
            self.in_members = true;
            self.told.clear();
            self.left = self.members.len()?;
        }
        let page = self.page_of_members()?;
        self.counts(page.len())?;
        Ok(page)
    }

    /// As many entries as the table says that it has: a page of an earlier time in the place of the present one is in order, too.
    fn counts(&mut self, told: usize) -> Result<(), redb::StorageError> {
        let left = self.left.checked_sub(told as u64);
        self.left = left
            .filter(|left| told > 0 || *left == 0)
            .ok_or_else(|| redb::StorageError::Corrupted("there are not as many names in it as it says".to_owned()))?;
        Ok(())
    }

    fn page_of_records(&mut self) -> Result<Vec<Entry>, redb::StorageError> {
        let mut page = Vec::new();
        go_on(&self.records, &mut self.told, |key, record| {
            let name = Key::stored(key);
            page.push(match Header::read(key, record.value()) {
                Ok((header, value)) => Entry::Record { key: name, value: value.to_vec(), expires: header.expiry() },
                Err(error) => Entry::Damaged { key: name, reason: error.to_string() },
            });
        })?;
        Ok(page)
    }

    fn page_of_members(&mut self) -> Result<Vec<Entry>, redb::StorageError> {
        let mut page = Vec::new();
        go_on(&self.members, &mut self.told, |key, expires| {
            page.push(match member_of(key) {
                Some((index, member)) => {
                    let expires = (expires.value() != NEVER).then_some(Timestamp(expires.value()));
                    Entry::Member { index, member, expires }
                }
                None => Entry::Damaged { key: Key::stored(key), reason: "no index has such a member".to_owned() },
            });
        })?;
        Ok(page)
    }
}

/// Goes through the next entries of a table, at most [`PAGE`], behind the name `told`, which is that of the last one afterwards; gives how
/// many there were. Each has a greater name than the one before, or a walk would go back to where it was, for ever; and each is found
/// when it is asked for, too.
pub(super) fn go_on<V: Value + 'static>(
    table: &ReadOnlyTable<&'static [u8], V>,
    told: &mut Vec<u8>,
    mut each: impl FnMut(&[u8], AccessGuard<'_, V>),
) -> Result<usize, redb::StorageError> {
    let (from, mut seen) = (told.clone(), 0);
    for entry in table.range::<&[u8]>((Bound::Excluded(from.as_slice()), Bound::Unbounded))?.take(PAGE) {
        let (key, value) = entry?;
        let name = key.value();
        if name <= told.as_slice() {
            return Err(redb::StorageError::Corrupted("the names in it are out of order".to_owned()));
        }
        if table.get(name)?.is_none() {
            return Err(redb::StorageError::Corrupted("a name is not found where it belongs".to_owned()));
        }
        told.clear();
        told.extend_from_slice(name);
        each(name, value);
        seen += 1;
    }
    Ok(seen)
}

impl Snapshot for Walk {
    fn next(&mut self) -> Outcome<'_, Vec<Entry>> {
        // The engine may panic on a file that something else has altered; that is damage like any other.
        let page = catch_unwind(AssertUnwindSafe(|| self.page()));
        Box::pin(std::future::ready(match page {
            Ok(Ok(page)) => Ok(page),
            Ok(Err(redb::StorageError::Corrupted(reason))) => Err(StorageError::Damaged(reason)),
            Ok(Err(error)) => Err(StorageError::Unavailable(error.to_string())),
            Err(_) => Err(StorageError::Damaged("the engine gave up on a page".to_owned())),
        }))
    }
}
