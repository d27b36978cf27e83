//! A disk that fails under a running server: what is asked meanwhile is told to come again, service returns by itself, and whatever was
//! acknowledged before, during and after is true. The same when the server dies in the middle of a write.

use std::os::unix::process::ExitStatusExt as _;

use crate::harness::cast::{BACKEND, ONE, TWO};
use crate::harness::failing_disk::{FailingDisk, Fault};
use crate::harness::server::http;
use crate::harness::witness::{Chance, Witness};
use crate::harness::{Authorization, Browser, Form, Server, Setup, Tokens, until};

/// People at work on each server.
const WITNESSES: u64 = 2;
/// Times that a server dies in the middle of a write.
const DEATHS: usize = 15;
/// How it ends then, by which signal.
const KILLED: Option<i32> = Some(9);

fn witnesses(server: &Server, seed: u64) -> Vec<Witness<'_>> {
    (1..=WITNESSES).map(|n| Witness::new(server, seed * 31 + n)).collect()
}

/// Each of them gets something acknowledged.
fn work_a_little(witnesses: &mut [Witness<'_>]) {
    for witness in witnesses {
        witness.prepare();
        for _ in 0..15 {
            if witness.step().is_none() {
                break;
            }
        }
    }
}

/// All of them at work at once, until nobody can go on, while something happens.
fn at_work(witnesses: &mut [Witness<'_>], meanwhile: impl FnOnce()) {
    std::thread::scope(|scope| {
        for witness in witnesses {
            scope.spawn(|| witness.work());
        }
        meanwhile();
    });
}

/// The disk fails under load, is well again, and then the server is killed.
fn survives(fault: Fault) {
    let disk = FailingDisk::new();
    let server = disk.below(Setup::new()).start();
    let (keys, id) = (server.keys(), server.id());
    let device = server.device(ONE);
    let two = Tokens(server.exchange(TWO, &device, "openid offline_access").ok());
    let mut witnesses = witnesses(&server, 7);
    work_a_little(&mut witnesses);
    at_work(&mut witnesses, || disk.fails(fault));

    for _ in 0..2 {
        server.exchange(TWO, &device, "openid offline_access").is_told_to_come_again();
        server.refresh(TWO, two.refresh()).is_told_to_come_again();
        server.post_as(ONE, "/revoke", Form::of(&[("token", device.secret())])).is_told_to_come_again();
        let ready = server.get("/readyz");
        assert_eq!((ready.status, ready.header("retry-after").is_some()), (503, true));
    }
    let asked = Authorization::new(ONE, "openid");
    assert_eq!(Browser::new().ask(&server, &asked).error(&asked, &server), "temporarily_unavailable");
    for needs_no_store in ["/healthz", "/jwks.json", "/.well-known/openid-configuration", "/metrics"] {
        assert_eq!(server.get(needs_no_store).status, 200, "{needs_no_store}");
    }
    if fault == Fault::Full {
        // Now and then it is opened anew, to see whether it can be written again; for that moment there is no answer.
        for token in [two.access(), two.refresh(), device.refresh()] {
            until("what is there can be read", || {
                let answer = server.post_as(BACKEND, "/introspect", Form::of(&[("token", token)]));
                answer.status == 200 && answer.json()["active"] == true
            });
        }
        until("its owner can be asked for", || server.userinfo(two.access()).status == 200);
        server.exchange(TWO, &device, "openid offline_access").is_told_to_come_again();
    } else {
        let info = server.userinfo(two.access());
        assert!([200, 503].contains(&info.status), "{}", info.body);
    }

    assert!(disk.is_well() > 0, "nothing went wrong");
    until("service returns by itself", || server.exchange(TWO, &device, "openid offline_access").status == 200);
    until("it is ready again", || server.get("/readyz").status == 200);
    assert_eq!(server.id(), id);
    let log = server.log();
    assert!(log.contains("the store failed") && log.contains("the store works again"), "{log}");
    witnesses.iter_mut().for_each(Witness::check);
    // Of the revocation that was refused nothing came through.
    assert!(server.is_active(two.access()) && server.is_active(device.refresh()));

    work_a_little(&mut witnesses);
    server.kill();
    server.start_again();
    assert!(server.keys() == keys);
    witnesses.iter_mut().for_each(Witness::check);
    server.refresh(TWO, two.refresh()).ok();
}

#[test]
fn a_disk_that_cannot_be_written() {
    survives(Fault::Broken);
}

#[test]
fn a_disk_that_cannot_sync() {
    survives(Fault::SyncFails);
}

#[test]
fn a_full_disk() {
    survives(Fault::Full);
}

/// Under load the server dies in the middle of a write, again and again, now and then once more while it starts.
fn dies(seed: u64, fault: fn(usize) -> Fault) {
    let disk = FailingDisk::new();
    let server = disk.below(Setup::new()).start();
    let keys = server.keys();
    let mut chance = Chance(seed);
    let mut witnesses = witnesses(&server, seed);
    let (mut acknowledged, mut at_start) = (0, 0);
    for round in 0..DEATHS {
        witnesses.iter_mut().for_each(Witness::prepare);
        disk.fails(fault(1 + chance.below(120)));
        at_work(&mut witnesses, || {
            // Goes on when all the others have signed out.
            while http().get(Authorization::new(ONE, "openid").url(&server)).send().is_ok() {}
        });
        assert_eq!(server.ended().signal(), KILLED, "{}", server.log());
        acknowledged += witnesses.iter().map(Witness::acknowledged).sum::<usize>();
        if round % 3 == 2 {
            disk.fails(fault(1 + round / 3 % 4));
            match server.try_start_again() {
                Some(ended) => {
                    assert_eq!(ended.signal(), KILLED, "{}", server.log());
                    at_start += 1;
                }
                None => server.kill(),
            }
        }
        assert!(disk.is_well() > 0);
        server.start_again();
        assert!(server.keys() == keys, "seed {seed}, round {round}: other keys");
        witnesses.iter_mut().for_each(Witness::check);
    }
    assert!(witnesses.iter().all(|witness| witness.refusals == 0), "the store failed otherwise: {}", server.log());
    assert!(acknowledged > 50, "there was no load to speak of: {acknowledged}");
    assert!(at_start > 0, "it never died while it started");
}

#[test]
fn a_torn_last_write() {
    dies(3, Fault::Torn);
}

#[test]
fn a_power_cut() {
    dies(5, Fault::PowerCut);
}
