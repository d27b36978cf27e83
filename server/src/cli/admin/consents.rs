//! Commands about what people agreed to.

use serde_json::{Value, json};

use super::execute::{ACTOR, find, session_ended};
use super::{AdminCommand, AdminRefusal};
use crate::grants::Engine;
use crate::grants::account::Revoked;
use crate::telemetry::{AuditEvent, codes};

/// Carries one out.
///
/// # Errors
/// The refusal.
pub(super) async fn execute(engine: &Engine, command: AdminCommand) -> Result<Value, AdminRefusal> {
    match command {
        AdminCommand::ConsentList { user } => {
            let person = find(engine, &user).await?;
            Ok(json!(engine.consents_of(&person.sub).await.map_err(AdminRefusal::because)?))
        }
        AdminCommand::ConsentRevoke { user, client_id } => {
            let person = find(engine, &user).await?;
            let revoked = revoke(engine, &person.sub, &client_id).await?;
            revoked.map(|revoked| json!(revoked)).ok_or_else(|| {
                AdminRefusal(format!("{user} has given no consent to {client_id}, and it is in none of their sessions"))
            })
        }
        AdminCommand::ConsentRevokeAll { user } => {
            let person = find(engine, &user).await?;
            let mut all = Vec::new();
            for client_id in engine.apps_to_revoke(&person.sub).await.map_err(AdminRefusal::because)? {
                all.extend(revoke(engine, &person.sub, &client_id).await?);
            }
            Ok(json!({ "sub": person.sub, "revoked": all }))
        }
        other => Err(AdminRefusal(format!("{other:?} is not a command of this place"))),
    }
}

/// Revokes one, with its events.
async fn revoke(engine: &Engine, sub: &str, client_id: &str) -> Result<Option<Revoked>, AdminRefusal> {
    let revoked = engine.revoke_consent(sub, client_id).await.map_err(AdminRefusal::because)?;
    if let Some(revoked) = &revoked {
        let event = AuditEvent::granted(codes::CONSENT_REVOKED).actor(ACTOR).subject(sub).client_id(client_id);
        event.detail(&revoked.in_words()).emit();
        revoked.sessions_ended.iter().for_each(|sid| session_ended(*sid, sub, "consent revoke"));
    }
    Ok(revoked)
}
