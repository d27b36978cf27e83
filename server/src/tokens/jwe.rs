//! Encryption of a signed token for the one who shall read it: nested JWT in JWE compact form (RFC 7519 section 5.2).
//! Knows public keys by value; must not know whose they are or where they came from.

use jose_rs::jwk::{Jwk, jwk_to_software_key};
use jose_rs::{JoseHeader, JweAlgorithm, JweEncryption};
use serde_json::{Value, json};

/// The key-management algorithms that we encrypt with, in order of preference. No `RSA1_5` and no `RSA-OAEP` with SHA-1.
pub const ALGS: [&str; 4] = ["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"];
/// The content-encryption algorithms, the default first.
pub const ENCS: [&str; 4] = ["A256GCM", "A128GCM", "A128CBC-HS256", "A256CBC-HS512"];

/// How many entries of a JWK Set are looked at.
const MAX_KEYS: usize = 32;

/// Why nothing was encrypted. No text of the key or the token is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JweError {
    /// The algorithm asked for is none of [`ALGS`] or [`ENCS`].
    #[error("the encryption algorithm {0} is not supported")]
    Unsupported(String),
    /// The set has no public key for it.
    #[error("the recipient has no usable encryption key")]
    NoKey,
    /// The library refused.
    #[error("the token cannot be encrypted")]
    Encryption,
}

/// A recipient's public key, checked, with the algorithms to use.
#[derive(Debug, Clone)]
pub struct RecipientKey {
    jwk: Jwk,
    alg: JweAlgorithm,
    enc: JweEncryption,
    kid: Option<String>,
}

impl RecipientKey {
    /// The first key of `jwks` (`{"keys": […]}`) that is meant for encryption and fits `preferred` (`alg`, `enc`).
    ///
    /// Without a preference the key's own `alg` counts, else RSA-OAEP-256 for RSA and ECDH-ES for EC and X25519, with
    /// A256GCM. Keys marked `use: enc` go before keys without `use`.
    ///
    /// # Errors
    /// When the preference is not supported or no key fits; malformed keys are passed over.
    pub fn choose(jwks: &Value, preferred: Option<(&str, &str)>) -> Result<Self, JweError> {
        let supported = |name: &str, names: &[&str]| {
            if names.contains(&name) { Ok(()) } else { Err(JweError::Unsupported(name.chars().take(32).collect())) }
        };
        let (alg, enc) = preferred.map_or((None, ENCS[0]), |(alg, enc)| (Some(alg), enc));
        if let Some(alg) = alg {
            supported(alg, &ALGS)?;
        }
        supported(enc, &ENCS)?;
        let enc = JweEncryption::from_str(enc).map_err(|_| JweError::Unsupported(enc.to_owned()))?;
        let entries = || jwks.get("keys").and_then(Value::as_array).into_iter().flatten().take(MAX_KEYS);
        let marked = entries().filter(|key| key.get("use").is_some_and(|usage| usage == "enc"));
        let unmarked = entries().filter(|key| key.get("use").is_none());
        marked.chain(unmarked).find_map(|key| Self::read(key, alg, enc)).ok_or(JweError::NoKey)
    }

    /// Encrypts a signed JWT. The header says `cty: JWT` and, if given, `typ`.
    ///
    /// # Errors
    /// [`JweError::Encryption`], which no key that was chosen should give.
    pub fn encrypt(&self, jws: &str, typ: Option<&str>) -> Result<String, JweError> {
        self.encrypt_bytes(jws.as_bytes(), typ, Some("JWT"))
    }

    /// Encrypts claims that nobody signed, as JSON (RFC 7519 section 7.1). Only for answers whose origin TLS vouches for.
    ///
    /// # Errors
    /// [`JweError::Encryption`], as above.
    pub fn encrypt_unsigned(&self, claims: &Value, typ: Option<&str>) -> Result<String, JweError> {
        self.encrypt_bytes(claims.to_string().as_bytes(), typ, None)
    }

    fn encrypt_bytes(&self, plain: &[u8], typ: Option<&str>, cty: Option<&str>) -> Result<String, JweError> {
        let mut header = JoseHeader::for_jwe(self.alg, self.enc);
        header.kid.clone_from(&self.kid);
        header.typ = typ.map(str::to_owned);
        header.cty = cty.map(str::to_owned);
        jose_rs::jwe::encrypt_with_jwk_header(&self.jwk, header, plain, self.enc).map_err(|_| JweError::Encryption)
    }

