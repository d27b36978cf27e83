//! The metadata members that say how a client authenticates (RFC 7591 section 2), and its secret.

use super::reader::{Reader, shown};
use super::{Basis, certificates};
use crate::clients::client::{ClientAuth, MacSecret};
use crate::foundation::{Digest, Secret, encoding, random};
use crate::tokens::{assertion, mac};

/// Client authentication methods that a client may register.
const METHODS: [&str; 7] = [
    "none",
    "client_secret_basic",
    "client_secret_post",
    "private_key_jwt",
    "client_secret_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
];

/// How a client authenticates.
#[derive(Debug, Default)]
pub(super) struct Authentication {
    /// The method; `None` after an error.
    pub(super) auth: Option<ClientAuth>,
    /// `token_endpoint_auth_signing_alg`
    pub(super) signing_alg: Option<String>,
    /// The secret, when it was given or made now.
    pub(super) secret: Option<Secret<String>>,
}

/// `token_endpoint_auth_method`, `token_endpoint_auth_signing_alg` and the secret that belongs to them.
pub(super) fn read(r: &mut Reader<'_>, basis: &Basis) -> Authentication {
    let field = "token_endpoint_auth_method";
    let method = match r.value(field) {
        None => "client_secret_basic",
        Some(_) => match r.text(field) {
            None => return Authentication::default(),
            Some(method) if METHODS.contains(&method) => method,
            Some(other) => {
                r.refuse(field, shown(other), METHODS.join(", "), "choose one of these");
                return Authentication::default();
            }
        },
    };
    let with_mac = method == "client_secret_jwt";
    let signing_alg = "token_endpoint_auth_signing_alg";
    // A method takes its own algorithms alone, so that nobody can have a public key taken for a secret.
    let signing_alg = if with_mac { r.word(signing_alg, &mac::ALGS) } else { r.word(signing_alg, &assertion::ALGS) };
    let signing_alg = signing_alg.map(str::to_owned);
    if r.value("client_secret_file").is_some() {
        r.refuse(
            "client_secret_file",
            "a file",
            "client_secret: files are read for clients of the settings file only",
            "give client_secret",
        );
    }
    let certificate = certificates::read(r, method == "tls_client_auth");
    let without_secret = match method {
        "none" => Some(Some(ClientAuth::None)),
        "private_key_jwt" => Some(Some(ClientAuth::PrivateKeyJwt)),
        "tls_client_auth" => Some(certificate.map(ClientAuth::Tls)),
        "self_signed_tls_client_auth" => Some(Some(ClientAuth::SelfSignedTls)),
        _ => None,
    };
    if let Some(auth) = without_secret {
        if r.value("client_secret").is_some() {
            let expected = format!("no secret with token_endpoint_auth_method {method}");
            r.refuse("client_secret", "a secret", expected, "leave the secret out or choose client_secret_basic");
        }
        return Authentication { auth, signing_alg, secret: None };
    }
    let given = given(r);
    let fresh = || encoding::encode(random::bytes::<64>());
    let missing = |r: &mut Reader<'_>| {
        let expected = format!("a secret, because of token_endpoint_auth_method {method}");
        r.refuse("client_secret", "nothing", expected, "add client_secret or, in the settings file, client_secret_file");
    };
    if with_mac {
        // Of one that was kept as a digest nothing can be made: then it gets another.
        let kept = basis.kept_text.as_ref().map(|kept| kept.expose().clone());
        let is_new = given.is_some() || kept.is_none();
        let Some(text) = given.or(kept).or_else(|| basis.generate_secret.then(fresh)) else {
            missing(r);
            return Authentication { signing_alg, ..Authentication::default() };
        };
        let needed = mac::secret_bytes(signing_alg.as_deref());
        if text.len() < needed {
            let expected = format!("at least {needed} characters for the algorithm (RFC 7518 section 3.2)");
            r.refuse("client_secret", "a shorter secret", expected, "give a longer one");
        }
        let secret = is_new.then(|| Secret::new(text.clone()));
        return Authentication { auth: Some(ClientAuth::SecretJwt(MacSecret::new(text))), signing_alg, secret };
    }
    let (digest, secret) = match (given, basis.kept_secret) {
        (Some(text), _) => (Digest::of(&text), Some(Secret::new(text))),
        (None, Some(kept)) => (kept, None),
        (None, None) if basis.generate_secret => {
            let made = encoding::encode(random::secret().expose());
            (Digest::of(&made), Some(Secret::new(made)))
        }
        (None, None) => {
            missing(r);
            return Authentication { signing_alg, ..Authentication::default() };
        }
    };
    let auth = if method == "client_secret_post" { ClientAuth::SecretPost(digest) } else { ClientAuth::SecretBasic(digest) };
    Authentication { auth: Some(auth), signing_alg, secret }
}

/// `client_secret`
fn given(r: &mut Reader<'_>) -> Option<String> {
    let secret = r.text("client_secret")?;
    if !(8..=512).contains(&secret.len()) || !secret.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        let expected = "8 to 512 printable ASCII characters (RFC 6749 appendix A.2)";
        r.refuse("client_secret", "another secret", expected, "choose another or leave it out to have one made");
    }
    Some(secret.to_owned())
}
