//! What the surroundings say, read once and passed around as a plain value.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use etcetera::BaseStrategy as _;

use crate::child::Withheld;

/// The process environment as a value: variables, folders, and which streams are terminals.
///
/// A program makes one in `main` and hands it to [`Host::open`](crate::Host::open); nothing in this
/// library reads the environment by itself. A variable set to nothing counts as not set. `Debug`
/// shows the names of the variables and never a value.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    folders: Option<Folders>,
    terminal: Terminal,
    withheld: Withheld,
}

/// Which of the standard streams are a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Terminal {
    /// Standard input comes from a person.
    pub stdin: bool,
    /// Standard output goes to a person, not into a pipe.
    pub stdout: bool,
    /// Messages go to a person.
    pub stderr: bool,
}

/// The platform's folders for this user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Folders {
    /// The user's home folder, for `~/` in the configuration.
    pub home: PathBuf,
    /// Where configuration lives (`~/.config`, `%APPDATA%`).
    pub config: PathBuf,
    /// Where state lives that nobody publishes with their dotfiles (`~/.local/state`,
    /// `%LOCALAPPDATA%`).
    pub state: PathBuf,
}

/// A variable whose value is not text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {name} is not valid UTF-8")]
pub struct NotText {
    /// The variable.
    pub name: String,
}

impl Environment {
    /// An environment of these variables, without folders and without a terminal.
    pub fn new<N, V>(variables: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (normal_name(&name.into()), value.into()))
            .collect();
        Self {
            variables,
            ..Self::default()
        }
    }

    /// The same with the platform's folders, see [`Folders::platform`].
    #[must_use]
    pub fn with_folders(mut self, folders: Option<Folders>) -> Self {
        self.folders = folders;
        self
    }

    /// The same with what is known of the standard streams.
    #[must_use]
    pub fn with_terminal(mut self, terminal: Terminal) -> Self {
        self.terminal = terminal;
        self
    }

    /// The same with one variable set.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables
            .insert(normal_name(OsStr::new(name)), value.into());
        self
    }

    /// The same, with variables that no program is handed which is started from here, such as those
    /// that a configuration names as the place of a secret: [`Host`](crate::Host) does it for them.
    #[must_use]
    pub fn withholding(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.withheld = self.withheld.and(names);
        self
    }

    pub(crate) fn withheld(&self) -> &Withheld {
        &self.withheld
    }

    /// The value of a variable, `None` when it is missing or empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(&normal_name(OsStr::new(name)))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// The value of a variable as text, `None` when it is missing or empty.
    ///
    /// # Errors
    /// The value is not valid UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<&str>, NotText> {
        self.variable(name)
            .map(|value| {
                value.to_str().ok_or_else(|| NotText {
                    name: name.to_owned(),
                })
            })
            .transpose()
    }

    /// The first of these variables that is set, with its name: for `HTTPS_PROXY`, `https_proxy`.
    ///
    /// # Errors
    /// The value is not valid UTF-8.
    pub fn first_text<'a>(
        &'a self,
        names: &[&'a str],
    ) -> Result<Option<(&'a str, &'a str)>, NotText> {
        for name in names {
            if let Some(value) = self.text(name)? {
                return Ok(Some((name, value)));
            }
        }
        Ok(None)
    }

    /// The platform's folders, when they are known.
    #[must_use]
    pub fn folders(&self) -> Option<&Folders> {
        self.folders.as_ref()
    }

    /// Which streams are a terminal.
    #[must_use]
    pub fn terminal(&self) -> Terminal {
        self.terminal
    }
}

impl Terminal {
    /// What is known of standard input, output and error.
    #[must_use]
    pub fn new(stdin: bool, stdout: bool, stderr: bool) -> Self {
        Self {
            stdin,
            stdout,
            stderr,
        }
    }
}

impl Folders {
    /// Folders at the given places.
    pub fn new(
        home: impl Into<PathBuf>,
        config: impl Into<PathBuf>,
        state: impl Into<PathBuf>,
    ) -> Self {
        Self {
            home: home.into(),
            config: config.into(),
            state: state.into(),
        }
    }

    /// The folders of the platform's command-line convention, `None` when the user has no home.
    ///
    /// This asks the operating system and reads `HOME` and `XDG_*` (on Windows the known folders):
    /// call it from `main`, where the environment is read.
    #[must_use]
    pub fn platform() -> Option<Self> {
        let strategy = etcetera::choose_base_strategy().ok()?;
        // Windows knows no state folder; its local, not roaming, application folder is the nearest.
        let state = strategy.state_dir().unwrap_or_else(|| strategy.cache_dir());
        Some(Self::new(strategy.home_dir(), strategy.config_dir(), state))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys().collect::<Vec<_>>())
            .field("folders", &self.folders)
            .field("terminal", &self.terminal)
            .field("withheld", &self.withheld)
            .finish()
    }
}

/// Variable names are letters in any case on Windows, and exact elsewhere.
fn normal_name(name: &OsStr) -> OsString {
    if cfg!(windows) {
        name.to_ascii_uppercase()
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let environment = Environment::new([("BROWSER", ""), ("NO_PROXY", "localhost")]);
        assert_eq!(environment.variable("BROWSER"), None);
        assert_eq!(environment.text("NO_PROXY"), Ok(Some("localhost")));
    }

    #[test]
    fn the_first_name_that_is_set_wins() {
        let environment = Environment::new([
            ("https_proxy", "http://low"),
            ("HTTPS_PROXY", "http://high"),
        ]);
        assert_eq!(
            environment.first_text(&["HTTPS_PROXY", "https_proxy"]),
            Ok(Some(("HTTPS_PROXY", "http://high")))
        );
    }

    #[test]
    fn debug_shows_names_and_no_values() {
        let environment = Environment::new([("MY_TOKEN", "s3cret-value")]);
        let text = format!("{environment:?}");
        assert!(
            text.contains("MY_TOKEN") && !text.contains("s3cret-value"),
            "{text}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_text_is_reported_by_name() {
        use std::os::unix::ffi::OsStringExt as _;
        let environment = Environment::new([(
            OsString::from("TOKEN"),
            OsString::from_vec(vec![0xff, 0xfe]),
        )]);
        assert_eq!(
            environment.text("TOKEN"),
            Err(NotText {
                name: "TOKEN".to_owned()
            })
        );
    }
}
