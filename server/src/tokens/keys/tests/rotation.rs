//! Rotation: publication before use, retirement, and processes that change the keys at the same time.

use super::*;

#[tokio::test]
async fn of_two_first_starts_the_loser_takes_the_winners_keys() {
    let (winner, loser) = (Bench::new(), Bench::new());
    let keys = winner.open().await;
    *loser.store.rivals.lock().unwrap() = vec![winner.store.stored().unwrap()];
    assert_eq!(loser.open().await.jwks(), keys.jwks());
}

#[tokio::test]
async fn a_rotation_is_tried_again_when_another_process_changed_the_keys() {
    let bench = Bench::new();
    let keys = bench.open().await;
    let other = Bench::new();
    *other.store.state.lock().unwrap() = (bench.store.stored(), 1);
    other.open().await.rotate(Some(SigningAlg::EdDsa), false).await.unwrap();
    *bench.store.rivals.lock().unwrap() = vec![other.store.stored().unwrap()];
    keys.rotate(Some(SigningAlg::Es256), false).await.unwrap();
    let upcoming: Vec<_> = keys.list().into_iter().filter(|key| key.state == KeyState::Upcoming).map(|key| key.alg).collect();
    assert_eq!(upcoming, [SigningAlg::EdDsa, SigningAlg::Es256], "both changes survive");
}

#[tokio::test]
async fn endless_rivals_end_in_an_error_not_in_a_loop() {
    let bench = Bench::new();
    let keys = bench.open().await;
    *bench.store.rivals.lock().unwrap() = vec![bench.store.stored().unwrap(); TRIES];
    assert!(matches!(keys.rotate(Some(SigningAlg::EdDsa), false).await, Err(KeyError::Contended)));
}

#[tokio::test]
async fn an_upcoming_key_is_published_but_does_not_sign_until_its_time() {
    let bench = Bench::new();
    let keys = bench.open().await;
    let old = keys.sign(SigningAlg::Es256, "JWT", &claims()).unwrap();
    let before = kids(&keys);
    let list = keys.rotate(Some(SigningAlg::Es256), false).await.unwrap();
    let new = list.iter().find(|key| key.state == KeyState::Upcoming).unwrap().clone();
    assert_eq!(new.signs_from, bench.clock.now().plus(HOUR));
    assert_eq!(kids(&keys).len(), 5);
    assert!(kids(&keys).contains(&new.kid) && before.iter().all(|kid| kids(&keys).contains(kid)));
    bench.clock.advance(HOUR.saturating_sub(SECOND));
    assert_eq!(kid(&keys.sign(SigningAlg::Es256, "JWT", &claims()).unwrap()), kid(&old));
    bench.clock.advance(SECOND);
    let after = keys.sign(SigningAlg::Es256, "JWT", &claims()).unwrap();
    assert_eq!(kid(&after), new.kid);
    assert!(keys.verify::<Value>(&old).is_ok() && keys.verify::<Value>(&after).is_ok());
    let states: Vec<_> = keys.list().into_iter().filter(|key| key.alg == SigningAlg::Es256).map(|key| key.state).collect();
    assert_eq!(states, [KeyState::Verifying, KeyState::Signing]);
}

#[tokio::test]
async fn an_immediate_rotation_signs_at_once_and_twice_is_no_more_than_once() {
    let bench = Bench::new();
    let keys = bench.open().await;
    let old = keys.sign(SigningAlg::EdDsa, "JWT", &claims()).unwrap();
    keys.rotate(Some(SigningAlg::EdDsa), true).await.unwrap();
    assert_ne!(kid(&keys.sign(SigningAlg::EdDsa, "JWT", &claims()).unwrap()), kid(&old));
    assert!(keys.verify::<Value>(&old).is_ok());
    keys.rotate(Some(SigningAlg::Es256), false).await.unwrap();
    let list = keys.rotate(Some(SigningAlg::Es256), false).await.unwrap();
    assert_eq!(list.len(), 6, "one successor each");
}

#[tokio::test]
async fn a_retired_key_stops_verifying_to_the_second_and_is_dropped_by_the_next_tick() {
    let bench = Bench::new();
    let keys = bench.open().await;
    let old = keys.sign(SigningAlg::Es256, "JWT", &claims()).unwrap();
    keys.rotate(Some(SigningAlg::Es256), true).await.unwrap();
    let end = keys.list().into_iter().find(|key| key.kid == kid(&old)).unwrap().verify_until.unwrap();
    assert_eq!(end, bench.clock.now().plus(DAY));
    bench.clock.advance(DAY.saturating_sub(SECOND));
    keys.tick().await;
    assert!(keys.verify::<Value>(&old).is_ok());
    bench.clock.advance(SECOND);
    assert_eq!(refused(&keys, &old), VerifyError::UnknownKey);
    assert!(kids(&keys).contains(&kid(&old)), "not yet dropped");
    keys.tick().await;
    assert!(!kids(&keys).contains(&kid(&old)));
    assert_eq!(refused(&keys, &old), VerifyError::UnknownKey);
}

#[tokio::test]
async fn tick_rotates_by_schedule_and_other_nodes_follow() {
    let bench = Bench::new();
    let (one, two) = (bench.open().await, bench.open().await);
    one.tick().await;
    assert_eq!(one.list().len(), 4, "nothing is due");
    bench.clock.advance((90 * DAY).saturating_sub(HOUR));
    one.tick().await;
    assert_eq!(one.list().len(), 8);
    assert_eq!(two.list().len(), 4);
    two.tick().await;
    assert_eq!(one.jwks(), two.jwks(), "the other node takes them over instead of making its own");
    bench.clock.advance(HOUR);
    let jwt = one.sign(SigningAlg::Rs256, "JWT", &claims()).unwrap();
    assert!(two.verify::<Value>(&jwt).is_ok());
    assert_eq!(one.list().iter().filter(|key| key.state == KeyState::Signing).count(), 4);
}

#[tokio::test]
async fn a_store_that_fails_leaves_the_keys_at_work() {
    let bench = Bench::new();
    let keys = bench.open().await;
    *bench.store.down.lock().unwrap() = true;
    keys.tick().await;
    assert!(matches!(keys.rotate(None, true).await, Err(KeyError::Storage(_))));
    let jwt = keys.sign(SigningAlg::Es256, "JWT", &claims()).unwrap();
    assert!(keys.verify::<Value>(&jwt).is_ok());
}

#[tokio::test]
async fn a_clock_set_back_still_signs() {
    let bench = Bench::new();
    bench.open().await;
    let earlier = Clock::manual(1_000_000_000);
    let keys = SigningKeys::open(bench.store.clone(), earlier, sealing(1), POLICY).await.unwrap();
    let jwt = keys.sign(SigningAlg::Es256, "JWT", &claims()).unwrap();
    assert!(keys.verify::<Value>(&jwt).is_ok());
}
