//! `doorkey list`: every server and its login.

use clap::Args;
use comfy_table::{Table, presets};
use doorkey::{Host, LoginState, ServerStatus};
use futures_util::future::join_all;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::output::{Output, clean};
use super::report;

#[derive(Args, Debug)]
pub(crate) struct List {
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Also try every enabled server; the exit code stays 0, JSON has one for each server
    #[arg(long)]
    check: bool,
}

/// A server, and with `--check` how trying it went.
#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    status: ServerStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<Check>,
}

/// How trying a server went.
#[derive(Serialize)]
struct Check {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'static str>,
    /// The exit code that a command for this server would end with.
    code: u8,
    /// What failed, then each cause.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    error: Vec<String>,
}

impl List {
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let checks = if self.check {
            check_all(host).await
        } else {
            Vec::new()
        };
        let mut checks = checks.into_iter();
        let rows: Vec<_> = host
            .list()
            .await?
            .into_iter()
            .map(|status| Row {
                status,
                check: checks.next().flatten(),
            })
            .collect();
        if self.json {
            output.json(&rows)?;
        } else if rows.is_empty() {
            output.note("no servers yet; next: doorkey add NAME --url URL");
        } else {
            output.data(&table(&rows).trim_fmt())?;
        }
        for row in &rows {
            warn_if_unreadable(&row.status, output);
        }
        let local = host.config().not_remote();
        if !self.json && !local.is_empty() {
            output.note(&format!(
                "not remote, left alone: {}",
                clean(&local.join(", "))
            ));
        }
        Ok(Exit::Done)
    }
}

/// A login that is there and cannot be read: the others are shown all the same.
pub(crate) fn warn_if_unreadable(status: &ServerStatus, output: &Output) {
    if let (LoginState::Unknown, Some(reason)) = (status.auth.status, &status.auth.reason) {
        output.warn(&format!("{}: {reason}", status.name));
    }
}

/// All at once, so that one server that hangs holds up nobody but itself.
async fn check_all(host: &Host) -> Vec<Option<Check>> {
    let checks = host.config().servers().iter().map(|server| async move {
        if server.enabled {
            Some(check(host, &server.name).await)
        } else {
            None
        }
    });
    join_all(checks).await
}

async fn check(host: &Host, name: &str) -> Check {
    match host.check(name).await {
        Ok(wire) => Check {
            ok: true,
            protocol: Some(wire.as_str()),
            code: Exit::Done as u8,
            error: Vec::new(),
        },
        Err(error) => {
            let lines = report::causes(&error);
            Check {
                ok: false,
                protocol: None,
                error: lines.iter().map(|line| clean(line)).collect(),
                code: Exit::of(&Failure::Host(error)) as u8,
            }
        }
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    let checked = rows.iter().any(|row| row.check.is_some());
    let mut header = vec!["NAME", "URL", "LOGIN", "EXPIRES", "ISSUER"];
    header.extend(checked.then_some("CHECK"));
    table.set_header(header);
    for Row { status, check } in rows {
        let login = if status.enabled {
            status.auth.status.as_str()
        } else {
            "disabled"
        };
        let mut cells = vec![
            status.name.clone(),
            status.url.clone(),
            login.to_owned(),
            status.auth.expires_at.clone().unwrap_or_default(),
            status.auth.issuer.clone().unwrap_or_default(),
        ];
        if checked {
            let text = check.as_ref().map(|check| match check.ok {
                true => "ok".to_owned(),
                false => check.error.join(": "),
            });
            cells.push(text.unwrap_or_default());
        }
        table.add_row(cells.iter().map(|cell| clean(cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}
