//! The commands of administration, as they cross the local socket.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::foundation::Secret;
use crate::grants::explanation::Wanted;

/// One command.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant and field says itself; `execute` says what happens")]
pub enum AdminCommand {
    Ping,
    ClientAdd { metadata: Map<String, Value> },
    ClientList,
    ClientShow { client_id: String },
    ClientUpdate { client_id: String, metadata: Map<String, Value> },
    ClientDelete { client_id: String },
    ClientTransferShow { client_id: String },
    ClientTransferSet { client_id: String, changes: Map<String, Value> },
    InitialTokenAdd { note: Option<String>, uses: Option<u32>, lifetime_seconds: Option<u64> },
    InitialTokenList,
    InitialTokenRemove { id: String },
    UserAdd { name: String, password: Password, claims: Map<String, Value> },
    UserList,
    UserShow { name: String },
    UserSetPassword { name: String, password: Password },
    UserDisable { name: String, disabled: bool },
    UserDelete { name: String },
    TotpEnrol { name: String },
    TotpConfirm { name: String, code: Password },
    TotpRemove { name: String },
    RecoveryCodes { name: String },
    ConsentList { user: String },
    ConsentRevoke { user: String, client_id: String },
    ConsentRevokeAll { user: String },
    SessionList { user: String },
    SessionShow { sid: String },
    SessionKeys { sid: String },
    SessionRemoveKey { sid: String, thumbprint: String },
    SessionEnd { sid: String },
    SessionEndAll { user: String },
    KeyList,
    KeyReseal,
    KeyRemove { kid: String },
    KeyRotate { alg: Option<String>, immediately: bool },
    StoreStat,
    StoreCheck,
    StoreBackup { file: PathBuf },
    HandlerList,
    HandlerReload,
    HandlerExplain { wanted: Box<Wanted> },
}

/// A password on its way over the local socket.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Password(pub Secret<String>);

impl Serialize for Password {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

/// Why a command was refused: one sentence.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
#[error("{0}")]
pub struct AdminRefusal(pub String);

impl AdminRefusal {
    /// A refusal for this reason.
    pub fn because(reason: impl std::fmt::Display) -> Self {
        Self(reason.to_string())
    }
}
