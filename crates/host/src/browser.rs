//! Opens a URL in the browser of the person, without a shell (AZ-18 to AZ-20).

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::{Child, Command};
use url::Url;

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
}

/// A blocking function that opens a URL.
#[derive(Clone)]
pub struct PlatformBrowser(Arc<Opener>);

type Opener = dyn Fn(&str) -> io::Result<()> + Send + Sync;

/// A URL could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrowserError {
    /// The URL is one that no server may have opened on a person's machine.
    #[error("refused to open {scheme}: URLs; only https, and http on loopback, are opened")]
    Refused {
        /// The scheme of the URL.
        scheme: String,
    },
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
    /// `%s` for the URL, `%c` for a colon, `%%` for a per cent sign. Without `%s` the URL is the last
    /// argument. An alternative that is the path of a file is that file, blanks and all.
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

    /// The platform's own browser.
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn platform() -> Self {
        Self::Platform(PlatformBrowser::new(webbrowser::open))
    }

    /// Opens the URL, and returns without waiting for the person. `true`: something was started;
    /// `false`: there is nothing to start, the URL has to be opened by hand.
    ///
    /// A command that fails within a moment counts as failed and the next one is tried.
    ///
    /// # Errors
    /// The URL is neither https nor http on loopback, or no alternative could be started.
    pub async fn open(&self, url: &Url) -> Result<bool, BrowserError> {
        check(url)?;
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
            });
        }
        let mut words = text.split_ascii_whitespace().map(str::to_owned);
        Some(Self {
            program: words.next()?,
            arguments: words.collect(),
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
        let mut child = Command::new(&self.program)
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

/// An allow list (AZ-19): `javascript:`, `data:`, `file:` and everything else never reach a browser.
fn check(url: &Url) -> Result<(), BrowserError> {
    doorkey_http::check_endpoint(url).map_err(|_| BrowserError::Refused {
        scheme: url.scheme().to_owned(),
    })
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

const FAILS_WITHIN: Duration = Duration::from_millis(700);
const PLATFORM_LIMIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(variable: &str) -> Vec<(String, Vec<String>)> {
        match Browser::from_variable(OsStr::new(variable)) {
            Browser::Commands(commands) => commands
                .into_iter()
                .map(|command| {
                    let arguments = command.arguments("https://as.example/a?b=c&d=%20");
                    (command.program, arguments)
                })
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    #[cfg(unix)]
    #[test]
    fn browser_variable_alternatives_and_codes_are_understood() {
        let url = "https://as.example/a?b=c&d=%20".to_owned();
        type Expected<'a> = &'a [(&'a str, &'a [&'a str])];
        let table: &[(&str, Expected<'_>)] = &[
            ("firefox", &[("firefox", &[&url])]),
            (
                "firefox --new-window %s",
                &[("firefox", &["--new-window", &url])],
            ),
            ("a:b -x", &[("a", &[&url]), ("b", &["-x", &url])]),
            (
                "open --url=%s 100%%",
                &[("open", &[&format!("--url={url}"), "100%"])],
            ),
            ("open x%cy", &[("open", &["x:y", &url])]),
            ("::", &[]),
        ];
        for (variable, expected) in table {
            let expected: Vec<_> = expected
                .iter()
                .map(|(program, arguments)| {
                    let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
                    ((*program).to_owned(), arguments)
                })
                .collect();
            assert_eq!(commands(variable), expected, "{variable}");
        }
    }

    #[tokio::test]
    async fn only_https_and_loopback_http_are_opened() {
        for (url, opened) in [
            ("https://as.example/authorize", true),
            ("http://127.0.0.1:9/authorize", true),
            ("http://localhost:9/authorize", true),
            ("http://as.example/authorize", false),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("file:///etc/passwd", false),
            ("vbscript:x", false),
            ("https://user:pass@as.example/", false),
        ] {
            let browser = Browser::Platform(PlatformBrowser::new(|_| Ok(())));
            let outcome = browser.open(&Url::parse(url).expect(url)).await;
            assert_eq!(outcome.is_ok(), opened, "{url}: {outcome:?}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_next_alternative_is_tried_when_one_fails() {
        let url = Url::parse("https://as.example/").expect("a URL");
        let working = Browser::from_variable(OsStr::new("/nonexistent/browser:false:true"));
        assert!(matches!(working.open(&url).await, Ok(true)));
        let failing = Browser::from_variable(OsStr::new("/nonexistent/browser:false"));
        assert!(matches!(
            failing.open(&url).await,
            Err(BrowserError::Failed { .. })
        ));
        let missing = Browser::from_variable(OsStr::new("/nonexistent/browser"));
        assert!(matches!(
            missing.open(&url).await,
            Err(BrowserError::Start { .. })
        ));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_url_reaches_the_program_as_one_argument_that_no_shell_reads() {
        let folder = tempfile::tempdir().expect("a folder");
        let seen = folder.path().join("seen");
        let script = folder.path().join("a browser");
        std::fs::write(
            &script,
            format!("#!/bin/sh\necho \"$#|$1\" > '{}'\n", seen.display()),
        )
        .expect("a script");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&script, mode).expect("executable");
        let url = Url::parse("https://as.example/?a=$(touch%20x)&b=;ls").expect("a URL");
        let browser = Browser::from_variable(script.as_os_str());
        assert!(matches!(browser.open(&url).await, Ok(true)));
        let text = std::fs::read_to_string(&seen).expect("the script ran");
        assert_eq!(text.trim(), format!("1|{url}"));
    }
}
