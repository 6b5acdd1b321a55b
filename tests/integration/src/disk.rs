//! A disk of a few pages, which a test fills.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

/// A small tmpfs in a mount namespace of its own: nobody else sees it, and it goes with the value. Linux alone.
#[derive(Debug)]
pub struct Disk {
    /// Stays in the namespace, which its end takes away.
    keeper: Child,
    folder: PathBuf,
    _mounted_on: TempDir,
}

impl Disk {
    /// A new one, with room for some records.
    ///
    /// # Panics
    /// When the machine lets the user have no mount namespace, neither as root nor with a user namespace; the text says so.
    pub fn new() -> Self {
        let mounted_on = tempfile::tempdir().expect("a temporary folder");
        let mut tried = String::new();
        // Root needs no user namespace, which some machines deny; others need one.
        for namespaces in [&["--mount"][..], &["--user", "--map-root-user", "--mount"]] {
            match Self::keeper(namespaces, mounted_on.path()) {
                Ok(keeper) => {
                    let inside = mounted_on.path().strip_prefix("/").expect("absolute");
                    let folder = format!("/proc/{}/root", keeper.id());
                    return Self {
                        folder: Path::new(&folder).join(inside),
                        keeper,
                        _mounted_on: mounted_on,
                    };
                }
                Err(why) => tried += &format!("\nunshare {}: {why}", namespaces.join(" ")),
            }
        }
        panic!(
            "no disk can be made that is full: a tmpfs in a private mount namespace is needed (`unshare` of util-linux and \
             `mount`, as root or with user namespaces allowed){tried}"
        );
    }

    fn keeper(namespaces: &[&str], on: &Path) -> Result<Child, String> {
        let script = "mount -t tmpfs -o size=128k,mode=700 disk \"$1\" && echo mounted && exec cat";
        let mut child = Command::new("unshare")
            .args(namespaces)
            .args(["sh", "-c", script, "sh"])
            .arg(on)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let output = child.stdout.take().expect("a pipe");
        let mut line = String::new();
        drop(BufReader::new(output).read_line(&mut line));
        if line.trim_end() == "mounted" {
            return Ok(child);
        }
        let output = child
            .wait_with_output()
            .map_err(|error| error.to_string())?;
        Err(String::from_utf8_lossy(&output.stderr)
            .trim_end()
            .to_owned())
    }

    /// Where it is, for this process and for those that it starts.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Fills it: from now on a write fails as on a full disk (`ENOSPC`).
    ///
    /// # Panics
    /// When it fails in another way.
    pub fn fill(&self) {
        let mut file = File::create(self.ballast()).expect("a file on the disk");
        let error = loop {
            if let Err(error) = file.write_all(&[0; 512]) {
                break error;
            }
        };
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");
    }

    /// There is room again.
    ///
    /// # Panics
    /// When it was not [filled](Self::fill).
    pub fn free(&self) {
        fs::remove_file(self.ballast()).expect("a disk that is full");
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.keeper.kill());
        drop(self.keeper.wait());
    }
}
