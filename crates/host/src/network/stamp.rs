//! What tells that a file is another one than it was, without reading it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file or a folder that settings were read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    File(PathBuf),
    /// With every file in it.
    Folder(PathBuf),
}

/// What is known of a file without reading it; `None` where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp(PathBuf, Option<Facts>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    size: u64,
    modified: Option<SystemTime>,
    identity: Identity,
}

impl Watched {
    /// The stamps of all these, links followed.
    pub(super) fn stamps(all: &[Self]) -> Vec<Stamp> {
        let mut stamps = Vec::new();
        for watched in all {
            match watched {
                Self::File(path) => stamps.push(Stamp::of(path)),
                Self::Folder(path) => {
                    stamps.push(Stamp::of(path));
                    let within = super::roots::entries(path).unwrap_or_default();
                    stamps.extend(within.iter().map(|path| Stamp::of(path)));
                }
            }
        }
        stamps
    }
}

impl Stamp {
    fn of(path: &Path) -> Self {
        let facts = fs::metadata(path).ok().map(|metadata| Facts {
            size: metadata.len(),
            modified: metadata.modified().ok(),
            identity: Identity::of(&metadata),
        });
        Self(path.to_owned(), facts)
    }
}

/// Which file it is, and when anything about it changed: a clock of the kernel's that nobody sets back,
/// as a copy that keeps its times does with the time of modification.
#[cfg(unix)]
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    changed: (i64, i64),
}

#[cfg(unix)]
impl Identity {
    fn of(metadata: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

#[cfg(not(unix))]
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity(Option<SystemTime>);

#[cfg(not(unix))]
impl Identity {
    fn of(metadata: &fs::Metadata) -> Self {
        Self(metadata.created().ok())
    }
}
