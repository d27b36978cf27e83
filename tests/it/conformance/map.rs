//! Keeps `tests/CONFORMANCE.md` true: what it names exists and runs, and what exists is named.

use std::collections::{BTreeMap, HashSet};
use std::process::Command;

use crate::harness::binaries::repository;

/// One row: a module of the public suite, and what we have for it.
struct Row {
    profile: String,
    module: String,
    tests: Vec<String>,
    result: String,
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(repository().join("tests/CONFORMANCE.md")).expect("the map");
    let mut profile = String::new();
    let mut rows = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            title.clone_into(&mut profile);
        }
        let Some(cells) = line.strip_prefix("| `").and_then(|rest| rest.strip_suffix(" |")) else { continue };
        let cells: Vec<&str> = cells.split(" | ").map(str::trim).collect();
        let [module, _, tests, result] = cells[..] else { panic!("not four cells: {line}") };
        rows.push(Row {
            profile: profile.clone(),
            module: module.trim_end_matches('`').to_owned(),
            tests: tests.split('`').filter(|name| name.contains("::")).map(str::to_owned).collect(),
            result: result.to_owned(),
        });
    }
    rows
}

/// The tests of this binary that are run: those with `#[ignore]` are not.
fn tests() -> HashSet<String> {
    let list = |more: &[&str]| -> HashSet<String> {
        let this = std::env::current_exe().expect("the path of the test itself");
        let output = Command::new(this).args(["--list", "--format", "terse"]).args(more).output().expect("the list of tests");
        let text = String::from_utf8(output.stdout).expect("text");
        text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
    };
    list(&[]).difference(&list(&["--ignored"])).cloned().collect()
}

#[test]
fn every_row_has_a_test_that_runs_or_a_reason() {
    let tests = tests();
    let rows = rows();
    assert!(rows.len() > 100, "the map was read: {} rows", rows.len());
    for Row { profile, module, tests: named, result } in &rows {
        for name in named {
            assert!(tests.contains(name), "{profile}, {module}: there is no test {name} that runs");
        }
        match result.split_once(':') {
            None => assert!(result == "passes" && !named.is_empty(), "{profile}, {module}: {result:?} needs a test"),
            Some((verdict, reason)) => {
                assert!(["does not apply", "differs", "not yet"].contains(&verdict), "{profile}, {module}: {verdict}");
                assert!(reason.len() > 20, "{profile}, {module}: say why");
            }
        }
    }
}

#[test]
fn no_module_stands_twice_in_a_profile() {
    let mut seen: BTreeMap<String, HashSet<String>> = BTreeMap::new();
    for Row { profile, module, .. } in rows() {
        assert!(seen.entry(profile.clone()).or_default().insert(module.clone()), "{profile}: {module}");
    }
}

#[test]
fn every_case_is_on_the_map() {
    let named: HashSet<String> = rows().into_iter().flat_map(|row| row.tests).collect();
    for test in tests().iter().filter(|name| name.starts_with("conformance::") && !name.starts_with("conformance::map::")) {
        assert!(named.contains(test), "tests/CONFORMANCE.md does not name {test}");
    }
}
