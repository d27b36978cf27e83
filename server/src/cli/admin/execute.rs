//! What each command does. Every change is audited as soon as it is done, whatever becomes of the rest of the command.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::command::{AdminCommand, AdminRefusal};
use super::{consents, factors, initial_tokens, keys, transfers};
use crate::accounts::Person;
use crate::cli::store::work;
use crate::clients::Client;
use crate::grants::Engine;
use crate::grants::examination::Examiner;
use crate::sessions::Loaded;
use crate::settings::meaning::SigningAlg;
use crate::telemetry::{AuditEvent, Code, codes};
use crate::tokens::session_id::SessionId;

/// Who does all this: whoever may read the data folder.
pub(super) const ACTOR: &str = "administrator";

/// Carries out one command.
///
/// # Errors
/// One sentence that says why not.
pub async fn execute(engine: &Engine, command: AdminCommand) -> Result<Value, AdminRefusal> {
    match command {
        AdminCommand::Ping => Ok(json!({ "issuer": engine.settings().server.issuer.text })),
        AdminCommand::ClientAdd { metadata } => {
            let added = engine.clients().add(&metadata).await.map_err(AdminRefusal::because)?;
            changed(codes::CLIENT_ADDED, Some(&added.client.id), None);
            Ok(Value::Object(added.to_json()))
        }
        AdminCommand::ClientList => {
            let clients = engine.clients().list().await.map_err(AdminRefusal::because)?;
            Ok(clients.iter().map(|client| client_json(client)).collect())
        }
        AdminCommand::ClientShow { client_id } => {
            let client = engine.clients().find(&client_id).await.map_err(AdminRefusal::because)?;
            client.map(|client| client_json(&client)).ok_or_else(|| AdminRefusal(format!("there is no client {client_id}")))
        }
        AdminCommand::ClientUpdate { client_id, metadata } => {
            let updated = engine.clients().update(&client_id, &metadata).await.map_err(AdminRefusal::because)?;
            changed(codes::CLIENT_CHANGED, Some(&client_id), None);
            Ok(Value::Object(updated.to_json()))
        }
        AdminCommand::ClientDelete { client_id } => {
            if !engine.clients().delete(&client_id).await.map_err(AdminRefusal::because)? {
                return Err(AdminRefusal(format!("there is no client {client_id}")));
            }
            changed(codes::CLIENT_DELETED, Some(&client_id), None);
            Ok(json!({ "deleted": client_id }))
        }
        AdminCommand::KeyList => shown(&engine.issuer().keys().list()),
        AdminCommand::KeyRotate { alg, immediately } => {
            let detail =
                format!("{} {}", alg.as_deref().unwrap_or("all"), if immediately { "immediately" } else { "when published" });
            let alg = match alg {
                None => None,
                Some(name) => Some(
                    SigningAlg::from_name(&name)
                        .ok_or_else(|| AdminRefusal(format!("{name} is not one of RS256, ES256, PS256, EdDSA")))?,
                ),
            };
            let keys = engine.issuer().keys().rotate(alg, immediately).await.map_err(AdminRefusal::because)?;
            AuditEvent::granted(codes::KEY_ROTATED).actor(ACTOR).detail(&detail).emit();
            shown(&keys)
        }
        AdminCommand::KeyRemove { kid } => {
            engine.issuer().keys().remove(&kid).await.map_err(AdminRefusal::because)?;
            AuditEvent::granted(codes::KEY_WITHDRAWN).actor(ACTOR).kid(&kid).emit();
            Ok(json!({ "removed": kid }))
        }
        AdminCommand::KeyReseal => {
            engine.issuer().keys().reseal().await.map_err(AdminRefusal::because)?;
            for person in engine.issuer().people().list().await.map_err(AdminRefusal::because)? {
                engine.issuer().factors().reseal(&person.sub).await.map_err(AdminRefusal::because)?;
            }
            engine.clients().reseal().await.map_err(AdminRefusal::because)?;
            AuditEvent::granted(codes::KEYS_RESEALED).actor(ACTOR).emit();
            Ok(json!({ "resealed": engine.issuer().keys().list().len() }))
        }
        AdminCommand::StoreStat => {
            shown(&work::stat(&**engine.store(), engine.clock().now()).await.map_err(AdminRefusal::because)?)
        }
        AdminCommand::StoreCheck => {
            let examiner = Examiner { sealing: engine.issuer().keys().sealing(), scopes: &engine.settings().scopes };
            shown(&work::check(&**engine.store(), &examiner).await.map_err(AdminRefusal::because)?)
        }
        AdminCommand::StoreBackup { file } => {
            shown(&work::backup(&**engine.store(), &file, engine.clock().now()).await.map_err(AdminRefusal::because)?)
        }
        AdminCommand::HandlerList => shown(&engine.handlers().loaded()),
        AdminCommand::HandlerExplain { wanted } => engine.explain(&wanted).await.map_err(AdminRefusal),
        AdminCommand::HandlerReload => {
            Err(AdminRefusal("no server is running here: handlers are loaded when it starts".to_owned()))
        }
        command @ (AdminCommand::ClientTransferShow { .. } | AdminCommand::ClientTransferSet { .. }) => {
            transfers::execute(engine, command).await
        }
        command @ (AdminCommand::InitialTokenAdd { .. }
        | AdminCommand::InitialTokenList
        | AdminCommand::InitialTokenRemove { .. }) => initial_tokens::execute(engine, command).await,
        command @ (AdminCommand::TotpEnrol { .. }
        | AdminCommand::TotpConfirm { .. }
        | AdminCommand::TotpRemove { .. }
        | AdminCommand::RecoveryCodes { .. }) => factors::execute(engine, command).await,
        command @ (AdminCommand::ConsentList { .. }
        | AdminCommand::ConsentRevoke { .. }
        | AdminCommand::ConsentRevokeAll { .. }) => consents::execute(engine, command).await,
        command @ (AdminCommand::SessionKeys { .. } | AdminCommand::SessionRemoveKey { .. }) => {
            keys::execute(engine, command).await
        }
        of_people_or_sessions => people(engine, of_people_or_sessions).await,
    }
}

