//! The metadata members that say whose certificate a client of `tls_client_auth` shows (RFC 8705 section 2.1.2).

use super::reader::{Reader, shown};
use crate::clients::certificate::CertificateName;
use crate::tokens::certificate::{AlternativeName, distinguished_name};

/// The members.
const MEMBERS: [&str; 5] = [
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_uri",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
];

/// The one name that is registered, for a client of that method; none for any other.
pub(super) fn read(r: &mut Reader<'_>, is_method: bool) -> Option<CertificateName> {
    let given: Vec<&str> = MEMBERS.into_iter().filter(|name| r.value(name).is_some()).collect();
    if !is_method {
        for name in given {
            let expected = "nothing, unless token_endpoint_auth_method is tls_client_auth";
            r.refuse(name, "a name", expected, "leave it out or choose tls_client_auth");
        }
        return None;
    }
    let [member] = given.as_slice() else {
        let seen = if given.is_empty() { "no name".to_owned() } else { given.join(", ") };
        r.refuse(MEMBERS[0], seen, "exactly one of the tls_client_auth_ members", "name the certificate by one of them");
        return None;
    };
    let text = r.text(member)?;
    let is_word = !text.is_empty() && text.len() <= 2048 && text.bytes().all(|byte| byte.is_ascii_graphic());
    let word = || is_word.then(|| text.to_owned());
    let name = match *member {
        "tls_client_auth_subject_dn" => distinguished_name(text).map(CertificateName::Subject),
        "tls_client_auth_san_dns" => word().map(AlternativeName::Dns).map(CertificateName::Alternative),
        "tls_client_auth_san_uri" => word().map(AlternativeName::Uri).map(CertificateName::Alternative),
        "tls_client_auth_san_ip" => text.parse().ok().map(AlternativeName::Ip).map(CertificateName::Alternative),
        _ => word().map(AlternativeName::Email).map(CertificateName::Alternative),
    };
    if name.is_none() {
        let expected = if *member == MEMBERS[0] { "a distinguished name (RFC 4514), as CN=app,O=Example" } else { "such a name" };
        r.refuse(*member, shown(text), expected, "write the name as it stands in the certificate");
    }
    name
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::clients::ClientAuth;
    use crate::clients::metadata::tests::{client, public_key, refusals};

    fn with(method: &str, more: &[(&str, &str)]) -> Value {
        let mut all = json!({"client_id": "a", "redirect_uris": ["https://a.example/"], "token_endpoint_auth_method": method});
        for (name, value) in more {
            all[*name] = (*value).into();
        }
        all
    }

    #[test]
    fn exactly_one_name_is_registered() {
        for (member, text) in
            MEMBERS.into_iter().zip(["CN=app,O=Example", "app.example.com", "urn:app", "2001:db8::1", "a@b.example"])
        {
            let metadata = with("tls_client_auth", &[(member, text)]);
            assert!(matches!(client(&metadata).auth, ClientAuth::Tls(_)), "{member}");
            assert_eq!(refusals(&with("client_secret_basic", &[(member, text)])), [member], "without the method");
        }
        assert_eq!(refusals(&with("tls_client_auth", &[])), [MEMBERS[0]]);
        assert_eq!(refusals(&with("tls_client_auth", &[(MEMBERS[1], "a"), (MEMBERS[2], "b")])), [MEMBERS[0]]);
        for (member, wrong) in [
            (MEMBERS[0], "app"),
            (MEMBERS[0], ""),
            (MEMBERS[1], "a b"),
            (MEMBERS[1], ""),
            (MEMBERS[3], "10.0.0"),
            (MEMBERS[4], ""),
        ] {
            assert_eq!(refusals(&with("tls_client_auth", &[(member, wrong)])), [member], "{wrong}");
        }
    }

    #[test]
    fn a_self_signed_certificate_needs_a_key() {
        assert_eq!(refusals(&with("self_signed_tls_client_auth", &[])), ["jwks"]);
        assert!(refusals(&with("self_signed_tls_client_auth", &[("jwks_uri", "https://a.example/k")])).is_empty());
        let mut by_value = with("self_signed_tls_client_auth", &[]);
        by_value["jwks"] = json!({"keys": [public_key()]});
        assert_eq!(client(&by_value).auth, ClientAuth::SelfSignedTls);
    }
}
