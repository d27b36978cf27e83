//! Everything in a store, a page at a time: for backups, for moving to another backend, and for looking after it.

use serde::{Deserialize, Serialize};

use super::{Index, Key, Outcome};
use crate::foundation::Timestamp;

/// One thing that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// A record.
    Record {
        /// Its name.
        key: Key,
        /// Its bytes, as written.
        #[serde(with = "serde_bytes")]
        value: Vec<u8>,
        /// When it ceases to exist; `None` = never by itself.
        expires: Option<Timestamp>,
    },
    /// A member of an index.
    Member {
        /// The index.
        index: Index,
        /// The member.
        #[serde(with = "serde_bytes")]
        member: Vec<u8>,
        /// When it ceases to exist; `None` = never by itself.
        expires: Option<Timestamp>,
    },
    /// A record that is not what was written.
    Damaged {
        /// Its name.
        key: Key,
        /// What is wrong with it.
        reason: String,
    },
}

impl Entry {
    /// When it ceases to exist; `None` = never by itself.
    #[must_use]
    pub const fn expires(&self) -> Option<Timestamp> {
        match self {
            Self::Record { expires, .. } | Self::Member { expires, .. } => *expires,
            Self::Damaged { .. } => None,
        }
    }
}

/// What a store held at one moment, or on a cluster, what each record of it was at one.
pub trait Snapshot: Send {
    /// Some more of it; nothing once that was all. What has expired and was not swept yet may be among it.
    fn next(&mut self) -> Outcome<'_, Vec<Entry>>;
}
