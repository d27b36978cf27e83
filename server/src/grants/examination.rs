//! Whether what is stored can be read: each record by the part that wrote it. Changes nothing.

use std::collections::BTreeMap;

use super::authorize::{consent, pushed, transaction};
use crate::accounts::{factors, people};
use crate::clients;
use crate::issuance::access;
use crate::sessions::{code, device_code, notice, registry, transfer};
use crate::settings::meaning::ScopeMeaning;
use crate::storage::{Key, Kind, StorageError};
use crate::tokens::keys::{self, KeyError};
use crate::tokens::sealing::SealingKey;

/// What it takes to read everything.
#[derive(Debug, Clone, Copy)]
pub struct Examiner<'a> {
    /// Opens the signing keys, the seeds of authenticator apps and secrets of clients.
    pub sealing: &'a SealingKey,
    /// The scope values that clients may have.
    pub scopes: &'a BTreeMap<String, ScopeMeaning>,
}

impl Examiner<'_> {
    /// Reads one record.
    ///
    /// # Errors
    /// Why a server cannot read it, in a sentence without its content.
    pub fn examine(&self, key: &Key, value: &[u8]) -> Result<(), String> {
        let read = match key.kind() {
            Some(Kind::Session) => registry::check(value),
            Some(Kind::Code) => code::check(value),
            Some(Kind::Transaction) => transaction::check(value),
            Some(Kind::AccessToken) => access::check(value),
            Some(Kind::PushedRequest) => pushed::check(value),
            Some(Kind::Person) => people::check_person(value),
            Some(Kind::SignInName) => people::check_sign_in_name(value),
            Some(Kind::Client) => clients::check_record(value, self.sealing, self.scopes),
            Some(Kind::InitialToken) => clients::check_initial_token(value),
            Some(Kind::TransferToken) => transfer::check(value),
            Some(Kind::DeviceCode) => device_code::check_device(value),
            Some(Kind::UserCode) => device_code::check_user(value),
            Some(Kind::Factors) => return factors::check(self.sealing, key, value).map_err(|error| error.to_string()),
            Some(Kind::Consent) => consent::check(value),
            Some(Kind::LogoutNotice) => notice::check(value),
            Some(Kind::SigningKeys) => return keys::check(self.sealing, value).map_err(|error: KeyError| error.to_string()),
            // Being there is all that they say.
            Some(Kind::RevokedAccessToken | Kind::UsedAssertion | Kind::Store) => Ok(()),
            None => Err(StorageError::Damaged("it is of a kind that this release does not know".to_owned())),
        };
        read.map_err(|error| error.to_string())
    }
}
