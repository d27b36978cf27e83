//! `kill -9` at random moments under load, hundreds of times: whatever was acknowledged is true afterwards, and what was asked but not
//! answered has happened whole or not at all.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::harness::cast::{Client, FIRST_PARTY, ONE, TWO};
use crate::harness::server::http;
use crate::harness::{
    Authorization, Browser, DEVICE_SECRET_TYPE, Form, ID_TOKEN_TYPE, Person, Server, Setup, TOKEN_EXCHANGE, Tokens,
};

/// Servers that are killed at the same time, people at work on each of them, and kills for each of them.
const SERVERS: u64 = 2;
const WITNESSES: u64 = 3;
const KILLS: u64 = 110;

/// A small generator (xorshift64*): the same seed plays the same people.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap_or(0) % limit
    }
}

/// An answer, or nothing when the server was gone before it was told.
fn ask(server: &Server, path: &str, client: Client, form: Form) -> Option<(u16, Value)> {
    let response = http().post(server.url(path)).form(&form.and("client_id", client.id).0).send().ok()?;
    let status = response.status().as_u16();
    let text = response.text().ok()?;
    Some((status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).ok()? }))
}

/// The refresh tokens of one grant, each the successor of the one before; the last one is the last that was acknowledged.
type Chain = Vec<String>;

fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name}: {answer}")).to_owned()
}

/// One person with a device, and everything the server has acknowledged to them.
struct Witness<'s> {
    server: &'s Server,
    chance: Chance,
    person: Person,
    browser: Browser,
    device: Tokens,
    alive: Vec<Chain>,
    /// Acknowledged as revoked, or ended with their device.
    dead: Vec<String>,
    /// Devices whose end was acknowledged.
    ended: Vec<Tokens>,
    /// Codes that nobody redeemed yet, and codes whose redemption was acknowledged.
    fresh: Vec<(Authorization, String)>,
    used: Vec<(Authorization, String)>,
}

impl<'s> Witness<'s> {
    fn new(server: &'s Server, seed: u64) -> Self {
        let (person, browser) = (server.person(), Browser::new());
        let device = server.sign_in_by(&browser, ONE, &person, "openid offline_access device_sso", None);
        let (alive, dead, ended, fresh, used) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { server, chance: Chance(seed), person, browser, device, alive, dead, ended, fresh, used }
    }

    /// What needs a server that is there: a device to work with, and codes to redeem.
    fn prepare(&mut self) {
        if self.ended.last().is_some_and(|ended| ended.secret() == self.device.secret()) {
            self.device = self.server.sign_in_by(&self.browser, ONE, &self.person, "openid offline_access device_sso", None);
        }
        while self.fresh.len() < 2 {
            let request = Authorization::new(FIRST_PARTY, "openid");
            let code = self.browser.authorize(self.server, &request, &self.person).code();
            self.fresh.push((request, code));
        }
    }

    /// Goes on until the server is gone.
    fn work(&mut self) {
        while self.step().is_some() {}
    }

    fn step(&mut self) -> Option<()> {
        match self.chance.below(20) {
            // An app keeps eight grants in one session.
            0..=3 if self.alive.len() < 6 => self.exchange(),
            4 if !self.alive.is_empty() => self.revoke(),
            5 => self.redeem(),
            6 if self.chance.below(4) == 0 => self.end(),
            _ if self.alive.is_empty() => self.exchange(),
            _ => self.refresh(),
        }
    }

    fn exchange(&mut self) -> Option<()> {
        let (status, answer) = ask(self.server, "/token", TWO, exchange_of(&self.device, self.server))?;
        assert_eq!(status, 200, "{answer}");
        self.alive.push(vec![text(&answer, "refresh_token")]);
        Some(())
    }

    fn refresh(&mut self) -> Option<()> {
        let which = self.chance.below(self.alive.len());
        let (status, answer) = ask(self.server, "/token", TWO, refresh_of(self.alive[which].last()?))?;
        assert_eq!(status, 200, "{answer}");
        self.alive[which].push(text(&answer, "refresh_token"));
        Some(())
    }

