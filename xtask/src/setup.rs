//! `setup`: the tools that the steps need and Cargo does not bring.
//!
//! As root on a system with apt-get it installs what is missing; elsewhere it names it. It never asks, and does nothing
//! when everything is there.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::process::{Call, minutes};
use crate::step::Report;
use crate::workspace::Workspace;

/// A program that a step starts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tool {
    /// What is started with `--version` to see whether it is there.
    pub(crate) program: &'static str,
    /// Folders beside those of `$PATH` in which it may be; `*` is any one name.
    pub(crate) folders: &'static [&'static str],
    /// The Debian package that carries it.
    pub(crate) package: &'static str,
    /// The oldest major version that will do.
    pub(crate) at_least: u32,
    /// The steps that need it; for all the rest it may be missing.
    pub(crate) steps: &'static [&'static str],
}

/// Every tool beside the Rust toolchain and the C compiler that it links with: without those xtask itself would not run.
pub(crate) const TOOLS: &[Tool] = &[
    Tool {
        program: "git",
        folders: &[],
        package: "git",
        at_least: 2,
        steps: &["manifest"],
    },
    Tool {
        // libFuzzer is C++.
        program: "g++",
        folders: &[],
        package: "g++",
        at_least: 9,
        steps: &["fuzz"],
    },
    Tool {
        program: "valgrind",
        folders: &[],
        package: "valgrind",
        at_least: 3,
        steps: &["instructions"],
    },
    Tool {
        program: "node",
        folders: &[],
        package: "nodejs",
        at_least: 20,
        steps: &["interop", "conformance"],
    },
    Tool {
        program: "npm",
        folders: &[],
        package: "npm",
        at_least: 9,
        steps: &["interop", "conformance"],
    },
    Tool {
        program: "postgres",
        // Debian keeps every version apart, and none of them on the path.
        folders: &["/usr/lib/postgresql/*/bin"],
        package: "postgresql",
        at_least: 13,
        steps: &["services"],
    },
    Tool {
        program: "pgbouncer",
        folders: &["/usr/sbin"],
        package: "pgbouncer",
        at_least: 1,
        steps: &["services"],
    },
    Tool {
        program: "dbus-daemon",
        folders: &[],
        package: "dbus-daemon",
        at_least: 1,
        steps: &["services"],
    },
    Tool {
        // Beside `dbus-send`, which alone is wanted but tells nobody its version.
        program: "dbus-uuidgen",
        folders: &[],
        package: "dbus-bin",
        at_least: 1,
        steps: &["services"],
    },
    Tool {
        program: "gnome-keyring-daemon",
        folders: &[],
        package: "gnome-keyring",
        at_least: 40,
        steps: &["services"],
    },
    // What runs the program on a terminal, where there are such tests.
    #[cfg(target_os = "linux")]
    Tool {
        program: "script",
        folders: &[],
        package: "bsdutils",
        at_least: 2,
        steps: &["test"],
    },
    Tool {
        program: "chromium",
        folders: &[],
        package: "chromium",
        at_least: 120,
        steps: &["browser"],
    },
    Tool {
        // Of the same source as the browser, and of the same version.
        program: "chromedriver",
        folders: &[],
        package: "chromium-driver",
        at_least: 120,
        steps: &["browser"],
    },
];

/// Makes every tool available that this run needs.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    let wanted = |tool: &&Tool| tool.steps.iter().any(|step| !workspace.leaves_out(step));
    let tools: Vec<&Tool> = TOOLS.iter().filter(wanted).collect();
    let lacking = lacking(&tools, |tool| newest(tool, workspace.root()));
    if lacking.is_empty() {
        return Ok(Report::note("every tool is there, nothing was installed"));
    }
    if !may_install(workspace.root()) {
        return Err(missing(&lacking));
    }
    install(&lacking, workspace.root())?;
    require(&tools, workspace.root())?;
    let packages: Vec<_> = lacking.iter().map(|lack| lack.tool.package).collect();
    Ok(Report::note(format!("installed {}", packages.join(" "))))
}

/// Fails, and names the packages, unless every tool of one step is there.
pub(crate) fn require_for(step: &str, workspace: &Workspace) -> Result<(), Failure> {
    let tools: Vec<&Tool> = TOOLS
        .iter()
        .filter(|tool| tool.steps.contains(&step))
        .collect();
    require(&tools, workspace.root())
}

