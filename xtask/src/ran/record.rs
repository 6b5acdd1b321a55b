//! The record of one step, a file below the target folder: when it began, and how each test ended.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::STEPS;
use crate::failure::Failure;
use crate::workspace::Workspace;

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Ignored,
    Failed,
}

/// The tests of one run of one step.
#[derive(Debug)]
pub(crate) struct Record {
    file: PathBuf,
    began: SystemTime,
    verdicts: BTreeMap<String, Verdict>,
}

impl Record {
    /// An empty record of a run that begins now. That of the last run is gone from here on: should this one fail, there
    /// is none.
    pub(crate) fn begin(step: &str, workspace: &Workspace) -> Result<Self, Failure> {
        let file = file_of(step, workspace)?;
        if file.exists() {
            fs::remove_file(&file).map_err(failed(&file))?;
        }
        Ok(Self {
            file,
            began: SystemTime::now(),
            verdicts: BTreeMap::new(),
        })
    }

    /// With more verdicts. A name that more than one binary has must have passed in each.
    pub(crate) fn with(mut self, verdicts: impl IntoIterator<Item = (String, Verdict)>) -> Self {
        for (name, verdict) in verdicts {
            let kept = self.verdicts.entry(name).or_insert(verdict);
            if verdict != Verdict::Passed {
                *kept = verdict;
            }
        }
        self
    }

    pub(crate) fn verdict(&self, name: &str) -> Option<Verdict> {
        self.verdicts.get(name).copied()
    }

    /// A test of that name wherever it stands.
    pub(crate) fn named(&self, function: &str) -> Option<&str> {
        let mut names = self.verdicts.keys().map(String::as_str);
        names.find(|name| name.rsplit("::").next() == Some(function))
    }

    /// How many tests it holds.
    pub(crate) fn len(&self) -> usize {
        self.verdicts.len()
    }

    /// Writes it where [`Record::read`] finds it.
    pub(crate) fn write(&self) -> Result<(), Failure> {
        let began = self.began.duration_since(SystemTime::UNIX_EPOCH);
        let mut text = format!("{}\n", began.unwrap_or_default().as_millis());
        for (name, verdict) in &self.verdicts {
            text.push_str(&format!("{} {name}\n", verdict.word()));
        }
        let folder = self.file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&self.file, text))
            .map_err(failed(&self.file))
    }

    /// The record of the last run of a step, which must be younger than what the step looks at.
    pub(crate) fn read(step: &str, workspace: &Workspace) -> Result<Self, Failure> {
        let file = file_of(step, workspace)?;
        let Ok(text) = fs::read_to_string(&file) else {
            return Err(missing(step, "there is none"));
        };
        let record = parse(file.clone(), &text).ok_or_else(|| Failure::Malformed {
            path: file,
            source: "it is no record of tests".into(),
        })?;
        match changed_since(record.began, step, workspace)? {
            Some(changed) => Err(missing(step, &format!("{changed} changed since"))),
            None => Ok(record),
        }
    }
}

impl Verdict {
    const ALL: [Self; 3] = [Self::Passed, Self::Ignored, Self::Failed];

    fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Ignored => "ignored",
            Self::Failed => "failed",
        }
    }
}

fn parse(file: PathBuf, text: &str) -> Option<Record> {
    let (began, lines) = text.split_once('\n')?;
    let began = SystemTime::UNIX_EPOCH + Duration::from_millis(began.parse().ok()?);
    let verdict = |line: &str| {
        let (word, name) = line.split_once(' ')?;
        let verdict = Verdict::ALL.into_iter().find(|one| one.word() == word)?;
        Some((name.to_owned(), verdict))
    };
    let verdicts = lines.lines().map(verdict).collect::<Option<_>>()?;
    Some(Record {
        file,
        began,
        verdicts,
    })
}

