//! The shape of client metadata in an access token's `data`: each field under its own name, a dotted name as objects within each other.
//!
//! `software_id, policy.tier` becomes `{"software_id": …, "policy": {"tier": …}}`. Fields that the client does not have are left out.

use symbolon_sdk::{Map, Value};

/// The named fields that `look_up` finds; `None` when it finds none.
pub(crate) fn collect(paths: &[String], look_up: impl Fn(&str) -> Option<Value>) -> Option<Map<String, Value>> {
    let mut data = Map::new();
    for path in paths {
        if let Some(value) = look_up(path) {
            insert(&mut data, path, value);
        }
    }
    (!data.is_empty()).then_some(data)
}

/// Puts the value below the names of the path. A name that already stands for something else than an object keeps it.
fn insert(data: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        Some((head, rest)) => {
            if let Value::Object(inner) = data.entry(head).or_insert_with(|| Value::Object(Map::new())) {
                insert(inner, rest, value);
            }
        }
        None => {
            data.insert(path.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use symbolon_sdk::json;

    use super::*;

    fn collected(paths: &[&str], metadata: &Value) -> Option<Value> {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        collect(&paths, |path| metadata.pointer(&format!("/{}", path.replace('.', "/"))).cloned()).map(Value::Object)
    }

    #[test]
    fn dotted_names_become_objects_within_each_other() {
        let metadata = json!({"id": "x", "policy": {"tier": 2, "list": [1], "deep": {"er": null}}, "unused": 1});
        assert_eq!(collected(&["id"], &metadata), Some(json!({"id": "x"})));
        assert_eq!(
            collected(&["policy.tier", "id", "policy.deep.er"], &metadata),
            Some(json!({"id": "x", "policy": {"tier": 2, "deep": {"er": null}}}))
        );
        assert_eq!(collected(&["policy", "policy.tier"], &metadata), Some(json!({"policy": metadata["policy"]})));
    }

    #[test]
    fn absent_fields_are_left_out() {
        let metadata = json!({"id": "x"});
        assert_eq!(collected(&["nothing", "id.more"], &metadata), None);
        assert_eq!(collected(&["nothing", "id"], &metadata), Some(json!({"id": "x"})));
        assert_eq!(collected(&[], &metadata), None);
    }
}
