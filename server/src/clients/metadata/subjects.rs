//! `subject_type` and `sector_identifier_uri` (OIDC Core section 8): which clients are told the same `sub`.

use std::collections::BTreeSet;

use url::{Host, Url};

use super::reader::{Reader, shown};
use crate::clients::client::SubjectType;
use crate::clients::redirect::RedirectUri;

/// The type, and the address of the sector's document where one is registered.
pub(super) fn read(r: &mut Reader<'_>, redirect_uris: &[RedirectUri]) -> (SubjectType, Option<String>) {
    let document = sector_document(r);
    let uri = document.as_ref().map(|(text, _)| text.clone());
    if r.word("subject_type", &["public", "pairwise"]) != Some("pairwise") {
        return (SubjectType::Public, uri);
    }
    let sector = match document {
        Some((_, host)) => Some(host),
        // A document that is wrong was told already.
        None if r.value("sector_identifier_uri").is_some() => None,
        None => sector_of(r, redirect_uris),
    };
    // Without a sector there is an error, and this client is never made.
    (sector.map_or(SubjectType::Public, |sector| SubjectType::Pairwise { sector }), uri)
}

/// OIDC Core section 8.1: the host of the redirect URIs, when they have one in common.
///
/// The scheme of an app and an address of this machine are everybody's: a sector made of them would tie unrelated clients together.
fn sector_of(r: &mut Reader<'_>, redirect_uris: &[RedirectUri]) -> Option<String> {
    let hosts: Option<BTreeSet<String>> = redirect_uris.iter().map(RedirectUri::owned_host).collect();
    let seen = match hosts {
        Some(hosts) if hosts.len() == 1 => return hosts.into_iter().next(),
        Some(hosts) if hosts.is_empty() => "no redirect URI",
        Some(_) => "redirect URIs of several hosts",
        None => "a redirect URI without a host of its own",
    };
    r.refuse(
        "sector_identifier_uri",
        format!("nothing, and {seen}"),
        "the address of a document that lists the redirect URIs, because of subject_type pairwise",
        "add sector_identifier_uri",
    );
    None
}

/// The address as registered, and its host.
fn sector_document(r: &mut Reader<'_>) -> Option<(String, String)> {
    let field = "sector_identifier_uri";
    let text = r.text(field)?;
    let url = Url::parse(text).ok().filter(|url| {
        url.scheme() == "https"
            && text.len() <= 2048
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
    });
    let host = url.as_ref().and_then(Url::host).map(|host| match host {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => format!("[{address}]"),
    });
    if host.is_none() {
        let expected = "an absolute https address without user information and fragment (OIDC Core section 8.1)";
        r.refuse(field, shown(text), expected, "correct the address");
    }
    host.map(|host| (text.to_owned(), host))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::clients::metadata::tests::{client, refusals};

    #[expect(clippy::needless_pass_by_value, reason = "callers write the list in place")]
    fn pairwise(redirects: Value, sector: Option<&str>) -> Value {
        let mut metadata = json!({
            "client_id": "a", "token_endpoint_auth_method": "none", "application_type": "native", "subject_type": "pairwise",
            "redirect_uris": redirects,
        });
        if let Some(sector) = sector {
            metadata["sector_identifier_uri"] = sector.into();
        }
        metadata
    }

    fn sector(redirects: Value, sector: Option<&str>) -> String {
        match client(&pairwise(redirects, sector)).subject_type {
            SubjectType::Pairwise { sector } => sector,
            SubjectType::Public => String::new(),
        }
    }

    #[test]
    fn the_sector_is_the_one_host() {
        assert_eq!(sector(json!(["https://app.example.com/a"]), None), "app.example.com");
        assert_eq!(sector(json!(["https://app.example.com/a", "https://app.example.com:8443/b"]), None), "app.example.com");
        let document = Some("https://Sector.example.com/uris.json");
        assert_eq!(sector(json!(["https://a.example/", "https://b.example/"]), document), "sector.example.com");
        assert_eq!(sector(json!(["com.example.app:/cb", "http://127.0.0.1/cb"]), document), "sector.example.com");
    }

    #[test]
    fn without_one_host_the_document_is_needed() {
        for redirects in [
            json!(["https://a.example/", "https://b.example/"]),
            json!(["com.example.app:/cb"]),
            json!(["http://127.0.0.1/cb"]),
            json!(["http://localhost/cb"]),
            json!(["http://[::1]/cb"]),
            json!(["https://a.example/", "com.example.app:/cb"]),
        ] {
            assert_eq!(refusals(&pairwise(redirects.clone(), None)), ["sector_identifier_uri"], "{redirects}");
        }
    }

    #[test]
    fn the_document_is_at_a_plain_https_address() {
        for wrong in [
            "http://a.example/x",
            "a.example/x",
            "https://",
            "https://u@a.example/x",
            "https://u:p@a.example/x",
            "https://a.example/x#f",
            "com.example:/x",
            "",
        ] {
            assert_eq!(refusals(&pairwise(json!(["https://a.example/"]), Some(wrong))), ["sector_identifier_uri"], "{wrong}");
        }
    }

    #[test]
    fn public_is_the_default_and_nothing_else_is_known() {
        let plain = json!({"client_id": "a", "redirect_uris": ["https://a.example/", "https://b.example/"]});
        assert_eq!(client(&plain).subject_type, SubjectType::Public);
        let mut other = plain;
        other["subject_type"] = "ephemeral".into();
        assert_eq!(refusals(&other), ["subject_type"]);
    }
}
