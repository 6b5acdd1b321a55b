//! An owner-only folder, and files in it that are opened only if they are what they seem.

use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::platform;
use super::records::remove_if_there;
use crate::problem::Problems;
use crate::{Error, Problem, ProblemKind, UnsafeFile};

/// A folder that only its owner can enter.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    owner: platform::Owner,
}

impl Folder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            owner: platform::Owner::default(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the folder exists; if it does, it is safe, after a repair perhaps.
    pub(crate) fn exists(&self, problems: &Problems) -> Result<bool, Error> {
        let path = &self.path;
        let Some(named) = metadata(path)? else {
            return Ok(false);
        };
        if named.is_symlink() {
            return Err(unsafe_file(path, UnsafeFile::SymbolicLink));
        }
        if !named.is_dir() {
            return Err(unsafe_file(path, UnsafeFile::WrongKind));
        }
        self.owner.check(path, &named, path)?;
        if platform::is_open_to_others(&named) {
            let opened = File::open(path).map_err(io_error("open", path))?;
            let examined = opened.metadata().map_err(io_error("examine", path))?;
            if !same_file(&named, &examined) {
                return Err(unsafe_file(path, UnsafeFile::Replaced));
            }
            repair(path, &opened, &examined, problems)?;
        }
        Ok(true)
    }

    /// Makes the folder and its missing parents, for the owner only, durably.
    pub(crate) fn make(&self, problems: &Problems) -> Result<(), Error> {
        if self.exists(problems)? {
            return Ok(());
        }
        let missing: Vec<&Path> = self
            .path
            .ancestors()
            .take_while(|path| !path.exists())
            .collect();
        platform::folder_builder()
            .create(&self.path)
            .map_err(io_error("create", &self.path))?;
        for parent in missing.into_iter().filter_map(Path::parent) {
            match platform::sync_folder(parent) {
                // A parent that others own may let us make folders in it, yet not open it.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                result => result.map_err(io_error("sync", parent))?,
            }
        }
        if self.exists(problems)? {
            return Ok(());
        }
        Err(io_error("create", &self.path)(
            io::ErrorKind::NotFound.into(),
        ))
    }

    /// Makes what happened to the names in the folder durable.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        platform::sync_folder(&self.path).map_err(io_error("sync", &self.path))
    }

    /// Writes a file of the folder wholly or not at all, and returns when it is durable. The caller keeps others from
    /// writing the same one; `being_written` is the name it has until it takes its place.
    pub(crate) fn replace(
        &self,
        name: &str,
        being_written: &str,
        content: &[u8],
    ) -> Result<(), Error> {
        let path = self.path.join(name);
        // The lock is the caller's: one that is there was left by a process that was killed.
        remove_if_there(&self.path.join(being_written))?;
        // Made anew with 0600 and never through a link; deleted again if anything fails before it takes its place.
        let mut file = tempfile::Builder::new()
            .prefix(being_written)
            .rand_bytes(0)
            .tempfile_in(&self.path)
            .map_err(io_error("create", &self.path.join(being_written)))?;
        file.write_all(content)
            .map_err(io_error("write", file.path()))?;
        file.as_file()
            .sync_all()
            .map_err(io_error("sync", file.path()))?;
        file.persist(&path)
            .map_err(|error| io_error("replace", &path)(error.error))?;
        self.sync()
    }

    /// Opens a plain file of ours to read, after a repair perhaps; `None` if there is none.
    pub(crate) fn open(&self, path: &Path, problems: &Problems) -> Result<Option<File>, Error> {
        let Some((file, opened)) = self.open_checked(path, |path| File::open(path))? else {
            return Ok(None);
        };
        if platform::is_open_to_others(&opened) {
            repair(path, &file, &opened, problems)?;
        }
        Ok(Some(file))
    }

    /// Opens a plain, empty file of ours to lock, and makes it if need be.
    pub(crate) fn open_or_create(&self, path: &Path) -> Result<File, Error> {
        for _ in 0..REPLACED_ATTEMPTS {
            match platform::owner_only()
                .write(true)
                .create_new(true)
                .open(path)
            {
                Ok(file) => return Ok(file),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io_error("create", path)(error)),
            }
            let open = |path: &Path| fs::OpenOptions::new().read(true).write(true).open(path);
            if let Some((file, _)) = self.open_checked(path, open)? {
                return Ok(file);
            }
        }
        Err(unsafe_file(path, UnsafeFile::Replaced))
    }

    /// Opens what was examined and nothing else. Without `O_NOFOLLOW`, which std does not have, that takes a second look.
    fn open_checked(
        &self,
        path: &Path,
        open: impl Fn(&Path) -> io::Result<File>,
    ) -> Result<Option<(File, Metadata)>, Error> {
        for _ in 0..REPLACED_ATTEMPTS {
            let Some(named) = metadata(path)? else {
                return Ok(None);
            };
            if named.is_symlink() {
                return Err(unsafe_file(path, UnsafeFile::SymbolicLink));
            }
            if !named.is_file() {
                return Err(unsafe_file(path, UnsafeFile::WrongKind));
            }
            self.owner.check(path, &named, &self.path)?;
            let file = match open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(io_error("open", path)(error)),
            };
            let opened = file.metadata().map_err(io_error("examine", path))?;
            // A save by somebody else replaces the file at any moment: that is innocent, so look again.
            if same_file(&named, &opened) {
                return Ok(Some((file, opened)));
            }
        }
        Err(unsafe_file(path, UnsafeFile::Replaced))
    }
}

/// Takes all permissions of other users away, and reports that they were there.
fn repair(path: &Path, file: &File, opened: &Metadata, problems: &Problems) -> Result<(), Error> {
    let mode = platform::mode(opened);
    if let Err(error) = platform::close_to_others(file, opened) {
        tracing::warn!(path = %path.display(), %error, "permissions could not be repaired");
        return Err(unsafe_file(path, UnsafeFile::OpenToOthers { mode }));
    }
    let kind = ProblemKind::PermissionsRepaired { mode };
    problems.report(Problem::new(path.display().to_string(), None, kind));
    Ok(())
}

/// What a path names, symbolic links not followed; `None` if nothing.
pub(crate) fn metadata(path: &Path) -> Result<Option<Metadata>, Error> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error("examine", path)(error)),
    }
}

pub(crate) fn same_file(named: &Metadata, opened: &Metadata) -> bool {
    platform::same_file(named, opened)
}

/// Turns an error of the operating system into ours.
pub(crate) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io {
        action,
        path,
        source,
    }
}

fn unsafe_file(path: &Path, why: UnsafeFile) -> Error {
    Error::UnsafeFile {
        path: path.to_owned(),
        why,
    }
}

/// How often a file is opened again that was replaced in that moment: a save takes longer than an attempt.
const REPLACED_ATTEMPTS: usize = 64;
