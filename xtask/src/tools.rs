//! Programs of other projects that a step runs, each of one pinned version.
//!
//! They live in the target directory, so that nothing is installed into the home of whoever runs this. Each is a debug
//! build: what it takes to build one with optimisation is many times what it then saves.

use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::process::{Call, minutes};
use crate::workspace::Workspace;

/// A program on crates.io.
#[derive(Debug)]
pub(crate) struct Pinned {
    /// The crate and the program in it.
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

impl Pinned {
    /// The path of the program, which is installed if this version is not there.
    pub(crate) fn installed(&self, workspace: &Workspace) -> Result<PathBuf, Failure> {
        let root = workspace.members()?.target_directory.join("tools");
        let program =
            root.join("bin")
                .join(format!("{}{}", self.name, std::env::consts::EXE_SUFFIX));
        if !self.is_named_in(&said_version(program.as_std_path(), workspace)) {
            workspace
                .cargo(&["install", "--debug", "--locked", "--force", self.name])
                .args(["--version", self.version, "--root", root.as_str()])
                .limit(minutes(30))
                .show()?;
        }
        Ok(program.into_std_path_buf())
    }

    /// Whether `--version` says this one.
    fn is_named_in(&self, said: &str) -> bool {
        said.trim() == format!("{} {}", self.name, self.version)
    }
}

fn said_version(program: &Path, workspace: &Workspace) -> String {
    let call = Call::new(program, workspace.root()).args(["--version"]);
    // Not there, or broken: it is installed anew.
    call.capture().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_version_will_do() {
        let tool = Pinned {
            name: "cargo-deny",
            version: "0.20.2",
        };
        assert!(tool.is_named_in("cargo-deny 0.20.2\n"));
        for said in [
            "",
            "cargo-deny 0.20.20",
            "cargo-deny 0.19.0",
            "0.20.2",
            "cargo-fuzz 0.20.2",
        ] {
            assert!(!tool.is_named_in(said), "{said}");
        }
    }
}
