//! An examination as a file: the diagnosis, the settings in force and every exchange, without secrets.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use doorkey_http::{Outcome, Recorded, SentSecrets};
use http::HeaderMap;
use http::header::LOCATION;
use serde::{Deserialize, Serialize};
use url::Url;

use super::diagnosis::Diagnosis;
use super::engine::millis;
use super::mask::masked;
use super::replay::doubted;
use super::seen::Secrets;
use crate::bounded;

/// An examination, to be kept or handed to somebody who is to look at it. No secret is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Record {
    /// The format of the file.
    pub format: u32,
    /// The version of the program that wrote it.
    pub program: String,
    /// The operating system and the kind of processor.
    pub system: String,
    /// What was found.
    pub diagnosis: Diagnosis,
    /// The settings in force, by their names; secrets are only said to be there.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Every exchange, in order.
    #[serde(default)]
    pub exchanges: Vec<RecordedExchange>,
}

/// One request and its answer, without secrets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedExchange {
    /// What it was for.
    pub leg: String,
    /// The method.
    pub method: String,
    /// The URL, without query.
    pub url: String,
    /// Where the answer came from, if that was elsewhere.
    #[serde(default)]
    pub answered_by: Option<String>,
    /// Headers of the request: credentials as `…`.
    #[serde(default)]
    pub request: BTreeMap<String, String>,
    /// How long it took until the head of the answer, in milliseconds.
    #[serde(default)]
    pub took_ms: u64,
    /// The status of the answer.
    #[serde(default)]
    pub status: Option<u16>,
    /// Headers of the answer that explain something.
    #[serde(default)]
    pub headers: BTreeMap<String, Vec<String>>,
    /// The beginning of its body, cleaned; nothing where it issues tokens.
    #[serde(default)]
    pub body: Option<String>,
    /// Why there was no answer, the first cause last.
    #[serde(default)]
    pub failure: Vec<String>,
}

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The file cannot be read or written.
    #[error("the record cannot be {what}")]
    File {
        /// What was tried: `read` or `written`.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no record.
    #[error("the file is no record of doorkey doctor")]
    NoRecord(#[source] serde_json::Error),
    /// A newer version wrote it.
    #[error("the record has format {found}, and this version reads {known}; update doorkey")]
    Newer {
        /// What was found.
        found: u32,
        /// The newest format that is known.
        known: u32,
    },
}

impl Record {
    /// The format that this version writes.
    pub const FORMAT: u32 = 1;

    pub(super) fn new(
        diagnosis: Diagnosis,
        settings: BTreeMap<String, String>,
        exchanges: &[Recorded],
        secrets: &Secrets,
    ) -> Self {
        Self {
            format: Self::FORMAT,
            program: format!("doorkey {}", env!("CARGO_PKG_VERSION")),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            diagnosis,
            settings,
            exchanges: exchanges.iter().map(|it| exchange(it, secrets)).collect(),
        }
    }

    /// Reads one, of at most 16 MiB. What a newer program of the same format added is passed over.
    ///
    /// # Errors
    /// It cannot be read, is no record, or has a newer format.
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        let text = bounded::read(path, FILE_BYTES);
        let text = text.map_err(|source| RecordError::File {
            what: "read",
            source,
        })?;
        let format: Format = serde_json::from_slice(&text).map_err(RecordError::NoRecord)?;
        if format.format > Self::FORMAT {
            return Err(RecordError::Newer {
                found: format.format,
                known: Self::FORMAT,
            });
        }
        let mut record: Self = serde_json::from_slice(&text).map_err(RecordError::NoRecord)?;
        // Records are handed around: what is typed is said by this program alone.
        record.diagnosis = doubted(record.diagnosis);
        Ok(record)
    }
}

/// A place for a record, made before anything is asked: so that nothing is asked in vain.
#[derive(Debug)]
pub struct RecordFile {
    file: tempfile::NamedTempFile,
    path: PathBuf,
    replace: bool,
}

