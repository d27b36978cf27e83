//! Files that properties name: keys, certificates, lists. A handler reads them when it is configured, so a file that has changed is a
//! change of its properties.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// By what a file is told from itself at another time: length, time of the last change in nanoseconds, inode.
pub(super) type Picture = (u64, i128, u64);

/// The files among values of properties, each with its picture of now.
pub(super) fn files<'v>(values: impl Iterator<Item = &'v str>) -> BTreeMap<PathBuf, Picture> {
    let of = |value: &str| {
        let about = Path::new(value).metadata().ok().filter(std::fs::Metadata::is_file)?;
        let changed = i128::from(about.ctime()) * 1_000_000_000 + i128::from(about.ctime_nsec());
        Some((PathBuf::from(value), (about.len(), changed, about.ino())))
    };
    values.filter_map(of).collect()
}
