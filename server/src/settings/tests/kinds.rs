//! What may be written for each kind of setting.

use proptest::prelude::*;

use std::path::Path;

use super::super::kind::*;
use super::super::leaves::LEAVES;
use super::super::value::{Mismatch, OUT_OF_RANGE, Raw, UNREADABLE, WRONG_TYPE};
use crate::foundation::encoding;

fn shell(kind: Kind, text: &str) -> Result<String, Mismatch> {
    kind.read(&Raw::Shell(text.to_owned()), Path::new("")).map(|value| value.show())
}

fn id(kind: Kind, raw: &Raw) -> &'static str {
    kind.read(raw, Path::new("")).map_or_else(|mismatch| mismatch.id, |value| panic!("{value:?} was accepted"))
}

#[test]
fn numbers_and_bytes_have_ranges() {
    let number = Kind::Number { min: 1, max: 10 };
    assert_eq!(shell(number, " 7 ").unwrap(), "7");
    assert_eq!(id(number, &Raw::Integer(11)), OUT_OF_RANGE);
    assert_eq!(id(number, &Raw::Integer(-1)), OUT_OF_RANGE);
    assert_eq!(id(number, &Raw::Text("7".to_owned())), WRONG_TYPE);
    assert_eq!(id(number, &Raw::Shell("seven".to_owned())), UNREADABLE);
    let bytes = Kind::Bytes { min: 1, max: u64::MAX };
    assert_eq!(shell(bytes, "16MiB").unwrap(), "16777216");
    assert_eq!(shell(bytes, "2 KiB").unwrap(), "2048");
    assert_eq!(id(bytes, &Raw::Text("16MB".to_owned())), UNREADABLE);
    assert_eq!(id(bytes, &Raw::Text("99999999999999999999GiB".to_owned())), UNREADABLE);
    assert_eq!(id(bytes, &Raw::Text("18446744073709551615KiB".to_owned())), UNREADABLE);
}

#[test]
fn durations_need_units_and_have_ranges() {
    let kind = Kind::Duration { min: 1000, max: 600_000, never: false };
    assert_eq!(shell(kind, "60s").unwrap(), "1m");
    assert_eq!(id(kind, &Raw::Integer(60)), WRONG_TYPE);
    assert_eq!(id(kind, &Raw::Text("60".to_owned())), UNREADABLE);
    assert_eq!(id(kind, &Raw::Text("11m".to_owned())), OUT_OF_RANGE);
    assert_eq!(id(kind, &Raw::Text("1500ms".to_owned())), OUT_OF_RANGE);
    assert_eq!(id(kind, &Raw::Text("never".to_owned())), OUT_OF_RANGE);
    assert_eq!(shell(Kind::Duration { min: 1000, max: 600_000, never: true }, "never").unwrap(), "never");
    assert_eq!(shell(Kind::Duration { min: 10, max: 600_000, never: true }, "1500ms").unwrap(), "1s 500ms");
}

#[test]
fn choices_flags_and_cores() {
    let kind = Kind::Choice(&["RS256", "ES256"]);
    assert_eq!(shell(kind, "es256").unwrap(), "ES256");
    let mismatch = kind.read(&Raw::Text("RS2566".to_owned()), Path::new("")).unwrap_err();
    assert_eq!((mismatch.id, mismatch.remedy.as_str()), ("config.unknown_value", "did you mean \"RS256\"?"));
    assert_eq!(shell(Kind::Flag, "true").unwrap(), "true");
    assert_eq!(id(Kind::Flag, &Raw::Shell("yes".to_owned())), UNREADABLE);
    assert_eq!(id(Kind::Flag, &Raw::Text("true".to_owned())), WRONG_TYPE);
    assert!(shell(Kind::Cores { max: 8 }, "auto").unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(shell(Kind::Cores { max: 8 }, "3").unwrap(), "3");
    assert_eq!(id(Kind::Cores { max: 8 }, &Raw::Integer(0)), OUT_OF_RANGE);
}

#[test]
fn addresses_networks_paths_and_lists() {
    assert_eq!(shell(Kind::Address, "[::1]:80").unwrap(), "[::1]:80");
    assert_eq!(id(Kind::Address, &Raw::Text("localhost:80".to_owned())), UNREADABLE);
    assert_eq!(shell(Kind::Networks, "10.0.0.0/8, ::1").unwrap(), "10.0.0.0/8, ::1/128");
    for wrong in ["10.0.0.0/33", "10.0.0.0/", "ten/8", "10.0.0.0/-1"] {
        assert_eq!(id(Kind::Networks, &Raw::Texts(vec![wrong.to_owned()])), UNREADABLE);
    }
    let paths = Kind::Paths.read(&Raw::Texts(vec!["a".to_owned(), "/b".to_owned()]), Path::new("/etc/symbolon")).unwrap();
    assert_eq!(paths.show(), "/etc/symbolon/a, /b");
    assert_eq!(shell(Kind::Paths, r#"["a,b","c"]"#).unwrap(), "a,b, c");
    assert_eq!(id(Kind::Paths, &Raw::Text("a".to_owned())), WRONG_TYPE);
    assert_eq!(shell(Kind::Path { required: false }, "").unwrap(), "");
    assert_eq!(id(Kind::Path { required: true }, &Raw::Text(String::new())), OUT_OF_RANGE);
}

#[test]
fn log_directives_with_an_unknown_level_are_caught() {
    for right in ["info", "WARN", "warn,symbolon::audit=info", "symbolon::http", "off", "a[b{c=d}]=info"] {
        assert!(shell(Kind::Directives, right).is_ok(), "{right}");
    }
    for wrong in ["inof", "symbolon=loud", "=info", "info,", ""] {
        assert!(shell(Kind::Directives, wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_sealing_key_is_never_repeated() {
    assert!(shell(Kind::SealingKey, &"ab".repeat(32)).is_ok());
    assert!(shell(Kind::SealingKey, &encoding::encode([7; 32])).is_ok());
    let mismatch = shell(Kind::SealingKey, "hunter2").unwrap_err();
    assert!(!mismatch.seen.contains("hunter2") && !mismatch.remedy.contains("hunter2"));
}

#[test]
fn every_default_is_right() {
    for leaf in LEAVES {
        assert!(shell(leaf.kind, leaf.default).is_ok(), "{}", leaf.key);
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_kind_panic(text in ".*", number: i64) {
        for leaf in LEAVES {
            let _ = leaf.kind.read(&Raw::Shell(text.clone()), Path::new("x"));
            let _ = leaf.kind.read(&Raw::Text(text.clone()), Path::new("x"));
            let _ = leaf.kind.read(&Raw::Texts(vec![text.clone()]), Path::new("x"));
            let _ = leaf.kind.read(&Raw::Integer(number), Path::new("x"));
        }
    }
}
