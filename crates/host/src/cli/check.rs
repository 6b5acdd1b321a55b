//! Trying servers, all side by side, so that one that hangs holds up nobody but itself.

use std::time::{Duration, Instant};

use clap::Args;
use doorkey::{ErrorCode, Explained, Host, ServerStatus, Target};
use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::output::Output;

/// `--check`, for the commands that show servers.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Checking {
    /// Also try every enabled server: connect, and list its tools
    #[arg(long)]
    pub(crate) check: bool,
    /// How long each server has with --check, in seconds; a refresh that has begun by then is waited for, at most 30 s
    /// more, so that its new token is not lost
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    check_limit: Duration,
}

/// How trying a server went.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'static str>,
    /// What a command for this server would end with.
    exit_code: u8,
    #[serde(skip)]
    exit: Exit,
    /// What failed, as a command that fails writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Explained>,
    /// How long it took, in milliseconds.
    took_ms: u64,
}

impl Checking {
    /// The servers that are meant, in their order, and how trying each went; none of one that is not to be tried.
    pub(crate) async fn look(
        self,
        host: &Host,
        output: &Output,
        is_meant: impl Fn(&str) -> bool,
    ) -> Result<Vec<(ServerStatus, Option<Check>)>, Failure> {
        let names = host.config().servers().iter();
        let names = names.map(|server| server.name.as_str());
        let names: Vec<_> = names.filter(|name| is_meant(name)).collect();
        let checks = self.run(host, &names);
        let checks = output.while_waiting("trying the servers", checks).await;
        // What a check has changed is read after it.
        let statuses = host.list().await?.into_iter();
        let statuses = statuses.filter(|status| is_meant(&status.name));
        Ok(statuses.zip(checks).collect())
    }

    async fn run(self, host: &Host, names: &[&str]) -> Vec<Option<Check>> {
        if !self.check {
            return vec![None; names.len()];
        }
        let checks = names.iter().map(|name| async move {
            let server = host.config().server(name).ok()?;
            match server.enabled {
                true => Some(self.try_one(host, name).await),
                false => None,
            }
        });
        stream::iter(checks).buffered(AT_ONCE).collect().await
    }

    async fn try_one(self, host: &Host, name: &str) -> Check {
        let started = Instant::now();
        let outcome = tokio::time::timeout(self.check_limit, host.check(name)).await;
        let took = started.elapsed();
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let failed = |told: Explained, exit: Exit| Check {
            ok: false,
            protocol: None,
            exit_code: exit as u8,
            exit,
            error: Some(told),
            took_ms,
        };
        match outcome {
            Ok(Ok(wire)) => Check {
                ok: true,
                protocol: Some(wire.as_str()),
                exit_code: Exit::Done as u8,
                exit: Exit::Done,
                error: None,
                took_ms,
            },
            Ok(Err(error)) => failed(error.explain(Target::new(name)), Exit::of_error(&error)),
            Err(_elapsed) => {
                let limit = self.check_limit.as_secs_f64();
                let line = format!("no answer within {limit} s; --check-limit gives it more");
                let told = Explained::new(ErrorCode::TimedOut, &line, Target::new(name));
                failed(told, Exit::Temporary)
            }
        }
    }
}

impl Check {
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// For a table: `ok`, or what failed with its code.
    pub(crate) fn in_words(&self) -> String {
        let Some(told) = &self.error else {
            return "ok".to_owned();
        };
        let lines: Vec<_> = told.lines().collect();
        format!("{}: {}", told.code, lines.join(": "))
    }

    /// What to do where it failed.
    pub(crate) fn next(&self) -> Option<&str> {
        self.error.as_ref().map(|told| told.next.text.as_str())
    }

    pub(crate) fn time(&self) -> String {
        match self.took_ms {
            milliseconds @ 0..1000 => format!("{milliseconds} ms"),
            milliseconds => format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100),
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let expected = || "expected seconds, such as 5 or 0.5, at most 600".to_owned();
    let seconds: f64 = text.parse().map_err(|_| expected())?;
    if !(0.001..=600.0).contains(&seconds) {
        return Err(expected());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| expected())
}

/// How many servers are tried at a time: more than anybody has, and fewer than a process may have connections.
const AT_ONCE: usize = 256;
