//! Every input of the corpus, and random bytes made of its pieces, through every function that libFuzzer would call.

#![expect(clippy::expect_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use symbolon_fuzz::ALL;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort_unstable();
    files.iter().map(|file| fs::read(file).expect("a file")).collect()
}

#[test]
fn the_corpus_breaks_nothing() {
    for (name, target) in ALL {
        let inputs = corpus(name);
        assert!(inputs.len() >= 4, "{name} has too few inputs");
        for input in &inputs {
            target(input);
        }
    }
}

#[test]
fn every_target_has_its_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("targets");
    let mut programs: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path().file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    programs.sort_unstable();
    let mut names = ALL.map(|(name, _)| name.to_owned());
    names.sort_unstable();
    assert_eq!(programs, names);
}

/// An input of the corpus with a piece of it replaced by a piece of another, or by any bytes.
fn mutation(target: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let inputs = corpus(target);
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..12),
        (prop::sample::select(inputs.clone()), any::<prop::sample::Index>(), 1..40usize).prop_map(|(input, at, length)| {
            let at = at.index(input.len().max(1)).min(input.len());
            input[at..(at + length).min(input.len())].to_vec()
        }),
    ];
    (prop::sample::select(inputs), any::<prop::sample::Index>(), 0..20usize, piece).prop_map(|(mut input, at, cut, piece)| {
        let at = at.index(input.len() + 1);
        let end = (at + cut).min(input.len());
        input.splice(at..end, piece);
        input
    })
}

macro_rules! mutations {
    ($($target:ident),*) => {
        proptest! {
            #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
            $(
                #[test]
                fn $target(input in mutation(stringify!($target))) {
                    symbolon_fuzz::$target(&input);
                }
            )*
        }
    };
}

mutations!(authorization_request, token_request, request_object, dpop_proof, client_metadata, redirect_uri, cookies);
