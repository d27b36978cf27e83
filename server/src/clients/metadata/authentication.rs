//! The metadata members that say how a client authenticates (RFC 7591 section 2), and its secret.

use super::Basis;
use super::reader::{Reader, shown};
use crate::clients::client::ClientAuth;
use crate::foundation::{Digest, Secret, encoding, random};

/// Client authentication methods that a client may register.
const METHODS: [&str; 4] = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];

/// `token_endpoint_auth_method` and the secret that belongs to it.
pub(super) fn read(r: &mut Reader<'_>, basis: &Basis) -> (Option<ClientAuth>, Option<Secret<String>>) {
    let field = "token_endpoint_auth_method";
    let method = match r.value(field) {
        None => "client_secret_basic",
        Some(_) => match r.text(field) {
            None => return (None, None),
            Some("client_secret_jwt") => {
                let why = "a method whose secret can be kept as a digest: client_secret_jwt would need it in plain";
                r.refuse(field, shown("client_secret_jwt"), why, "use private_key_jwt");
                return (None, None);
            }
            Some(method) if METHODS.contains(&method) => method,
            Some(other) => {
                r.refuse(field, shown(other), METHODS.join(", "), "choose one of these");
                return (None, None);
            }
        },
    };
    if r.value("client_secret_file").is_some() {
        r.refuse(
            "client_secret_file",
            "a file",
            "client_secret: files are read for clients of the settings file only",
            "give client_secret",
        );
    }
    let secret = r.text("client_secret");
    if matches!(method, "none" | "private_key_jwt") {
        if r.value("client_secret").is_some() {
            let expected = format!("no secret with token_endpoint_auth_method {method}");
            r.refuse("client_secret", "a secret", expected, "leave the secret out or choose client_secret_basic");
        }
        let auth = if method == "none" { ClientAuth::None } else { ClientAuth::PrivateKeyJwt };
        return (Some(auth), None);
    }
    let (digest, plain) = match (secret, basis.kept_secret) {
        (Some(secret), _) => {
            if !(8..=512).contains(&secret.len()) || !secret.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
                let expected = "8 to 512 printable ASCII characters (RFC 6749 appendix A.2)";
                r.refuse("client_secret", "another secret", expected, "choose another or leave it out to have one made");
            }
            (Digest::of(secret), Some(Secret::new(secret.to_owned())))
        }
        (None, Some(kept)) => (kept, None),
        (None, None) if basis.generate_secret => {
            let made = encoding::encode(random::secret().expose());
            (Digest::of(&made), Some(Secret::new(made)))
        }
        (None, None) => {
            let expected = format!("a secret, because of token_endpoint_auth_method {method}");
            r.refuse("client_secret", "nothing", expected, "add client_secret or, in the settings file, client_secret_file");
            return (None, None);
        }
    };
    let auth = if method == "client_secret_post" { ClientAuth::SecretPost(digest) } else { ClientAuth::SecretBasic(digest) };
    (Some(auth), plain)
}
