//! Where tokens come from that somebody else signed (WIF-06): a file, a variable, a service, a program.

mod command;
mod file;
mod service;
mod variable;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use doorkey_http::RedactedUrl;
use doorkey_oauth::{AssertionError, AssertionSource};
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use serde_json::Value;

#[cfg(feature = "postgres")]
use crate::child::Withheld;
use crate::config::{AssertionPlace, AssertionSettings, ServerConfig};
use crate::environment::{Environment, NotText};
use crate::network::{NetworkError, header_of_variable};
use crate::program::ProgramError;
#[cfg(feature = "postgres")]
use crate::{bounded, program::LIMIT};

use command::CommandSource;
use file::FileSource;
use service::ServiceSource;
use variable::VariableSource;

/// Why a token could not be had from its source. Nothing of the token is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The variable is not set.
    #[error("the environment variable {0} is not set")]
    Unset(String),
    /// The variable is not text.
    #[error(transparent)]
    NotText(#[from] NotText),
    /// The program did not print it. What it said is not repeated, it may hold a secret.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The service could not be asked.
    #[error(transparent)]
    Http(#[from] doorkey_http::Error),
    /// The service answered with something else than success.
    #[error("{url} answered {status}")]
    Status {
        /// The service.
        url: RedactedUrl,
        /// What it answered.
        status: StatusCode,
    },
    /// There is more of it than a token can be.
    #[error("it is longer than {} KiB", TOKEN_BYTES / 1024)]
    TooLong,
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is not UTF-8.
    #[error("it is no text")]
    Binary,
    /// It was to be a JSON object with that member, a string.
    #[error("there is no JSON object with a string {member:?} in it")]
    NoMember {
        /// What `json_member` says.
        member: String,
    },
}

impl SourceError {
    /// Whether the same may succeed later without anybody doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Program(ProgramError::TimedOut { .. }) => true,
            Self::Http(error) => error.is_transient(),
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            _ => false,
        }
    }
}

impl From<SourceError> for AssertionError {
    fn from(error: SourceError) -> Self {
        let is_transient = error.is_transient();
        Self::new(error).transient(is_transient)
    }
}

/// The source that a table of the configuration describes; `table` is its name below the server's.
pub(crate) fn source(
    environment: &Environment,
    server: &ServerConfig,
    settings: &AssertionSettings,
    table: &str,
) -> Result<Arc<dyn AssertionSource>, NetworkError> {
    let reading = Reading {
        member: settings.json_member.clone(),
    };
    Ok(match &settings.place {
        AssertionPlace::File(path) => Arc::new(FileSource {
            path: path.clone(),
            reading,
        }),
        AssertionPlace::Variable(name) => Arc::new(VariableSource {
            name: name.clone(),
            value: environment
                .text(name)
                .map(|text| text.map(SecretString::from)),
            reading,
        }),
        AssertionPlace::Url {
            url,
            headers,
            env_headers,
        } => {
            let mut headers = headers.clone();
            for (name, variable) in env_headers {
                let key = format!("{table}.env_headers.{name}");
                let value = header_of_variable(environment, server, key, variable)?;
                headers.insert(name.clone(), value);
            }
            Arc::new(ServiceSource {
                url: url.clone(),
                headers,
                reading,
            })
        }
        AssertionPlace::Command { program, arguments } => Arc::new(CommandSource {
            program: program.clone(),
            arguments: arguments.clone(),
            reading,
            withheld: environment.withheld().clone(),
        }),
    })
}

/// What a program prints, trimmed: it has 20 seconds, no input and no shell.
#[cfg(feature = "postgres")]
pub(crate) async fn printed_by(
    program: &std::path::Path,
    arguments: &[String],
    withheld: &Withheld,
) -> Result<SecretString, SourceError> {
    let source = CommandSource {
        program: program.to_owned(),
        arguments: arguments.to_vec(),
        reading: Reading { member: None },
        withheld: withheld.clone(),
    };
    source.run(LIMIT).await
}

/// What a file holds, trimmed.
#[cfg(feature = "postgres")]
pub(crate) fn written_in(path: &std::path::Path) -> Result<SecretString, SourceError> {
    let read = bounded::read(path, TOKEN_BYTES as u64);
    let read = read.map_err(|source| SourceError::Read {
        path: path.to_owned(),
        source,
    })?;
    Reading { member: None }.of_bytes(&SecretSlice::from(read))
}

/// How a token is read out of what a source delivers.
#[derive(Clone, Debug)]
struct Reading {
    /// The member of a JSON object that it is; `None` when it is the whole text.
    member: Option<String>,
}

impl Reading {
    fn of_bytes(&self, bytes: &SecretSlice<u8>) -> Result<SecretString, SourceError> {
        let text = std::str::from_utf8(bytes.expose_secret()).map_err(|_| SourceError::Binary)?;
        self.of_text(text)
    }

    fn of_text(&self, text: &str) -> Result<SecretString, SourceError> {
        let token = match &self.member {
            None => SecretString::from(text.trim()),
            Some(member) => member_of(text, member).ok_or_else(|| SourceError::NoMember {
                member: member.clone(),
            })?,
        };
        match token.expose_secret().len() {
            0 => Err(SourceError::Empty),
            length if length > TOKEN_BYTES => Err(SourceError::TooLong),
            _ => Ok(token),
        }
    }
}

fn member_of(text: &str, member: &str) -> Option<SecretString> {
    let Ok(Value::Object(mut object)) = serde_json::from_str(text) else {
        return None;
    };
    match object.remove(member)? {
        Value::String(token) => Some(SecretString::from(token)),
        _ => None,
    }
}

/// Far more than a token that fits into a request, SAML assertions included.
const TOKEN_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests;
