//! Where the value of a header comes from: the configuration, a variable, a file or a program.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::ConfigError;
use super::section::Section;
use crate::Home;

/// Where the value of a header comes from. `Debug` shows that and never a value.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum HeaderSource {
    /// The configuration itself.
    Value(HeaderValue),
    /// An environment variable.
    Variable(String),
    /// A file, trimmed; read again when it changes.
    File(PathBuf),
    /// What a program prints, trimmed.
    Command(HeaderCommand),
}

/// A program that prints the value of a header. No shell reads its arguments; it has 20 seconds
/// and no input.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeaderCommand {
    /// The program: a path, or a name to be looked for.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// How long what it printed is used before it is run again.
    pub refresh: Duration,
}

/// Headers of one scope, each name once, in the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeaderSettings(Vec<(HeaderName, HeaderSource)>);

impl HeaderCommand {
    /// What this program prints, with these arguments, for five minutes.
    pub fn new(program: impl Into<PathBuf>, arguments: Vec<String>) -> Self {
        Self {
            program: program.into(),
            arguments,
            refresh: REFRESH,
        }
    }
}

impl HeaderSettings {
    /// Adds a header, in place of one of that name.
    pub fn insert(&mut self, name: HeaderName, source: HeaderSource) {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, source));
    }

    /// Where the value of a header comes from.
    #[must_use]
    pub fn get(&self, name: &HeaderName) -> Option<&HeaderSource> {
        let mut all = self.iter();
        all.find_map(|(known, source)| (known == name).then_some(source))
    }

    /// Every header.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderSource)> {
        self.0.iter().map(|(name, source)| (name, source))
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter().map(|(name, _)| name)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<HeaderMap> for HeaderSettings {
    /// Headers with known values; of several values for one name the last.
    fn from(headers: HeaderMap) -> Self {
        let mut settings = Self::default();
        for (name, value) in &headers {
            settings.insert(name.clone(), HeaderSource::Value(value.clone()));
        }
        settings
    }
}

impl HeaderSource {
    /// One of `env`, `file` and `command`, the last perhaps with `refresh_sec`.
    pub(super) fn read(section: &Section<'_>, home: &Home) -> Result<Self, ConfigError> {
        let variable = section
            .text(
                "env",
                "the name of an environment variable",
                "env = \"GATEWAY_KEY\"",
            )?
            .map(|name| ("env", Self::Variable(name.to_owned())));
        let file = section
            .text("file", "the path of a file", FILE_EXAMPLE)?
            .map(|path| ("file", Self::File(home.resolve(path))));
        let refresh = section.seconds("refresh_sec")?;
        let command =
            section
                .command("command", COMMAND_EXAMPLE, home)?
                .map(|(program, arguments)| {
                    let command = HeaderCommand {
                        refresh: refresh.unwrap_or(REFRESH),
                        ..HeaderCommand::new(program, arguments)
                    };
                    ("command", Self::Command(command))
                });
        if refresh.is_some() && command.is_none() {
            let expected = "command beside it";
            return Err(section.wrong("refresh_sec", expected, "it alone", COMMAND_EXAMPLE));
        }
        let mut sources = [variable, file, command].into_iter().flatten();
        let Some((key, source)) = sources.next() else {
            return Err(section.missing("env", ONE_OF, "{ env = \"GATEWAY_KEY\" }"));
        };
        if let Some((second, _)) = sources.next() {
            let example = format!("# only one of {key} and {second}");
            return Err(section.wrong(second, ONE_OF, "a second one", &example));
        }
        Ok(source)
    }
}

/// Where it is, of a program its name alone: an argument may hold a secret.
impl fmt::Display for HeaderSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("the configuration"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Command(command) => write!(
                f,
                "command {} every {} s",
                command.program.display(),
                command.refresh.as_secs_f64()
            ),
        }
    }
}

impl fmt::Debug for HeaderSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value([redacted])"),
            Self::Variable(name) => f.debug_tuple("Variable").field(name).finish(),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Command(command) => f.debug_tuple("Command").field(command).finish(),
        }
    }
}

impl fmt::Debug for HeaderCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeaderCommand")
            .field("program", &self.program)
            .field("arguments", &self.arguments.len())
            .field("refresh", &self.refresh)
            .finish()
    }
}

/// How long what a program printed is used where nothing else is said.
const REFRESH: Duration = Duration::from_secs(300);

const ONE_OF: &str = "one of env, file and command";
const FILE_EXAMPLE: &str = "file = \"gateway-key\"";
const COMMAND_EXAMPLE: &str = "command = [\"gateway\", \"print-token\"]";
