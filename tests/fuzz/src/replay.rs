//! The programs as they are without a fuzzer.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use crate::Target;

/// Hands the target each of the files, and each file of a folder. A promise that is broken panics after the name of the
/// file was printed.
///
/// # Errors
/// A file that cannot be read, or no file at all.
pub fn replay(paths: impl IntoIterator<Item = OsString>, target: Target) -> io::Result<()> {
    let mut count = 0;
    for path in paths {
        for file in files(Path::new(&path))? {
            writeln!(io::stdout(), "{}", file.display())?;
            target(&fs::read(&file)?);
            count += 1;
        }
    }
    if count == 0 {
        return Err(io::Error::other("name the files to be replayed"));
    }
    writeln!(io::stdout(), "{count} inputs, and every promise was kept")
}

fn files(path: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = fs::read_dir(path)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    files.retain(|file| file.is_file());
    files.sort();
    Ok(files)
}
