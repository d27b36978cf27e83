//! What one signature and one verification of the crypto library cost, with keys parsed once.

use std::fs;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The length of what is signed: header and payload of a token with the claims of RFC 9068, encoded.
const MESSAGE: [u8; 640] = [0x61; 640];

/// CPU microseconds of each operation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Crypto {
    /// ECDSA on P-256.
    pub(crate) es256: Rates,
    /// RSASSA-PKCS1-v1_5, 2048 bits.
    pub(crate) rs256: Rates,
}

/// CPU microseconds of one algorithm.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Rates {
    /// One signature.
    pub(crate) sign_us: f64,
    /// One verification.
    pub(crate) verify_us: f64,
}

/// Measures each operation for about `seconds`.
pub(crate) fn measure(seconds: f64) -> Result<Crypto, Failure> {
    let random = SystemRandom::new();
    let refused = |what: &'static str| move |_| Failure::said(format!("{what} was refused"));

    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(refused("a P-256 key"))?;
    let signature = ec.sign(&random, &MESSAGE).map_err(refused("an ES256 signature"))?;
    let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, ec.public_key().as_ref())
        .map_err(|error| Failure::said(format!("a P-256 public key: {error}")))?;
    let es256 = Rates {
        sign_us: cpu_us(seconds, || ec.sign(&random, &MESSAGE).is_ok())?,
        verify_us: cpu_us(seconds, || public.verify_sig(&MESSAGE, signature.as_ref()).is_ok())?,
    };

    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).map_err(refused("an RSA key"))?;
    let mut signature = vec![0; rsa.public_modulus_len()];
    rsa.sign(&RSA_PKCS1_SHA256, &random, &MESSAGE, &mut signature).map_err(refused("an RS256 signature"))?;
    let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, rsa.public_key().as_ref())
        .map_err(|error| Failure::said(format!("an RSA public key: {error}")))?;
    let mut output = vec![0; rsa.public_modulus_len()];
    let rs256 = Rates {
        sign_us: cpu_us(seconds, || rsa.sign(&RSA_PKCS1_SHA256, &random, &MESSAGE, &mut output).is_ok())?,
        verify_us: cpu_us(seconds, || public.verify_sig(&MESSAGE, &signature).is_ok())?,
    };
    Ok(Crypto { es256, rs256 })
}

/// CPU microseconds of one call: the median of several rounds, so that a neighbour's cache misses do not count.
fn cpu_us(seconds: f64, mut operation: impl FnMut() -> bool) -> Result<f64, Failure> {
    const ROUNDS: u32 = 9;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let end = Instant::now() + Duration::from_secs_f64(seconds / f64::from(ROUNDS));
        let before = own_thread_ns()?;
        let mut done = 0_u32;
        while done == 0 || Instant::now() < end {
            for _ in 0..20 {
                if !operation() {
                    return Err(Failure::said("a signature or verification was refused"));
                }
            }
            done += 20;
        }
        rounds.push((own_thread_ns()? - before) / 1e3 / f64::from(done));
    }
    rounds.sort_by(f64::total_cmp);
    Ok(rounds[rounds.len() / 2])
}

/// Nanoseconds that this thread was on the CPU.
fn own_thread_ns() -> Result<f64, Failure> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    text.split(' ').next().and_then(|ns| ns.parse().ok()).ok_or_else(|| Failure::said("no scheduler statistics in /proc"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    #[test]
    fn every_operation_takes_some_time() {
        let crypto = super::measure(0.4).unwrap();
        for us in [crypto.es256.sign_us, crypto.es256.verify_us, crypto.rs256.sign_us, crypto.rs256.verify_us] {
            assert!(us > 0.0);
        }
    }
}
