//! `kill -9` at random moments under load, hundreds of times: whatever was acknowledged is true afterwards, and what was asked but not
//! answered has happened whole or not at all.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::harness::Setup;
use crate::harness::witness::{Chance, Witness};

/// Servers that are killed at the same time, people at work on each of them, and kills for each of them.
const SERVERS: u64 = 2;
const WITNESSES: u64 = 3;
const KILLS: u64 = 110;

/// Kills one server again and again.
fn ordeal(seed: u64) {
    let server = Setup::new().start();
    let keys = server.keys();
    let mut chance = Chance(seed);
    let mut witnesses: Vec<Witness<'_>> =
        (0..WITNESSES).map(|n| Witness::new(&server, seed.wrapping_mul(31).wrapping_add(n + 1))).collect();
    let mut acknowledged = 0;
    for round in 0..KILLS {
        witnesses.iter_mut().for_each(Witness::prepare);
        std::thread::scope(|scope| {
            for witness in &mut witnesses {
                scope.spawn(|| witness.work());
            }
            std::thread::sleep(Duration::from_micros(u64::try_from(chance.below(60_000)).unwrap_or(0)));
            server.kill();
        });
        acknowledged += witnesses.iter().map(Witness::acknowledged).sum::<usize>();
        assert!(witnesses.iter().all(|witness| witness.refusals == 0), "seed {seed}, round {round}: the store failed");
        server.start_again();
        assert!(server.keys() == keys, "seed {seed}, round {round}: other keys");
        witnesses.iter_mut().for_each(Witness::check);
    }
    assert!(acknowledged > usize::try_from(KILLS).unwrap_or(usize::MAX), "there was no load to speak of: {acknowledged}");
}

#[test]
fn what_was_acknowledged_survives_hundreds_of_kills() {
    let began = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs());
    std::thread::scope(|scope| {
        for n in 0..SERVERS {
            let seed = began * 1000 + n + 1;
            // A panic tells the name of its thread.
            let ordeal = std::thread::Builder::new().name(format!("seed {seed}")).spawn_scoped(scope, move || ordeal(seed));
            ordeal.expect("a thread");
        }
    });
}
