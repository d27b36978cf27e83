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

/// Whether a type may grow, and its fields and functions.
type About<'t> = (bool, Vec<&'t str>);

/// The types of a shape by their names.
fn types(shape: &str) -> BTreeMap<&str, About<'_>> {
    shape.split("\n\n").filter_map(one).collect()
}

fn one(block: &str) -> Option<(&str, About<'_>)> {
    let (head, rest) = block.trim_start().split_once('\n')?;
    let (name, kind) = head.split_once(": ")?;
    let fields = rest.lines().map(str::trim_start).filter(|line| !line.starts_with("names ")).collect();
    Some((name, (kind.starts_with("PrefixType"), fields)))
}

/// What of `kept` cannot be used any more by who was compiled against it: everything that is not there just so, but for types that
/// may grow, which must begin as they did.
fn broken(kept: &str, new: &str) -> Vec<String> {
    let (kept, new) = (types(kept), types(new));
    // The size of what may grow says nothing where it is named behind a pointer.
    let growing: Vec<String> = kept.iter().filter(|(_, about)| about.0).map(|(name, _)| short(name) + "/").collect();
    let plain = |field: &str| growing.iter().fold(field.to_owned(), |text, name| without_sizes(&text, name));
    let mut broken = Vec::new();
    for (name, (grows, fields)) in &kept {
        let Some((_, now)) = new.get(name) else {
            broken.push(format!("{name} is gone"));
            continue;
        };
        if now.len() < fields.len() || !grows && now.len() > fields.len() {
            broken.push(format!("{name} has {} fields or functions, not {}", now.len(), fields.len()));
        }
        let changed = fields.iter().zip(now).filter(|(before, now)| plain(before) != plain(now));
        broken.extend(changed.map(|(before, now)| format!("{name}: {now}, not {before}")));
    }
    broken
}

/// The last part of a path, without parameters.
fn short(path: &str) -> String {
    path.split('<').next().and_then(|path| path.rsplit("::").next()).unwrap_or_default().to_owned()
}

/// `text` without the numbers that follow `name`.
fn without_sizes(text: &str, name: &str) -> String {
    let mut parts = text.split(name);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + name + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

#[test]
fn what_is_published_may_grow_at_its_end_and_not_change() {
    let kept = "\nsdk::Record: Struct, 16 bytes, alignment 8\n  a: u64/8\n  b: bool/1\n  names u64/8\n\n\
                sdk::VTable: PrefixType, 16 bytes, alignment 8\n  one: Fn/8 fn()->u8\n\n\
                sdk::Object: Struct, 8 bytes, alignment 8\n  obj: Ref/8<VTable/16>\n";
    assert!(broken(kept, kept).is_empty());
    let with = |old: &str, new: &str| {
        assert!(kept.contains(old), "{old}");
        broken(kept, &kept.replace(old, new)).len()
    };
    let grown = kept.replace("fn()->u8\n", "fn()->u8\n  two: Fn/8 fn()->u8\n").replace("VTable/16", "VTable/24");
    assert!(broken(kept, &grown).is_empty(), "a function at the end");
    assert!(
        broken(kept, &(kept.to_owned() + "\nsdk::New: Struct, 8 bytes, alignment 8\n  x: u64/8\n")).is_empty(),
        "another type"
    );
    assert_eq!(with("  a: u64/8\n  b: bool/1\n", "  b: bool/1\n  a: u64/8\n"), 2, "fields change places");
    assert_eq!(with("  b: bool/1\n", "  b: bool/1\n  c: bool/1\n"), 1, "a record grows");
    assert_eq!(with("  b: bool/1\n", ""), 1, "a record shrinks");
    assert_eq!(with("one: Fn/8 fn()->u8", "one: Fn/8 fn()->u16"), 1, "another result");
    assert_eq!(with("  one:", "  zero: Fn/8 fn()->u8\n  one:"), 1, "a function at the beginning");
    assert_eq!(with("sdk::Record", "sdk::Renamed"), 1, "another name");
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
        let (kept_abi, abi) = (kept_number.split(',').next(), number.split(',').next());
        if kept_abi == abi {
            let broken = broken(kept_shape, &shape);
            assert!(
                broken.is_empty(),
                "handlers that are out there would break: it needs another HANDLER_ABI, not just another SDK.\n{}",
                broken.join("\n")
            );
        }
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
