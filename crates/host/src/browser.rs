//! Opens a URL in the browser of the person, without a shell (AZ-18 to AZ-20).

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use doorkey_http::{RedactedUrl, for_opener};
use tokio::process::{Child, Command};
use url::Url;

use crate::child::{Withheld, child_environment};
use crate::environment::Environment;

/// How a URL is opened.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Browser {
    /// Not at all: the URL is shown and the person opens it.
    #[default]
    Manual,
    /// The first of these commands that works, as in `$BROWSER`.
    Commands(Vec<BrowserCommand>),
    /// Whatever the platform opens a web page with.
    Platform(PlatformBrowser),
}

/// One alternative of `$BROWSER`: a program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrowserCommand {
    program: String,
    arguments: Vec<String>,
    withheld: Withheld,
}

/// A blocking function that opens a URL.
#[derive(Clone)]
pub struct PlatformBrowser(Arc<Opener>);

type Opener = dyn Fn(&str) -> io::Result<()> + Send + Sync;

/// Why a page is neither opened nor shown to be opened (AZ-19). Servers name these pages; what is wrong with one
/// is for its server to mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PageRefused {
    /// Neither https nor http on loopback, or with a user or password in it.
    #[error(transparent)]
    Endpoint(#[from] doorkey_http::EndpointError),
    /// It has a fragment, which RFC 6749 section 3.1 forbids and which page scripts obey.
    #[error("{url} has a fragment")]
    Fragment {
        /// The page.
        url: RedactedUrl,
    },
    /// No browser or terminal is burdened with it.
    #[error("{url} is {bytes} bytes long, more than {PAGE_BYTES}")]
    TooLong {
        /// The page.
        url: RedactedUrl,
        /// Its length in bytes.
        bytes: usize,
    },
}

/// Whether a page that a server named may be opened in a person's browser, or shown to them to be opened: an
/// allow list (AZ-19), past which `javascript:`, `data:`, `file:` and every other scheme never come.
///
/// # Errors
/// [`PageRefused`] with the rule that was broken.
pub fn check_page(url: &Url) -> Result<(), PageRefused> {
    doorkey_http::check_endpoint(url)?;
    let bytes = url.as_str().len();
    if url.fragment().is_some() {
        Err(PageRefused::Fragment { url: url.into() })
    } else if bytes > PAGE_BYTES {
        Err(PageRefused::TooLong {
            url: url.into(),
            bytes,
        })
    } else {
        Ok(())
    }
}

/// A URL could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrowserError {
    /// The URL is one that no server may have opened on a person's machine.
    #[error("refused to open a page that a server named")]
    Refused(#[from] PageRefused),
    /// The command could not be started.
    #[error("cannot start the browser {program:?}")]
    Start {
        /// The program, as configured.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The command ended at once with a failure.
    #[error("the browser {program:?} ended with {status}")]
    Failed {
        /// The program, as configured.
        program: String,
        /// Its status.
        status: std::process::ExitStatus,
    },
    /// The platform has no browser, or would not start it.
    #[error("the platform did not open a browser")]
    Platform(#[source] io::Error),
}

impl Browser {
    /// The commands of `$BROWSER`: alternatives between `:` (`;` on Windows), words between blanks,
    /// blanks and all between quotes, `%s` for the URL, `%c` for a colon, `%%` for a per cent sign.
    /// Without `%s` the URL is the last argument. An alternative that is the path of a file is that
    /// file, blanks and all.
    #[must_use]
    pub fn from_variable(value: &OsStr) -> Self {
        let value = value.to_string_lossy();
        let separator = if cfg!(windows) { ';' } else { ':' };
        Self::Commands(
            value
                .split(separator)
                .filter_map(BrowserCommand::parse)
                .collect(),
        )
    }

    /// The platform's own browser: on Windows and macOS by a call of the system, elsewhere by the
    /// programs that desktops have for it.
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn platform() -> Self {
        #[cfg(any(windows, target_os = "macos"))]
        return Self::Platform(PlatformBrowser::new(webbrowser::open));
        #[cfg(not(any(windows, target_os = "macos")))]
        Self::Commands(
            OPENERS
                .iter()
                .filter_map(|opener| BrowserCommand::parse(opener))
                .collect(),
        )
    }

    /// The same, where commands are started without the variables that `environment` withholds from
    /// the programs that are started.
    #[must_use]
    pub fn withholding(mut self, environment: &Environment) -> Self {
        if let Self::Commands(commands) = &mut self {
            for command in commands {
                command.withheld = environment.withheld().clone();
            }
        }
        self
    }

    /// Opens the URL, and returns without waiting for the person. `true`: something was started;
    /// `false`: there is nothing to start, the URL has to be opened by hand.
    ///
    /// A command that fails within a moment counts as failed and the next one is tried. Each gets the URL as
    /// [`for_opener`] writes it.
    ///
    /// # Errors
    /// The URL is neither https nor http on loopback, or no alternative could be started.
    pub async fn open(&self, url: &Url) -> Result<bool, BrowserError> {
        check_page(url)?;
        let url = &for_opener(url);
        match self {
            Self::Manual => Ok(false),
            Self::Platform(browser) => browser.open(url).await.map(|()| true),
            Self::Commands(commands) => {
                let mut outcome = Ok(false);
                for command in commands {
                    outcome = command.open(url).await.map(|()| true);
                    if outcome.is_ok() {
                        break;
                    }
                }
                outcome
            }
        }
    }
}

impl BrowserCommand {
    fn parse(text: &str) -> Option<Self> {
        if Path::new(text).is_file() {
            return Some(Self {
                program: text.to_owned(),
                arguments: Vec::new(),
                withheld: Withheld::default(),
            });
        }
        let mut words = words(text).into_iter();
        Some(Self {
            program: words.next()?,
            arguments: words.collect(),
            withheld: Withheld::default(),
        })
    }

    /// The arguments with the URL in place: always one argument, never seen by a shell.
    fn arguments(&self, url: &str) -> Vec<String> {
        let mut placed = false;
        let mut arguments: Vec<_> = self
            .arguments
            .iter()
            .map(|word| {
                let (word, has_url) = expand(word, url);
                placed |= has_url;
                word
            })
            .collect();
        if !placed {
            arguments.push(url.to_owned());
        }
        arguments
    }

    async fn open(&self, url: &Url) -> Result<(), BrowserError> {
        let mut command = Command::new(&self.program);
        child_environment(command.as_std_mut(), &self.withheld);
        let mut child = command
            .args(self.arguments(url.as_str()))
            .stdin(Stdio::null())
            // A browser's chatter belongs neither to the data nor to the messages of a program.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| BrowserError::Start {
                program: self.program.clone(),
                source,
            })?;
        match tokio::time::timeout(FAILS_WITHIN, child.wait()).await {
            Ok(Ok(status)) if !status.success() => Err(BrowserError::Failed {
                program: self.program.clone(),
                status,
            }),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(source)) => Err(BrowserError::Start {
                program: self.program.clone(),
                source,
            }),
            Err(_still_running) => {
                reap(child);
                Ok(())
            }
        }
    }
}

