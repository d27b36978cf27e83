//! Apps that go on while a store fails, and what they know for certain afterwards.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::cast::{ONE, TWO};
use super::{Form, Server, Tokens, until};

/// How many devices there are at each server.
const DEVICES: usize = 25;

/// An app at each of two servers: it rotates a refresh token on the first of its devices, and signs the others out.
#[derive(Debug)]
pub(crate) struct Load<'a> {
    servers: [&'a Server; 2],
    devices: [Vec<Tokens>; 2],
    stop: AtomicBool,
    done: AtomicUsize,
}

/// What an app knows for certain.
struct Known {
    /// The last refresh token that it was given.
    refresh: String,
    /// How many of its devices were signed out, and that was acknowledged.
    signed_out: usize,
}

/// Stops the apps whatever becomes of the test, which waits for them.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<'a> Load<'a> {
    /// Signs all devices in.
    #[track_caller]
    pub(crate) fn new(servers: [&'a Server; 2]) -> Self {
        let person = servers[0].person();
        let device = |_| servers[0].sign_in(ONE, &person, "openid offline_access device_sso");
        let devices = servers.map(|_| (0..DEVICES).map(device).collect());
        Self { servers, devices, stop: AtomicBool::new(false), done: AtomicUsize::new(0) }
    }

    /// The device whose refresh token is rotated at the first server.
    pub(crate) fn device(&self) -> &Tokens {
        &self.devices[0][0]
    }

    /// Waits until the apps have rotated some more.
    #[track_caller]
    pub(crate) fn goes_on(&self) {
        let from = self.done.load(Ordering::Relaxed);
        until("the apps go on", || self.done.load(Ordering::Relaxed) >= from + 10);
    }

    /// Lets the apps run while `happens`; afterwards the other server must agree with everything that was acknowledged.
    #[track_caller]
    pub(crate) fn keeps_what_was_acknowledged(&self, happens: impl FnOnce()) {
        let known = std::thread::scope(|scope| {
            let apps = [0, 1].map(|n| scope.spawn(move || self.play(self.servers[n], &self.devices[n])));
            let stop = Stop(&self.stop);
            self.goes_on();
            happens();
            self.goes_on();
            drop(stop);
            apps.map(|app| app.join().expect("a thread"))
        });
        for (n, known) in known.iter().enumerate() {
            let (other, devices) = (self.servers[1 - n], &self.devices[n]);
            other.refresh(TWO, &known.refresh).ok();
            for gone in &devices[1..=known.signed_out] {
                other.exchange(TWO, gone, "openid").refused(400, "invalid_grant");
            }
            // One is left out, because a sign-out that was not acknowledged may have happened.
            for there in &devices[(known.signed_out + 2).min(DEVICES)..] {
                other.exchange(TWO, there, "openid").ok();
            }
        }
    }

    /// An app, until it is told to stop. Whoever is told to come again does, with the very same request.
    fn play(&self, server: &Server, devices: &[Tokens]) -> Known {
        let mut refresh = Tokens(server.exchange(TWO, &devices[0], "openid offline_access").ok()).refresh().to_owned();
        let mut signed_out = 0;
        let mut turn = 0_u32;
        while !self.stop.load(Ordering::Relaxed) {
            let answer = server.refresh(TWO, &refresh);
            if answer.status == 200 {
                Tokens(answer.json()).refresh().clone_into(&mut refresh);
                self.done.fetch_add(1, Ordering::Relaxed);
            } else {
                answer.is_told_to_come_again();
            }
            turn += 1;
            if turn.is_multiple_of(4) && signed_out + 1 < devices.len() {
                let form = Form::of(&[("token", devices[signed_out + 1].secret())]);
                let answer = server.post_as(ONE, "/revoke", form);
                if answer.status == 200 {
                    signed_out += 1;
                } else {
                    answer.is_told_to_come_again();
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Known { refresh, signed_out }
    }
}