async fn people(engine: &Engine, command: AdminCommand) -> Result<Value, AdminRefusal> {
    let people = engine.issuer().people();
    match command {
        AdminCommand::UserAdd { name, password, claims } => {
            let person = people.add(&name, password.0, claims).await.map_err(AdminRefusal::because)?;
            changed(codes::USER_ADDED, None, Some(&person.sub));
            Ok(person_json(&person))
        }
        AdminCommand::UserList => {
            let list = people.list().await.map_err(AdminRefusal::because)?;
            Ok(list.iter().map(person_json).collect())
        }
        AdminCommand::UserShow { name } => {
            let person = find(engine, &name).await?;
            let held = engine.issuer().factors().of(&person.sub).await.map_err(AdminRefusal::because)?;
            let mut shown = person_json(&person);
            shown["factors"] = json!(held);
            Ok(shown)
        }
        AdminCommand::UserSetPassword { name, password } => {
            let person = find(engine, &name).await?;
            people.set_password(&person.sub, password.0).await.map_err(AdminRefusal::because)?;
            changed(codes::PASSWORD_SET, None, Some(&person.sub));
            Ok(json!({ "sub": person.sub, "name": person.name }))
        }
        AdminCommand::UserDisable { name, disabled } => {
            let person = find(engine, &name).await?;
            people.set_disabled(&person.sub, disabled).await.map_err(AdminRefusal::because)?;
            changed(if disabled { codes::USER_DISABLED } else { codes::USER_ENABLED }, None, Some(&person.sub));
            // Nothing that was issued to a disabled person may go on.
            let ended = if disabled { end_all(engine, &person.sub, "disabled").await? } else { 0 };
            Ok(json!({ "sub": person.sub, "name": person.name, "disabled": disabled, "sessions_ended": ended }))
        }
        AdminCommand::UserDelete { name } => {
            let person = find(engine, &name).await?;
            people.delete(&person.sub).await.map_err(AdminRefusal::because)?;
            engine.issuer().factors().remove(&person.sub).await.map_err(AdminRefusal::because)?;
            changed(codes::USER_DELETED, None, Some(&person.sub));
            let ended = end_all(engine, &person.sub, "deleted").await?;
            engine.forget_consents(&person.sub).await.map_err(AdminRefusal::because)?;
            Ok(json!({ "sub": person.sub, "deleted": person.name, "sessions_ended": ended }))
        }
        command => sessions(engine, command).await,
    }
}

