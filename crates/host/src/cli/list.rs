//! `doorkey list`: every server and its login.

use clap::Args;
use comfy_table::{Table, presets};
use doorkey::{AuthStatus, Host, LoginState, ServerStatus, StoreKind, StoreReason};
use doorkey_store::DEFAULT_ACCOUNT;
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
    pub(super) check: bool,
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
        if !self.json && rows.iter().any(|row| !row.status.other_accounts.is_empty()) {
            output.note("* is used where no --account is given");
        }
        for row in &rows {
            warn_if_unreadable(&row.status, output);
        }
        if !self.json && rows.iter().any(|row| row.status.has_login()) {
            note_plain(host, output);
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

/// Logins in plain text are said to be that, with the way to change it.
pub(crate) fn note_plain(host: &Host, output: &Output) {
    let choice = host.store_choice();
    if choice.kind != StoreKind::File {
        return;
    }
    let location = host.store_status().location;
    let why = match &choice.reason {
        StoreReason::NoKeyring(why) => format!("; there was no keyring to be used ({why})"),
        _ => String::new(),
    };
    output.note(&format!(
        "logins are kept in plain text, readable by you alone, in {}{}; to encrypt them: doorkey store \
         migrate --to encrypted_file",
        clean(&location),
        clean(&why),
    ));
}

/// A login that is there and cannot be read: the others are shown all the same.
pub(crate) fn warn_if_unreadable(status: &ServerStatus, output: &Output) {
    for auth in std::iter::once(&status.auth).chain(&status.other_accounts) {
        if let (LoginState::Unknown, Some(reason)) = (auth.status, &auth.reason) {
            output.warn(&format!("{}: {reason}", status.name));
        }
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

/// Whether there is more to say of whose a login is than that it is the only one.
fn has_names(status: &ServerStatus) -> bool {
    let has_name = |auth: &AuthStatus| {
        auth.account != DEFAULT_ACCOUNT || auth.account_label.is_some() || !auth.is_default
    };
    has_name(&status.auth) || !status.other_accounts.is_empty()
}

/// The account, marked where it is the one that is used by default, and who that is.
fn account(auth: &AuthStatus) -> String {
    let mark = if auth.is_default { "*" } else { "" };
    match &auth.account_label {
        Some(label) if *label != auth.account => format!("{}{mark} ({label})", auth.account),
        _ => format!("{}{mark}", auth.account),
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    let checked = rows.iter().any(|row| row.check.is_some());
    let named = rows.iter().any(|row| has_names(&row.status));
    let mut header = vec!["NAME", "URL"];
    header.extend(named.then_some("ACCOUNT"));
    header.extend(["LOGIN", "EXPIRES", "ISSUER"]);
    header.extend(checked.then_some("CHECK"));
    table.set_header(header);
    for Row { status, check } in rows {
        for auth in std::iter::once(&status.auth).chain(&status.other_accounts) {
            let login = match status.enabled {
                true => auth.status.as_str(),
                false => "disabled",
            };
            let mut cells = vec![status.name.clone(), status.url.clone()];
            cells.extend(named.then(|| account(auth)));
            let started = auth.started_until.as_ref().filter(|_| status.enabled);
            let started = started.map_or("", |_| " (login started)");
            cells.push(format!("{login}{started}"));
            cells.push(auth.expires_at.clone().unwrap_or_default());
            cells.push(auth.issuer.clone().unwrap_or_default());
            // What was tried is the default account.
            let check = check.as_ref().filter(|_| auth.is_default);
            let text = check.map(|check| match check.ok {
                true => "ok".to_owned(),
                false => check.error.join(": "),
            });
            cells.extend(checked.then(|| text.unwrap_or_default()));
            table.add_row(cells.iter().map(|cell| clean(cell)));
        }
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}
