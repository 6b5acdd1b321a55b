//! Where a token comes from that somebody else signed: the JWT of a workload, or a person's identity.

use std::path::PathBuf;

use http::{HeaderMap, HeaderName};
use url::Url;

use super::ConfigError;
use super::section::Section;
use crate::Home;

/// A table that says where such a token is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AssertionSettings {
    /// Where it is.
    pub place: AssertionPlace,
    /// `json_member`: the member of a JSON object that it is, where it is not the whole text.
    pub json_member: Option<String>,
}

/// One of `file`, `env`, `url` and `command`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AssertionPlace {
    /// A file that somebody keeps fresh.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A service that answers a GET with it.
    Url {
        /// The URL: https, or http on the user's own word.
        url: Url,
        /// Headers of the request; marked sensitive.
        headers: HeaderMap,
        /// The same, with the values in environment variables.
        env_headers: Vec<(HeaderName, String)>,
    },
    /// A program and its arguments; it writes the token to its standard output. No shell reads them.
    Command {
        /// The program: a path, or a name to be looked for.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
    },
}

impl AssertionSettings {
    pub(super) fn read(section: &Section<'_>, home: &Home) -> Result<Self, ConfigError> {
        let file = section
            .text("file", "the path of a file", FILE_EXAMPLE)?
            .map(|path| ("file", AssertionPlace::File(home.resolve(path))));
        let variable = section
            .text(
                "env",
                "the name of an environment variable",
                "env = \"ID_TOKEN\"",
            )?
            .map(|name| ("env", AssertionPlace::Variable(name.to_owned())));
        let url = read_url(section)?.map(|place| ("url", place));
        let command = read_command(section, home)?.map(|place| ("command", place));
        let mut places = [file, variable, url, command].into_iter().flatten();
        let Some((key, place)) = places.next() else {
            return Err(section.missing("file", ONE_OF, FILE_EXAMPLE));
        };
        if let Some((second, _)) = places.next() {
            let example = format!("# only one of {key} and {second}");
            return Err(section.wrong(second, ONE_OF, "a second one", &example));
        }
        Ok(Self {
            place,
            json_member: section
                .text(
                    "json_member",
                    "the name of a member of a JSON object",
                    "json_member = \"access_token\"",
                )?
                .map(str::to_owned),
        })
    }
}

fn read_url(section: &Section<'_>) -> Result<Option<AssertionPlace>, ConfigError> {
    let example = "url = \"http://169.254.169.254/identity\"";
    let url = section.url("url", "an https or http URL", example, accept_url)?;
    let headers = section.headers("headers", true)?;
    let env_headers = section.header_texts("env_headers")?;
    let Some(url) = url else {
        for key in ["headers", "env_headers"] {
            if section.has(key) {
                return Err(section.wrong(key, "url beside it", "it alone", example));
            }
        }
        return Ok(None);
    };
    let owned = |(name, variable): (HeaderName, &str)| (name, variable.to_owned());
    Ok(Some(AssertionPlace::Url {
        url,
        headers,
        env_headers: env_headers.into_iter().map(owned).collect(),
    }))
}

/// It is the user's own word: any host, and plain http, which is what metadata services speak.
fn accept_url(url: &Url) -> Result<(), String> {
    if !matches!(url.scheme(), "https" | "http") {
        return Err(format!("the scheme {:?}", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a user name or password in it".to_owned());
    }
    super::oauth::no_fragment(url)
}

fn read_command(section: &Section<'_>, home: &Home) -> Result<Option<AssertionPlace>, ConfigError> {
    let example = "command = [\"platform\", \"print-identity-token\"]";
    let command = section.command("command", example, home)?;
    Ok(command.map(|(program, arguments)| AssertionPlace::Command { program, arguments }))
}

const ONE_OF: &str = "one of file, env, url and command";
const FILE_EXAMPLE: &str = "file = \"/var/run/secrets/tokens/mcp\"";
