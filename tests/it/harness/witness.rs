//! People at work, each with a device, who keep everything that the server acknowledged to them: whatever became of the server, what was
//! acknowledged is true afterwards, and what was asked but not answered has happened whole or not at all.

use serde_json::Value;

use super::app::Tokens;
use super::browser::Browser;
use super::cast::{Client, FIRST_PARTY, ONE, TWO};
use super::person::Person;
use super::request::{Authorization, Form};
use super::server::{Server, http};
use super::{DEVICE_SECRET_TYPE, ID_TOKEN_TYPE, TOKEN_EXCHANGE};

/// A small generator (xorshift64*): the same seed plays the same people.
#[derive(Debug)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap_or(0) % limit
    }
}

/// The refresh tokens of one grant, each the successor of the one before; the last one is the last that was acknowledged.
type Chain = Vec<String>;

fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name}: {answer}")).to_owned()
}

/// One person with a device, and everything the server has acknowledged to them.
#[derive(Debug)]
pub(crate) struct Witness<'s> {
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
    /// How often the server said that it cannot write at present.
    pub(crate) refusals: usize,
}

impl<'s> Witness<'s> {
    /// Somebody new on a new device; the same seed does the same work.
    #[track_caller]
    pub(crate) fn new(server: &'s Server, seed: u64) -> Self {
        let (person, browser) = (server.person(), Browser::new());
        let device = server.sign_in_by(&browser, ONE, &person, "openid offline_access device_sso", None);
        let (alive, dead, ended, fresh, used) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { server, chance: Chance(seed), person, browser, device, alive, dead, ended, fresh, used, refusals: 0 }
    }

    /// What needs a server that is there: a device to work with, and codes to redeem.
    pub(crate) fn prepare(&mut self) {
        if self.ended.last().is_some_and(|ended| ended.secret() == self.device.secret()) {
            self.device = self.server.sign_in_by(&self.browser, ONE, &self.person, "openid offline_access device_sso", None);
        }
        while self.fresh.len() < 2 {
            let request = Authorization::new(FIRST_PARTY, "openid");
            let code = self.browser.authorize(self.server, &request, &self.person).code();
            self.fresh.push((request, code));
        }
    }

    /// Goes on until the server is gone or cannot write.
    pub(crate) fn work(&mut self) {
        while self.step().is_some() {}
    }

    /// Refresh tokens that were acknowledged and are remembered.
    pub(crate) fn acknowledged(&self) -> usize {
        self.alive.iter().map(Vec::len).sum()
    }

    /// One request; nothing when it was not acknowledged, or when the device is signed out.
    pub(crate) fn step(&mut self) -> Option<()> {
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

    /// What was acknowledged, or nothing when the server was gone before it answered, or cannot write.
    fn ask(&mut self, path: &str, client: Client, form: Form) -> Option<Value> {
        let response = http().post(self.server.url(path)).form(&form.and("client_id", client.id).0).send().ok()?;
        let (status, again) = (response.status().as_u16(), response.headers().contains_key("retry-after"));
        let text = response.text().ok()?;
        let answer = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).ok()? };
        if status == 503 {
            assert!(answer["error"] == "temporarily_unavailable" && again, "{answer}");
            self.refusals += 1;
            return None;
        }
        assert_eq!(status, 200, "{answer}");
        Some(answer)
    }

    fn exchange(&mut self) -> Option<()> {
        let answer = self.ask("/token", TWO, exchange_of(&self.device, self.server))?;
        self.alive.push(vec![text(&answer, "refresh_token")]);
        Some(())
    }

    fn refresh(&mut self) -> Option<()> {
        let which = self.chance.below(self.alive.len());
        let form = refresh_of(self.alive[which].last()?);
        let answer = self.ask("/token", TWO, form)?;
        self.alive[which].push(text(&answer, "refresh_token"));
        Some(())
    }

    fn revoke(&mut self) -> Option<()> {
        let which = self.chance.below(self.alive.len());
        // Until it is answered it may have happened or not.
        let chain = self.alive.swap_remove(which);
        self.ask("/revoke", TWO, Form::of(&[("token", chain.last()?)]))?;
        self.dead.extend(chain);
        Some(())
    }

    fn redeem(&mut self) -> Option<()> {
        let Some((request, code)) = self.fresh.pop() else { return self.refresh_any() };
        self.ask("/token", FIRST_PARTY, request.redeem(&code))?;
        self.used.push((request, code));
        Some(())
    }

    fn refresh_any(&mut self) -> Option<()> {
        if self.alive.is_empty() { self.exchange() } else { self.refresh() }
    }

    /// Signs the device out; the work of this round is over then.
    fn end(&mut self) -> Option<()> {
        let chains = std::mem::take(&mut self.alive);
        let form = Form::of(&[("token", self.device.secret())]);
        if self.ask("/revoke", ONE, form).is_some() {
            self.dead.extend(chains.into_iter().flatten());
            self.ended.push(self.device.clone());
        } else {
            // It may have ended or not: whichever, nothing more can be said of it.
            self.device = Tokens(Value::Null);
        }
        None
    }

    /// Compares the server that came back with what was acknowledged.
    #[track_caller]
    pub(crate) fn check(&mut self) {
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
