//! Files that somebody names, read whole and within reason: a device or a wrong path must not fill the memory.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// A file of at most `limit` bytes. What is no file has no end, or gives nothing for ever: it is not
/// even opened, since to open a named pipe is to wait for whoever writes into it.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() {
        let message = "neither a file nor a link to one";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
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
        fs::write(&path, vec![b'a'; 2048]).expect("a file");
        assert_eq!(read(&path, 2048).expect("it fits").len(), 2048);
        let error = read(&path, 2047).expect_err("one more");
        assert_eq!(error.to_string(), "larger than 1 KiB");
        let error = read_text(&path, 1024).expect_err("too large");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_not_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo").success());
        // Nobody writes into the pipe: whoever opened it would wait for ever.
        for path in [Path::new("/dev/zero"), &pipe] {
            let error = read(path, 3 * MIB).expect_err("it has no end");
            assert_eq!(error.to_string(), "neither a file nor a link to one");
        }
        let error = read(folder.path(), MIB).expect_err("a folder");
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
    }
}
