//! Files that the configuration names, read whole and within reason.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::NetworkError;

/// A whole file, within reason: a device or a wrong path must not fill the memory.
pub(crate) fn read(setting: &str, path: &Path) -> Result<Vec<u8>, NetworkError> {
    read_limited(path, FILE_BYTES).map_err(|source| NetworkError::Read {
        setting: setting.to_owned(),
        path: path.to_owned(),
        source,
    })
}

/// A file of at most `limit` bytes.
pub(super) fn read_limited(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let message = match limit {
            0..MIB => format!("larger than {} KiB", limit / 1024),
            _ => format!("larger than {} MiB", limit / MIB),
        };
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

const MIB: u64 = 1024 * 1024;
const FILE_BYTES: u64 = 16 * MIB;
