//! The sections of the settings file that hold more than single values: `[scopes.NAME]`, `[[resource_servers]]` and
//! `[[clients]]`. Client metadata is only carried over; `clients` judges it.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::{self, Document};
use super::layers::Layers;
use super::meaning::{FileClient, ResourceServer, ScopeMeaning};
use super::nearest::nearest;
use super::value::Raw;
use super::{address, scopes};
use crate::foundation::{encoding, random};
use crate::protocol::{Scope, claims};

/// What these sections say.
#[derive(Debug)]
pub(super) struct Sections {
    pub(super) scopes: BTreeMap<String, ScopeMeaning>,
    /// Where each scope that the file names was written.
    pub(super) scope_places: BTreeMap<String, String>,
    pub(super) resource_servers: Vec<ResourceServer>,
    pub(super) resource_places: Vec<String>,
    pub(super) clients: Vec<FileClient>,
}

impl Sections {
    pub(super) fn built_in() -> Self {
        Self {
            scopes: scopes::standard(),
            scope_places: BTreeMap::new(),
            resource_servers: Vec::new(),
            resource_places: Vec::new(),
            clients: Vec::new(),
        }
    }
}

const WRONG_TYPE: &str = "config.wrong_type";

/// The members of a scope.
const SCOPE_MEMBERS: [&str; 4] = ["claims", "id_token_claims", "access_token_claims", "description"];

/// Reads one of the sections.
pub(super) fn read(
    document: &Document,
    section: &str,
    value: &Spanned<DeValue<'_>>,
    layers: &mut Layers,
    sections: &mut Sections,
) {
    match (section, value.get_ref()) {
        ("scopes", DeValue::Table(table)) => {
            for (name, value) in table {
                read_scope(document, name, value, layers, sections);
            }
        }
        ("resource_servers" | "clients", DeValue::Array(items)) => {
            for item in items {
                let place = document.place(&item.span());
                match item.get_ref() {
                    DeValue::Table(table) if section == "clients" => read_client(document, table, place, layers, sections),
                    DeValue::Table(table) => read_resource_server(document, table, place, layers, sections),
                    other => {
                        layers.find(
                            WRONG_TYPE,
                            &place,
                            document::type_name(other),
                            "a table",
                            format!("write [[{section}]] and its members below"),
                        );
                    }
                }
            }
        }
        (_, other) => {
            let header = if section == "scopes" { "[scopes.NAME]".to_owned() } else { format!("[[{section}]]") };
            let seen = format!("{section} = {}", document::type_name(other));
            let remedy = format!("write {header} on a line of its own and its members below");
            layers.find(WRONG_TYPE, &document.place(&value.span()), seen, format!("{header} sections"), remedy);
        }
    }
}

fn read_scope(
    document: &Document,
    name: &Spanned<std::borrow::Cow<'_, str>>,
    value: &Spanned<DeValue<'_>>,
    layers: &mut Layers,
    sections: &mut Sections,
) {
    let place = document.place(&name.span());
    let scope = name.get_ref().as_ref();
    if scope.is_empty() || scope.contains(' ') || Scope::parse(scope).is_err() {
        layers.find(
            "config.scope_name",
            &place,
            format!("{scope:?}"),
            "one scope value of printable ASCII without spaces, quotes or backslashes",
            "choose another name",
        );
        return;
    }
    let DeValue::Table(table) = value.get_ref() else {
        let seen = format!("scopes.{scope} = {}", document::type_name(value.get_ref()));
        layers.find(
            WRONG_TYPE,
            &place,
            seen,
            format!("a section [scopes.{scope}]"),
            "write claims = [\"…\"] and description = \"…\" below it",
        );
        // It exists, whatever it means: clients that ask for it are not to be blamed.
        sections.scopes.entry(scope.to_owned()).or_default();
        return;
    };
    // What is written about a standard scope replaces that part of its meaning.
    let mut meaning = sections
        .scopes
        .get(scope)
        .cloned()
        .unwrap_or_else(|| ScopeMeaning { description: scope.to_owned(), ..ScopeMeaning::default() });
    for (key, value) in table {
        let here = document.place(&key.span());
        match (key.get_ref().as_ref(), document::raw(value.get_ref())) {
            ("claims", Raw::Texts(claims)) => meaning.claims = claims,
            (member @ "id_token_claims", Raw::Texts(claims)) => {
                meaning.id_token_claims = unreserved(scope, member, claims, &here, layers);
            }
            (member @ "access_token_claims", Raw::Texts(claims)) => {
                meaning.access_token_claims = unreserved(scope, member, claims, &here, layers);
            }
            ("description", Raw::Text(text)) => meaning.description = text,
            (member @ ("claims" | "id_token_claims" | "access_token_claims" | "description"), _) => {
                let expected = if member == "description" { "a sentence" } else { "a list of claim names" };
                let seen = format!("scopes.{scope}.{member} = {}", document::type_name(value.get_ref()));
                layers.find(WRONG_TYPE, &here, seen, expected, "write claims = [\"…\"] and description = \"…\"");
            }
            (member, _) => unknown_member(&format!("scopes.{scope}"), member, &SCOPE_MEMBERS, &here, layers),
        }
    }
    sections.scope_places.insert(scope.to_owned(), place);
    sections.scopes.insert(scope.to_owned(), meaning);
}

