//! `config show`: each setting, what it means and where it was written. Secrets are hidden.

use serde::Serialize;

use super::layers::Layers;
use super::leaves::LEAVES;
use super::load::Loaded;
use super::properties::Properties;
use super::sections::Sections;

/// One line of `config show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The dotted name of a setting, or the name of a handler property.
    pub key: String,
    /// Whether it is the latter.
    #[serde(skip)]
    pub is_property: bool,
    /// What it means; `[hidden]` for a secret, empty when it is not set.
    pub value: String,
    /// `built-in`, `file:line`, an environment name or `-D name`.
    pub origin: String,
}

const HIDDEN: &str = "[hidden]";

impl Loaded {
    /// Every setting, scope, resource server, client and handler property with its meaning and origin, secrets hidden.
    #[must_use]
    pub fn show(&self) -> Vec<Shown> {
        self.shown.clone()
    }
}

pub(super) fn all(layers: &Layers, sections: &Sections, properties: &Properties) -> Vec<Shown> {
    let mut all = Vec::new();
    for leaf in LEAVES {
        let value = layers.show(leaf.key).unwrap_or_default();
        let value = if leaf.secret && !value.is_empty() { HIDDEN.to_owned() } else { value };
        let origin = layers.origin(leaf.key).map(|origin| origin.place.clone()).unwrap_or_default();
        all.push(Shown { key: leaf.key.to_owned(), is_property: false, value, origin });
    }
    for (name, meaning) in &sections.scopes {
        let origin = sections.scope_places.get(name).cloned().unwrap_or_else(|| "built-in".to_owned());
        for (member, claims) in
            [("id_token_claims", &meaning.id_token_claims), ("access_token_claims", &meaning.access_token_claims)]
        {
            if !claims.is_empty() {
                all.push(Shown {
                    key: format!("scopes.{name}.{member}"),
                    is_property: false,
                    value: claims.join(", "),
                    origin: origin.clone(),
                });
            }
        }
        all.push(Shown { key: format!("scopes.{name}"), is_property: false, value: meaning.claims.join(", "), origin });
    }
    for (server, place) in sections.resource_servers.iter().zip(&sections.resource_places) {
        let value = if server.jwks.is_some() { "with keys" } else { "without keys" };
        all.push(Shown {
            key: format!("resource_servers.{}", server.identifier),
            is_property: false,
            value: value.to_owned(),
            origin: place.clone(),
        });
    }
    for client in &sections.clients {
        let id = client.metadata.get("client_id").and_then(|id| id.as_str()).unwrap_or("?");
        let value = client.metadata.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        all.push(Shown { key: format!("clients.{id}"), is_property: false, value, origin: client.place.clone() });
    }
    for (name, property) in properties.iter() {
        let value = if names_a_secret(name) && !property.value.is_empty() { HIDDEN } else { &property.value };
        all.push(Shown { key: name.clone(), is_property: true, value: value.to_owned(), origin: property.place.clone() });
    }
    all
}

/// Whether the last part of a handler property's name tells that its value is a secret.
fn names_a_secret(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name).to_ascii_lowercase();
    ["secret", "password", "passphrase", "credential", "apikey", "privatekey"].iter().any(|word| last.contains(word))
        || ["key", "token", "pin"].iter().any(|word| last.ends_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known() {
        for name in ["op.x.clientSecret", "a.password", "a.b.apiKey", "x.token", "x.signingKey"] {
            assert!(names_a_secret(name), "{name}");
        }
        for name in [
            "op.deviceSSOHandler.accessToken.lifetime",
            "op.deviceSSOHandler.enable",
            "op.deviceSSOHandler.scopeRequiringInteraction",
        ] {
            assert!(!names_a_secret(name), "{name}");
        }
    }
}