impl RecordFile {
    /// Makes a file for its owner alone beside `path`, which gets that name when it is written; `replace` says that there
    /// may be a file already.
    ///
    /// # Errors
    /// [`RecordError::File`]: there is a file already, or something that is none, or nothing can be written there.
    pub fn create(path: &Path, replace: bool) -> Result<Self, RecordError> {
        match fs::symlink_metadata(path) {
            Ok(_) if !replace => return Err(unwritten(io::ErrorKind::AlreadyExists.into())),
            Ok(there) if !there.is_file() => {
                return Err(unwritten(io::Error::other("what is there is no file")));
            }
            _ => {}
        }
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        // Temporary files are made readable by their owner alone.
        let file = tempfile::Builder::new()
            .prefix(".record-")
            .tempfile_in(folder)
            // Its name is not the one that a person gave.
            .map_err(|error| unwritten(error.kind().into()))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            replace,
        })
    }

    /// Writes the record, and gives the file its name.
    ///
    /// # Errors
    /// [`RecordError::File`]: it cannot be written, or somebody else has made a file of that name meanwhile.
    pub fn write(mut self, record: &Record) -> Result<(), RecordError> {
        let mut text = serde_json::to_vec_pretty(record).map_err(|it| unwritten(it.into()))?;
        text.push(b'\n');
        self.file.write_all(&text).map_err(unwritten)?;
        let kept = match self.replace {
            true => self.file.persist(&self.path),
            false => self.file.persist_noclobber(&self.path),
        };
        kept.map(drop).map_err(|error| unwritten(error.error))
    }
}

fn unwritten(source: io::Error) -> RecordError {
    RecordError::File {
        what: "written",
        source,
    }
}

/// The one member that says whether the others are understood.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

fn exchange(recorded: &Recorded, secrets: &Secrets) -> RecordedExchange {
    let mut exchange = RecordedExchange {
        leg: recorded.leg.as_str().to_owned(),
        method: recorded.method.to_string(),
        url: super::seen::shown(&recorded.url),
        request: request_headers(&recorded.headers),
        took_ms: millis(recorded.took),
        ..RecordedExchange::default()
    };
    match &recorded.outcome {
        Outcome::Answered {
            url,
            status,
            headers,
            body,
            sent,
        } => {
            let clean = |text: &str, limit| {
                let struck = secrets.struck(text, sent);
                doorkey_http::clean_text(&masked(&struck), limit)
            };
            exchange.status = Some(status.as_u16());
            if url != &recorded.url {
                exchange.answered_by = Some(super::seen::shown(url));
            }
            for name in ANSWER_HEADERS {
                let values = headers.get_all(name).into_iter();
                let values: Vec<_> = values
                    .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                    .map(|text| match name == LOCATION.as_str() {
                        true => target(&recorded.url, &text),
                        false => clean(&text, HEADER),
                    })
                    .collect();
                if !values.is_empty() {
                    exchange.headers.insert(name.to_owned(), values);
                }
            }
            let text = String::from_utf8_lossy(body);
            exchange.body = Some(clean(&text, BODY)).filter(|text| !text.is_empty());
        }
        Outcome::Failed { causes, .. } => {
            let none = SentSecrets::default();
            let clean = |text: &String| secrets.cleaned(text, &none, HEADER);
            exchange.failure = causes.iter().map(clean).collect();
        }
        _ => {}
    }
    exchange
}

fn target(from: &Url, location: &str) -> String {
    let target = from.join(location);
    target.map_or_else(|_| "no URL".to_owned(), |it| super::seen::shown(&it))
}

fn request_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let known = headers.iter().map(|(name, value)| {
        let is_public = REQUEST_HEADERS.contains(&name.as_str()) && !value.is_sensitive();
        let value = match is_public {
            true => doorkey_http::clean_text(&String::from_utf8_lossy(value.as_bytes()), HEADER),
            false => "…".to_owned(),
        };
        (name.to_string(), value)
    });
    known.collect()
}

const REQUEST_HEADERS: [&str; 6] = [
    "accept",
    "content-type",
    "content-length",
    "mcp-protocol-version",
    "mcp-method",
    "last-event-id",
];
const ANSWER_HEADERS: [&str; 18] = [
    "allow",
    "cache-control",
    "cf-mitigated",
    "cf-ray",
    "content-length",
    "content-type",
    "date",
    "location",
    "mcp-protocol-version",
    "retry-after",
    "server",
    "transfer-encoding",
    "vary",
    "via",
    "www-authenticate",
    "x-amzn-waf-action",
    "x-cache",
    "x-powered-by",
];
const HEADER: usize = 500;
const BODY: usize = 4_000;
const FILE_BYTES: u64 = 16 * bounded::MIB;
