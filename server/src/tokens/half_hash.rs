//! `at_hash`: ties an ID token to the access token issued with it. Knows algorithms, not who asks.

use crate::foundation::{Digest, encoding};
use crate::settings::meaning::SigningAlg;

/// Base64url of the left half of the hash that belongs to the ID token's `alg` (OpenID Connect Core 3.1.3.6).
///
/// `EdDSA` names no hash; Ed25519 uses SHA-512 inside (RFC 8032 section 5.1), and so do the clients that check the claim.
#[must_use]
pub fn at_hash(alg: SigningAlg, access_token: &str) -> String {
    match alg {
        SigningAlg::Rs256 | SigningAlg::Es256 | SigningAlg::Ps256 => Digest::of(access_token).left_half(),
        SigningAlg::EdDsa => {
            let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, access_token.as_bytes());
            encoding::encode(&hash.as_ref()[..32])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_openid_connect_core_appendix_a() {
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(at_hash(SigningAlg::Rs256, token), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(at_hash(SigningAlg::Es256, token), at_hash(SigningAlg::Ps256, token));
    }

    #[test]
    fn eddsa_takes_the_left_half_of_sha_512() {
        // Computed with `printf %s abc | openssl dgst -sha512`.
        assert_eq!(at_hash(SigningAlg::EdDsa, "abc"), "3a81oZNherrMQXNJriBBMRLm-k6JqX6iCp7u5ktV05o");
    }
}
