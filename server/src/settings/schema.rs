//! `config schema`: the settings file as JSON Schema, for editors that complete and check TOML.

use serde_json::{Value, json};

use super::leaves::LEAVES;
use super::reference::section_doc;

/// The JSON Schema (2020-12) of the settings file.
#[must_use]
pub fn schema() -> Value {
    let mut root = object();
    for leaf in LEAVES.iter().filter(|leaf| !leaf.secret) {
        let mut schema = leaf.kind.schema();
        schema["description"] = json!(leaf.doc);
        schema["default"] = default(leaf.default, &schema);
        insert(&mut root, leaf.key, schema);
    }
    let texts = json!({"type": "array", "items": {"type": "string"}});
    insert(
        &mut root,
        "scopes",
        json!({"type": "object", "description": section_doc("scopes"), "additionalProperties": {
            "type": "object", "additionalProperties": false, "properties": {
                "claims": texts, "id_token_claims": texts, "access_token_claims": texts, "description": {"type": "string"},
            },
        }}),
    );
    insert(
        &mut root,
        "resource_servers",
        json!({"type": "array", "description": section_doc("resource_servers"), "items": {
            "type": "object", "additionalProperties": false, "required": ["identifier"], "properties": {
                "identifier": {"type": "string", "format": "uri"},
                "jwks": {"oneOf": [{"type": "object", "required": ["keys"]}, {"type": "array", "items": {"type": "object"}}]},
                "jwks_file": {"type": "string"},
            },
        }}),
    );
    insert(
        &mut root,
        "clients",
        json!({"type": "array", "description": section_doc("clients"), "items": {
            "type": "object", "required": ["client_id"], "properties": {
                "client_id": {"type": "string"}, "client_secret_file": {"type": "string"},
            },
        }}),
    );
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("Symbolon settings file");
    root
}

fn object() -> Value {
    json!({"type": "object", "additionalProperties": false, "properties": {}})
}

/// Puts a schema below its dotted name, making the sections on the way.
fn insert(section: &mut Value, name: &str, schema: Value) {
    let properties = &mut section["properties"];
    match name.split_once('.') {
        None => properties[name] = schema,
        Some((own, rest)) => {
            if properties.get(own).is_none() {
                properties[own] = object();
            }
            insert(&mut properties[own], rest, schema);
        }
    }
}

/// The default in the type that the settings file has for it.
fn default(text: &str, schema: &Value) -> Value {
    match schema.get("type").and_then(Value::as_str) {
        Some("boolean") => json!(text == "true"),
        Some("integer") => text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number)),
        Some("array") => Value::Array(text.split(',').filter(|item| !item.is_empty()).map(Value::from).collect()),
        _ => json!(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_in_it() {
        let schema = schema();
        for leaf in LEAVES.iter().filter(|leaf| !leaf.secret) {
            let pointer = format!("/properties/{}", leaf.key.replace('.', "/properties/"));
            assert!(schema.pointer(&pointer).is_some_and(|found| found["description"] == leaf.doc), "{}", leaf.key);
        }
        assert_eq!(schema.pointer("/properties/tokens/properties/refresh_token/properties/rotate/default"), Some(&json!(true)));
        assert_eq!(schema.pointer("/properties/proxy/properties/trusted/default"), Some(&json!([])));
        assert_eq!(schema.pointer("/properties/storage/properties/sealing_key"), None::<&Value>);
        assert!(schema.get("properties").and_then(Value::as_object).is_some_and(|all| all.contains_key("clients")));
    }
}
