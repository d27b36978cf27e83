//! Why a client was not added, changed or deleted, and how that reads on the wire.

use super::metadata::{MetadataError, refusal};
use super::software_statement::StatementProblem;
use crate::protocol::{ErrorCode, OAuthError};
use crate::storage::StorageError;

/// Why a client was not added, changed or deleted.
#[derive(Debug, thiserror::Error)]
pub enum ClientsError {
    /// The metadata is wrong; everything that is, at once.
    #[error("the client metadata is invalid: {}", list(.0))]
    Invalid(Vec<MetadataError>),
    /// Its software statement counts for nothing.
    #[error("software_statement: {0}")]
    Statement(StatementProblem),
    /// There is one with this id already.
    #[error("a client with the id {0:?} exists already")]
    Duplicate(String),
    /// It is written in the settings file.
    #[error("the client {id:?} is written in {place} and can only be changed there")]
    ReadOnly {
        /// `client_id`.
        id: String,
        /// `file:line`.
        place: String,
    },
    /// There is none with this id.
    #[error("there is no client with the id {0:?}")]
    Unknown(String),
    /// Others kept changing it at the same time.
    #[error("the client {0:?} was changed by somebody else at the same time")]
    Conflict(String),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<ClientsError> for OAuthError {
    fn from(error: ClientsError) -> Self {
        match &error {
            ClientsError::Storage(error) => error.clone().into(),
            ClientsError::Conflict(_) => {
                Self::new(ErrorCode::TemporarilyUnavailable, "The client was changed at the same time; try again.")
                    .because(error.to_string())
            }
            ClientsError::Invalid(errors) => refusal(errors),
            // RFC 7591 section 3.2.2.
            ClientsError::Statement(problem) => {
                let (code, description) = match problem {
                    StatementProblem::Issuer => (
                        ErrorCode::UnapprovedSoftwareStatement,
                        "software_statement: this server does not trust its issuer; leave it out or have it issued by one that it trusts.",
                    ),
                    StatementProblem::Malformed | StatementProblem::Signature(_) | StatementProblem::Time => (
                        ErrorCode::InvalidSoftwareStatement,
                        "software_statement: it is no JWT, not signed by its issuer, or its time is over; obtain a new one.",
                    ),
                };
                Self::new(code, description).because(problem.to_string())
            }
            ClientsError::Duplicate(_) | ClientsError::ReadOnly { .. } | ClientsError::Unknown(_) => {
                Self::invalid_request("The client cannot be registered or changed.").because(error.to_string())
            }
        }
    }
}

fn list(errors: &[MetadataError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
