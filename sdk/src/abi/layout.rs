//! The shape of everything that crosses the boundary, as text, and the test that it changes only together with the SDK's number.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use abi_stable::StableAbi as _;
use abi_stable::std_types::utypeid::UTypeId;
use abi_stable::type_layout::{TLData, TLField, TypeLayout};

use super::HANDLER_ABI;
use super::module::HandlerModuleRef;

const KEPT: &str = include_str!("../../abi/layout.txt");

/// Every type of ours that the root module leads to, by path, each with its fields, functions and the types that these name.
fn shape() -> String {
    let mut types = BTreeMap::new();
    collect(HandlerModuleRef::LAYOUT, &mut types, &mut HashSet::new());
    types.into_iter().fold(String::new(), |text, (name, about)| text + "\n" + &name + &about)
}

fn collect(layout: &'static TypeLayout, types: &mut BTreeMap<String, String>, seen: &mut HashSet<UTypeId>) {
    if !seen.insert(layout.get_utypeid()) {
        return;
    }
    if layout.package().as_str() == "symbolon-sdk" {
        let fields: Vec<TLField> = match layout.data() {
            TLData::Struct { fields } | TLData::Union { fields } => fields.iter().collect(),
            TLData::Enum(inner) => inner.fields.iter().collect(),
            TLData::PrefixType(prefix) => prefix.fields.iter().collect(),
            TLData::Primitive(_) | TLData::Opaque => Vec::new(),
        };
        let kind = layout.data_discriminant();
        let mut about = format!(": {kind:?}, {} bytes, alignment {}\n", layout.size(), layout.alignment());
        for field in &fields {
            let _ = write!(about, "  {}: {}", field.name(), named(field.layout(), 2));
            for function in field.function_range() {
                let text = function.to_string();
                let _ = write!(about, " {}", text.lines().next().unwrap_or_default());
            }
            about.push('\n');
        }
        let used: Vec<String> = layout.shared_vars().type_layouts().iter().map(|part| named(part(), 3)).collect();
        let _ = writeln!(about, "  names {}", used.join(", "));
        types.insert(format!("{}::{}", layout.mod_path(), layout.full_type()), about);
    }
    // These are the types of its fields, parameters and results.
    for part in layout.shared_vars().type_layouts() {
        collect(part(), types, seen);
    }
}

/// The name of a type with its size and, as far as `depth`, what it is made of: a generic type's own name says nothing of its parameters.
fn named(layout: &'static TypeLayout, depth: usize) -> String {
    let name = format!("{}/{}", layout.full_type(), layout.size());
    let parts = layout.shared_vars().type_layouts();
    if depth == 0 || parts.is_empty() || layout.package().as_str() == "symbolon-sdk" {
        return name;
    }
    let parts: Vec<String> = parts.iter().map(|part| named(part(), depth - 1)).collect();
    format!("{name}<{}>", parts.join(" "))
}

/// Major and minor: patches never change the shape.
fn number() -> String {
    let version: Vec<&str> = crate::SDK_VERSION.split('.').take(2).collect();
    format!("handler ABI {HANDLER_ABI}, SDK {}\n", version.join("."))
}

#[test]
fn the_shape_changes_only_with_the_number() {
    let (kept_number, kept_shape) = KEPT.split_once('\n').unwrap_or_default();
    let (number, shape) = (number(), shape());
    if std::env::var_os("KEEP_LAYOUT").is_some() {
        assert!(
            kept_number != number.trim_end() || kept_shape == shape || kept_shape.is_empty(),
            "what crosses the boundary has changed, but the number has not: give the SDK another minor version first"
        );
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/abi/layout.txt");
        assert!(std::fs::write(file, number + &shape).is_ok(), "{file} cannot be written");
        return;
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<HashSet<String>>();
    let mut changed: Vec<String> = lines(kept_shape).symmetric_difference(&lines(&shape)).cloned().collect();
    changed.sort();
    if kept_number == number.trim_end() {
        assert!(
            changed.is_empty(),
            "what crosses the boundary has changed: it needs another minor version of the SDK.\n{}",
            changed.join("\n")
        );
    } else {
        panic!("the SDK has another number: keep its shape with `scripts/generate`, and its source in tests/previous");
    }
}