async fn sessions(engine: &Engine, command: AdminCommand) -> Result<Value, AdminRefusal> {
    match command {
        AdminCommand::SessionList { user } => {
            let person = find(engine, &user).await?;
            let list = engine.sessions().of_subject(&person.sub).await.map_err(AdminRefusal::because)?;
            Ok(list.iter().map(session_json).collect())
        }
        AdminCommand::SessionShow { sid } => {
            let found = engine.sessions().find(parse_sid(&sid)?).await.map_err(AdminRefusal::because)?;
            found.map(|loaded| session_json(&loaded)).ok_or_else(|| AdminRefusal(format!("there is no living session {sid}")))
        }
        AdminCommand::SessionEnd { sid } => {
            let id = parse_sid(&sid)?;
            match engine.sessions().end(id).await.map_err(AdminRefusal::because)? {
                None => Err(AdminRefusal(format!("there is no living session {sid}"))),
                Some(session) => {
                    session_ended(id, &session.sub, "session end");
                    Ok(json!({ "ended": sid }))
                }
            }
        }
        AdminCommand::SessionEndAll { user } => {
            let person = find(engine, &user).await?;
            let ended = end_all(engine, &person.sub, "session end").await?;
            Ok(json!({ "sub": person.sub, "sessions_ended": ended }))
        }
        // `execute` and `people` take all others.
        other => Err(AdminRefusal(format!("{other:?} is not a command of this place"))),
    }
}

/// Ends all sessions of a person, each with an event of its own; says how many there were.
async fn end_all(engine: &Engine, sub: &str, why: &str) -> Result<usize, AdminRefusal> {
    let mut count = 0;
    let ended = |sid| {
        session_ended(sid, sub, why);
        count += 1;
    };
    engine.sessions().end_all_of(sub, ended).await.map_err(AdminRefusal::because)?;
    Ok(count)
}

pub(super) async fn find(engine: &Engine, name: &str) -> Result<Person, AdminRefusal> {
    let person = engine.issuer().people().find_by_name(name).await.map_err(AdminRefusal::because)?;
    person.ok_or_else(|| AdminRefusal(format!("there is no user {name}")))
}

pub(super) fn parse_sid(text: &str) -> Result<SessionId, AdminRefusal> {
    text.parse().map_err(|_| AdminRefusal(format!("{text} is not a session id")))
}

pub(super) fn session_ended(sid: SessionId, sub: &str, why: &str) {
    AuditEvent::granted(codes::SESSION_ENDED_BY_ADMINISTRATOR).sid(&sid).subject(sub).actor(ACTOR).detail(why).emit();
}

pub(super) fn changed(code: Code, client_id: Option<&str>, subject: Option<&str>) {
    let mut event = AuditEvent::granted(code).actor(ACTOR);
    if let Some(client_id) = client_id {
        event = event.client_id(client_id);
    }
    if let Some(subject) = subject {
        event = event.subject(subject);
    }
    event.emit();
}

fn shown(value: &(impl Serialize + ?Sized)) -> Result<Value, AdminRefusal> {
    serde_json::to_value(value).map_err(AdminRefusal::because)
}

/// As registered, and when it is forgotten if nobody signs in with it.
fn client_json(client: &Client) -> Value {
    let mut out = client.to_json();
    if let Some(until) = client.unused_until {
        out.insert("unused_until".to_owned(), json!(until));
    }
    Value::Object(out)
}

fn person_json(person: &Person) -> Value {
    json!({ "sub": person.sub, "name": person.name, "disabled": person.disabled, "claims": person.claims, "created": person.created, "updated": person.updated })
}

fn session_json(loaded: &Loaded) -> Value {
    let session = &loaded.session;
    let apps: Map<String, Value> = session
        .apps
        .iter()
        .map(|(client_id, app)| {
            let grants: Vec<Value> = app
                .grants
                .iter()
                .map(|grant| json!({ "id": grant.id, "scope": grant.scope, "issued": grant.issued, "refresh_token": grant.refresh.is_some() }))
                .collect();
            (client_id.clone(), json!({ "first_used": app.first_used, "last_used": app.last_used, "grants": grants }))
        })
        .collect();
    json!({
        "sid": loaded.id,
        "kind": session.kind,
        "sub": session.sub,
        "auth_time": session.auth_time,
        "acr": session.acr,
        "amr": session.amr,
        "created": session.created,
        // What it grew from, and ends with.
        "parent": session.parent.as_ref().map(|parent| parent.session),
        "last_used": session.last_used,
        "expires": session.ends(),
        "device": session.device.as_ref().map(|device| device.description.clone()),
        "client_ids": session.apps.keys().collect::<Vec<_>>(),
        "apps": apps,
    })
}
