//! One signing key pair: made, read, used, and shown as a public JWK. Knows no schedule and no store.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256, RsaKeyPair, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::KeyError;
use crate::foundation::Secret;
use crate::settings::meaning::SigningAlg;

/// The largest RSA signature that aws-lc makes (8192 bits), in bytes.
const MAX_RSA_SIGNATURE: usize = 1024;

/// A parsed private key. Parsing costs more than an ECDSA signature, so it happens once.
#[derive(Debug)]
enum Private {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// A key pair and the algorithm it is for; never used with another (RFC 8725 section 3.1).
#[derive(Debug)]
pub(super) struct Pair {
    alg: SigningAlg,
    private: Private,
}

/// The public half: what verifies, and what the JWKS shows.
#[derive(Debug)]
pub(super) struct Public {
    /// For verification, parsed once: parsing costs a tenth of an ECDSA verification.
    pub(super) verifying: ParsedPublicKey,
    /// With `use`, `alg` and `kid` (its RFC 7638 thumbprint).
    pub(super) jwk: Jwk,
    /// The thumbprint.
    pub(super) kid: String,
}

/// A new private key for `alg` as PKCS#8 DER. RSA takes tenths of a second: not for a thread that serves requests.
pub(super) fn generate(alg: SigningAlg) -> Result<Secret<Vec<u8>>, KeyError> {
    let failed = |_| KeyError::Generation;
    let der = match alg {
        SigningAlg::Rs256 | SigningAlg::Ps256 => {
            let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).map_err(failed)?;
            AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(failed)?.as_ref().to_vec()
        }
        SigningAlg::Es256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?;
            pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec()
        }
        SigningAlg::EdDsa => {
            let pair = Ed25519KeyPair::generate().map_err(failed)?;
            AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(failed)?.as_ref().to_vec()
        }
    };
    Ok(Secret::new(der))
}

impl Pair {
    /// Parses a private key that [`generate`] made.
    pub(super) fn from_pkcs8(alg: SigningAlg, der: &[u8]) -> Result<Self, KeyError> {
        let private = match alg {
            SigningAlg::Rs256 | SigningAlg::Ps256 => RsaKeyPair::from_pkcs8(der).map(Private::Rsa),
            SigningAlg::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Private::Ec),
            SigningAlg::EdDsa => Ed25519KeyPair::from_pkcs8(der).map(Private::Ed),
        };
        private.map(|private| Self { alg, private }).map_err(|_| KeyError::Damaged("a private key does not parse"))
    }

    /// How many characters a signature takes in a token.
    pub(super) fn signature_length(&self) -> usize {
        let bytes = match &self.private {
            Private::Rsa(pair) => pair.public_modulus_len(),
            Private::Ec(_) | Private::Ed(_) => 64,
        };
        (bytes * 4).div_ceil(3)
    }

    /// Signs all that `token` holds so far and appends a dot and the signature (RFC 7515 section 5.1).
    pub(super) fn sign(&self, token: &mut String) -> Result<(), KeyError> {
        let message = token.as_bytes();
        let mut rsa = [0; MAX_RSA_SIGNATURE];
        let signature;
        let bytes = match &self.private {
            Private::Rsa(pair) => {
                let encoding: &dyn aws_lc_rs::signature::RsaEncoding =
                    if self.alg == SigningAlg::Ps256 { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let bytes = rsa.get_mut(..pair.public_modulus_len()).ok_or(KeyError::Signing)?;
                pair.sign(encoding, &SystemRandom::new(), message, bytes).map_err(|_| KeyError::Signing)?;
                &*bytes
            }
            Private::Ec(pair) => {
                signature = pair.sign(&SystemRandom::new(), message).map_err(|_| KeyError::Signing)?;
                signature.as_ref()
            }
            Private::Ed(pair) => {
                signature = pair.try_sign(message).map_err(|_| KeyError::Signing)?;
                signature.as_ref()
            }
        };
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(bytes, token);
        Ok(())
    }

    /// The public half.
    pub(super) fn public(&self) -> Result<Public, KeyError> {
        let (bytes, decoding) = match &self.private {
            Private::Rsa(pair) => (pair.public_key().as_ref(), DecodingKey::from_rsa_der(pair.public_key().as_ref())),
            Private::Ec(pair) => (pair.public_key().as_ref(), DecodingKey::from_ec_der(pair.public_key().as_ref())),
            Private::Ed(pair) => (pair.public_key().as_ref(), DecodingKey::from_ed_der(pair.public_key().as_ref())),
        };
        let verifying =
            ParsedPublicKey::new(verification(self.alg), bytes).map_err(|_| KeyError::Damaged("a public key does not parse"))?;
        let unshown = |_| KeyError::Damaged("a public key has no JWK form");
        let mut jwk = Jwk::from_decoding_key(&decoding, Some(algorithm(self.alg))).map_err(unshown)?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(unshown)?;
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        jwk.common.key_id = Some(kid.clone());
        Ok(Public { verifying, jwk, kid })
    }
}

/// How signatures of `alg` are verified; with this key in no other way (RFC 8725 section 3.1).
fn verification(alg: SigningAlg) -> &'static dyn VerificationAlgorithm {
    match alg {
        SigningAlg::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        SigningAlg::Ps256 => &RSA_PSS_2048_8192_SHA256,
        SigningAlg::Es256 => &ECDSA_P256_SHA256_FIXED,
        SigningAlg::EdDsa => &ED25519,
    }
}

/// The same algorithm in the words of the crate that writes JWKs.
pub(super) const fn algorithm(alg: SigningAlg) -> Algorithm {
    match alg {
        SigningAlg::Rs256 => Algorithm::RS256,
        SigningAlg::Es256 => Algorithm::ES256,
        SigningAlg::Ps256 => Algorithm::PS256,
        SigningAlg::EdDsa => Algorithm::EdDSA,
    }
}
