//! Files that somebody names, read whole and within reason: a device or a wrong path must not fill the memory.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// A file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
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

/// A file of text of at most `limit` bytes.
pub(crate) fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    let text = String::from_utf8(read(path, limit)?);
    text.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}

pub(crate) const MIB: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_have_as_many_bytes_as_it_may_and_no_byte_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, vec![b'a'; 2048]).expect("a file");
        assert_eq!(read(&path, 2048).expect("it fits").len(), 2048);
        let error = read(&path, 2047).expect_err("one more");
        assert_eq!(error.to_string(), "larger than 1 KiB");
        let error = read_text(&path, 1024).expect_err("too large");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_without_end_is_read_to_the_limit_alone() {
        let error = read(Path::new("/dev/zero"), 3 * MIB).expect_err("it has no end");
        assert_eq!(error.to_string(), "larger than 3 MiB");
    }
}
