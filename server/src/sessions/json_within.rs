//! JSON of any shape in a record that is not JSON: as text, so that no number changes its kind on the way.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

type Object = Option<Map<String, Value>>;

pub(super) fn serialize<S: Serializer>(value: &Object, serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        return value.serialize(serializer);
    }
    let text = value.as_ref().map(serde_json::to_string).transpose().map_err(serde::ser::Error::custom)?;
    text.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Object, D::Error> {
    if deserializer.is_human_readable() {
        return Object::deserialize(deserializer);
    }
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| serde_json::from_str(&text)).transpose().map_err(serde::de::Error::custom)
}
