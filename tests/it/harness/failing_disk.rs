//! A disk that fails when a test says so, for a server that is a real process with a real file: a library (`failing_disk.c`) that is put
//! between the server and the system, and the file that tells it what to do.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::setup::Setup;

/// What goes wrong from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Every write and every sync fails.
    Broken,
    /// Writes look well; every sync fails.
    SyncFails,
    /// Nothing new can be written; the header, which is there, can.
    Full,
    /// Half of that many-th write is done, and the server is gone.
    Torn(usize),
    /// The same, and some of what was not synced is lost, as when the power goes.
    PowerCut(usize),
}

/// One such disk; it is well until it is told otherwise.
#[derive(Debug)]
pub(crate) struct FailingDisk(tempfile::TempDir);

impl FailingDisk {
    #[track_caller]
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// Lets a server, and every command for it, have this disk.
    #[track_caller]
    pub(crate) fn below(&self, setup: Setup) -> Setup {
        let text = |path: &Path| path.to_str().expect("a UTF-8 path").to_owned();
        setup.environment("LD_PRELOAD", &text(library())).environment("FAILING_DISK", &text(&self.control()))
    }

    /// From now on this goes wrong.
    #[track_caller]
    pub(crate) fn fails(&self, fault: Fault) {
        let text = match fault {
            Fault::Broken => "eio".to_owned(),
            Fault::SyncFails => "sync".to_owned(),
            Fault::Full => "full".to_owned(),
            Fault::Torn(writes) => format!("torn {writes}"),
            Fault::PowerCut(writes) => format!("power {writes}"),
        };
        // The library must never read half of it.
        let aside = self.0.path().join("next");
        std::fs::write(&aside, text).expect("a file");
        std::fs::rename(aside, self.control()).expect("the file that tells the disk");
    }

    /// From now on nothing goes wrong; gives how often something did since the last time.
    #[track_caller]
    pub(crate) fn is_well(&self) -> u64 {
        std::fs::remove_file(self.control()).expect("the file that tells the disk");
        let hits = self.hits();
        drop(std::fs::remove_file(self.counted()));
        hits
    }

    /// How often something went wrong.
    pub(crate) fn hits(&self) -> u64 {
        self.counted().metadata().map_or(0, |counted| counted.len())
    }

    fn control(&self) -> PathBuf {
        self.0.path().join("disk")
    }

    fn counted(&self) -> PathBuf {
        self.0.path().join("disk.hits")
    }
}

/// The library, built once by each test process.
#[track_caller]
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        // Beside it and then in its place: another test process may have it loaded.
        let built = tempfile::Builder::new().prefix("failing_disk-").tempfile_in(folder).expect("a file").into_temp_path();
        let mut compiler = Command::new("cc")
            .args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-x", "c", "-", "-o"])
            .arg(&built)
            .stdin(Stdio::piped())
            .spawn()
            .expect("cc: scripts/test installs it");
        let mut source = compiler.stdin.take().expect("the compiler's input");
        source.write_all(include_bytes!("failing_disk.c")).expect("the compiler takes the source");
        drop(source);
        assert!(compiler.wait().expect("the end of the compiler").success(), "failing_disk.c is not compiled");
        let library = folder.join("failing_disk.so");
        built.persist(&library).expect("the library in its place");
        library
    })
}
