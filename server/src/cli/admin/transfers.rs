//! Commands about what clients may do with session transfer tokens.

use serde_json::Value;

use super::execute::changed;
use super::{AdminCommand, AdminRefusal};
use crate::grants::Engine;
use crate::telemetry::codes;

/// Carries one out.
///
/// # Errors
/// The refusal.
pub(super) async fn execute(engine: &Engine, command: AdminCommand) -> Result<Value, AdminRefusal> {
    let clients = engine.clients();
    let client = match command {
        AdminCommand::ClientTransferShow { client_id } => clients.show(&client_id).await.map_err(AdminRefusal::because)?,
        AdminCommand::ClientTransferSet { client_id, changes } => {
            let changed_client = clients.change_session_transfer(&client_id, &changes).await;
            let client = changed_client.map_err(AdminRefusal::because)?;
            changed(codes::CLIENT_CHANGED, Some(&client_id), None);
            client
        }
        other => return Err(AdminRefusal(format!("no command about session transfer: {other:?}"))),
    };
    Ok(Value::Object(client.session_transfer.to_json()))
}
