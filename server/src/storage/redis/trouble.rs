//! What came back instead of an answer, and how an operator reads it. Knows the words of Redis; never a password.

use std::fmt::{self, Display, Formatter};

use redis::{ServerError, ServerErrorKind};

use crate::storage::StorageError;

/// Why a command has no answer.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// It was never sent.
    Unsent(String),
    /// It was sent, and no answer came: nobody knows whether it was carried out.
    Lost(String),
    /// It was carried out, but too few replicas have it: a failover now would undo it.
    Behind {
        /// How many have it.
        have: u64,
        /// How many were asked for.
        need: u64,
    },
    /// The server refused, and did not carry it out.
    Said(ServerError),
    /// What is stored is not ours, or the answer makes no sense.
    Damaged(String),
}

impl Trouble {
    /// Trouble with the server at `address`, before anything was sent.
    pub(super) fn unsent(address: impl Display, reason: impl Display) -> Self {
        Self::Unsent(format!("Redis at {address} cannot be reached: {reason}"))
    }

    /// An answer of the server at `address` that did not come.
    pub(super) fn lost(address: impl Display, reason: impl Display) -> Self {
        Self::Lost(format!("Redis at {address} gave no answer ({reason}); what was asked may or may not have been done"))
    }

    /// The refusal, when it is one.
    pub(super) fn kind(&self) -> Option<ServerErrorKind> {
        match self {
            Self::Said(error) => error.kind(),
            _ => None,
        }
    }
}

impl Display for Trouble {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match StorageError::from(self.clone()) {
            StorageError::Unavailable(sentence) | StorageError::Damaged(sentence) => f.write_str(&sentence),
            other @ (StorageError::TooLarge(_) | StorageError::Newer { .. }) => other.fmt(f),
        }
    }
}

impl From<Trouble> for StorageError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unsent(sentence) | Trouble::Lost(sentence) => Self::Unavailable(sentence),
            Trouble::Behind { have, need } => {
                Self::Unavailable(format!("written, but only {have} of {need} replicas have it (storage.redis.wait_replicas)"))
            }
            Trouble::Said(error) => of_refusal(&error),
            Trouble::Damaged(sentence) => Self::Damaged(sentence),
        }
    }
}

/// One sentence for each refusal that is known, Redis's own words for the others.
fn of_refusal(error: &ServerError) -> StorageError {
    let code = error.code();
    let sentence = match code {
        "LOADING" => "Redis is loading its data after a start",
        "READONLY" => {
            "this Redis is a replica and takes no writes: a failover is under way, or storage.redis.url names a replica"
        }
        "CLUSTERDOWN" => "the Redis Cluster is down: no master serves this slot",
        "MASTERDOWN" => "this Redis is a replica that has lost its master",
        "NOREPLICAS" => "Redis has fewer good replicas than its min-replicas-to-write asks for",
        "OOM" => "Redis has used up its maxmemory: give it more",
        "TRYAGAIN" => "the slot is being moved to another node",
        "MISCONF" => "Redis cannot save to its disk and takes no writes",
        "BUSY" => "Redis is busy with a script that does not end",
        "NOPERM" => "the Redis user may not do this: see the permissions in the README",
        "NOAUTH" | "WRONGPASS" => "Redis does not accept the user name and password",
        "UNBLOCKED" => "Redis became a replica while a write waited for its replicas",
        "WRONGTYPE" => {
            return StorageError::Damaged("a key of ours holds something that we did not write (WRONGTYPE)".to_owned());
        }
        // What our own scripts answer to a record without our header.
        "DAMAGED" => return StorageError::Damaged(error.details().unwrap_or("a record without a header").to_owned()),
        _ => {
            let details = error.details().unwrap_or_default();
            return StorageError::Unavailable(format!("Redis refused: {code} {details}"));
        }
    };
    StorageError::Unavailable(format!("{sentence} ({code})"))
}
