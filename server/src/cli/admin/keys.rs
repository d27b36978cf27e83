//! Commands about the keys of device sessions.

use serde_json::{Value, json};

use super::execute::{ACTOR, parse_sid, session_ended};
use super::{AdminCommand, AdminRefusal};
use crate::grants::Engine;
use crate::sessions::Change;
use crate::sessions::keys::Removed;
use crate::telemetry::{AuditEvent, codes};

/// Carries one out.
///
/// # Errors
/// The refusal.
pub(super) async fn execute(engine: &Engine, command: AdminCommand) -> Result<Value, AdminRefusal> {
    match command {
        AdminCommand::SessionKeys { sid } => {
            let found = engine.sessions().find(parse_sid(&sid)?).await.map_err(AdminRefusal::because)?;
            let session = found.ok_or_else(|| gone(&sid))?.session;
            Ok(json!(session.device.map(|device| device.keys).unwrap_or_default()))
        }
        AdminCommand::SessionRemoveKey { sid, thumbprint } => {
            let id = parse_sid(&sid)?;
            let removed = engine
                .sessions()
                .update(id, |session, _| match session.remove_key(&thumbprint) {
                    Ok(removed) if removed.nobody_left => Change::End(Ok((removed, session.sub.clone()))),
                    Ok(removed) => Change::Write(Ok((removed, session.sub.clone()))),
                    Err(why) => Change::Keep(Err(why)),
                })
                .await
                .map_err(AdminRefusal::because)?;
            let (removed, sub) = removed.ok_or_else(|| gone(&sid))?.map_err(AdminRefusal::because)?;
            let Removed { client_id, grants, nobody_left } = removed;
            let event = AuditEvent::granted(codes::DEVICE_KEY_REMOVED).actor(ACTOR).client_id(&client_id).subject(&sub);
            event.sid(&id).detail(&format!("{grants} grants")).emit();
            if nobody_left {
                session_ended(id, &sub, "session remove-key");
            }
            Ok(json!({ "removed": thumbprint, "client_id": client_id, "grants_ended": grants, "session_ended": nobody_left }))
        }
        other => Err(AdminRefusal(format!("{other:?} is not a command of this place"))),
    }
}

fn gone(sid: &str) -> AdminRefusal {
    AdminRefusal(format!("there is no living session {sid}"))
}
