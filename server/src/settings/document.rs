//! One TOML document with its lines: where something stands, and values as settings or JSON need them. Must not know
//! which settings there are.

use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::finding::Finding;
use super::value::Raw;

/// No file that an operator writes by hand comes near this; a device or a log named by mistake does.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// The text of a settings file.
#[derive(Debug)]
pub(super) struct Document {
    text: String,
    name: String,
    /// The folder that relative paths in it are taken from.
    pub(super) folder: PathBuf,
}

impl Document {
    pub(super) fn new(text: String, path: &Path) -> Self {
        Self { text, name: path.display().to_string(), folder: path.parent().unwrap_or(Path::new("")).to_owned() }
    }

    /// Parses the text.
    ///
    /// # Errors
    /// The one finding that tells where it stops being TOML.
    pub(super) fn parse(&self) -> Result<DeTable<'_>, Finding> {
        DeTable::parse(&self.text).map(Spanned::into_inner).map_err(|error| Finding {
            id: "config.syntax",
            place: self.place(&error.span().unwrap_or(0..0)),
            // The message tells what was wrong without repeating the line, which may hold a secret.
            seen: error.message().lines().next().unwrap_or("a text that is not TOML").to_owned(),
            expected: "TOML: [section] lines and name = value lines, text in double quotes".to_owned(),
            remedy: "correct this line; what stands in the file is checked further once it can be read".to_owned(),
        })
    }

    /// `file:line` of the beginning of a span.
    pub(super) fn place(&self, span: &Range<usize>) -> String {
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        format!("{}:{}", self.name, before.matches('\n').count() + 1)
    }
}

/// The whole text of a file that settings refer to.
///
/// # Errors
/// Why it cannot be read, without its content.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(format!("{}: larger than {LARGEST_FILE} bytes", path.display()));
    }
    Ok(bytes)
}

/// The same, as UTF-8.
///
/// # Errors
/// Why it cannot be read, without its content.
pub(super) fn read_text(path: &Path) -> Result<String, String> {
    String::from_utf8(read_file(path)?).map_err(|_| format!("{}: not UTF-8", path.display()))
}

/// The name of a value's type, with its article.
pub(super) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// A value as settings read it.
pub(super) fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.clone().into_owned()),
        DeValue::Boolean(flag) => Raw::Flag(*flag),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Raw::Other("a whole number beyond 64 bits"), Raw::Integer)
        }
        DeValue::Array(items) => {
            let texts: Option<Vec<String>> = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect();
            texts.map_or(Raw::Other("an array of something else than texts"), Raw::Texts)
        }
        other => Raw::Other(type_name(other)),
    }
}

/// A table as a JSON object; what JSON does not have is returned with its place in the text.
pub(super) fn json_object(table: &DeTable<'_>, unfit: &mut Vec<(Range<usize>, &'static str)>) -> Map<String, Value> {
    table.iter().map(|(key, value)| (key.get_ref().clone().into_owned(), json(value, unfit))).collect()
}

/// A value as JSON; what JSON does not have becomes `null` and is returned with its place in the text.
pub(super) fn json(value: &Spanned<DeValue<'_>>, unfit: &mut Vec<(Range<usize>, &'static str)>) -> Value {
    let converted = match value.get_ref() {
        DeValue::String(text) => Some(Value::String(text.clone().into_owned())),
        DeValue::Boolean(flag) => Some(Value::Bool(*flag)),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::from),
        DeValue::Float(number) => number.as_str().parse().ok().and_then(serde_json::Number::from_f64).map(Value::Number),
        DeValue::Datetime(_) => None,
        DeValue::Array(items) => Some(items.iter().map(|item| json(item, unfit)).collect()),
        DeValue::Table(table) => Some(Value::Object(json_object(table, unfit))),
    };
    converted.unwrap_or_else(|| {
        unfit.push((value.span(), type_name(value.get_ref())));
        Value::Null
    })
}