    fn revoke(&mut self) -> Option<()> {
        let which = self.chance.below(self.alive.len());
        // Until it is answered it may have happened or not.
        let chain = self.alive.swap_remove(which);
        let (status, answer) = ask(self.server, "/revoke", TWO, Form::of(&[("token", chain.last()?)]))?;
        assert_eq!(status, 200, "{answer}");
        self.dead.extend(chain);
        Some(())
    }

    fn redeem(&mut self) -> Option<()> {
        let Some((request, code)) = self.fresh.pop() else { return self.refresh_any() };
        let (status, answer) = ask(self.server, "/token", FIRST_PARTY, request.redeem(&code))?;
        assert_eq!(status, 200, "{answer}");
        self.used.push((request, code));
        Some(())
    }

    fn refresh_any(&mut self) -> Option<()> {
        if self.alive.is_empty() { self.exchange() } else { self.refresh() }
    }

    /// Signs the device out; the work of this round is over then.
    fn end(&mut self) -> Option<()> {
        let chains = std::mem::take(&mut self.alive);
        let answer = ask(self.server, "/revoke", ONE, Form::of(&[("token", self.device.secret())]));
        if let Some((status, answer)) = answer {
            assert_eq!(status, 200, "{answer}");
            self.dead.extend(chains.into_iter().flatten());
            self.ended.push(self.device.clone());
        } else {
            // It may have ended or not: whichever, nothing more can be said of it.
            self.device = Tokens(Value::Null);
        }
        None
    }

    /// Compares the server that came back with what was acknowledged.
    fn check(&mut self) {
        let server = self.server;
        if self.device.0.is_null() {
            self.device = server.sign_in_by(&self.browser, ONE, &self.person, "openid offline_access device_sso", None);
        }
        for chain in &mut self.alive {
            let [before @ .., last] = chain.as_slice() else { continue };
            assert!(server.is_active(last), "the last acknowledged refresh token is alive");
            // The one before the last is answered again while its successor is unused; what came earlier is not.
            for old in &before[..before.len().saturating_sub(1)] {
                assert!(!server.is_active(old), "a rotated refresh token came back");
            }
            // Also when a rotation of it was done but not answered: the unused successor is told again.
            let next = Tokens(server.refresh(TWO, last).ok());
            chain.push(next.refresh().to_owned());
            // Older ones were looked at just now; nothing but a crash could bring them back, and each crash checks the youngest.
            let spare = chain.len().saturating_sub(4);
            chain.drain(..spare);
        }
        for token in &self.dead {
            assert!(!server.is_active(token), "a revoked refresh token came back");
        }
        if let Some(token) = self.dead.last() {
            server.refresh(TWO, token).refused(400, "invalid_grant");
        }
        for device in &self.ended {
            server.exchange(TWO, device, "openid").refused(400, "invalid_grant");
            server.refresh(ONE, device.refresh()).refused(400, "invalid_grant");
        }
        for (request, code) in self.used.drain(..) {
            server.token(FIRST_PARTY, request.redeem(&code)).refused(400, "invalid_grant");
        }
        for (request, code) in self.fresh.drain(..) {
            server.token(FIRST_PARTY, request.redeem(&code)).ok();
            server.token(FIRST_PARTY, request.redeem(&code)).refused(400, "invalid_grant");
        }
        self.dead.drain(..self.dead.len().saturating_sub(12));
        self.ended.drain(..self.ended.len().saturating_sub(2));
    }
}

fn exchange_of(device: &Tokens, server: &Server) -> Form {
    Form::of(&[
        ("grant_type", TOKEN_EXCHANGE),
        ("subject_token", device.id()),
        ("subject_token_type", ID_TOKEN_TYPE),
        ("actor_token", device.secret()),
        ("actor_token_type", DEVICE_SECRET_TYPE),
        ("audience", &server.issuer),
        ("scope", "openid offline_access"),
    ])
}

fn refresh_of(token: &str) -> Form {
    Form::of(&[("grant_type", "refresh_token"), ("refresh_token", token)])
}

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
        acknowledged += witnesses.iter().map(|witness| witness.alive.iter().map(Vec::len).sum::<usize>()).sum::<usize>();
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
