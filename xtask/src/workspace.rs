//! The checkout that the steps look at.

use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand, Package};
use toml_edit::DocumentMut;

use crate::failure::Failure;
use crate::process::Call;

/// The root folder of the checkout, and what may be asked of it.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    left_out: Vec<&'static str>,
}

impl Workspace {
    /// The workspace around the current folder.
    pub(crate) fn find() -> Result<Self, Failure> {
        let here = std::env::current_dir().map_err(|source| Failure::File {
            path: PathBuf::from("."),
            source,
        })?;
        let is_root = |folder: &&Path| {
            std::fs::read_to_string(folder.join("Cargo.toml"))
                .is_ok_and(|text| text.lines().any(|line| line.trim() == "[workspace]"))
        };
        here.ancestors()
            .find(is_root)
            .map(Self::at)
            .ok_or_else(|| Failure::Missing {
                what: "a Cargo.toml with [workspace] in this folder or above it".to_owned(),
                remedy: "run `cargo xtask` inside the checkout".to_owned(),
            })
    }

    /// The workspace whose root folder is given.
    pub(crate) fn at(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            left_out: Vec::new(),
        }
    }

    /// The same workspace in a run that leaves these steps out.
    pub(crate) fn without(&self, steps: &[&'static str]) -> Self {
        Self {
            root: self.root.clone(),
            left_out: steps.to_vec(),
        }
    }

    /// Whether this run leaves the step out.
    pub(crate) fn leaves_out(&self, step: &str) -> bool {
        self.left_out.contains(&step)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A file or folder by its path from the root.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// A call of Cargo at the root.
    pub(crate) fn cargo(&self, args: &[&str]) -> Call {
        Call::new("cargo", &self.root).args(args)
    }

    /// The text of a file, by its path from the root.
    pub(crate) fn read(&self, relative: &str) -> Result<String, Failure> {
        let path = self.path(relative);
        std::fs::read_to_string(&path).map_err(|source| Failure::File { path, source })
    }

    /// A TOML file, by its path from the root.
    pub(crate) fn toml(&self, relative: &str) -> Result<DocumentMut, Failure> {
        self.read(relative)?
            .parse()
            .map_err(|source: toml_edit::TomlError| Failure::Malformed {
                path: self.path(relative),
                source: source.into(),
            })
    }

    /// The members and what they ask for, without resolving anything.
    pub(crate) fn members(&self) -> Result<Metadata, Failure> {
        self.metadata(&["--no-deps", "--offline"])
    }

    /// The members and everything that Cargo.lock holds for them, on every platform.
    pub(crate) fn resolved(&self) -> Result<Metadata, Failure> {
        self.metadata(&["--all-features", "--locked"])
    }

    fn metadata(&self, flags: &[&str]) -> Result<Metadata, Failure> {
        let call = self
            .cargo(&["metadata", "--format-version", "1"])
            .args(flags);
        MetadataCommand::parse(call.capture()?).map_err(|error| call.unreadable(error))
    }

    /// The files that are, or are about to be, under version control: paths from the root with `/` between.
    pub(crate) fn files(&self) -> Result<Vec<String>, Failure> {
        let flags = [
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ];
        let listed = Call::new("git", &self.root).args(flags).capture()?;
        let mut files: Vec<String> = listed
            .trim_end_matches('\n')
            .split('\0')
            .filter(|file| !file.is_empty() && self.path(file).is_file())
            .map(str::to_owned)
            .collect();
        files.sort();
        files.dedup();
        Ok(files)
    }
}

/// The members below a folder of the root: `crates` holds what is published, `tests` what tests it from outside.
pub(crate) fn members_under<'a>(folder: &str, members: &'a Metadata) -> Vec<&'a Package> {
    let folder = members.workspace_root.join(folder);
    let mut packages = members.workspace_packages();
    packages.retain(|package| package.manifest_path.starts_with(&folder));
    packages
}