/// The names without those that the server sets itself, which are reported: a person's claim must never stand in their place.
fn unreserved(scope: &str, member: &str, claims: Vec<String>, place: &str, layers: &mut Layers) -> Vec<String> {
    let (fine, reserved): (Vec<_>, Vec<_>) = claims.into_iter().partition(|name| !claims::is_reserved_in_token(name));
    for name in reserved {
        let seen = format!("scopes.{scope}.{member} with {name:?}");
        layers.find("config.reserved_claim", place, seen, "claims of people, not of the token itself", "take it out");
    }
    fine
}

fn read_resource_server(document: &Document, table: &DeTable<'_>, place: String, layers: &mut Layers, sections: &mut Sections) {
    let mut identifier = None;
    let mut jwks = None;
    for (key, value) in table {
        let here = document.place(&key.span());
        match key.get_ref().as_ref() {
            "identifier" => {
                let text = value.get_ref().as_str();
                // An empty one stands for one that was already reported.
                identifier = Some(text.filter(|text| address::is_resource_identifier(text)).unwrap_or_default().to_owned());
                if identifier.as_deref() == Some("") {
                    let seen = text.map_or_else(|| document::type_name(value.get_ref()).to_owned(), |text| format!("{text:?}"));
                    let remedy = "write the address of the API, such as https://api.example.com";
                    layers.find("config.resource_identifier", &here, seen, "an absolute URI without fragment (RFC 8707)", remedy);
                }
            }
            member @ ("jwks" | "jwks_file") => {
                let found = if member == "jwks" {
                    inline_jwks(document, value, layers)
                } else {
                    jwks_of_file(document, value, &here, layers)
                };
                if jwks.is_some() {
                    layers.find("config.conflict", &here, "both jwks and jwks_file", "one of the two", "take one of them out");
                }
                if let Some(keys) = found {
                    jwks = check_jwks(keys, &here, layers).or(jwks);
                }
            }
            member => unknown_member("resource_servers", member, &["identifier", "jwks", "jwks_file"], &here, layers),
        }
    }
    match identifier {
        None => layers.find(
            "config.missing",
            &place,
            "a [[resource_servers]] entry without identifier",
            "identifier = \"https://…\"",
            "add it",
        ),
        Some(identifier) if identifier.is_empty() => {}
        Some(identifier) if sections.resource_servers.iter().any(|other| other.identifier == identifier) => {
            layers.find(
                "config.duplicate",
                &place,
                format!("resource server {identifier} a second time"),
                "each identifier once",
                "take one of them out",
            );
        }
        Some(identifier) => {
            sections.resource_servers.push(ResourceServer { identifier, jwks });
            sections.resource_places.push(place);
        }
    }
}

fn inline_jwks(document: &Document, value: &Spanned<DeValue<'_>>, layers: &mut Layers) -> Option<Value> {
    let mut unfit = Vec::new();
    let keys = document::json(value, &mut unfit);
    report_unfit(document, &unfit, layers).then_some(keys)
}

fn jwks_of_file(document: &Document, value: &Spanned<DeValue<'_>>, place: &str, layers: &mut Layers) -> Option<Value> {
    let text = referenced_file(document, "jwks_file", value.get_ref(), place, layers)?;
    match serde_json::from_str(&text) {
        Ok(keys) => Some(keys),
        Err(error) => {
            layers.find(
                "config.unreadable_file",
                place,
                format!("jwks_file: not JSON ({error})"),
                "a JSON Web Key Set (RFC 7517)",
                "correct the file",
            );
            None
        }
    }
}

