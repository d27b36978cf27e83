//! How records lie in the engine's tables, and every operation inside one transaction. Knows no thread, queue or caller.
//!
//! - `records`: key -> CRC-32 of key and what follows (u32) + version (u64) + expires (u64, 0 = never), all little endian + the bytes.
//! - `members`: length of the index name (u16, big endian) + index name + member -> expires (0 = never).
//! - `expiries`: moment (u64, big endian) + what expires (one byte) + its key. Nothing but a reminder to look at that
//!   moment: whatever expires has at least one entry no later than its own expiry, so a later expiry costs no write here,
//!   and an entry whose record is gone or lives longer is found out by the sweep.

use super::effects::Effect;
use super::record::{Header, NEVER, alive, stored_expiry};
use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction};

use crate::foundation::{Timestamp, random};
use crate::storage::{Index, MAX_NAME, StorageError, Stored, Version};

pub(super) const RECORDS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("records");
pub(super) const MEMBERS: TableDefinition<&[u8], u64> = TableDefinition::new("members");
pub(super) const EXPIRIES: TableDefinition<&[u8], ()> = TableDefinition::new("expiries");

/// How many entries are looked at in one go.
pub(super) const PAGE: usize = 500;

/// A reminder at most this far ahead is left to the sweep when its record goes; removing it would cost a write, too.
const REMINDER_LEFT_SECONDS: u64 = 3600;

/// What a reminder is about; the numbers are stored.
#[derive(Clone, Copy)]
enum Reminder {
    Record = 0,
    Member = 1,
}

/// The engine failed (outer: the whole transaction is lost), or this one operation cannot be done (inner).
pub(super) type Applied<T> = Result<Result<T, StorageError>, redb::Error>;

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Swept {
    /// Records and index members removed.
    pub(super) removed: u64,
    /// Whether more has expired than the sweep was allowed to look at.
    pub(super) more: bool,
}

/// The stored name of an index: its length first, so that one index is never the beginning of another.
fn member_key(index: &[u8], member: &[u8]) -> Vec<u8> {
    // Names are at most MAX_NAME bytes; a longer one can only be asked for, never stored, and finds nothing.
    let length = u16::try_from(index.len()).unwrap_or(u16::MAX);
    let mut key = Vec::with_capacity(2 + index.len() + member.len());
    key.extend_from_slice(&length.to_be_bytes());
    key.extend_from_slice(index);
    key.extend_from_slice(member);
    key
}

/// The index and the member that a stored name is of; `None` if it cannot be one.
pub(super) fn member_of(key: &[u8]) -> Option<(Index, Vec<u8>)> {
    let (length, rest) = key.split_first_chunk()?;
    let (index, member) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((Index::stored(index), member.to_vec()))
}

const _: () = assert!(MAX_NAME < u16::MAX as usize);

/// Reads one record as of the last commit.
pub(super) fn get(database: &Database, key: &[u8], now: Timestamp) -> Applied<Option<Stored>> {
    // Measured: a fresh read transaction costs 0.4 us of 1.3; keeping one would keep pages from being reused.
    let records = database.begin_read()?.open_table(RECORDS)?;
    let Some(record) = records.get(key)? else { return Ok(Ok(None)) };
    Ok(Header::read(key, record.value()).map(|(header, value)| {
        header.is_alive(now.0).then(|| Stored {
            value: value.to_vec(),
            version: Version(header.version),
            expires: header.expiry(),
        })
    }))
}

/// The live members of an index as of the last commit, in byte order.
pub(super) fn list(database: &Database, index: &[u8], now: Timestamp) -> Applied<Vec<Vec<u8>>> {
    let members = database.begin_read()?.open_table(MEMBERS)?;
    let prefix = member_key(index, &[]);
    let mut found = Vec::new();
    for entry in members.range(prefix.as_slice()..)? {
        let (key, expires) = entry?;
        let Some(member) = key.value().strip_prefix(prefix.as_slice()) else { break };
        if alive(expires.value(), now.0) {
            found.push(member.to_vec());
        }
    }
    Ok(Ok(found))
}

/// The tables of one write transaction, at one moment.
pub(super) struct Tables<'t> {
    records: Table<'t, &'static [u8], &'static [u8]>,
    members: Table<'t, &'static [u8], u64>,
    expiries: Table<'t, &'static [u8], ()>,
    now: u64,
    /// Reused for every record and every reminder written.
    record: Vec<u8>,
    reminder: Vec<u8>,
    /// What was done, for the journal.
    effects: Vec<u8>,
    /// The earliest reminder written in this transaction.
    earliest: u64,
    changed: bool,
}

