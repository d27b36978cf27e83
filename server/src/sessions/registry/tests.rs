//! Sessions in a store: life, change under rivalry, device secrets, and the record of each release.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::foundation::encoding;
use crate::protocol::Scope;
use crate::sessions::device::{Device, NewSecret};
use crate::sessions::record::{AccessTemplate, Authentication, Grant, GrantId, MAX_GRANTS_OF_APP, SessionKind};
use crate::settings::meaning::SessionLimits;
use crate::storage::memory::Memory;

const LIMITS: SessionLimits =
    SessionLimits { max_lifetime: Some(Duration::from_secs(100)), max_idle: Some(Duration::from_secs(30)) };

fn fresh(clock: &Clock) -> Session {
    let authentication = Authentication { time: clock.now(), acr: "a".to_owned(), amr: vec!["pwd".to_owned()] };
    Session::begin(SessionKind::Device, "ada".to_owned(), authentication, &LIMITS, clock.now())
}

fn grant(id: &str) -> Grant {
    Grant {
        id: GrantId(id.to_owned()),
        scope: Scope::default(),
        claims: None,
        issued: Timestamp(0),
        access: AccessTemplate::default(),
        data: None,
        refresh: None,
    }
}

fn place() -> (Sessions, Clock) {
    let clock = Clock::manual(1_000_000);
    (Sessions::new(Arc::new(Memory::new(clock.clone())), clock.clone()), clock)
}

async fn stored(sessions: &Sessions, clock: &Clock) -> SessionId {
    let id = SessionId::new(clock);
    sessions.create(id, &fresh(clock)).await.unwrap();
    id
}

#[tokio::test]
async fn a_session_ends_by_idleness_and_by_age() {
    let (sessions, clock) = place();
    let id = stored(&sessions, &clock).await;
    clock.advance(Duration::from_secs(29));
    assert!(sessions.find(id).await.unwrap().is_some());
    let use_it = |session: &mut Session, now| {
        session.last_used = now;
        Change::Write(())
    };
    for _ in 0..3 {
        assert!(sessions.update(id, use_it).await.unwrap().is_some());
        clock.advance(Duration::from_secs(23));
    }
    assert!(sessions.find(id).await.unwrap().is_some(), "98 s old, 23 s idle");
    assert!(sessions.update(id, use_it).await.unwrap().is_some());
    clock.advance(Duration::from_secs(2));
    assert!(sessions.find(id).await.unwrap().is_none(), "used just now, but 100 s old");
    assert!(sessions.update(id, use_it).await.unwrap().is_none());
}

#[tokio::test]
async fn an_idle_session_is_gone() {
    let (sessions, clock) = place();
    let id = stored(&sessions, &clock).await;
    clock.advance(Duration::from_secs(30));
    assert!(sessions.find(id).await.unwrap().is_none());
    assert!(sessions.of_subject("ada").await.unwrap().is_empty());
}

#[tokio::test]
async fn ending_is_once_and_for_all() {
    let (sessions, clock) = place();
    let (one, two) = (stored(&sessions, &clock).await, stored(&sessions, &clock).await);
    assert_eq!(sessions.of_subject("ada").await.unwrap().len(), 2);
    assert!(sessions.end(one).await.unwrap().is_some());
    assert!(sessions.end(one).await.unwrap().is_none());
    assert_eq!(sessions.end_all_of("ada").await.unwrap(), 1);
    assert!(sessions.find(two).await.unwrap().is_none());
}

#[tokio::test]
async fn a_change_starts_over_until_it_is_alone() {
    let (sessions, clock) = place();
    let id = stored(&sessions, &clock).await;
    let loaded = sessions.find(id).await.unwrap().unwrap();
    sessions
        .update(id, |session, now| {
            session.add_grant("b", grant("g1"), now);
            Change::Write(())
        })
        .await
        .unwrap();
    let mut tries = 0;
    let seen = sessions
        .change(loaded, |session, now| {
            tries += 1;
            session.add_grant("c", grant("g2"), now);
            Change::Write(session.apps.len())
        })
        .await
        .unwrap();
    assert_eq!((tries, seen), (2, Some(2)), "the first try saw the old state and lost");
}

#[tokio::test]
async fn hundreds_of_changes_at_once_all_count() {
    let (sessions, clock) = place();
    let id = stored(&sessions, &clock).await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..200 {
        let sessions = sessions.clone();
        tasks.spawn(async move {
            sessions
                .update(id, |session, now| {
                    session.add_grant(&format!("app{n}"), grant("g"), now);
                    Change::Write(())
                })
                .await
                .unwrap()
        });
    }
    assert!(tasks.join_all().await.iter().all(Option::is_some));
    assert_eq!(sessions.find(id).await.unwrap().unwrap().session.apps.len(), 200);
}

