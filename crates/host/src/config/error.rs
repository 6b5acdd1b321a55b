//! What can be wrong with a configuration file, said with line, key and what to type.

use std::fmt;
use std::io;
use std::path::PathBuf;

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
    #[error("no server named {name:?} in {}{}", path.display(), Known(known))]
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

struct Known<'a>(&'a [String]);

impl fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str(", which names none"),
            names => write!(f, "; there is {}", names.join(", ")),
        }
    }
}
