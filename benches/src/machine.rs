//! Where a run was made, in facts that tell machines apart and name none.

use std::path::Path;
use std::process::Command;

use crate::format;

/// The facts, as rows for the page: what, and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Rows in their order.
    pub facts: Vec<(&'static str, String)>,
}

impl Machine {
    /// The machine that this runs on, and the checkout at `root`. A fact that cannot be had is "unknown".
    #[must_use]
    pub fn here(root: &Path) -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let cores = std::thread::available_parallelism().map(|cores| cores.to_string());
        let facts = vec![
            ("cores", cores.ok()),
            ("processor", field(&read("/proc/cpuinfo"), "model name")),
            (
                "memory",
                field(&read("/proc/meminfo"), "MemTotal").and_then(|total| memory(&total)),
            ),
            ("kernel", kernel(&read("/proc/sys/kernel/osrelease"))),
            ("compiler", said("rustc", &["--version"], root)),
            ("commit", commit(root)),
        ];
        let facts = facts
            .into_iter()
            .map(|(name, value)| (name, value.unwrap_or_else(|| "unknown".to_owned())));
        Self {
            facts: facts.collect(),
        }
    }
}

/// The first line `name : value` of a file under /proc.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

/// `16384000 kB` as a size.
fn memory(total: &str) -> Option<String> {
    let kibibytes: f64 = total.strip_suffix("kB")?.trim().parse().ok()?;
    Some(format::bytes(kibibytes * 1024.0))
}

/// The version alone: what follows it can name who built it.
fn kernel(release: &str) -> Option<String> {
    let version = release.trim().split(['-', '+']).next()?;
    let numbers = version
        .chars()
        .all(|letter| letter.is_ascii_digit() || letter == '.');
    (numbers && !version.is_empty()).then(|| format!("{} {version}", std::env::consts::OS))
}

fn commit(root: &Path) -> Option<String> {
    let commit = said("git", &["rev-parse", "--short=12", "HEAD"], root)?;
    // What a run writes is no change to what it measured.
    let changed = said(
        "git",
        &[
            "status",
            "--porcelain",
            "--untracked-files=no",
            "--",
            ".",
            ":!docs/performance*",
        ],
        root,
    );
    Some(if changed.is_some() {
        format!("{commit}, with changes")
    } else {
        commit
    })
}

/// The first line that a program prints, if it prints one and succeeds.
fn said(program: &str, args: &[&str], folder: &Path) -> Option<String> {
    let output = Command::new(program)
        .args(args)
        .current_dir(folder)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.trim();
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_from_the_files_of_the_kernel() {
        assert_eq!(
            field("processor : 0\nmodel name\t: Some CPU\n", "model name").as_deref(),
            Some("Some CPU")
        );
        assert_eq!(memory("16777216 kB").as_deref(), Some("16,384 MiB"));
        assert_eq!(memory("many"), None);
    }

    #[test]
    fn of_the_kernel_the_version_alone_is_told() {
        let os = std::env::consts::OS;
        assert_eq!(kernel("6.1.0-13-vendor\n"), Some(format!("{os} 6.1.0")));
        assert_eq!(kernel("6.8.12+\n"), Some(format!("{os} 6.8.12")));
        assert_eq!(kernel("custom\n"), None);
    }
}