impl<'t> Tables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction, now: Timestamp) -> Result<Self, redb::Error> {
        Ok(Self {
            records: transaction.open_table(RECORDS)?,
            members: transaction.open_table(MEMBERS)?,
            expiries: transaction.open_table(EXPIRIES)?,
            now: now.0,
            record: Vec::new(),
            reminder: Vec::new(),
            effects: Vec::new(),
            earliest: u64::MAX,
            changed: false,
        })
    }

    /// Whether anything was written: a transaction that only looked need not be committed.
    pub(super) const fn changed(&self) -> bool {
        self.changed
    }

    /// What was done, as the journal has it.
    pub(super) fn into_effects(self) -> Vec<u8> {
        self.effects
    }

    /// Does once more what the journal has.
    pub(super) fn repeat(&mut self, effects: &[u8]) -> Result<(), redb::Error> {
        let mut rest = effects;
        while !rest.is_empty() {
            let Some((effect, behind)) = Effect::read(rest) else {
                return Err(redb::Error::Corrupted("its journal has what is no change".to_owned()));
            };
            match effect {
                Effect::Put { key, record } => {
                    let expires = |record: &[u8]| Header::read(key, record).map_or(NEVER, |(header, _)| header.expires);
                    let before = self.records.insert(key, record)?.map_or(NEVER, |before| expires(before.value()));
                    self.remind(Reminder::Record, key, before, expires(record))?;
                }
                Effect::Removed { key } => drop(self.records.remove(key)?),
                Effect::MemberPut { key, expires } => {
                    let before = self.members.insert(key, expires)?.map_or(NEVER, |before| before.value());
                    self.remind(Reminder::Member, key, before, expires)?;
                }
                Effect::MemberRemoved { key } => drop(self.members.remove(key)?),
            }
            rest = behind;
        }
        Ok(())
    }

    /// The earliest reminder written in this transaction; `u64::MAX` when there is none.
    pub(super) const fn earliest_written(&self) -> u64 {
        self.earliest
    }

    /// The moment of the earliest reminder of all; `u64::MAX` when there is none.
    pub(super) fn earliest(&self) -> Result<u64, redb::Error> {
        let first = self.expiries.first()?;
        Ok(first.and_then(|(key, _)| Some(u64::from_be_bytes(*key.value().first_chunk()?))).unwrap_or(u64::MAX))
    }

    pub(super) fn insert(&mut self, key: &[u8], value: &[u8], expires: Option<Timestamp>) -> Applied<bool> {
        if let Some(record) = self.records.get(key)? {
            match Header::read(key, record.value()) {
                Ok((header, _)) if header.is_alive(self.now) => return Ok(Ok(false)),
                Ok(_) => {}
                Err(damaged) => return Ok(Err(damaged)),
            }
        }
        let expires = stored_expiry(expires);
        // A random start keeps a version from coming back when the key is deleted and used again.
        Header { version: u64::from_le_bytes(random::bytes()), expires }.write(key, value, &mut self.record);
        self.records.insert(key, self.record.as_slice())?;
        self.has_put(key);
        self.remind(Reminder::Record, key, NEVER, expires)?;
        Ok(Ok(true))
    }

    pub(super) fn swap(&mut self, key: &[u8], version: Version, value: &[u8], expires: Option<Timestamp>) -> Applied<bool> {
        let expires = stored_expiry(expires);
        let Some(mut record) = self.records.get_mut(key)? else { return Ok(Ok(false)) };
        let header = match Header::read(key, record.value()) {
            Ok((header, _)) => header,
            Err(damaged) => return Ok(Err(damaged)),
        };
        if header.version != version.0 || !header.is_alive(self.now) {
            return Ok(Ok(false));
        }
        Header { version: version.0.wrapping_add(1), expires }.write(key, value, &mut self.record);
        record.insert(self.record.as_slice())?;
        drop(record);
        self.has_put(key);
        self.remind(Reminder::Record, key, header.expires, expires)?;
        Ok(Ok(true))
    }

    pub(super) fn take(&mut self, key: &[u8], tombstone: Option<&[u8]>) -> Applied<Option<Vec<u8>>> {
        let Some(tombstone) = tombstone else { return self.remove(key, |value| Some(value.to_vec())) };
        let Some(mut record) = self.records.get_mut(key)? else { return Ok(Ok(None)) };
        let (header, value) = match Header::read(key, record.value()) {
            Ok((header, value)) if header.is_alive(self.now) => (header, value.to_vec()),
            Ok(_) => return Ok(Ok(None)),
            Err(damaged) => return Ok(Err(damaged)),
        };
        Header { version: header.version.wrapping_add(1), expires: header.expires }.write(key, tombstone, &mut self.record);
        record.insert(self.record.as_slice())?;
        drop(record);
        self.has_put(key);
        Ok(Ok(Some(value)))
    }

    pub(super) fn delete(&mut self, key: &[u8]) -> Applied<bool> {
        self.remove(key, |_| true)
    }

    /// Removes a record; what it was is answered only if it was alive.
    fn remove<T: Default>(&mut self, key: &[u8], answer: impl FnOnce(&[u8]) -> T) -> Applied<T> {
        let Some(record) = self.records.remove(key)? else { return Ok(Ok(T::default())) };
        self.changed = true;
        Effect::Removed { key }.write(&mut self.effects);
        let (header, answer) = match Header::read(key, record.value()) {
            Ok((header, value)) if header.is_alive(self.now) => (header, answer(value)),
            Ok(_) => return Ok(Ok(T::default())),
            // Removed all the same: deleting is the way to be rid of a damaged record.
            Err(damaged) => return Ok(Err(damaged)),
        };
        drop(record);
        self.remind(Reminder::Record, key, header.expires, NEVER)?;
        Ok(Ok(answer))
    }

    pub(super) fn add_member(&mut self, index: &[u8], member: &[u8], expires: Option<Timestamp>) -> Applied<()> {
        let key = member_key(index, member);
        let expires = stored_expiry(expires);
        let before = self.members.insert(key.as_slice(), expires)?.map_or(NEVER, |before| before.value());
        self.changed = true;
        Effect::MemberPut { key: &key, expires }.write(&mut self.effects);
        self.remind(Reminder::Member, &key, before, expires)?;
        Ok(Ok(()))
    }

    pub(super) fn remove_member(&mut self, index: &[u8], member: &[u8]) -> Applied<()> {
        let key = member_key(index, member);
        let before = self.members.remove(key.as_slice())?.map(|before| before.value());
        if let Some(before) = before {
            self.changed = true;
            Effect::MemberRemoved { key: &key }.write(&mut self.effects);
            self.remind(Reminder::Member, &key, before, NEVER)?;
        }
        Ok(Ok(()))
    }

    /// The record at hand was put there.
    fn has_put(&mut self, key: &[u8]) {
        self.changed = true;
        Effect::Put { key, record: &self.record }.write(&mut self.effects);
    }

    /// Keeps the reminders of `key` in step when its expiry goes from `before` to `after`.
    fn remind(&mut self, what: Reminder, key: &[u8], before: u64, after: u64) -> Result<(), redb::Error> {
        // An earlier reminder is as good as one at the very moment: the sweep sets the next one when it comes.
        if after != NEVER && before != NEVER && before <= after {
            return Ok(());
        }
        if after != NEVER {
            self.reminder_key(after, what, key);
            self.expiries.insert(self.reminder.as_slice(), ())?;
            self.earliest = self.earliest.min(after);
        }
        if before > self.now.saturating_add(REMINDER_LEFT_SECONDS) {
            self.reminder_key(before, what, key);
            self.expiries.remove(self.reminder.as_slice())?;
        }
        Ok(())
    }

    fn reminder_key(&mut self, moment: u64, what: Reminder, key: &[u8]) {
        self.reminder.clear();
        self.reminder.extend_from_slice(&moment.to_be_bytes());
        self.reminder.push(what as u8);
        self.reminder.extend_from_slice(key);
    }

    /// Goes through at most `limit` reminders whose moment has come and removes what has expired.
    pub(super) fn sweep(&mut self, limit: usize) -> Result<Swept, redb::Error> {
        let end = self.now.saturating_add(1).to_be_bytes();
        let mut due = Vec::new();
        for entry in self.expiries.extract_from_if(..end.as_slice(), |_, ()| true)?.take(limit) {
            due.push(entry?.0.value().to_vec());
        }
        let mut swept = Swept { removed: 0, more: due.len() == limit };
        self.changed |= !due.is_empty();
        for reminder in &due {
            let Some((&[.., what], key)) = reminder.split_first_chunk::<9>() else { continue };
            let (what, expires) = if what == Reminder::Member as u8 {
                (Reminder::Member, self.members.get(key)?.map(|expires| expires.value()))
            } else {
                let record = self.records.get(key)?;
                (
                    Reminder::Record,
                    record.and_then(|record| Header::read(key, record.value()).ok().map(|(header, _)| header.expires)),
                )
            };
            match (expires, what) {
                (None, _) => {}
                (Some(expires), _) if alive(expires, self.now) => self.remind(what, key, NEVER, expires)?,
                (Some(_), Reminder::Record) => {
                    self.records.remove(key)?;
                    swept.removed += 1;
                }
                (Some(_), Reminder::Member) => {
                    self.members.remove(key)?;
                    swept.removed += 1;
                }
            }
        }
        Ok(swept)
    }
}