    /// The names of the algorithms it encrypts with (`alg`, `enc`).
    #[must_use]
    pub fn algorithms(&self) -> (&'static str, &'static str) {
        (self.alg.as_str(), self.enc.as_str())
    }

    fn read(key: &Value, preferred: Option<&str>, enc: JweEncryption) -> Option<Self> {
        let text = |member: &str| key.get(member).and_then(Value::as_str);
        let operations = key.get("key_ops").map(|operations| operations.as_array().map_or(&[][..], Vec::as_slice));
        if operations.is_some_and(|given| {
            !["wrapKey", "encrypt", "deriveKey", "deriveBits"].iter().any(|good| given.contains(&json!(good)))
        }) {
            return None;
        }
        let kty = text("kty")?;
        let own = match key.get("alg") {
            None => None,
            Some(alg) => Some(alg.as_str()?),
        };
        let name = own.or(preferred).unwrap_or(if kty == "RSA" { "RSA-OAEP-256" } else { "ECDH-ES" });
        if !ALGS.contains(&name) || preferred.is_some_and(|preferred| preferred != name) {
            return None;
        }
        // Only the public members, so that a private key sent by mistake goes no further, and the library judges the
        // key by what was checked here.
        let jwk = match (kty, text("crv"), name) {
            ("RSA", _, "RSA-OAEP-256") => json!({"kty": kty, "alg": name, "n": text("n")?, "e": text("e")?}),
            ("EC", Some(crv), _) if name != "RSA-OAEP-256" => {
                json!({"kty": kty, "alg": name, "crv": crv, "x": text("x")?, "y": text("y")?})
            }
            ("OKP", Some("X25519"), _) if name != "RSA-OAEP-256" => {
                json!({"kty": kty, "alg": name, "crv": "X25519", "x": text("x")?})
            }
            _ => return None,
        };
        let jwk: Jwk = serde_json::from_value(jwk).ok()?;
        // Sizes, exponent, point on the curve: found out now, not when a token is due.
        jwk_to_software_key(&jwk).ok()?;
        let alg = JweAlgorithm::from_str(name).ok()?;
        Some(Self { jwk, alg, enc, kid: text("kid").map(str::to_owned) })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use jose_rs::jwk::{generate_ec, generate_rsa, generate_x25519};
    use proptest::prelude::*;

    use super::*;
    use crate::foundation::encoding;

    const JWS: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl";

    fn public(key: &Jwk) -> Value {
        serde_json::to_value(key.to_public_jwk()).unwrap()
    }

    fn with(key: &Value, member: &str, value: impl Into<Value>) -> Value {
        let mut key = key.clone();
        key[member] = value.into();
        key
    }

    fn header(jwe: &str) -> Value {
        serde_json::from_slice(&encoding::decode(jwe.split('.').next().unwrap()).unwrap()).unwrap()
    }

    /// What the recipient does: its private key, pinned to the algorithm it registered.
    fn decrypt(mut key: Jwk, alg: &str, jwe: &str) -> String {
        key.alg = Some(alg.to_owned());
        key.use_ = None;
        key.key_ops = None;
        String::from_utf8(jose_rs::jwe::decrypt_with_jwk(&key, jwe).unwrap()).unwrap()
    }

    #[test]
    fn the_recipient_reads_what_was_encrypted_whatever_the_algorithms() {
        let keys = [
            generate_rsa(2048).unwrap(),
            generate_ec("P-256").unwrap(),
            generate_ec("P-384").unwrap(),
            generate_x25519().unwrap(),
        ];
        for key in keys {
            let jwks = json!({"keys": [with(&public(&key), "kid", "k1")]});
            for alg in ALGS.into_iter().filter(|alg| (*alg == "RSA-OAEP-256") == (key.kty == "RSA")) {
                for enc in ENCS {
                    let recipient = RecipientKey::choose(&jwks, Some((alg, enc))).unwrap();
                    let jwe = recipient.encrypt(JWS, Some("at+jwt")).unwrap();
                    let shown = header(&jwe);
                    assert_eq!((&shown["alg"], &shown["enc"]), (&json!(alg), &json!(enc)));
                    assert_eq!((&shown["kid"], &shown["cty"], &shown["typ"]), (&json!("k1"), &json!("JWT"), &json!("at+jwt")));
                    assert_eq!(decrypt(key.clone(), alg, &jwe), JWS);
                }
            }
        }
    }

    /// The decryption that these tests trust reads what another implementation wrote.
    #[test]
    fn the_judge_of_these_tests_agrees_with_another_implementation() {
        let file: Value = serde_json::from_str(include_str!("jwe_vectors.json")).unwrap();
        for vector in file["vectors"].as_array().unwrap() {
            let (alg, jwe) = (vector["alg"].as_str().unwrap(), vector["jwe"].as_str().unwrap());
            let key: Jwk = serde_json::from_value(vector["key"].clone()).unwrap();
            assert_eq!(decrypt(key, alg, jwe), JWS, "{alg}");
            let jwks = json!({"keys": [vector["key"]]});
            let ours = RecipientKey::choose(&jwks, Some((alg, vector["enc"].as_str().unwrap()))).unwrap();
            let members = |jwe: &str| header(jwe).as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
            assert_eq!(members(&ours.encrypt(JWS, None).unwrap()), members(jwe), "{alg}: the same header members");
        }
    }

    #[test]
    fn claims_that_nobody_signed_are_not_said_to_be_a_jwt() {
        let key = generate_ec("P-256").unwrap();
        let recipient = RecipientKey::choose(&json!({"keys": [public(&key)]}), None).unwrap();
        let jwe = recipient.encrypt_unsigned(&json!({"sub": "alice"}), Some("JWT")).unwrap();
        assert_eq!((&header(&jwe)["cty"], &header(&jwe)["typ"]), (&Value::Null, &json!("JWT")));
        assert_eq!(decrypt(key, "ECDH-ES", &jwe), r#"{"sub":"alice"}"#);
    }

    #[test]
    fn without_a_preference_the_key_decides() {
        let (rsa, ec) = (public(&generate_rsa(2048).unwrap()), public(&generate_ec("P-256").unwrap()));
        let chosen = |key: Value| RecipientKey::choose(&json!({"keys": [key]}), None).unwrap().algorithms();
        assert_eq!(chosen(rsa), ("RSA-OAEP-256", "A256GCM"));
        assert_eq!(chosen(with(&ec, "alg", "ECDH-ES+A256KW")), ("ECDH-ES+A256KW", "A256GCM"));
        assert_eq!(chosen(ec), ("ECDH-ES", "A256GCM"));
    }

    #[test]
    fn a_key_marked_for_encryption_goes_first_and_one_for_signatures_never() {
        let (rsa, ec) = (public(&generate_rsa(2048).unwrap()), public(&generate_ec("P-256").unwrap()));
        let jwks = json!({"keys": [with(&ec, "use", "sig"), rsa, with(&ec, "use", "enc")]});
        assert_eq!(RecipientKey::choose(&jwks, None).unwrap().algorithms().0, "ECDH-ES");
        assert_eq!(
            RecipientKey::choose(&jwks, Some(("RSA-OAEP-256", "A128GCM"))).unwrap().algorithms(),
            ("RSA-OAEP-256", "A128GCM")
        );
        let jwks = json!({"keys": [with(&ec, "use", "sig"), with(&ec, "alg", "ES256"), with(&ec, "key_ops", json!(["verify"]))]});
        assert_eq!(RecipientKey::choose(&jwks, None).unwrap_err(), JweError::NoKey);
    }

    #[test]
    fn what_is_weak_or_unknown_is_refused() {
        let rsa = public(&generate_rsa(2048).unwrap());
        let jwks = json!({"keys": [rsa]});
        for (alg, enc) in
            [("RSA1_5", "A256GCM"), ("RSA-OAEP", "A256GCM"), ("dir", "A256GCM"), ("A256KW", "A256GCM"), ("RSA-OAEP-256", "none")]
        {
            assert!(matches!(RecipientKey::choose(&jwks, Some((alg, enc))), Err(JweError::Unsupported(_))), "{alg} {enc}");
        }
        assert_eq!(RecipientKey::choose(&jwks, Some(("ECDH-ES", "A256GCM"))).unwrap_err(), JweError::NoKey);
    }

    #[test]
    fn a_key_that_cannot_work_is_passed_over() {
        let good = public(&generate_ec("P-256").unwrap());
        let point =
            |x: [u8; 32], y: [u8; 32]| json!({"kty": "EC", "crv": "P-256", "x": encoding::encode(x), "y": encoding::encode(y)});
        let rsa = |bytes: usize, e: &str| json!({"kty": "RSA", "n": encoding::encode(vec![0xc5; bytes]), "e": e});
        let bad = [
            json!(null),
            json!({}),
            json!({"kty": "oct", "k": "AAAA"}),
            json!({"kty": "RSA"}),
            json!({"kty": "EC", "crv": "P-256", "x": 1, "y": 2}),
            json!({"kty": "EC", "crv": "P-256", "x": "%%%", "y": "AAAA"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": encoding::encode([9; 32])}),
            json!({"kty": "OKP", "crv": "X25519", "x": encoding::encode([9; 31])}),
            point([1; 32], [1; 32]),
            point([0; 32], [0; 32]),
            point([255; 32], [255; 32]),
            rsa(128, "AQAB"),
            rsa(2048, "AQAB"),
            rsa(256, ""),
            rsa(256, "AA"),
            rsa(256, "AQ"),
            rsa(256, "Ag"),
            with(&good, "alg", 7),
            with(&good, "key_ops", "wrapKey"),
        ];
        for key in &bad {
            assert_eq!(RecipientKey::choose(&json!({"keys": [key]}), None).unwrap_err(), JweError::NoKey, "{key}");
        }
        let mut keys = bad.to_vec();
        keys.push(good);
        assert!(RecipientKey::choose(&json!({"keys": keys}), None).unwrap().encrypt(JWS, None).is_ok());
        for nothing in [json!(null), json!({}), json!({"keys": 1}), json!({"keys": []})] {
            assert_eq!(RecipientKey::choose(&nothing, None).unwrap_err(), JweError::NoKey);
        }
    }

    #[test]
    fn a_point_of_low_order_never_makes_a_token() {
        // All-zero X25519 agrees on the same secret with everybody (RFC 7748 section 6.1).
        let zero = json!({"keys": [{"kty": "OKP", "crv": "X25519", "x": encoding::encode([0; 32])}]});
        assert!(RecipientKey::choose(&zero, None).and_then(|key| key.encrypt(JWS, None)).is_err());
    }

    #[test]
    fn private_members_go_no_further() {
        let key = generate_ec("P-256").unwrap();
        let private = serde_json::to_value(&key).unwrap();
        let recipient = RecipientKey::choose(&json!({"keys": [private]}), None).unwrap();
        assert!(recipient.jwk.d.is_none());
        assert_eq!(decrypt(key, "ECDH-ES", &recipient.encrypt(JWS, None).unwrap()), JWS);
    }

    #[test]
    fn two_encryptions_of_one_token_share_nothing_but_the_header_s_algorithms() {
        let jwks = json!({"keys": [public(&generate_ec("P-256").unwrap())]});
        let recipient = RecipientKey::choose(&jwks, None).unwrap();
        let (one, two) = (recipient.encrypt(JWS, None).unwrap(), recipient.encrypt(JWS, None).unwrap());
        assert_ne!(header(&one)["epk"], header(&two)["epk"]);
        assert_ne!(one.rsplit('.').nth(1), two.rsplit('.').nth(1));
    }

    proptest! {
        #[test]
        fn a_garbage_key_never_panics(
            kty in "RSA|EC|OKP|oct", crv in "P-256|P-384|P-521|X25519|X",
            x in prop::collection::vec(any::<u8>(), 0..70), y in prop::collection::vec(any::<u8>(), 0..70),
            n in prop::collection::vec(any::<u8>(), 250..260), e in prop::collection::vec(any::<u8>(), 0..10),
        ) {
            let [x, y, n, e] = [x, y, n, e].map(encoding::encode);
            let jwks = json!({"keys": [{"kty": kty, "crv": crv, "x": x, "y": y, "n": n, "e": e}]});
            if let Ok(key) = RecipientKey::choose(&jwks, None) {
                // An odd number that is no product of two primes is still a modulus: it encrypts, nobody can read it.
                let _ = key.encrypt(JWS, None);
            }
        }
    }
}
