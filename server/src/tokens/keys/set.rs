//! The keys of one moment, ready for use: parsed, indexed, their JWKS written. Replaced as a whole, never changed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::ParsedPublicKey;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use serde::{Serialize, Serializer};

use super::KeyError;
use super::pair::Pair;
use super::record::Record;
use super::schedule::{self, KeyPolicy};
use crate::foundation::{Clock, Timestamp, encoding};
use crate::settings::meaning::SigningAlg;
use crate::storage::Version;

/// The header types whose encoded header is kept ready.
const PREPARED: [&str; 3] = ["JWT", "at+jwt", "logout+jwt"];
/// A usual payload, so that writing it allocates once.
const PAYLOAD: usize = 1024;

/// What an operator sees of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyInfo {
    /// Its name in tokens and in the JWKS: the RFC 7638 thumbprint.
    pub kid: String,
    /// What it signs with.
    #[serde(serialize_with = "alg_name")]
    pub alg: SigningAlg,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it signs.
    pub signs_from: Timestamp,
    /// What it does now.
    pub state: KeyState,
    /// Until when it verifies; `None` = not decided, as it has no successor or the policy keeps it for ever.
    pub verify_until: Option<Timestamp>,
}

/// What a key does at a moment. Every key in the list is in the JWKS and verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// Published, not signing yet.
    Upcoming,
    /// The one that signs for its algorithm.
    Signing,
    /// Retired: verifies what it signed.
    Verifying,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes every field by reference")]
fn alg_name<S: Serializer>(alg: &SigningAlg, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(alg.as_str())
}

/// One key, parsed once.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) kid: String,
    pub(super) alg: SigningAlg,
    pub(super) verifying: ParsedPublicKey,
    /// When it stops verifying.
    pub(super) ends: Option<Timestamp>,
    pair: Pair,
    created: Timestamp,
    signs_from: Timestamp,
    /// The encoded header for each of [`PREPARED`].
    headers: [String; PREPARED.len()],
}

/// All keys.
#[derive(Debug)]
pub(super) struct KeySet {
    /// The state of the record that this is.
    pub(super) version: Version,
    pub(super) derivation: hmac::Key,
    pub(super) jwks: Arc<str>,
    members: Vec<Member>,
    by_kid: HashMap<String, usize>,
    /// For each algorithm its members, the newest first.
    lines: [Vec<usize>; SigningAlg::ALL.len()],
}

impl KeySet {
    /// Parses every key of `record`.
    pub(super) fn new(record: &Record, version: Version, policy: &KeyPolicy) -> Result<Self, KeyError> {
        let mut members = Vec::with_capacity(record.keys.len());
        let mut jwks = JwkSet { keys: Vec::with_capacity(record.keys.len()) };
        let mut by_kid = HashMap::with_capacity(record.keys.len());
        for (at, (key, ends)) in record.keys.iter().zip(schedule::ends(record, policy)).enumerate() {
            let pair = Pair::from_pkcs8(key.alg, key.private.expose())?;
            let public = pair.public()?;
            jwks.keys.push(public.jwk);
            by_kid.insert(public.kid.clone(), at);
            members.push(Member {
                headers: PREPARED.map(|typ| header(key.alg, typ, &public.kid)),
                kid: public.kid,
                alg: key.alg,
                verifying: public.verifying,
                ends,
                pair,
                created: key.created,
                signs_from: key.signs_from,
            });
        }
        let jwks = serde_json::to_string(&jwks).map_err(|_| KeyError::Damaged("the JWK Set cannot be written"))?;
        let lines = SigningAlg::ALL.map(|alg| schedule::line(record, alg).into_iter().rev().collect());
        let derivation = hmac::Key::new(hmac::HMAC_SHA256, record.derivation.expose());
        Ok(Self { version, derivation, jwks: jwks.into(), members, by_kid, lines })
    }

    /// The key that signs for `alg` now: the newest whose time has come.
    pub(super) fn signing(&self, alg: SigningAlg, clock: &Clock) -> Result<&Member, KeyError> {
        let line = SigningAlg::ALL.iter().position(|one| *one == alg).and_then(|at| self.lines.get(at));
        let line = line.map_or(&[][..], Vec::as_slice);
        let chosen = match line {
            [] => None,
            // Most of the time there is one, and no need to ask what time it is.
            [only] => Some(only),
            several => {
                let now = clock.now();
                // A clock that was set back finds no key whose time has come: the oldest is the right one then.
                several.iter().find(|at| self.members[**at].signs_from <= now).or_else(|| several.last())
            }
        };
        chosen.map(|at| &self.members[*at]).ok_or(KeyError::Damaged("there is no key for a signing algorithm"))
    }

    /// The keys that sign now, one for each algorithm.
    pub(super) fn in_use(&self, clock: &Clock) -> impl Iterator<Item = &Member> {
        SigningAlg::ALL.into_iter().filter_map(|alg| self.signing(alg, clock).ok())
    }

    /// The key of that name.
    pub(super) fn find(&self, kid: &str) -> Option<&Member> {
        self.by_kid.get(kid).map(|at| &self.members[*at])
    }

    /// What an operator sees, in the order in which the keys were made.
    pub(super) fn list(&self, clock: &Clock) -> Vec<KeyInfo> {
        let now = clock.now();
        let state = |key: &Member| match self.signing(key.alg, clock) {
            Ok(signing) if signing.kid == key.kid => KeyState::Signing,
            _ if key.signs_from > now => KeyState::Upcoming,
            _ => KeyState::Verifying,
        };
        let info = |key: &Member| KeyInfo {
            kid: key.kid.clone(),
            alg: key.alg,
            created: key.created,
            signs_from: key.signs_from,
            state: state(key),
            verify_until: key.ends,
        };
        self.members.iter().map(info).collect()
    }
}

impl Member {
    /// A signed compact JWT (RFC 7515 section 7.1) of type `typ`.
    pub(super) fn sign<T: Serialize + ?Sized>(&self, typ: &str, claims: &T) -> Result<String, KeyError> {
        let mut payload = Vec::with_capacity(PAYLOAD);
        serde_json::to_writer(&mut payload, claims).map_err(|_| KeyError::Claims)?;
        let header = match PREPARED.iter().position(|prepared| *prepared == typ) {
            Some(at) => Cow::Borrowed(self.headers[at].as_str()),
            None => Cow::Owned(header(self.alg, typ, &self.kid)),
        };
        let length = header.len() + (payload.len() * 4).div_ceil(3) + self.pair.signature_length() + 2;
        let mut token = String::with_capacity(length);
        token.push_str(&header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&payload, &mut token);
        self.pair.sign(&mut token)?;
        Ok(token)
    }
}

/// The encoded protected header.
fn header(alg: SigningAlg, typ: &str, kid: &str) -> String {
    encoding::encode(serde_json::json!({ "alg": alg.as_str(), "typ": typ, "kid": kid }).to_string())
}
