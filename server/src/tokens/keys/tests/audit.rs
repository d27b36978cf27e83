//! What the audit log is told of keys: what was made, what signs, what is gone, each once.

use super::*;
use crate::telemetry::listening::{Lines, listen};

/// The events since the last look, as code and `kid`.
fn told(lines: &Lines) -> Vec<(String, String)> {
    let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
    lines.events().iter().map(|event| (text(event, "code"), text(event, "kid"))).collect()
}

fn each(code: &str, kids: impl IntoIterator<Item = String>) -> Vec<(String, String)> {
    kids.into_iter().map(|kid| (code.to_owned(), kid)).collect()
}

/// The names of the keys of one algorithm in a state.
fn of(keys: &SigningKeys, alg: SigningAlg, state: KeyState) -> Vec<String> {
    keys.list().into_iter().filter(|key| key.alg == alg && key.state == state).map(|key| key.kid).collect()
}

#[tokio::test]
async fn keys_are_generated_once_and_every_start_says_which_ones_sign() {
    let (lines, _guard) = listen(true, "info");
    let bench = Bench::new();
    let keys = bench.open().await;
    assert_eq!(told(&lines), each("KY6001", kids(&keys)));
    keys.announce();
    assert_eq!(told(&lines), each("KY6002", kids(&keys)));
    let again = bench.open().await;
    keys.tick().await;
    assert!(told(&lines).is_empty());
    again.announce();
    assert_eq!(told(&lines).len(), 4);
}

#[tokio::test]
async fn a_successor_is_reported_when_it_is_made_and_when_its_time_has_come() {
    let bench = Bench::new();
    let (keys, other) = (bench.open().await, bench.open().await);
    let (lines, _guard) = listen(true, "info");
    keys.rotate(Some(SigningAlg::Es256), false).await.unwrap();
    let new = of(&keys, SigningAlg::Es256, KeyState::Upcoming);
    assert_eq!(told(&lines), each("KY6001", new.clone()));
    other.tick().await;
    assert!(told(&lines).is_empty(), "whoever takes a key over did not make it");
    bench.clock.advance(HOUR);
    keys.tick().await;
    keys.tick().await;
    assert_eq!(told(&lines), each("KY6002", new.clone()), "once");
    other.tick().await;
    assert_eq!(told(&lines), each("KY6002", new), "the other node signs with it too");
}

#[tokio::test]
async fn a_key_that_goes_is_reported_once() {
    let bench = Bench::new();
    let keys = bench.open().await;
    let old = of(&keys, SigningAlg::EdDsa, KeyState::Signing);
    keys.rotate(Some(SigningAlg::EdDsa), false).await.unwrap();
    let waiting = of(&keys, SigningAlg::EdDsa, KeyState::Upcoming);
    let (lines, _guard) = listen(true, "info");
    keys.rotate(Some(SigningAlg::EdDsa), true).await.unwrap();
    let new = of(&keys, SigningAlg::EdDsa, KeyState::Signing);
    let expected = [each("KY6001", new.clone()), each("KY6003", waiting), each("KY6002", new)].concat();
    assert_eq!(told(&lines), expected, "the one that waited for its turn has lost it");
    bench.clock.advance(DAY);
    keys.tick().await;
    keys.tick().await;
    assert_eq!(told(&lines), each("KY6003", old));
}

#[tokio::test]
async fn of_two_first_starts_the_winner_alone_reports() {
    let (winner, loser) = (Bench::new(), Bench::new());
    winner.open().await;
    *loser.store.rivals.lock().unwrap() = vec![winner.store.stored().unwrap()];
    let (lines, _guard) = listen(true, "info");
    loser.open().await;
    assert!(told(&lines).is_empty());
}
