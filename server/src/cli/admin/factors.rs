//! Commands about the second factors of people.

use std::time::Duration;

use serde_json::{Value, json};

use super::execute::{ACTOR, find};
use super::{AdminCommand, AdminRefusal};
use crate::foundation::Secret;
use crate::grants::Engine;
use crate::telemetry::{AuditEvent, codes};

/// How long a begun enrolment waits for its code.
const CONFIRM_WITHIN: Duration = Duration::from_hours(24);

/// Carries one out.
///
/// # Errors
/// The refusal.
pub(super) async fn execute(engine: &Engine, command: AdminCommand) -> Result<Value, AdminRefusal> {
    let factors = engine.issuer().factors();
    match command {
        AdminCommand::TotpEnrol { name } => {
            let person = find(engine, &name).await?;
            let issuer = &engine.settings().sign_in.totp_issuer;
            let enrolment = factors.begin(&person.sub, issuer, &person.name, ACTOR).await.map_err(AdminRefusal::because)?;
            Ok(json!({ "name": person.name, "key": enrolment.seed.expose(), "uri": enrolment.uri.expose() }))
        }
        AdminCommand::TotpConfirm { name, code } => {
            let person = find(engine, &name).await?;
            let confirmed = factors.confirm(&person.sub, &code.0, ACTOR, CONFIRM_WITHIN).await.map_err(AdminRefusal::because)?;
            let codes =
                confirmed.ok_or_else(|| AdminRefusal("the code is not right; codes change every 30 seconds".to_owned()))?;
            changed(&person.sub, "authenticator app");
            Ok(json!({ "name": person.name, "recovery_codes": exposed(&codes) }))
        }
        AdminCommand::TotpRemove { name } => {
            let person = find(engine, &name).await?;
            let removed = factors.remove(&person.sub).await.map_err(AdminRefusal::because)?;
            if removed {
                AuditEvent::granted(codes::FACTORS_REMOVED).actor(ACTOR).subject(&person.sub).emit();
            }
            Ok(json!({ "name": person.name, "removed": removed }))
        }
        AdminCommand::RecoveryCodes { name } => {
            let person = find(engine, &name).await?;
            let codes = factors.new_recovery_codes(&person.sub).await.map_err(AdminRefusal::because)?;
            changed(&person.sub, "recovery codes");
            Ok(json!({ "name": person.name, "recovery_codes": exposed(&codes) }))
        }
        other => Err(AdminRefusal(format!("{other:?} is not a command of this place"))),
    }
}

fn exposed(codes: &[Secret<String>]) -> Vec<&str> {
    codes.iter().map(|code| code.expose().as_str()).collect()
}

fn changed(sub: &str, detail: &str) {
    AuditEvent::granted(codes::FACTORS_CHANGED).actor(ACTOR).subject(sub).detail(detail).emit();
}
