//! The keys as a whole, on a store that can be made to fail and to lose races.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::ready;
use jsonwebtoken::jwk::{JwkSet, ThumbprintHash};
use serde_json::{Value, json};

use super::*;
use crate::foundation::{Timestamp, encoding};
use crate::storage::snapshot::Snapshot;
use crate::storage::{Index, Outcome, Store};

mod audit;
mod forgery;
mod rotation;

/// A store of one record. `rivals` are written by "another process" just before our next writes.
#[derive(Debug, Default)]
struct OneRecord {
    state: Mutex<(Option<Vec<u8>>, u64)>,
    rivals: Mutex<Vec<Vec<u8>>>,
    down: Mutex<bool>,
}

impl OneRecord {
    fn stored(&self) -> Option<Vec<u8>> {
        self.state.lock().unwrap().0.clone()
    }

    fn write(&self, expected: Option<u64>, value: Vec<u8>) -> Result<bool, StorageError> {
        if *self.down.lock().unwrap() {
            return Err(StorageError::Unavailable("down".to_owned()));
        }
        let mut state = self.state.lock().unwrap();
        if let Some(rival) = self.rivals.lock().unwrap().pop() {
            *state = (Some(rival), state.1 + 1);
        }
        let at = state.0.as_ref().map(|_| state.1);
        if at == expected {
            *state = (Some(value), state.1 + 1);
        }
        Ok(at == expected)
    }
}

impl Store for OneRecord {
    fn get<'a>(&'a self, _: &'a Key) -> Outcome<'a, Option<Stored>> {
        let state = self.state.lock().unwrap().clone();
        let stored = state.0.map(|value| Stored { value, version: Version(state.1), expires: None });
        let down = *self.down.lock().unwrap();
        Box::pin(ready(if down { Err(StorageError::Unavailable("down".to_owned())) } else { Ok(stored) }))
    }

    fn insert(&self, _: Key, value: Vec<u8>, _: Option<Timestamp>) -> Outcome<'_, bool> {
        Box::pin(ready(self.write(None, value)))
    }

    fn compare_and_swap(&self, _: Key, version: Version, value: Vec<u8>, _: Option<Timestamp>) -> Outcome<'_, bool> {
        Box::pin(ready(self.write(Some(version.0), value)))
    }

    fn take(&self, _: Key, _: Option<Vec<u8>>) -> Outcome<'_, Option<Vec<u8>>> {
        Box::pin(ready(Ok(None)))
    }

    fn delete(&self, _: Key) -> Outcome<'_, bool> {
        Box::pin(ready(Ok(false)))
    }

    fn index_add(&self, _: Index, _: Vec<u8>, _: Option<Timestamp>) -> Outcome<'_, ()> {
        Box::pin(ready(Ok(())))
    }

    fn index_list<'a>(&'a self, _: &'a Index) -> Outcome<'a, Vec<Vec<u8>>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn index_remove(&self, _: Index, _: Vec<u8>) -> Outcome<'_, ()> {
        Box::pin(ready(Ok(())))
    }

    fn snapshot(&self) -> Outcome<'_, Box<dyn Snapshot>> {
        Box::pin(ready(Err(StorageError::Unavailable("there is nothing to look at".to_owned()))))
    }

    fn ready(&self) -> Outcome<'_, ()> {
        Box::pin(ready(Ok(())))
    }

    fn close(&self) -> Outcome<'_, ()> {
        Box::pin(ready(Ok(())))
    }
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const POLICY: KeyPolicy =
    KeyPolicy { publish_before_use: HOUR, rotate_every: Some(Duration::from_hours(90 * 24)), verify_for: Some(DAY) };

fn sealing(byte: u8) -> SealingKey {
    SealingKey::from_text(&Secret::new(encoding::encode([byte; 32]))).unwrap()
}

struct Bench {
    store: Arc<OneRecord>,
    clock: Clock,
}

impl Bench {
    fn new() -> Self {
        Self { store: Arc::default(), clock: Clock::manual(1_800_000_000) }
    }

    async fn open(&self) -> SigningKeys {
        SigningKeys::open(self.store.clone(), self.clock.clone(), sealing(1), POLICY).await.unwrap()
    }
}

fn claims() -> Value {
    json!({"iss": "https://id.example", "sub": "alice", "exp": 1, "n": 12_345_678_901_u64})
}

