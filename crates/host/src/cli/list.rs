//! `doorkey list`: every server and its login.

use clap::Args;
use doorkey::{AuthStatus, Host, LoginState, ServerStatus, StoreKind, StoreReason};
use doorkey_store::DEFAULT_ACCOUNT;
use serde::Serialize;

use super::check::{Check, Checking};
use super::exit::{Exit, Failure};
use super::format::Format;
use super::lines::Lines;
use super::output::{Output, clean};
use super::paint;
use super::table::{Fit, Table};
use super::when;

#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    pub(super) checking: Checking,
}

/// A server, and with `--check` how trying it went.
#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    status: ServerStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<Check>,
}

impl List {
    /// The exit code stays 0 whatever a check says: JSON has one for each server.
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let seen = self.checking.look(host, output, |_| true).await?;
        let rows = seen.into_iter();
        let rows: Vec<_> = rows.map(|(status, check)| Row { status, check }).collect();
        let is_json = self.format.is_json(output);
        if is_json {
            output.json(&rows)?;
        } else if rows.is_empty() {
            output.note("no servers yet; next: doorkey add NAME --url URL, or doorkey import");
        } else {
            let table = match self.checking.check {
                true => checked(&rows),
                false => table(&rows),
            };
            paint::table(&table.text(output.width()), output)?;
        }
        for row in &rows {
            warn_if_unreadable(&row.status, output);
        }
        if !is_json {
            notes(&rows, host, output);
        }
        Ok(Exit::Done)
    }
}

fn notes(rows: &[Row], host: &Host, output: &Output) {
    let mut next = Lines::default();
    for row in rows {
        let text = row.check.as_ref().and_then(Check::next);
        next.add_some(&row.status.name, text.map(str::to_owned));
    }
    for line in next.under("next", output.width()) {
        output.note(&line);
    }
    if rows.iter().any(|row| !row.status.other_accounts.is_empty()) {
        output.note("* is used where no --account is given");
    }
    if rows.iter().any(|row| row.status.has_login()) {
        note_plain(host, output);
    }
    let local = host.config().not_remote();
    if !local.is_empty() {
        output.note(&format!(
            "not remote, left alone: {}",
            clean(&local.join(", "))
        ));
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

/// Whose a login is, as far as there is something to say: the person, the account where it is another than everybody has, and
/// of several which one is used by default.
fn account(status: &ServerStatus, auth: &AuthStatus) -> String {
    let is_one_of_several = !status.other_accounts.is_empty();
    let mark = match auth.is_default && is_one_of_several {
        true => "*",
        false => "",
    };
    let is_usual = auth.account == DEFAULT_ACCOUNT && auth.is_default && !is_one_of_several;
    match &auth.account_label {
        Some(label) if is_usual => label.clone(),
        None if is_usual => String::new(),
        Some(label) if *label != auth.account => format!("{}{mark} ({label})", auth.account),
        _ => format!("{}{mark}", auth.account),
    }
}

/// Where a login stands, for a person.
pub(crate) fn login(status: &ServerStatus, auth: &AuthStatus) -> String {
    if !status.enabled {
        return "disabled".to_owned();
    }
    let started = auth.started_until.as_ref();
    let started = started.map_or("", |_| " (login started)");
    let state = match (auth.status, &auth.reason) {
        (LoginState::Unknown, Some(_)) => "cannot be read",
        (state, _) => state.in_words(),
    };
    format!("{state}{started}")
}

fn each_login(rows: &[Row]) -> impl Iterator<Item = (&Row, &AuthStatus)> {
    rows.iter().flat_map(|row| {
        let status = &row.status;
        let all = std::iter::once(&status.auth).chain(&status.other_accounts);
        all.map(move |auth| (row, auth))
    })
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        ("NAME", Fit::Whole),
        ("ACCOUNT", Fit::Whole),
        ("LOGIN", Fit::Whole),
        ("EXPIRES", Fit::Whole),
        ("URL", Fit::Address),
    ]);
    for (Row { status, .. }, auth) in each_login(rows) {
        let expires = match auth.status {
            LoginState::LoggedIn => auth.expires_in_sec.map(when::in_words),
            _ => None,
        };
        table.add(&[
            status.name.clone(),
            account(status, auth),
            login(status, auth),
            expires.unwrap_or_default(),
            status.url.clone(),
        ]);
    }
    table
}

/// The same with what came of trying in place of what is at hand.
fn checked(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        ("NAME", Fit::Whole),
        ("ACCOUNT", Fit::Whole),
        ("LOGIN", Fit::Whole),
        ("TIME", Fit::Whole),
        ("CHECK", Fit::Wrap),
    ]);
    for (Row { status, check }, auth) in each_login(rows) {
        // What was tried is the default account.
        let check = check.as_ref().filter(|_| auth.is_default);
        table.add(&[
            status.name.clone(),
            account(status, auth),
            login(status, auth),
            check.map(Check::time).unwrap_or_default(),
            check.map(Check::in_words).unwrap_or_default(),
        ]);
    }
    table
}