fn require(tools: &[&Tool], root: &Path) -> Result<(), Failure> {
    let lacking = lacking(tools, |tool| newest(tool, root));
    if lacking.is_empty() {
        Ok(())
    } else {
        Err(missing(&lacking))
    }
}

/// A tool that is not there, or too old.
#[derive(Debug, PartialEq, Eq)]
struct Lack<'a> {
    tool: &'a Tool,
    /// The version that is there.
    found: Option<u32>,
}

/// The tools that are not there or too old; `version` answers with the major version, `None` without the tool.
fn lacking<'a>(tools: &[&'a Tool], version: impl Fn(&Tool) -> Option<u32>) -> Vec<Lack<'a>> {
    tools
        .iter()
        .map(|tool| Lack {
            tool,
            found: version(tool),
        })
        .filter(|lack| lack.found.is_none_or(|found| found < lack.tool.at_least))
        .collect()
}

/// Says which step lacks what, what to type, and how to go on without.
fn missing(lacking: &[Lack<'_>]) -> Failure {
    let what = lacking.iter().map(|Lack { tool, found }| {
        let steps = tool.steps.join(", ");
        let found = found
            .map(|found| format!(" (there is {found})"))
            .unwrap_or_default();
        format!(
            "{} {} or newer{found} for {steps}",
            tool.program, tool.at_least
        )
    });
    let packages: Vec<_> = lacking.iter().map(|lack| lack.tool.package).collect();
    let without = lacking.iter().flat_map(|lack| lack.tool.steps).fold(
        Vec::new(),
        |mut steps: Vec<&str>, step| {
            if !steps.contains(step) {
                steps.push(step);
            }
            steps
        },
    );
    Failure::Missing {
        what: what.collect::<Vec<_>>().join("; "),
        remedy: format!(
            "install it: sudo apt-get install --yes {}\n  or go on without: cargo xtask ci --without {}",
            packages.join(" "),
            without.join(" --without ")
        ),
    }
}

/// The newest major version of a tool in any of its folders.
fn newest(tool: &Tool, root: &Path) -> Option<u32> {
    let beside = tool.folders.iter().flat_map(|pattern| folders(pattern));
    let files = beside.map(|folder| folder.join(tool.program));
    let programs = files.filter(|file| file.is_file());
    programs
        .chain([PathBuf::from(tool.program)])
        .filter_map(|program| version(&program, root))
        .max()
}

/// The folders that a pattern with at most one `*` stands for.
fn folders(pattern: &str) -> Vec<PathBuf> {
    let Some((above, below)) = pattern.split_once("/*/") else {
        return vec![PathBuf::from(pattern)];
    };
    let entries = std::fs::read_dir(above).into_iter().flatten().flatten();
    entries.map(|entry| entry.path().join(below)).collect()
}

/// The major version of a program; 0 when it runs and names none that can be read.
fn version(program: impl AsRef<OsStr>, root: &Path) -> Option<u32> {
    let said = Call::new(program, root)
        .args(["--version"])
        .limit(minutes(1))
        .capture()
        .ok()?;
    Some(major(&said).unwrap_or(0))
}

/// The first number of the first word that begins with one, a leading `v` or the program's name (`valgrind-3`) aside.
fn major(said: &str) -> Option<u32> {
    let number = |word: &str| {
        let end = word
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(word.len());
        word[..end].parse().ok()
    };
    said.split_whitespace().find_map(|word| {
        let behind = word.rsplit_once('-').map(|(_, behind)| behind);
        let word = word.strip_prefix('v').unwrap_or(word);
        number(word).or_else(|| number(behind?))
    })
}

fn may_install(root: &Path) -> bool {
    let root_user = Call::new("id", root)
        .args(["-u"])
        .capture()
        .is_ok_and(|id| id.trim() == "0");
    root_user && version("apt-get", root).is_some()
}

fn install(lacking: &[Lack<'_>], root: &Path) -> Result<(), Failure> {
    let apt = |args: &[&str]| {
        Call::new("apt-get", root)
            .env("DEBIAN_FRONTEND", "noninteractive")
            // In a runlevel in which no service starts: the packages of daemons would start theirs, and nobody asked for that.
            .env("RUNLEVEL", "1")
            .args(args)
            .limit(minutes(10))
    };
    let packages = lacking.iter().map(|lack| lack.tool.package);
    apt(&["update", "--quiet"]).show()?;
    apt(&["install", "--quiet", "--yes", "--no-install-recommends"])
        .args(packages)
        .show()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step;

    fn tool(program: &str) -> &'static Tool {
        TOOLS.iter().find(|tool| tool.program == program).unwrap()
    }

    #[test]
    fn tools_belong_to_steps_that_exist() {
        for tool in TOOLS {
            for name in tool.steps {
                assert!(step::ALL.iter().any(|step| step.name == *name), "{name}");
            }
        }
    }

    #[test]
    fn a_tool_that_is_absent_or_too_old_is_lacking() {
        let tools = [tool("node"), tool("npm"), tool("git")];
        let found = lacking(&tools, |tool| match tool.program {
            "node" => Some(18),
            "npm" => None,
            _ => Some(2),
        });
        let expected = [
            Lack {
                tool: tool("node"),
                found: Some(18),
            },
            Lack {
                tool: tool("npm"),
                found: None,
            },
        ];
        assert_eq!(found, expected);
        assert_eq!(lacking(&tools, |tool| Some(tool.at_least)), []);
    }

    #[test]
    fn what_is_lacking_is_named_with_step_package_and_the_way_on() {
        let failure = missing(&[
            Lack {
                tool: tool("node"),
                found: Some(18),
            },
            Lack {
                tool: tool("npm"),
                found: None,
            },
        ]);
        assert_eq!(
            failure.report(),
            "error: node 20 or newer (there is 18) for interop, conformance; npm 9 or newer for interop, conformance is missing\n  \
             install it: sudo apt-get install --yes nodejs npm\n  \
             or go on without: cargo xtask ci --without interop --without conformance"
        );
    }

    #[test]
    fn steps_that_are_left_out_need_no_tools() {
        let left_out = |steps: &[&'static str], program| {
            let workspace = Workspace::at(".").without(steps);
            !tool(program)
                .steps
                .iter()
                .any(|step| !workspace.leaves_out(step))
        };
        assert!(left_out(&["interop", "conformance"], "npm"));
        assert!(!left_out(&["interop"], "npm"));
        assert!(!left_out(&["interop", "conformance"], "git"));
    }

    #[test]
    fn a_tool_is_found_beside_the_path_and_its_newest_version_counts() {
        let temp = tempfile::tempdir().unwrap();
        let fake = |version: &str| {
            let folder = temp.path().join(version).join("bin");
            std::fs::create_dir_all(&folder).unwrap();
            let program = folder.join("doorkey-fake-tool");
            std::fs::write(&program, format!("#!/bin/sh\necho fake {version}.1\n")).unwrap();
            let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&program, executable).unwrap();
        };
        let pattern = format!("{}/*/bin", temp.path().display());
        let tool = Tool {
            program: "doorkey-fake-tool",
            folders: Box::leak(Box::new([&*pattern.leak()])),
            package: "fake",
            at_least: 15,
            steps: &["services"],
        };
        assert_eq!(newest(&tool, temp.path()), None);
        fake("9");
        fake("15");
        std::fs::create_dir_all(temp.path().join("16/bin")).unwrap();
        assert_eq!(newest(&tool, temp.path()), Some(15));
    }

    #[test]
    fn major_versions_are_read_from_what_tools_print() {
        let cases = [
            ("git version 2.39.5", Some(2)),
            ("v20.20.2", Some(20)),
            ("11.19.1", Some(11)),
            ("cc (Debian 12.2.0-14) 12.2.0", Some(12)),
            (
                "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)",
                Some(15),
            ),
            ("gnome-keyring-daemon: 42.1", Some(42)),
            (
                "Chromium 148.0.7778.167 built on Debian GNU/Linux 12 (bookworm)",
                Some(148),
            ),
            (
                "ChromeDriver 148.0.7778.167 (65db666ac2cf205fcc36db8bb5b9cd87f94808ac)",
                Some(148),
            ),
            ("valgrind-3.19.0", Some(3)),
            ("script from util-linux 2.38.1", Some(2)),
            ("no number", None),
        ];
        for (said, expected) in cases {
            assert_eq!(major(said), expected, "{said}");
        }
    }
}
