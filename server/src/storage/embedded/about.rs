//! What the store says about itself, and how it is opened, upgraded and written to. Knows the tables as a whole, no operation on them.

use std::ops::Bound;

use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, TableError, WriteTransaction};

use super::record::Header;
use super::tables::{PAGE, RECORDS, Tables};
use crate::foundation::{Timestamp, random};

const ABOUT: TableDefinition<&str, u64> = TableDefinition::new("about");

/// The newest layout that this release reads and the one it writes: 1 had records without checksums, 2 no journal.
pub(super) const FORMAT: u64 = 3;

/// The id of the journal, and what the store has of it.
const JOURNAL: &str = "journal";
const HAS: &str = "journal_has";

/// The layout that a database has; `None` for one without any of our tables.
pub(super) fn format(database: &Database) -> Result<Option<u64>, redb::Error> {
    match database.begin_read()?.open_table(ABOUT) {
        Ok(about) => Ok(about.get("format")?.map(|format| format.value())),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Makes sure that all tables are there, and proves that a durable write works.
pub(super) fn prepare(database: &Database) -> Result<(), redb::Error> {
    let transaction = begin_durable(database)?;
    name(&transaction)?;
    drop(Tables::open(&transaction, Timestamp(0))?);
    transaction.commit()?;
    Ok(())
}

/// Writes down the format, and the id of the journal if there is none.
fn name(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    let mut about = transaction.open_table(ABOUT)?;
    about.insert("format", FORMAT)?;
    if about.get(JOURNAL)?.is_none() {
        about.insert(JOURNAL, u64::from_le_bytes(random::bytes()))?;
        about.insert(HAS, 0)?;
    }
    Ok(())
}

/// The id of the journal, and the number of its last frame that the store has by itself.
pub(super) fn journal(database: &Database) -> Result<(u64, u64), redb::Error> {
    let about = database.begin_read()?.open_table(ABOUT)?;
    let number = |name: &str| Ok::<_, redb::Error>(about.get(name)?.map_or(0, |number| number.value()));
    Ok((number(JOURNAL)?, number(HAS)?))
}

/// Notes that the store has everything up to this frame of its journal, once the transaction is durable.
pub(super) fn has(transaction: &WriteTransaction, last: u64) -> Result<(), redb::Error> {
    transaction.open_table(ABOUT)?.insert(HAS, last)?;
    Ok(())
}

/// Makes a store of format 2, which had no journal, one of this format.
pub(super) fn upgrade_2(database: &Database) -> Result<(), redb::Error> {
    let transaction = begin_durable(database)?;
    name(&transaction)?;
    Ok(transaction.commit()?)
}

/// Makes a store of format 1, whose records had no checksum, one of this format, all or nothing.
pub(super) fn upgrade_1(database: &Database) -> Result<(), redb::Error> {
    let transaction = begin_durable(database)?;
    let mut record = Vec::new();
    {
        let mut records = transaction.open_table(RECORDS)?;
        let mut from = Vec::new();
        loop {
            let page = records.range::<&[u8]>((Bound::Excluded(from.as_slice()), Bound::Unbounded))?.take(PAGE);
            let page: Vec<(Vec<u8>, Vec<u8>)> = page
                .map(|entry| entry.map(|(key, old)| (key.value().to_vec(), old.value().to_vec())))
                .collect::<Result<_, _>>()?;
            let Some((last, _)) = page.last() else { break };
            from.clone_from(last);
            for (key, old) in &page {
                // What is shorter than its header stays as it is, and is found damaged when it is read.
                let Some((header, value)) = Header::read_unchecked(old) else { continue };
                header.write(key, value, &mut record);
                records.insert(key.as_slice(), record.as_slice())?;
            }
        }
    }
    name(&transaction)?;
    Ok(transaction.commit()?)
}

/// A write transaction whose commit returns when it is on the disk, and after which a crash needs no long repair.
pub(super) fn begin_durable(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    Ok(transaction)
}

/// A write transaction whose commit is seen by all and on the disk only with the next durable one. What is in it must be in the journal.
pub(super) fn begin(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::None)?;
    Ok(transaction)
}

/// The number of entries in `records`, `members` and `expiries`.
#[cfg(test)]
pub(super) fn counts(database: &Database) -> Result<[u64; 3], redb::Error> {
    use super::tables::{EXPIRIES, MEMBERS};
    use redb::ReadableTableMetadata;
    let transaction = database.begin_read()?;
    let [records, members] = [transaction.open_table(RECORDS)?.len()?, transaction.open_table(MEMBERS)?.len()?];
    Ok([records, members, transaction.open_table(EXPIRIES)?.len()?])
}

/// Says that the store is of another layout, as a future release would.
#[cfg(test)]
pub(super) fn pretend_format(database: &Database, format: u64) -> Result<(), redb::Error> {
    let transaction = begin_durable(database)?;
    transaction.open_table(ABOUT)?.insert("format", format)?;
    Ok(transaction.commit()?)
}

/// Makes the store one of format 1, with this record.
#[cfg(test)]
pub(super) fn as_format_1(database: &Database, key: &[u8], version: u64, value: &[u8]) -> Result<(), redb::Error> {
    let transaction = begin_durable(database)?;
    let record = [&version.to_le_bytes(), &super::record::NEVER.to_le_bytes(), value].concat();
    transaction.open_table(RECORDS)?.insert(key, record.as_slice())?;
    transaction.open_table(ABOUT)?.insert("format", 1)?;
    Ok(transaction.commit()?)
}