#[tokio::test]
async fn a_device_secret_is_worth_something_only_with_its_living_session() {
    let (sessions, clock) = place();
    let id = SessionId::new(&clock);
    let secret = NewSecret::generate(id);
    let stranger = NewSecret::generate(id);
    let mut session = fresh(&clock);
    let mut device = Device::default();
    device.accept(&secret, "app", clock.now());
    session.device = Some(device);
    sessions.create(id, &session).await.unwrap();
    let text = secret.secret().text();
    assert!(sessions.verify_device_secret(text).await.unwrap().is_some());
    assert!(sessions.verify_device_secret(stranger.secret().text()).await.unwrap().is_none());
    assert!(sessions.verify_device_secret(&Secret::new("ds_nonsense".to_owned())).await.unwrap().is_none());
    sessions.end(id).await.unwrap();
    assert!(sessions.verify_device_secret(text).await.unwrap().is_none());
}

#[test]
fn an_app_keeps_a_bounded_number_of_grants() {
    let mut session = fresh(&Clock::manual(0));
    for n in 0..=MAX_GRANTS_OF_APP {
        session.add_grant("app", grant(&n.to_string()), Timestamp(0));
    }
    assert_eq!(session.apps["app"].grants.len(), MAX_GRANTS_OF_APP);
    assert!(session.grant("app", &GrantId("0".to_owned())).is_none());
    for n in 1..=MAX_GRANTS_OF_APP {
        assert!(session.remove_grant("app", &GrantId(n.to_string())));
    }
    assert!(session.apps.is_empty(), "the app goes with its last grant");
}

#[test]
fn a_record_of_a_newer_release_is_refused() {
    let mut session = fresh(&Clock::manual(0));
    session.v = FORMAT + 1;
    assert!(decode(&encode(&session).unwrap()).is_err());
}

/// A record of format 1; later releases must read it.
#[test]
fn a_record_of_format_1_is_read_and_moved_on() {
    let text = r#"{"v":1,"kind":"device","sub":"ada","auth_time":1,"acr":"a","amr":["pwd"],"created":1,"last_used":2,"expires":9,"max_idle":5,
        "device":{"description":"Phone","secrets":[{"digest":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","client_id":"one","issued":1}]},
        "browser":"AAAAAAAAAAAAAAAAAAAAAA","apps":{"one":{"first_used":1,"last_used":2,"grants":[{"id":"g","scope":"openid","claims":["name"],
        "issued":1,"access":{"lifetime":600,"opaque":true,"encrypt":true,"audience":["x"],"data":{"a":1}},
        "refresh":{"tag":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","current":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "previous":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","rotate":true,"expires":8,"max_idle":4,"last_used":2}}]}}}"#;
    let session = decode(text.as_bytes()).unwrap();
    assert_eq!((session.v, session.ends()), (FORMAT, Some(Timestamp(7))));
    let record = encode(&session).unwrap();
    let again = decode(&record).unwrap();
    assert_eq!(serde_json::to_value(&again).unwrap(), serde_json::to_value(&session).unwrap());
    assert_eq!(record, encoding::decode(FORMAT_2).unwrap(), "a record of format 2 has changed: it needs a number of its own");
}

/// The same record in format 2, base64url.
const FORMAT_2: &str = "jaF2AqRraW5kpmRldmljZaNzdWKjYWRhqWF1dGhfdGltZQGjYWNyoWGjYW1ykaNwd2SnY3JlYXRlZAGpbGFzdF91c2VkAqdleHBpcmVzCahtYX\
        hfaWRsZQWmZGV2aWNlgqtkZXNjcmlwdGlvbqVQaG9uZadzZWNyZXRzkYOmZGlnZXN0xCAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\
        AKljbGllbnRfaWSjb25lpmlzc3VlZAGnYnJvd3NlcrZBQUFBQUFBQUFBQUFBQUFBQUFBQUFBpGFwcHOBo29uZYOqZmlyc3RfdXNlZAGpbGFzdF\
        91c2VkAqZncmFudHORhqJpZKFnpXNjb3Blpm9wZW5pZKZjbGFpbXORpG5hbWWmaXNzdWVkAaZhY2Nlc3OFqGxpZmV0aW1lzQJYpm9wYXF1ZcOn\
        ZW5jcnlwdMOoYXVkaWVuY2WRoXikZGF0Yad7ImEiOjF9p3JlZnJlc2iHo3RhZ8QgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACnY3\
        VycmVudMQgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACocHJldmlvdXPEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\
        pnJvdGF0ZcOnZXhwaXJlcwiobWF4X2lkbGUEqWxhc3RfdXNlZAI";
