//! Proofs of every algorithm, and every way in which one proves nothing.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::foundation::{Clock, Secret};
use crate::storage::memory::Memory;
use crate::tokens::SealingKey;
use crate::tokens::keys::{KeyPolicy, SigningKeys};

const NOW: u64 = 1_800_000_000;
const FOR: Request<'_> = Request { method: "POST", address: "https://op.example/token", access_token: None };

enum Own {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

fn own(alg: &str) -> Own {
    match alg {
        "ES256" => Own::Ec(EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()),
        "ES384" => Own::Ec(EcdsaKeyPair::generate(&signature::ECDSA_P384_SHA384_FIXED_SIGNING).unwrap()),
        "EdDSA" => Own::Ed(Ed25519KeyPair::generate().unwrap()),
        _ => {
            let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
            Own::Rsa(RsaKeyPair::from_pkcs8(AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref()).unwrap())
        }
    }
}

impl Own {
    fn jwk(&self) -> Value {
        let public = match self {
            Self::Rsa(pair) => DecodingKey::from_rsa_der(pair.public_key().as_ref()),
            Self::Ec(pair) => DecodingKey::from_ec_der(pair.public_key().as_ref()),
            Self::Ed(pair) => DecodingKey::from_ed_der(pair.public_key().as_ref()),
        };
        serde_json::to_value(Jwk::from_decoding_key(&public, None).unwrap()).unwrap()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encoding::encode(header.to_string()), encoding::encode(claims.to_string()));
        let rng = SystemRandom::new();
        let signature = match self {
            Self::Rsa(pair) => {
                let padding: &dyn signature::RsaEncoding = match header["alg"].as_str().unwrap() {
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    "PS512" => &signature::RSA_PSS_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &rng, message.as_bytes(), &mut signature).unwrap();
                signature
            }
            Self::Ec(pair) => pair.sign(&rng, message.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", encoding::encode(signature))
    }
}

fn header(alg: &str, jwk: &Value) -> Value {
    json!({"typ": "dpop+jwt", "alg": alg, "jwk": jwk})
}

fn claims() -> Value {
    json!({"jti": "1", "htm": "POST", "htu": "https://op.example/token", "iat": NOW})
}

fn with(value: &Value, name: &str, member: Value) -> Value {
    let mut value = value.clone();
    value[name] = member;
    value
}

#[test]
fn every_accepted_algorithm_proves() {
    let rsa = own("RS256");
    for alg in ALGS {
        let fresh;
        let key = if alg.starts_with(['R', 'P']) {
            &rsa
        } else {
            fresh = own(alg);
            &fresh
        };
        let proof = Proof::verify(&key.sign(&header(alg, &key.jwk()), &claims()), &FOR).unwrap();
        assert!(is_thumbprint(proof.thumbprint()), "{alg}");
        // Members that say nothing about the key leave its thumbprint as it is (RFC 7638 section 3.2).
        let named = with(&with(&key.jwk(), "kid", json!("x")), "use", json!("sig"));
        let again = Proof::verify(&key.sign(&header(alg, &named), &claims()), &FOR).unwrap();
        assert_eq!((proof.thumbprint(), proof.name()), (again.thumbprint(), again.name()), "{alg}");
    }
}

#[test]
fn the_proof_of_the_specification() {
    // RFC 9449 section 4.1 figure 1 with the thumbprint of section 6.1.
    let jwt = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    let request = Request { method: "POST", address: "https://server.example.com/token", access_token: None };
    let proof = Proof::verify(jwt, &request).unwrap();
    assert_eq!(proof.thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    assert_eq!(proof.check_age(Duration::from_mins(5), Timestamp(1_562_262_616)), Ok(()));
}

#[test]
fn each_thing_that_is_wrong_has_its_name() {
    let key = own("ES256");
    let (header, claims) = (header("ES256", &key.jwk()), claims());
    let rsa = own("RS256");
    let head = |name: &str, value: Value| key.sign(&with(&header, name, value), &claims);
    let claim = |name: &str, value: Value| key.sign(&header, &with(&claims, name, value));
    let jwk = |name: &str, value: Value| head("jwk", with(&key.jwk(), name, value));
    let good = key.sign(&header, &claims);
    let cases = [
        (head("typ", json!("JWT")), ProofError::Typ),
        (head("typ", json!("DPOP+JWT")), ProofError::Typ),
        (head("typ", Value::Null), ProofError::Header),
        (head("jwk", json!("x")), ProofError::Header),
        (head("crit", json!(["exp"])), ProofError::Critical),
        (head("alg", json!("none")), ProofError::Algorithm),
        (head("alg", json!("HS256")), ProofError::Algorithm),
        (head("alg", json!("es256")), ProofError::Algorithm),
        (head("alg", json!("RS256")), ProofError::Key),
        (head("alg", json!("ES384")), ProofError::Key),
        (head("jwk", json!({"kty": "oct", "k": "AAAA"})), ProofError::PrivateKey),
        (head("jwk", json!({"kty": "oct"})), ProofError::Key),
        (head("jwk", json!({})), ProofError::Key),
        (jwk("d", json!("AAAA")), ProofError::PrivateKey),
        (jwk("use", json!("enc")), ProofError::Key),
        (jwk("alg", json!("ES384")), ProofError::Key),
        (jwk("x", json!("!")), ProofError::Key),
        (jwk("x", json!("AAAA\",\"y\":\"AAAA")), ProofError::Key),
        (head("jwk", own("ES256").jwk()), ProofError::Signature),
        (claim("jti", json!("")), ProofError::Id),
        (claim("jti", json!("x".repeat(257))), ProofError::Id),
        (claim("jti", Value::Null), ProofError::Claims),
        (claim("htm", json!("post")), ProofError::Method),
        (claim("htm", json!("GET")), ProofError::Method),
        (claim("htu", json!("https://op.example/userinfo")), ProofError::Address),
        (claim("iat", json!("now")), ProofError::Claims),
        (claim("iat", json!(-1)), ProofError::Claims),
        (claim("iat", json!(1e300)), ProofError::Claims),
        (key.sign(&header, &json!([])), ProofError::Claims),
        (format!("{good}, {good}"), ProofError::Form),
        (good.replace('.', ","), ProofError::Form),
        ("a".repeat(MAX_LENGTH + 1), ProofError::Form),
        (rsa.sign(&with(&header, "alg", json!("RS256")), &claims), ProofError::Key),
    ];
    for (n, (jwt, expected)) in cases.into_iter().enumerate() {
        assert_eq!(Proof::verify(&jwt, &FOR), Err(expected), "case {n}");
        let sentence = expected.sentence();
        assert!(!sentence.contains(['"', '\\']) && sentence.ends_with('.'), "RFC 6749 section 5.2: {sentence}");
    }
    for at in 0..good.len() {
        assert!(Proof::verify(&good[..at], &FOR).is_err(), "cut at {at}");
    }
}

#[test]
fn a_proof_for_a_token_is_for_that_token() {
    let key = own("ES256");
    let signed = |ath: Value| key.sign(&header("ES256", &key.jwk()), &with(&claims(), "ath", ath));
    let request = Request { access_token: Some("token"), ..FOR };
    let hash = json!(encoding::encode(Digest::of("token").as_bytes()));
    assert!(Proof::verify(&signed(hash.clone()), &request).is_ok());
    assert!(Proof::verify(&signed(hash), &FOR).is_ok(), "where no token is presented, ath says nothing");
    for other in [Value::Null, json!(""), json!(encoding::encode(Digest::of("other").as_bytes()))] {
        assert_eq!(Proof::verify(&signed(other), &request), Err(ProofError::AccessToken));
    }
}

#[test]
fn a_proof_is_fresh_for_a_while() {
    let key = own("EdDSA");
    let made = |iat: Value| Proof::verify(&key.sign(&header("EdDSA", &key.jwk()), &with(&claims(), "iat", iat)), &FOR).unwrap();
    let (age, now) = (Duration::from_mins(1), Timestamp(NOW));
    for (iat, expected) in [
        (NOW, Ok(())),
        (NOW - 59, Ok(())),
        (NOW - 60, Err(ProofError::Old)),
        (0, Err(ProofError::Old)),
        (NOW + 60, Ok(())),
        (NOW + 61, Err(ProofError::Early)),
        (900_000_000_000_000, Err(ProofError::Early)),
    ] {
        assert_eq!(made(json!(iat)).check_age(age, now), expected, "{iat}");
    }
    assert_eq!(made(json!(1_800_000_000.9)).check_age(age, now), Ok(()));
    // It is forgotten only when it would be refused as too old.
    for iat in [NOW - 59, NOW, NOW + 60] {
        let proof = made(json!(iat));
        assert_eq!(proof.check_age(age, proof.remembered_until(age, now)), Err(ProofError::Old), "{iat}");
    }
}

#[tokio::test]
async fn a_nonce_is_accepted_for_a_while_and_everywhere() {
    let clock = Clock::manual(NOW);
    let sealing = SealingKey::from_text(&Secret::new("5e".repeat(32))).unwrap();
    let policy = KeyPolicy { publish_before_use: Duration::from_mins(1), rotate_every: None, verify_for: None };
    let store = Arc::new(Memory::new(clock.clone()));
    let open = || SigningKeys::open(store.clone(), clock.clone(), sealing.clone(), policy);
    let (here, there) = (open().await.unwrap(), open().await.unwrap());
    let life = Duration::from_mins(5);
    let (now, nonce) = (Timestamp(NOW), Nonces::new(&here, life).current(Timestamp(NOW)));
    let elsewhere = Nonces::new(&there, life);
    assert!(elsewhere.accepts(&nonce, now) && elsewhere.accepts(&nonce, now.plus(life)));
    assert!(elsewhere.accepts(&elsewhere.current(now.plus(life)), now), "of a server whose clock is ahead");
    assert!(!elsewhere.accepts(&nonce, now.plus(life * 2)));
    assert_ne!(elsewhere.current(now.plus(life)), nonce);
    for other in ["", "x", &nonce[1..], &format!("{nonce}A")] {
        assert!(!elsewhere.accepts(other, now), "{other}");
    }
    assert!(!Nonces::new(&here, life * 2).accepts(&nonce, now), "of other settings");
}

proptest! {
    #[test]
    fn garbage_never_panics_and_never_proves(text in "[A-Za-z0-9_.-]{0,300}|.{0,100}") {
        prop_assert!(Proof::verify(&text, &FOR).is_err());
    }

    #[test]
    fn a_header_and_claims_of_any_json_never_panic(header in json_text(), payload in json_text(), signature in "[A-Za-z0-9_-]{0,90}") {
        let jwt = format!("{}.{}.{signature}", encoding::encode(header), encoding::encode(payload));
        prop_assert!(Proof::verify(&jwt, &FOR).is_err());
    }

    #[test]
    fn a_changed_byte_never_proves(at in 0usize..400, byte in any::<u8>()) {
        let key = own("EdDSA");
        let mut jwt = key.sign(&header("EdDSA", &key.jwk()), &claims()).into_bytes();
        let at = at % jwt.len();
        prop_assume!(jwt[at] != byte);
        jwt[at] = byte;
        prop_assert!(Proof::verify(&String::from_utf8_lossy(&jwt), &FOR).is_err());
    }

    #[test]
    fn addresses_never_panic(one in ".{0,60}", other in "https?://[a-z%0-9A-F./~]{0,40}") {
        let _ = address::same(&one, &other);
        prop_assert_eq!(address::same(&other, &one), address::same(&one, &other));
    }
}

/// JSON of the members that a proof has, of any type.
fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        "dpop\\+jwt|ES256|EdDSA|RS256|EC|OKP|RSA|P-256|Ed25519|AQAB|POST|[A-Za-z0-9_-]{0,50}".prop_map(Value::from),
    ];
    let names = "typ|alg|jwk|crit|kty|crv|x|y|n|e|use|key_ops|jti|htm|htu|iat|ath|nonce|[a-z]{0,4}";
    let value =
        leaf.prop_recursive(3, 24, 8, move |inner| prop::collection::btree_map(names, inner, 0..8).prop_map(|map| json!(map)));
    value.prop_map(|value| value.to_string())
}
