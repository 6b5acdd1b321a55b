//! Folders of the program's own files: for their owner alone, and durable.

use std::io;
use std::path::Path;

/// Makes the folder and its missing parents, which only their owner can enter.
#[cfg(unix)]
pub(crate) fn create_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

#[cfg(not(unix))]
pub(crate) fn create_private(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)
}

/// Makes what happened to the names in the folder durable, where that can be asked for.
#[cfg(unix)]
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the Unix half can fail")]
pub(crate) fn sync(_folder: &Path) -> io::Result<()> {
    Ok(())
}
