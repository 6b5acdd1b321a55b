//! Where operating systems differ: owners, permissions, the identity of a file.

#[cfg(not(unix))]
pub(super) use self::other::*;
#[cfg(unix)]
pub(super) use self::unix::*;

#[cfg(unix)]
mod unix {
    use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
    use std::io;
    use std::os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    };
    use std::path::Path;
    use std::sync::OnceLock;

    use crate::{Error, UnsafeFile};

    /// The user that files made by this process belong to.
    ///
    /// Found by making one: std does not tell the effective user id, and on a network file system the server may map it.
    #[derive(Debug, Default)]
    pub(in super::super) struct Owner {
        id: OnceLock<u32>,
    }

    impl Owner {
        /// Refuses what belongs to another user.
        pub(in super::super) fn check(
            &self,
            path: &Path,
            examined: &Metadata,
            folder: &Path,
        ) -> Result<(), Error> {
            let (owner, expected) = (examined.uid(), self.expected(folder)?);
            if owner == expected {
                return Ok(());
            }
            let why = UnsafeFile::ForeignOwner { owner, expected };
            Err(Error::UnsafeFile {
                path: path.to_owned(),
                why,
            })
        }

        fn expected(&self, folder: &Path) -> Result<u32, Error> {
            if let Some(id) = self.id.get() {
                return Ok(*id);
            }
            // Where nothing can be written there is nobody to find out, but records may still be read: then all must be of one owner.
            match tempfile::tempfile_in(folder).and_then(|probe| probe.metadata()) {
                Ok(probe) => Ok(*self.id.get_or_init(|| probe.uid())),
                Err(_) => {
                    let error = super::super::folder::io_error("examine", folder);
                    Ok(fs::metadata(folder).map_err(error)?.uid())
                }
            }
        }
    }

    pub(in super::super) fn mode(examined: &Metadata) -> u32 {
        examined.mode() & 0o7777
    }

    pub(in super::super) fn is_open_to_others(examined: &Metadata) -> bool {
        examined.mode() & 0o077 != 0
    }

    pub(in super::super) fn close_to_others(file: &File, examined: &Metadata) -> io::Result<()> {
        file.set_permissions(Permissions::from_mode(mode(examined) & !0o077))
    }

    pub(in super::super) fn same_file(one: &Metadata, other: &Metadata) -> bool {
        (one.dev(), one.ino()) == (other.dev(), other.ino())
    }

    pub(in super::super) fn folder_builder() -> DirBuilder {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
    }

    pub(in super::super) fn owner_only() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.mode(0o600);
        options
    }

    /// Makes what happened to the names in a folder durable. Some network file systems do that by themselves, and refuse to be told.
    pub(in super::super) fn sync_folder(folder: &Path) -> io::Result<()> {
        match File::open(folder)?.sync_all() {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
                ) =>
            {
                Ok(())
            }
            result => result,
        }
    }
}

/// Windows and the rest. Unbuilt here: written with care, checked by nobody yet.
#[cfg(not(unix))]
mod other {
    use std::fs::{DirBuilder, File, Metadata, OpenOptions};
    use std::io;
    use std::path::Path;

    use crate::Error;

    /// Access follows from the folder: a user's profile keeps other users out.
    #[derive(Debug, Default)]
    pub(in super::super) struct Owner;

    impl Owner {
        pub(in super::super) fn check(
            &self,
            _path: &Path,
            _examined: &Metadata,
            _folder: &Path,
        ) -> Result<(), Error> {
            Ok(())
        }
    }

    pub(in super::super) fn mode(_examined: &Metadata) -> u32 {
        0
    }

    pub(in super::super) fn is_open_to_others(_examined: &Metadata) -> bool {
        false
    }

    pub(in super::super) fn close_to_others(_file: &File, _examined: &Metadata) -> io::Result<()> {
        Ok(())
    }

    /// The index of a file is not stable in std there: the time of its creation stands in for it.
    pub(in super::super) fn same_file(one: &Metadata, other: &Metadata) -> bool {
        one.file_type() == other.file_type() && one.created().ok() == other.created().ok()
    }

    pub(in super::super) fn folder_builder() -> DirBuilder {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        builder
    }

    pub(in super::super) fn owner_only() -> OpenOptions {
        OpenOptions::new()
    }

    /// A rename is durable there once the file is; a folder cannot be opened to be synced.
    pub(in super::super) fn sync_folder(_folder: &Path) -> io::Result<()> {
        Ok(())
    }
}
