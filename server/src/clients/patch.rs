//! Changing one member of a client and nothing else: `session_transfer`, by command or by the management API.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::client::Client;
use super::directory::Clients;
use super::error::ClientsError;

const MEMBER: &str = "session_transfer";

impl Clients {
    /// Changes these members of a client's `session_transfer`; null takes one back to its default.
    ///
    /// # Errors
    /// When one of them is wrong, the client is unknown or read-only, or the store fails.
    pub async fn change_session_transfer(
        &self,
        client_id: &str,
        changes: &Map<String, Value>,
    ) -> Result<Arc<Client>, ClientsError> {
        self.rewrite(client_id, |client| {
            let mut metadata = client.metadata.clone();
            let mut own = metadata.get(MEMBER).and_then(Value::as_object).cloned().unwrap_or_default();
            for (name, value) in changes {
                if value.is_null() {
                    own.remove(name);
                } else {
                    own.insert(name.clone(), value.clone());
                }
            }
            metadata.insert(MEMBER.to_owned(), Value::Object(own));
            metadata
        })
        .await?;
        self.keep(client_id).await?;
        self.show(client_id).await
    }
}
