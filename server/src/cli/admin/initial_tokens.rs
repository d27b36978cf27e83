//! Commands about initial access tokens (RFC 7591 section 3).

use std::time::Duration;

use serde_json::{Value, json};

use super::execute::ACTOR;
use super::{AdminCommand, AdminRefusal};
use crate::clients::InitialToken;
use crate::grants::Engine;
use crate::telemetry::{AuditEvent, codes};

/// Carries one out.
///
/// # Errors
/// The refusal.
pub(super) async fn execute(engine: &Engine, command: AdminCommand) -> Result<Value, AdminRefusal> {
    let tokens = engine.initial_tokens();
    match command {
        AdminCommand::InitialTokenAdd { note, uses, lifetime_seconds } => {
            let lifetime = lifetime_seconds.map(Duration::from_secs);
            let made = tokens.add(note, uses, lifetime).await.map_err(AdminRefusal::because)?;
            AuditEvent::granted(codes::INITIAL_TOKEN_ADDED).actor(ACTOR).detail(&made.record.id).emit();
            let mut out = shown(&made.record);
            out["token"] = json!(made.token.expose());
            Ok(out)
        }
        AdminCommand::InitialTokenList => {
            let list = tokens.list().await.map_err(AdminRefusal::because)?;
            Ok(list.iter().map(shown).collect())
        }
        AdminCommand::InitialTokenRemove { id } => {
            if !tokens.remove(&id).await.map_err(AdminRefusal::because)? {
                return Err(AdminRefusal(format!("there is no initial access token with the id {id}")));
            }
            AuditEvent::granted(codes::INITIAL_TOKEN_REMOVED).actor(ACTOR).detail(&id).emit();
            Ok(json!({ "removed": id }))
        }
        other => Err(AdminRefusal(format!("{other:?} is not a command of this place"))),
    }
}

fn shown(token: &InitialToken) -> Value {
    json!({ "id": token.id, "note": token.note, "created": token.created, "expires": token.expires, "uses_left": token.uses_left })
}
