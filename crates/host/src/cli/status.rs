//! `doorkey status`: who is signed in where, until when, with what, and what to do where nobody is.

use clap::Args;
use doorkey::{AuthStatus, Host, LoginState, NextAction, QuirkState, ServerStatus, Target};
use serde::Serialize;

use super::check::{Check, Checking};
use super::exit::{Exit, Failure};
use super::format::Format;
use super::lines::Lines;
use super::list;
use super::output::Output;
use super::paint;
use super::when;

#[derive(Args, Debug)]
pub(crate) struct Status {
    /// The servers, as named in the configuration; all where none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    pub(super) checking: Checking,
}

/// One server, with what to type about each of its logins.
#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    status: ServerStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<Check>,
    /// What to do where somebody has to, as errors tell it.
    next: Option<NextAction>,
}

impl Status {
    /// With `--check` the exit code is that of the first server that could not be used.
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        for name in &self.names {
            host.config().server(name)?;
        }
        let is_meant =
            |name: &str| self.names.is_empty() || self.names.iter().any(|meant| meant == name);
        let seen = self.checking.look(host, output, is_meant).await?;
        let rows: Vec<_> = seen
            .into_iter()
            .map(|(status, check)| Row {
                next: next(&status, &status.auth),
                status,
                check,
            })
            .collect();
        let is_json = self.format.is_json(output);
        if is_json {
            output.json(&rows)?;
        } else if rows.is_empty() {
            output.note("no servers yet; next: doorkey add NAME --url URL, or doorkey import");
        } else {
            let width = output.width();
            let pages: Vec<_> = rows.iter().map(|row| row.page(width).join("\n")).collect();
            paint::pages(&pages.join("\n\n"), output)?;
        }
        for row in &rows {
            list::warn_if_unreadable(&row.status, output);
        }
        if !is_json && rows.iter().any(|row| row.status.has_login()) {
            list::note_plain(host, output);
        }
        let checks = rows.iter().filter_map(|row| row.check.as_ref());
        let exits = checks.map(Check::exit);
        Ok(exits.fold(Exit::Done, Exit::worse))
    }
}

impl Row {
    fn page(&self, width: Option<u16>) -> Vec<String> {
        let status = &self.status;
        let mut page = Vec::new();
        for auth in std::iter::once(&status.auth).chain(&status.other_accounts) {
            let heading = match auth.is_default {
                true => status.name.clone(),
                false => format!("{} as {}", status.name, auth.account),
            };
            let mut lines = Lines::default();
            if auth.is_default {
                lines.add("url", status.url.clone());
            }
            about(status, auth, &mut lines);
            if let Some(check) = self.check.as_ref().filter(|_| auth.is_default) {
                lines.add("check", format!("{} ({})", check.in_words(), check.time()));
            }
            let by_check = self.check.as_ref().filter(|_| auth.is_default);
            let by_check = by_check.and_then(Check::next).map(str::to_owned);
            let of_login = || next(status, auth).map(|next| next.text);
            lines.add_some("next", by_check.or_else(of_login));
            page.extend(lines.under(&heading, width));
        }
        page
    }
}

fn about(status: &ServerStatus, auth: &AuthStatus, lines: &mut Lines) {
    lines.add("login", list::login(status, auth));
    lines.add_some("signed in as", auth.account_label.clone());
    lines.add_some("until", until(auth));
    lines.add_some("scopes", Some(auth.scopes.join(" ")));
    lines.add_some("issuer", auth.issuer.clone());
    lines.add_some("why", with_code(auth, auth.reason.as_deref()));
    if auth.last_error != auth.reason {
        lines.add_some("last error", auth.last_error.clone());
    }
    for quirk in status.quirks.iter().filter(|_| auth.is_default) {
        let state = match quirk.state {
            QuirkState::On => "",
            _ => " (not used)",
        };
        lines.add("quirk", format!("{}{state}", quirk.id));
    }
    if let Some(until) = &auth.started_until {
        let finish = target(status, auth).command("login --finish");
        lines.add(
            "login started",
            format!("until {until}; to finish it: {finish}"),
        );
    }
    if auth.client_id.is_some() {
        let store = &auth.store;
        let sealed = match store.encrypted {
            true => "encrypted",
            false => "not encrypted",
        };
        let text = format!("{} ({sealed}) {}", store.kind, store.location);
        lines.add("kept in", text);
    }
}

/// What is wrong, with the code to look it up by.
fn with_code(auth: &AuthStatus, reason: Option<&str>) -> Option<String> {
    match (auth.code, reason) {
        (Some(code), Some(reason)) => Some(format!("{code}: {reason}")),
        (Some(code), None) => Some(code.to_string()),
        (None, reason) => reason.map(str::to_owned),
    }
}

/// When the token ends, and what happens then.
fn until(auth: &AuthStatus) -> Option<String> {
    let then = match (auth.status, auth.refreshable) {
        (LoginState::LoggedIn | LoginState::ExpiredRefreshable, true) => "; then it renews itself",
        (LoginState::LoggedIn, false) if auth.flow == Some("authorization_code") => {
            "; then a login is needed"
        }
        _ => "",
    };
    match (&auth.expires_at, auth.expires_in_sec) {
        (Some(time), Some(seconds)) => Some(format!("{time}, {}{then}", when::in_words(seconds))),
        _ if auth.status == LoginState::LoggedIn => Some(format!("the server did not say{then}")),
        _ => None,
    }
}

/// What to type about a login.
fn next(status: &ServerStatus, auth: &AuthStatus) -> Option<NextAction> {
    let target = target(status, auth);
    let command = match auth.status {
        _ if !status.enabled => Target::new(&status.name).command("enable"),
        LoginState::LoginRequired => target.command("login"),
        LoginState::Unknown if auth.reason.is_none() => target.command("login"),
        _ => return None,
    };
    Some(NextAction::command(&command))
}

fn target<'a>(status: &'a ServerStatus, auth: &'a AuthStatus) -> Target<'a> {
    let target = Target::new(&status.name);
    match auth.is_default {
        true => target,
        false => target.with_account(auth.account.as_str()),
    }
}