fn kids(keys: &SigningKeys) -> Vec<String> {
    let jwks: Value = serde_json::from_str(&keys.jwks()).unwrap();
    jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn kid(jwt: &str) -> String {
    jsonwebtoken::decode_header(jwt).unwrap().kid.unwrap()
}

fn refused(keys: &SigningKeys, jwt: &str) -> VerifyError {
    keys.verify::<Value>(jwt).unwrap_err()
}

#[tokio::test]
async fn every_algorithm_signs_and_verifies_and_others_can_check_it() {
    let keys = Bench::new().open().await;
    let jwks: JwkSet = serde_json::from_str(&keys.jwks()).unwrap();
    assert_eq!(jwks.keys.len(), 4);
    for alg in SigningAlg::ALL {
        for typ in ["JWT", "at+jwt", "secevent+jwt"] {
            let jwt = keys.sign(alg, typ, &claims()).unwrap();
            let verified: Verified<Value> = keys.verify(&jwt).unwrap();
            assert_eq!((verified.typ.as_deref(), verified.alg, verified.claims), (Some(typ), alg, claims()));
            // As a client does it: from the published set alone.
            let jwk = jwks.find(&kid(&jwt)).unwrap();
            let mut validation = jsonwebtoken::Validation::new(pair::algorithm(alg));
            validation.validate_exp = false;
            let key = jsonwebtoken::DecodingKey::from_jwk(jwk).unwrap();
            assert_eq!(jsonwebtoken::decode::<Value>(&jwt, &key, &validation).unwrap().claims, claims());
        }
    }
}

#[tokio::test]
async fn the_jwks_shows_public_members_and_thumbprints_only() {
    let keys = Bench::new().open().await;
    let jwks: Value = serde_json::from_str(&keys.jwks()).unwrap();
    let set: JwkSet = serde_json::from_str(&keys.jwks()).unwrap();
    for (key, jwk) in jwks["keys"].as_array().unwrap().iter().zip(&set.keys) {
        let mut members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        let expected: &[&str] = match key["kty"].as_str().unwrap() {
            "RSA" => &["alg", "e", "kid", "kty", "n", "use"],
            "EC" => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            _ => &["alg", "crv", "kid", "kty", "use", "x"],
        };
        assert_eq!(members, expected);
        assert_eq!(key["use"], "sig");
        assert_eq!(key["kid"].as_str().unwrap(), jwk.thumbprint(ThumbprintHash::SHA256).unwrap());
        if key["kty"] == "RSA" {
            assert_eq!((key["n"].as_str().unwrap().len(), key["e"].as_str()), (342, Some("AQAB")));
        }
    }
    let algs: Vec<_> = jwks["keys"].as_array().unwrap().iter().map(|key| key["alg"].as_str().unwrap()).collect();
    assert_eq!(algs, ["RS256", "ES256", "PS256", "EdDSA"]);
}

#[tokio::test]
async fn a_restart_reads_the_same_keys_and_derives_the_same() {
    let bench = Bench::new();
    let first = bench.open().await;
    let jwt = first.sign(SigningAlg::Es256, "JWT", &claims()).unwrap();
    let second = bench.open().await;
    assert!(second.verify::<Value>(&jwt).is_ok());
    assert_eq!(first.jwks(), second.jwks());
    assert_eq!(first.derive("l", &[b"a"]).expose(), second.derive("l", &[b"a"]).expose());
}

#[tokio::test]
async fn what_is_stored_is_sealed_and_another_sealing_key_is_a_clear_error() {
    let bench = Bench::new();
    bench.open().await;
    let stored = String::from_utf8(bench.store.stored().unwrap()).unwrap();
    assert!(!stored.contains("keys") && !stored.contains("ES256"), "not readable");
    let error = SigningKeys::open(bench.store.clone(), bench.clock.clone(), sealing(2), POLICY).await.unwrap_err();
    assert!(matches!(error, KeyError::WrongSealingKey));
    assert!(error.to_string().contains("sealing_key_file"));
}

#[tokio::test]
async fn derivation_depends_on_everything_it_is_given() {
    let (ours, theirs) = (Bench::new().open().await, Bench::new().open().await);
    let base = ours.derive("label", &[b"ab", b"c"]);
    assert_eq!(base.expose(), ours.derive("label", &[b"ab", b"c"]).expose());
    let other: [(&str, &[&[u8]]); 5] = [
        ("label", &[b"a", b"bc"]),
        ("label", &[b"abc"]),
        ("labela", &[b"b", b"c"]),
        ("label", &[b"ab", b"c", b""]),
        ("other", &[b"ab", b"c"]),
    ];
    for (label, parts) in other {
        assert_ne!(base.expose(), ours.derive(label, parts).expose(), "{label} {parts:?}");
    }
    assert_ne!(base.expose(), theirs.derive("label", &[b"ab", b"c"]).expose());
}

#[tokio::test]
async fn nothing_secret_is_shown_by_debug() {
    let bench = Bench::new();
    let keys = bench.open().await;
    let text =
        format!("{keys:?} {:?} {:?}", Record::open(&sealing(1), &bench.store.stored().unwrap()).unwrap(), keys.0.set.load());
    let record = Record::open(&sealing(1), &bench.store.stored().unwrap()).unwrap();
    for key in &record.keys {
        assert!(!text.contains(&encoding::encode(key.private.expose())));
        assert!(!text.contains(&format!("{:?}", key.private.expose())));
    }
    assert!(text.contains("[secret]"));
}

#[tokio::test]
async fn key_info_serialises_for_the_operator() {
    let keys = Bench::new().open().await;
    let list = serde_json::to_value(keys.list()).unwrap();
    assert_eq!(
        (&list[0]["alg"], &list[0]["state"], &list[0]["verify_until"]),
        (&json!("RS256"), &json!("signing"), &json!(null))
    );
    assert_eq!(list[0]["signs_from"], json!(1_800_000_000));
}
