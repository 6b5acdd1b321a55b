//! What can be wrong with a configuration file, said with line, key and what to type.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::section::is_similar;

/// Trouble with `config.toml`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file is there and cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file cannot be written; what was there before is untouched.
    #[error("cannot write the configuration {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process kept the file locked for an edit.
    #[error("another process is editing the configuration {}; it held on for {waited_seconds} s", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
        /// How long this one waited.
        waited_seconds: u64,
    },
    /// The file is not TOML. The message never quotes the file, which may hold a secret.
    #[error("{}:{line}:{column}: not valid TOML: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// What the parser expected.
        message: String,
    },
    /// A key holds something else than it should.
    #[error(transparent)]
    Value(Box<WrongValue>),
    /// There is no such server in the configuration.
    #[error("no server named {name:?} in {}{}", path.display(), Known(known, name))]
    UnknownServer {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A server of that name is there already.
    #[error("a server named {name:?} is in {} already", path.display())]
    ServerExists {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// The entry of that name starts a program instead of naming a URL.
    #[error("{name:?} in {} starts a local program; there is nothing to sign in to", path.display())]
    NotRemote {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A name that is not one.
    #[error("{name:?} is not a server name: use 1 to 64 letters, digits, `-` and `_`")]
    ServerName {
        /// What was given.
        name: String,
    },
}

impl ConfigError {
    /// The server that was likely meant, where the one that was asked for is not there.
    #[must_use]
    pub fn meant(&self) -> Option<&str> {
        match self {
            Self::UnknownServer { name, known, .. } => nearest(known, name),
            _ => None,
        }
    }

    /// Whether the file is sound, and it is the server that was asked for that does not suit.
    pub(crate) fn is_about_a_name(&self) -> bool {
        matches!(
            self,
            Self::UnknownServer { .. }
                | Self::ServerExists { .. }
                | Self::NotRemote { .. }
                | Self::ServerName { .. }
        )
    }

    /// What to type into the file, where one line would mend it.
    #[must_use]
    pub fn example(&self) -> Option<&str> {
        match self {
            Self::Value(wrong) => Some(&wrong.example),
            _ => None,
        }
    }
}

/// A value that does not fit its key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("{}:{line}: {key}: expected {expected}, found {found}", path.display())]
pub struct WrongValue {
    /// The file.
    pub path: PathBuf,
    /// Counted from 1.
    pub line: usize,
    /// The full dotted key.
    pub key: String,
    /// What belongs there.
    pub expected: String,
    /// What is there, without repeating what may be secret.
    pub found: String,
    /// A line that would do.
    pub example: String,
}

/// A key that does nothing, or more than it should.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigWarning {
    /// The file.
    pub path: PathBuf,
    /// Counted from 1.
    pub line: usize,
    /// The full dotted key.
    pub key: String,
    /// Why.
    pub problem: KeyProblem,
}

/// Why a key does nothing, or too much.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyProblem {
    /// This program does not know it: another tool's key, or a slip of the keyboard.
    Unknown {
        /// A known key that looks like it.
        similar: Option<&'static str>,
    },
    /// It is known, and another setting takes its effect away.
    WithoutEffect {
        /// Which.
        because: String,
    },
    /// Everyone gets this header, and by its name and place its value may be a secret.
    SeenByAll,
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, line, key) = (self.path.display(), self.line, &self.key);
        match &self.problem {
            KeyProblem::Unknown { similar } => {
                write!(f, "{path}:{line}: unknown key {key}")?;
                match similar {
                    Some(similar) => write!(f, ", did you mean `{similar}`?"),
                    None => Ok(()),
                }
            }
            KeyProblem::WithoutEffect { because } => {
                write!(f, "{path}:{line}: {key} has no effect: {because}")
            }
            KeyProblem::SeenByAll => write!(
                f,
                "{path}:{line}: {key} is seen by every authorization server that an MCP server names; \
                 if it is a secret, it belongs in http_headers of [mcp_servers.<name>], or in \
                 [network.origin_headers.\"https://gateway.example\"]"
            ),
        }
    }
}

/// The names there are, and first the one that is likely meant.
struct Known<'a>(&'a [String], &'a str);

impl fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(known, name) = self;
        if known.is_empty() {
            return f.write_str(", which names none");
        }
        if let Some(similar) = nearest(known, name) {
            return write!(f, "; did you mean {similar:?}?");
        }
        let shown = known.iter().take(MOST_NAMES).map(String::as_str);
        write!(f, "; there is {}", shown.collect::<Vec<_>>().join(", "))?;
        match known.len().saturating_sub(MOST_NAMES) {
            0 => Ok(()),
            more => write!(f, " and {more} more (doorkey list)"),
        }
    }
}

/// The one of `known` that was likely meant by `name`.
fn nearest<'a>(known: &'a [String], name: &str) -> Option<&'a str> {
    let similar = known.iter().find(|known| is_similar(known, name));
    let begun = || {
        let mut longer = known
            .iter()
            .filter(|known| !name.is_empty() && known.starts_with(name));
        // One of several would be a guess.
        longer.next().filter(|_| longer.next().is_none())
    };
    similar.or_else(begun).map(String::as_str)
}

const MOST_NAMES: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_unknown_is_answered_with_the_one_that_is_meant_or_the_first_there_are() {
        let known = |names: &[&str]| names.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
        let names = known(&["work", "github", "linear-eu"]);
        for (typed, told) in [
            ("wrk", "; did you mean \"work\"?"),
            ("Work", "; did you mean \"work\"?"),
            ("linear", "; did you mean \"linear-eu\"?"),
            ("sentry", "; there is work, github, linear-eu"),
            ("", "; there is work, github, linear-eu"),
        ] {
            assert_eq!(Known(&names, typed).to_string(), told);
        }
        assert_eq!(Known(&[], "work").to_string(), ", which names none");
        let many: Vec<_> = (0..40).map(|n| format!("server{n}")).collect();
        let told = Known(&many, "other").to_string();
        assert!(
            told.ends_with("server11 and 28 more (doorkey list)"),
            "{told}"
        );
        assert!(Known(&many, "serv").to_string().starts_with("; there is"));
    }
}