/// A key set in its usual form, `{"keys": […]}`; a bare list of keys is accepted.
pub(super) fn check_jwks(keys: Value, place: &str, layers: &mut Layers) -> Option<Value> {
    let set = if keys.is_array() { json!({ "keys": keys }) } else { keys };
    let list = set.get("keys").and_then(Value::as_array);
    if !list.is_some_and(|list| list.iter().all(|key| key.get("kty").is_some_and(Value::is_string))) {
        layers.find(
            "config.jwks",
            place,
            "a value that is no key set",
            "keys, each with its kty (RFC 7517)",
            "write jwks = [{ kty = \"…\", … }] or jwks_file = \"…\"",
        );
        return None;
    }
    if list.is_some_and(|list| list.iter().any(|key| key.get("d").is_some() || key.get("k").is_some())) {
        layers.find(
            "config.jwks",
            place,
            "a private or symmetric key",
            "public keys only",
            "leave the private members out; make a new key if others may have read this one",
        );
        return None;
    }
    Some(set)
}

fn read_client(document: &Document, table: &DeTable<'_>, place: String, layers: &mut Layers, sections: &mut Sections) {
    let mut unfit = Vec::new();
    let mut metadata = document::json_object(table, &mut unfit);
    // With members missing that were written, the rest cannot be judged.
    let whole = report_unfit(document, &unfit, layers);
    if let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == "client_secret_file") {
        let here = document.place(&key.span());
        metadata.remove("client_secret_file");
        if metadata.contains_key("client_secret") {
            layers.find(
                "config.conflict",
                &here,
                "both client_secret and client_secret_file",
                "one of the two",
                "take client_secret out",
            );
        } else {
            let secret = referenced_file(document, "client_secret_file", value.get_ref(), &here, layers);
            let secret = secret.map(|secret| secret.trim_end_matches(['\r', '\n']).to_owned());
            if secret.as_ref().is_some_and(String::is_empty) {
                layers.find(
                    "config.unreadable_file",
                    &here,
                    "client_secret_file: an empty file",
                    "a file with the secret",
                    "write the secret into it",
                );
            }
            // The rest of the client is judged as if it had a secret: one that nobody knows.
            let secret = secret.filter(|secret| !secret.is_empty());
            let secret = secret.unwrap_or_else(|| encoding::encode(random::secret().expose()));
            metadata.insert("client_secret".to_owned(), Value::from(secret));
        }
    }
    if !whole {
        return;
    }
    sections.clients.push(FileClient { metadata, place });
}

/// The text of a file that a member names.
fn referenced_file(document: &Document, member: &str, value: &DeValue<'_>, place: &str, layers: &mut Layers) -> Option<String> {
    let Some(path) = value.as_str() else {
        layers.find(
            WRONG_TYPE,
            place,
            format!("{member} = {}", document::type_name(value)),
            "a path",
            "write the path as text, in double quotes",
        );
        return None;
    };
    match document::read_text(&document.folder.join(path)) {
        Ok(text) => Some(text),
        Err(why) => {
            layers.find(
                "config.unreadable_file",
                place,
                format!("{member}: {why}"),
                "a file that can be read",
                "correct the path, or let the server's user read it",
            );
            None
        }
    }
}

/// Reports values that JSON does not have; whether there were none.
fn report_unfit(document: &Document, unfit: &[(Range<usize>, &'static str)], layers: &mut Layers) -> bool {
    for (span, seen) in unfit {
        layers.find(
            WRONG_TYPE,
            &document.place(span),
            format!("{seen} that JSON does not have"),
            "text, a number, true, false, a list or a table",
            "write it as text, in double quotes",
        );
    }
    unfit.is_empty()
}

fn unknown_member(section: &str, member: &str, known: &[&'static str], place: &str, layers: &mut Layers) {
    let remedy =
        nearest(member, known.iter().copied()).map_or_else(|| "take it out".to_owned(), |name| format!("did you mean {name}?"));
    layers.find("config.unknown_key", place, format!("{section}.{member}"), known.join(", "), remedy);
}
