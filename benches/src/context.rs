//! What a run of the benches knows: how thorough it is, where the programs lie, where it may write.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::BoxError;

/// One run.
#[derive(Debug)]
pub struct Context {
    quick: bool,
    root: PathBuf,
    programs: PathBuf,
    search_path: OsString,
    scratch: TempDir,
}

impl Context {
    /// A run over the checkout at `root`, made by one of the programs that are measured, or one beside them. `PATH` is
    /// read here, for the programs that are started. What a run writes on the way goes with it.
    ///
    /// # Errors
    /// If there can be no temporary folder.
    #[expect(
        clippy::disallowed_methods,
        reason = "PATH is read once, here, and handed on"
    )]
    pub fn here(root: &Path, quick: bool) -> Result<Self, BoxError> {
        let program = std::env::current_exe()?;
        let programs = program.parent().ok_or("this program lies in no folder")?;
        Ok(Self {
            quick,
            root: root.to_owned(),
            programs: programs.to_owned(),
            search_path: std::env::var_os("PATH").unwrap_or_default(),
            scratch: tempfile::tempdir()?,
        })
    }

    /// Whether the run is for whoever changes the benches: few rounds, small sizes, no page.
    #[must_use]
    pub fn quick(&self) -> bool {
        self.quick
    }

    /// How many rounds to run where a whole run has `whole`.
    #[must_use]
    pub fn rounds(&self, whole: usize) -> usize {
        if self.quick {
            whole.min(QUICK_ROUNDS)
        } else {
            whole
        }
    }

    /// The root of the checkout.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A program of `src/bin`, by its name.
    ///
    /// # Errors
    /// If it is not there: `cargo xtask bench` builds all of them.
    pub fn program(&self, name: &str) -> Result<PathBuf, BoxError> {
        built(&self.programs, name)
    }

    /// The program that we measure, as it is released.
    ///
    /// # Errors
    /// As [`program`](Self::program).
    pub fn doorkey(&self) -> Result<PathBuf, BoxError> {
        built(&self.programs.with_file_name("release"), "doorkey")
    }

    /// The `PATH` of what is started.
    #[must_use]
    pub fn search_path(&self) -> &OsStr {
        &self.search_path
    }

    /// A program of the search path.
    #[must_use]
    pub fn found(&self, program: &str) -> Option<PathBuf> {
        let mut folders = std::env::split_paths(self.search_path());
        folders.find_map(|folder| Some(folder.join(program)).filter(|path| path.is_file()))
    }

    /// An empty folder, made anew if it was there.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn folder(&self, name: &str) -> Result<PathBuf, BoxError> {
        let folder = self.scratch.path().join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

fn built(folder: &Path, name: &str) -> Result<PathBuf, BoxError> {
    let path = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if path.is_file() {
        return Ok(path);
    }
    Err(format!("the program {name} is not built; `cargo xtask bench` does").into())
}

const QUICK_ROUNDS: usize = 3;