/// A file that the step looks at and that is younger.
fn changed_since(
    began: SystemTime,
    step: &str,
    workspace: &Workspace,
) -> Result<Option<String>, Failure> {
    let sources = STEPS
        .iter()
        .find(|one| one.name == step)
        .map_or([].as_slice(), |one| one.sources);
    let looked_at = |file: &&String| {
        WHOLE_WORKSPACE.contains(&file.as_str())
            || sources.iter().any(|source| file.starts_with(source))
    };
    for file in workspace.files()?.iter().filter(looked_at) {
        let path = workspace.path(file);
        let changed = fs::metadata(&path).and_then(|found| found.modified());
        if changed.map_err(failed(&path))? > began {
            return Ok(Some(file.clone()));
        }
    }
    Ok(None)
}

fn file_of(step: &str, workspace: &Workspace) -> Result<PathBuf, Failure> {
    let target = workspace.members()?.target_directory;
    Ok(target.join("xtask").join(format!("ran-{step}.txt")).into())
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> Failure {
    let path = path.to_owned();
    move |source| Failure::File {
        path: path.clone(),
        source,
    }
}

fn missing(step: &str, why: &str) -> Failure {
    Failure::Missing {
        what: format!("a fresh record of the tests of `{step}` ({why})"),
        remedy: format!("run `cargo xtask {step}` first"),
    }
}

/// What every step looks at.
const WHOLE_WORKSPACE: &[&str] = &["Cargo.toml", "Cargo.lock", ".cargo/config.toml"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    fn fixture() -> Fixture {
        let fixture = Fixture::small();
        fixture.write(".gitignore", "/target\n");
        fixture.in_git();
        fixture
    }

    fn written(step: &'static str, workspace: &Workspace) {
        let record = Record::begin(step, workspace).unwrap();
        let verdicts = [
            ("http::a", Verdict::Passed),
            ("http::b", Verdict::Ignored),
            ("http::c", Verdict::Passed),
            ("http::c", Verdict::Failed),
            ("http::c", Verdict::Passed),
        ];
        let verdicts = verdicts.map(|(name, verdict)| (name.to_owned(), verdict));
        record.with(verdicts).write().unwrap();
    }

    fn problem(step: &str, workspace: &Workspace) -> String {
        Record::read(step, workspace).unwrap_err().report()
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let fixture = fixture();
        let workspace = fixture.workspace();
        written("test", &workspace);
        let record = Record::read("test", &workspace).unwrap();
        assert_eq!(record.verdict("http::a"), Some(Verdict::Passed));
        assert_eq!(record.verdict("http::b"), Some(Verdict::Ignored));
        assert_eq!(record.verdict("http::c"), Some(Verdict::Failed));
        assert_eq!((record.verdict("http::d"), record.len()), (None, 3));
        assert_eq!(
            (record.named("b"), record.named("ttp")),
            (Some("http::b"), None)
        );
    }

    #[test]
    fn a_record_that_is_absent_or_older_than_a_source_names_the_step_to_run() {
        let fixture = fixture();
        let workspace = fixture.workspace();
        let absent = problem("integration", &workspace);
        assert!(
            absent.contains("run `cargo xtask integration` first"),
            "{absent}"
        );

        written("test", &workspace);
        written("integration", &workspace);
        // What only the other step looks at is no business of this one.
        fixture.write_later("tests/integration/src/lib.rs", "//! Another.\n");
        assert!(Record::read("test", &workspace).is_ok());
        let stale = problem("integration", &workspace);
        assert!(
            stale.contains("tests/integration/src/lib.rs changed since"),
            "{stale}"
        );
        fixture.write_later("Cargo.lock", "version = 4\n");
        assert!(problem("test", &workspace).contains("Cargo.lock changed since"));
    }

    #[test]
    fn a_file_that_is_no_record_is_not_taken_for_one() {
        let fixture = fixture();
        let workspace = fixture.workspace();
        for text in [
            "",
            "now\npassed http::a\n",
            "1\nperhaps http::a\n",
            "1\npassed\n",
        ] {
            fixture.write("target/xtask/ran-test.txt", text);
            let problem = problem("test", &workspace);
            assert!(problem.contains("ran-test.txt"), "{text:?}: {problem}");
        }
    }
}
