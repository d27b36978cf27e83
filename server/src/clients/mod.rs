//! Clients: what one registered client is, how its metadata is read, where clients are kept, how one proves who it is,
//! and which may share a device session. Must not know HTTP, people, sessions or how tokens are made.

mod assertion;
pub mod authentication;
pub mod basic;
mod cache;
pub mod certificate;
pub mod client;
pub mod directory;
mod error;
pub mod initial_token;
pub mod keys;
pub mod logout;
pub mod metadata;
mod patch;
mod record;
pub mod redirect;
pub mod registration;
pub mod request_uri;
pub mod sector;
pub mod session_transfer;
pub mod sharing;
mod software_statement;
pub mod translations;

pub use assertion::{AssertionProblem, seconds as numeric_date};
pub use authentication::{AuthenticatedClient, AuthenticationError, Presented, authenticate};
pub use basic::parse_basic;
pub use certificate::{CertificateName, CertificateProblem, without_certificates};
pub use client::{
    ApplicationType, Client, ClientAuth, DirectedShare, MacSecret, Origin, RequestRules, ResponseEncryption, SubjectType,
};
pub use directory::{Added, Clients, check, check_record};
pub use error::ClientsError;
pub use initial_token::{InitialToken, InitialTokens, MadeToken, check_initial_token};
pub use keys::{ClientKeys, KeysError};
pub use logout::LogoutUris;
pub use metadata::{MetadataError, Registration};
pub use redirect::{RedirectProblem, RedirectUri};
pub use registration::{Allowed, Prepared, Registered};
pub use request_uri::{Reference, RequestUri};
pub use sector::{SectorProblem, check_sector};
pub use session_transfer::{Demands, DeviceBinding, SessionTransfer};
pub use software_statement::StatementProblem;
pub use translations::{Localized, Translations};
