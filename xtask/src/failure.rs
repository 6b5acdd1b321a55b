//! Why a step failed, in words that say what to do next.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use crate::counts::Counts;

/// One broken rule: who broke which law with what, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The rule in a few words, with its number where it is a law of `ARCHITECTURE.md`.
    pub(crate) law: &'static str,
    /// The crate or file at fault.
    pub(crate) subject: String,
    /// What it does.
    pub(crate) problem: String,
    /// What to do instead.
    pub(crate) instead: String,
}

impl Violation {
    pub(crate) fn new(
        law: &'static str,
        subject: impl Into<String>,
        problem: impl Into<String>,
        instead: impl Into<String>,
    ) -> Self {
        Self {
            law,
            subject: subject.into(),
            problem: problem.into(),
            instead: instead.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            law,
            subject,
            problem,
            instead,
        } = self;
        write!(f, "{subject}: {problem} [{law}]; instead: {instead}")
    }
}

/// How a child process ended when it did not succeed.
#[derive(Debug)]
pub(crate) enum Ending {
    /// It could not be started: most often the program is not installed.
    NotStarted(io::Error),
    /// It exited with a failure, or a signal ended it.
    Exit(ExitStatus),
    /// It was ended here because it ran longer than it may.
    TimedOut(Duration),
    /// It succeeded and ran no test: a check that checks nothing must not pass.
    NoTests,
    /// It succeeded, yet what it printed is not what was asked for.
    Unreadable(Box<dyn Error + Send + Sync>),
}

/// Why a step failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Rules are broken.
    Broken(Vec<Violation>),
    /// A command failed.
    Command {
        /// The command as a person types it.
        command: String,
        ending: Ending,
        /// What it wrote to stderr, where that was not shown already.
        said: String,
        /// The tests it ran before.
        counts: Counts,
    },
    /// Scenarios of a suite failed, each with what speaks against it.
    Scenarios {
        failures: Vec<String>,
        counts: Counts,
    },
    /// Something that must be there is not.
    Missing { what: String, remedy: String },
    /// A file of the workspace could not be read or written.
    File { path: PathBuf, source: io::Error },
    /// A file of the workspace is not what its name says.
    Malformed {
        path: PathBuf,
        source: Box<dyn Error + Send + Sync>,
    },
}

impl Failure {
    /// `Ok` when there is no violation.
    pub(crate) fn unless_empty(violations: Vec<Violation>) -> Result<(), Self> {
        if violations.is_empty() {
            Ok(())
        } else {
            Err(Self::Broken(violations))
        }
    }

    /// The command that shows this failure again, where it is a narrower one than the step itself.
    pub(crate) fn command(&self) -> Option<&str> {
        match self {
            Self::Command { command, .. } => Some(command),
            _ => None,
        }
    }

    /// The tests that ran before the failure.
    pub(crate) fn counts(&self) -> Counts {
        match self {
            Self::Command { counts, .. } | Self::Scenarios { counts, .. } => *counts,
            _ => Counts::default(),
        }
    }

    /// The failure and its chain of causes.
    pub(crate) fn report(&self) -> String {
        let mut text = format!("error: {self}");
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(&format!("\n  caused by: {error}"));
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(violations) => {
                write!(f, "{} broken rule(s)", violations.len())?;
                violations
                    .iter()
                    .try_for_each(|violation| write!(f, "\n  - {violation}"))
            }
            Self::Command {
                command,
                ending,
                said,
                ..
            } => {
                match ending {
                    Ending::NotStarted(_) => write!(f, "`{command}` could not be started")?,
                    Ending::Exit(status) => write!(f, "`{command}` failed ({status})")?,
                    Ending::TimedOut(limit) => {
                        write!(
                            f,
                            "`{command}` was ended after its limit of {} s",
                            limit.as_secs()
                        )?;
                    }
                    Ending::NoTests => write!(f, "`{command}` ran no test")?,
                    Ending::Unreadable(_) => write!(f, "`{command}` printed something unexpected")?,
                }
                said.lines().try_for_each(|line| write!(f, "\n  | {line}"))
            }
            Self::Scenarios { failures, .. } => {
                write!(f, "{} scenario(s) failed", failures.len())?;
                failures
                    .iter()
                    .try_for_each(|failure| write!(f, "\n  - {failure}"))
            }
            Self::Missing { what, remedy } => write!(f, "{what} is missing\n  {remedy}"),
            Self::File { path, .. } => write!(f, "cannot read or write {}", path.display()),
            Self::Malformed { path, .. } => write!(f, "cannot make sense of {}", path.display()),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::File { source, .. }
            | Self::Command {
                ending: Ending::NotStarted(source),
                ..
            } => Some(source),
            Self::Malformed { source, .. }
            | Self::Command {
                ending: Ending::Unreadable(source),
                ..
            } => Some(source.as_ref()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_names_law_culprit_deed_and_remedy() {
        let violation = Violation::new("law 1", "doorkey-store", "names reqwest", "take a client");
        let failure = Failure::Broken(vec![violation]);
        assert_eq!(
            failure.report(),
            "error: 1 broken rule(s)\n  - doorkey-store: names reqwest [law 1]; instead: take a client"
        );
    }

    #[test]
    fn a_failure_prints_its_cause_once() {
        let source = io::Error::other("disk on fire");
        let failure = Failure::File {
            path: "Cargo.lock".into(),
            source,
        };
        assert_eq!(
            failure.report(),
            "error: cannot read or write Cargo.lock\n  caused by: disk on fire"
        );
    }
}
