//! Sessions in a store: life, change under rivalry, device secrets, and the record of each release.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::clients::sharing::Ceiling;
use crate::foundation::encoding;
use crate::protocol::Scope;
use crate::sessions::device::{Device, NewSecret};
use crate::sessions::record::{
    AccessTemplate, Authentication, Entry, FORMAT, FORMAT_WITH_MORE, Grant, GrantId, MAX_GRANTS_OF_APP, SessionKind,
};
use crate::sessions::refresh::{Refresh, RefreshTerms};
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
        claims_in_id_token: false,
        id_token_claims: Vec::new(),
        issued: Timestamp(0),
        access: AccessTemplate::default(),
        data: None,
        refresh: None,
    }
}

/// How long access tokens live here, where nothing else was decided.
const USUAL: Duration = Duration::from_secs(100);

fn add(session: &mut Session, client_id: &str, grant: Grant, now: Timestamp) -> Option<GrantId> {
    session.add_grant(client_id, grant, Entry::SignedIn, USUAL, now)
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
    let mut ended = Vec::new();
    sessions.end_all_of("ada", |id| ended.push(id)).await.unwrap();
    assert_eq!(ended, [two]);
    assert!(sessions.find(two).await.unwrap().is_none());
}

#[tokio::test]
async fn a_renewed_session_stays_its_persons() {
    let (sessions, clock) = place();
    let id = stored(&sessions, &clock).await;
    clock.advance(Duration::from_secs(20));
    let renew = |session: &mut Session, now: Timestamp| {
        session.last_used = now;
        session.expires = Some(now.plus(Duration::from_secs(10_000)));
        session.max_idle = None;
        Change::Write(())
    };
    assert!(sessions.update(id, renew).await.unwrap().is_some());
    clock.advance(Duration::from_secs(5_000));
    assert_eq!(sessions.of_subject("ada").await.unwrap().len(), 1);
    let mut ended = Vec::new();
    sessions.end_all_of("ada", |id| ended.push(id)).await.unwrap();
    assert_eq!(ended, [id]);
    assert!(sessions.find(id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_change_starts_over_until_it_is_alone() {
    let (sessions, clock) = place();
    let id = stored(&sessions, &clock).await;
    let loaded = sessions.find(id).await.unwrap().unwrap();
    sessions
        .update(id, |session, now| {
            add(session, "b", grant("g1"), now);
            Change::Write(())
        })
        .await
        .unwrap();
    let mut tries = 0;
    let seen = sessions
        .change(loaded, |session, now| {
            tries += 1;
            add(session, "c", grant("g2"), now);
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
                    add(session, &format!("app{n}"), grant("g"), now);
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

/// With a refresh token that was used at that second and lives for as long after.
fn renewable(id: &str, used: u64, life: u64) -> Grant {
    let terms = RefreshTerms { lifetime: None, max_idle: Some(Duration::from_secs(life)), rotate: true };
    let refresh = Refresh::issue(&[0; 16], &Secret::new([0; 32]), terms, Timestamp(used));
    Grant { refresh: Some(refresh), ..grant(id) }
}

fn kept(session: &Session) -> Vec<&str> {
    session.apps["app"].grants.iter().map(|grant| grant.id.0.as_str()).collect()
}

#[test]
fn an_app_keeps_a_bounded_number_of_grants() {
    let mut session = fresh(&Clock::manual(0));
    let most = u64::try_from(MAX_GRANTS_OF_APP).unwrap();
    // The second of them was used last.
    for n in 1..=most {
        let used = if n == 2 { 99 } else { n };
        assert!(add(&mut session, "app", renewable(&n.to_string(), used, 1000), Timestamp(n)).is_none());
    }
    let gone = add(&mut session, "app", grant("by access token alone"), Timestamp(20));
    assert_eq!(gone, Some(GrantId("1".to_owned())), "the one that was used the longest ago");
    let gone = add(&mut session, "app", renewable("last", 21, 1000), Timestamp(21));
    assert_eq!(gone, Some(GrantId("by access token alone".to_owned())), "rather than one that stays");
    assert_eq!(kept(&session).len(), MAX_GRANTS_OF_APP);
    for n in (2..=most).map(|n| n.to_string()).chain(["last".to_owned()]) {
        assert!(session.remove_grant("app", &GrantId(n)));
    }
    assert!(session.apps.is_empty(), "the app goes with its last grant");
}

#[test]
fn what_is_over_makes_room_first() {
    let mut session = fresh(&Clock::manual(0));
    add(&mut session, "app", renewable("unused", 0, 30), Timestamp(0));
    add(&mut session, "app", renewable("in use", 80, 100), Timestamp(0));
    let long = AccessTemplate { lifetime: Some(500), ..AccessTemplate::default() };
    add(&mut session, "app", Grant { access: long, ..grant("long") }, Timestamp(0));
    add(&mut session, "app", grant("short"), Timestamp(0));
    // USUAL, and for a refresh token the time within which its use may not have been written.
    add(&mut session, "app", Grant { issued: Timestamp(99), ..grant("next") }, Timestamp(99));
    assert_eq!(kept(&session), ["unused", "in use", "long", "short", "next"]);
    add(&mut session, "app", Grant { issued: Timestamp(100), ..grant("after") }, Timestamp(100));
    assert_eq!(kept(&session), ["unused", "in use", "long", "next", "after"]);
    add(&mut session, "app", Grant { issued: Timestamp(160), ..grant("last") }, Timestamp(160));
    assert_eq!(kept(&session), ["in use", "long", "next", "after", "last"]);
}

#[test]
fn a_ceiling_rises_and_never_falls() {
    let mut session = fresh(&Clock::manual(0));
    let low = Ceiling { scope: Some(Scope::parse("openid").unwrap()), offline_access: false };
    let other = Ceiling { scope: Some(Scope::parse("email").unwrap()), offline_access: false };
    let mut enter = |entry| {
        session.add_grant("app", grant("g"), entry, USUAL, Timestamp(0));
        session.ceiling_of("app").unwrap()
    };
    assert_eq!(enter(Entry::LetIn(low.clone())), low);
    assert_eq!(enter(Entry::LetIn(low.clone())), low);
    let both = Ceiling { scope: Some(Scope::parse("openid email").unwrap()), offline_access: false };
    assert_eq!(enter(Entry::LetIn(other)), both);
    assert_eq!(enter(Entry::SignedIn), Ceiling::NONE);
    assert_eq!(enter(Entry::LetIn(low)), Ceiling::NONE);
    assert!(session.ceiling_of("another").is_none());
}

#[test]
fn a_record_of_a_newer_release_is_refused() {
    let mut session = fresh(&Clock::manual(0));
    session.v = FORMAT_WITH_MORE + 1;
    let record = rmp_serde::to_vec_named(&session).unwrap();
    assert!(matches!(decode(&record), Err(StorageError::Newer { found: 4, known: 3, .. })));
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
