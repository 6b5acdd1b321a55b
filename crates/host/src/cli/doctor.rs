//! `doorkey doctor`: what is wrong with a server, where, and what mends it.

#[cfg(test)]
mod typed;
mod words;

use std::error::Error as StdError;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use doorkey::doctor::{Class, Diagnosis, ExamineOptions, Record, RecordError, RecordFile};
use doorkey::{Error, ErrorCode, Host};
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::output::{Output, clean};

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// The server, as named in the configuration, or its URL
    #[arg(value_name = "NAME|URL", required_unless_present = "replay")]
    server: Option<String>,
    /// The account there, where you have several
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Leave a token alone that is due for a refresh, and obtain none where no person is needed
    #[arg(long)]
    no_refresh: bool,
    /// Give up after so many seconds in all
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Keep what was seen in a file, without secrets, for a report
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    record: Option<PathBuf>,
    /// Replace that file if it is there
    #[arg(long, requires = "record")]
    force: bool,
    /// Show what such a file says; makes no request
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
}

impl Doctor {
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        // Before a server is asked: it would be for nothing.
        let file = self.file()?;
        let options = ExamineOptions::default()
            .with_account(self.account.clone())
            .with_refresh(!self.no_refresh)
            .with_limit(Duration::from_secs(self.limit));
        let examined = host.examine(self.server(), &options);
        let what = format!("examining {}", clean(self.server()));
        let record = output.while_waiting(&what, examined).await;
        self.finish(file, &record, output)
    }

    /// What a file says; `None` when none was named.
    pub(crate) fn replayed(&self, output: &Output) -> Option<Result<Exit, Failure>> {
        let path = self.replay.as_ref()?;
        let record = Record::read(path).map_err(|error| refused(&error, path));
        Some(record.and_then(|record| {
            if !self.json {
                let (from, when) = (path.display(), &record.diagnosis.examined_at);
                let head = format!("from {from}, recorded {when}; nothing was asked now");
                output.data(&clean(&head))?;
                output.data("")?;
            }
            self.show(&record.diagnosis, output)
        }))
    }

    fn server(&self) -> &str {
        self.server.as_deref().unwrap_or_default()
    }

    fn file(&self) -> Result<Option<RecordFile>, Failure> {
        let path = self.record.as_ref();
        path.map(|path| RecordFile::create(path, self.force).map_err(|error| refused(&error, path)))
            .transpose()
    }

    fn finish(
        &self,
        file: Option<RecordFile>,
        record: &Record,
        output: &Output,
    ) -> Result<Exit, Failure> {
        let written = self.record.as_ref().zip(file);
        if let Some((path, file)) = written {
            file.write(record).map_err(|error| refused(&error, path))?;
            output.note(&format!(
                "written to {}; look through it before you hand it on: known secrets are struck",
                path.display()
            ));
        }
        self.show(&record.diagnosis, output)
    }

    /// What there is to say where the configuration or the store cannot be opened.
    pub(crate) fn without_host(&self, error: &Error, output: &Output) -> Result<Exit, Failure> {
        let record = Record::of_host_failure(self.server(), error);
        self.finish(self.file()?, &record, output)
    }

    fn show(&self, diagnosis: &Diagnosis, output: &Output) -> Result<Exit, Failure> {
        if self.json {
            output.json(&document(diagnosis))?;
        } else {
            let width = output.width().map_or(PAPER, usize::from);
            for line in words::page(diagnosis, width) {
                output.data(&line)?;
            }
        }
        Ok(diagnosis.class().map_or(Exit::Done, exit))
    }
}

/// The diagnosis as other commands word theirs: with the exit code, and with help and the next step for each finding.
fn document(diagnosis: &Diagnosis) -> Value {
    let exit = diagnosis.class().map_or(Exit::Done, exit);
    let mut document = json!(diagnosis);
    document["class"] = json!(diagnosis.class());
    document["exit_code"] = json!(exit as u8);
    for (at, finding) in diagnosis.findings.iter().enumerate() {
        let told = &mut document["findings"][at];
        told["help"] = json!(format!("docs/doctor.md#{}", finding.id));
        let mend = &finding.mend;
        told["next"] = json!({ "text": mend.text, "command": mend.command });
    }
    document
}

fn refused(error: &RecordError, path: &Path) -> Failure {
    let first: &(dyn StdError + 'static) = error;
    let causes = std::iter::successors(Some(first), |&error| error.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    let (code, next) = match error {
        RecordError::File {
            what: "written",
            source,
        } => {
            let is_there = source.kind() == std::io::ErrorKind::AlreadyExists;
            let next = is_there.then(|| "name another file, or add --force".to_owned());
            (ErrorCode::OutputFailed, next)
        }
        _ => (ErrorCode::InputFailed, None),
    };
    Failure::Refused {
        text: format!("{}: {}", path.display(), causes.join(": ")),
        next,
        code,
    }
}

fn exit(class: Class) -> Exit {
    match class {
        Class::Configuration => Exit::Configuration,
        Class::Login => Exit::LoginRequired,
        Class::Forbidden => Exit::Forbidden,
        Class::Temporary => Exit::Temporary,
        Class::Mcp => Exit::Mcp,
        _ => Exit::Other,
    }
}

/// How wide a page is that no terminal shows.
const PAPER: usize = 100;