impl PlatformBrowser {
    /// A browser opened by a blocking function.
    pub fn new(open: impl Fn(&str) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(open))
    }

    async fn open(&self, url: &Url) -> Result<(), BrowserError> {
        let (open, url) = (Arc::clone(&self.0), url.to_string());
        let opening = tokio::task::spawn_blocking(move || open(&url));
        match tokio::time::timeout(PLATFORM_LIMIT, opening).await {
            Ok(Ok(outcome)) => outcome.map_err(BrowserError::Platform),
            Ok(Err(lost)) => Err(BrowserError::Platform(io::Error::other(lost))),
            // A browser that runs in the terminal, until the person leaves it.
            Err(_elapsed) => Ok(()),
        }
    }
}

impl fmt::Debug for PlatformBrowser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlatformBrowser")
    }
}

/// The words of a command. Quotes keep blanks together and are otherwise nothing: no shell is meant.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in text.chars() {
        match quote {
            Some(open) if character == open => quote = None,
            None if matches!(character, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            None if character.is_ascii_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

fn expand(word: &str, url: &str) -> (String, bool) {
    let (mut expanded, mut has_url) = (String::new(), false);
    let mut characters = word.chars().peekable();
    while let Some(character) = characters.next() {
        let code = if character == '%' {
            characters.peek().copied()
        } else {
            None
        };
        match code {
            Some('s') => {
                expanded.push_str(url);
                has_url = true;
            }
            Some('c') => expanded.push(':'),
            Some('%') => expanded.push('%'),
            _ => {
                expanded.push(character);
                continue;
            }
        }
        characters.next();
    }
    (expanded, has_url)
}

/// Waits for a browser that goes on running, so that it does not stay behind as a zombie.
fn reap(mut child: Child) {
    tokio::spawn(async move {
        if let Err(error) = child.wait().await {
            tracing::debug!(%error, "lost sight of the browser");
        }
    });
}

/// What opens a page on desktops that are neither Windows nor macOS; the last one is Windows' own, for a
/// Linux inside it.
#[cfg(all(feature = "cli", not(any(windows, target_os = "macos"))))]
const OPENERS: [&str; 6] = [
    "xdg-open",
    "gio open",
    "exo-open",
    "wslview",
    "x-www-browser",
    "rundll32.exe url.dll,FileProtocolHandler",
];
/// Beyond what authorization servers take, and within what a system hands to a program as one argument.
const PAGE_BYTES: usize = 64 * 1024;
const FAILS_WITHIN: Duration = Duration::from_millis(700);
const PLATFORM_LIMIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
