//! Tokens that are not ours, or not as we wrote them.

use jsonwebtoken::{EncodingKey, Header};
use proptest::prelude::*;

use super::*;
use crate::tokens::MAX_JWT;

/// `jwt` with another header, its signature unchanged.
fn with_header(jwt: &str, header: &Value) -> String {
    format!("{}.{}", encoding::encode(header.to_string()), jwt.split_once('.').unwrap().1)
}

#[tokio::test]
async fn another_server_s_token_is_refused() {
    let (ours, theirs) = (Bench::new().open().await, Bench::new().open().await);
    let foreign = theirs.sign(SigningAlg::Es256, "JWT", &claims()).unwrap();
    assert_eq!(refused(&ours, &foreign), VerifyError::UnknownKey);
    // The same under our kid.
    let mine = ours.sign(SigningAlg::Es256, "JWT", &claims()).unwrap();
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": kid(&mine)});
    assert_eq!(refused(&ours, &with_header(&foreign, &header)), VerifyError::Signature);
}

#[tokio::test]
async fn the_key_decides_the_algorithm() {
    let keys = Bench::new().open().await;
    let jwks: Value = serde_json::from_str(&keys.jwks()).unwrap();
    for alg in SigningAlg::ALL {
        let jwt = keys.sign(alg, "JWT", &claims()).unwrap();
        for other in ["none", "None", "HS256", "HS384", "RS256", "PS256", "ES256", "EdDSA", "ES384", "", "rs256"] {
            if other != alg.as_str() {
                let forged = with_header(&jwt, &json!({"alg": other, "kid": kid(&jwt)}));
                assert_eq!(refused(&keys, &forged), VerifyError::Algorithm, "{other}");
            }
        }
    }
    // The public key, in any form an attacker has it, as an HMAC secret (RFC 8725 section 2.1).
    let rsa = &jwks["keys"][0];
    let n = rsa["n"].as_str().unwrap();
    for secret in [n.as_bytes().to_vec(), encoding::decode(n).unwrap(), rsa.to_string().into_bytes()] {
        let header = Header { kid: rsa["kid"].as_str().map(str::to_owned), ..Header::default() };
        let forged = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(&secret)).unwrap();
        assert_eq!(refused(&keys, &forged), VerifyError::Algorithm);
    }
    // The RS256 key is not the PS256 key and the other way round.
    let ps = keys.sign(SigningAlg::Ps256, "JWT", &claims()).unwrap();
    let crossed = with_header(&ps, &json!({"alg": "RS256", "kid": rsa["kid"]}));
    assert_eq!(refused(&keys, &crossed), VerifyError::Signature);
}

#[tokio::test]
async fn odd_headers_are_refused() {
    let keys = Bench::new().open().await;
    let jwt = keys.sign(SigningAlg::Es256, "JWT", &claims()).unwrap();
    let name = kid(&jwt);
    for (header, expected) in [
        (json!({"alg": "ES256"}), VerifyError::UnknownKey),
        (json!({"alg": "ES256", "kid": "x"}), VerifyError::UnknownKey),
        (json!({"alg": "ES256", "kid": null}), VerifyError::UnknownKey),
        (json!({"alg": "ES256", "kid": 7}), VerifyError::Malformed),
        (json!({"kid": name}), VerifyError::Malformed),
        (json!({"alg": "ES256", "kid": name, "crit": ["exp"]}), VerifyError::Critical),
        (json!({"alg": "ES256", "kid": name, "crit": []}), VerifyError::Critical),
        (json!([]), VerifyError::Malformed),
        // A key in the header is never used (RFC 8725 section 3.10).
        (json!({"alg": "ES256", "jwk": {"kty": "EC"}}), VerifyError::UnknownKey),
    ] {
        assert_eq!(refused(&keys, &with_header(&jwt, &header)), expected, "{header}");
    }
    let twice = format!(r#"{{"alg":"none","alg":"ES256","kid":"{name}"}}"#);
    let twice = format!("{}.{}", encoding::encode(twice), jwt.split_once('.').unwrap().1);
    assert_eq!(refused(&keys, &twice), VerifyError::Malformed);
}

#[tokio::test]
async fn every_change_and_every_cut_is_noticed() {
    let keys = Bench::new().open().await;
    for alg in [SigningAlg::Es256, SigningAlg::EdDsa] {
        let jwt = keys.sign(alg, "JWT", &json!({"sub": "alice"})).unwrap();
        for at in 0..jwt.len() {
            assert!(keys.verify::<Value>(&jwt[..at]).is_err(), "cut at {at}");
            let mut changed = jwt.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(keys.verify::<Value>(std::str::from_utf8(&changed).unwrap()).is_err(), "changed at {at}");
        }
        for odd in
            [format!("{jwt}."), format!(".{jwt}"), format!("{jwt}="), format!(" {jwt}"), format!("{jwt}\n"), format!("{jwt}.a.b")]
        {
            assert!(keys.verify::<Value>(&odd).is_err(), "{odd:?}");
        }
    }
    assert_eq!(refused(&keys, &"a".repeat(MAX_JWT + 1)), VerifyError::TooLong);
}

#[tokio::test]
async fn claims_of_another_shape_are_an_error_of_their_own() {
    #[derive(Debug, serde::Deserialize)]
    struct Wanted {
        #[expect(dead_code, reason = "only its type matters")]
        exp: String,
    }
    let keys = Bench::new().open().await;
    let jwt = keys.sign(SigningAlg::Es256, "JWT", &claims()).unwrap();
    assert_eq!(keys.verify::<Wanted>(&jwt).unwrap_err(), VerifyError::Claims);
}

#[test]
fn garbage_never_panics_and_never_verifies() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let keys = runtime.block_on(async { Bench::new().open().await });
    let good = keys.sign(SigningAlg::Es256, "JWT", &claims()).unwrap();
    let (head, _) = good.rsplit_once('.').unwrap();
    proptest!(|(text in "[A-Za-z0-9_.-]{0,200}|.{0,100}", signature in "[A-Za-z0-9_-]{0,100}")| {
        prop_assert!(keys.verify::<Value>(&text).is_err());
        let forged = format!("{head}.{signature}");
        prop_assert!(keys.verify::<Value>(&forged).is_err());
    });
}
