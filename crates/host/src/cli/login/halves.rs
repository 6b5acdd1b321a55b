//! A login in two halves: `--start` shows the page and ends, `--finish` takes what came back.

use std::io::{BufRead as _, Read as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use doorkey::{CallbackSettings, Error, Host, LoginOutcome, StoreKind, StoreOpenError, Target};
use doorkey_http::clean_text;
use doorkey_oauth::Error as AuthorizationError;
use serde::Serialize;

use super::keyboard::{Held, Keyboard};
use super::qr;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, clean};
use crate::cli::progress::{Narrator, Scene};
use crate::cli::subject::shown;
use crate::cli::when::rfc3339;

/// The first half.
pub(super) struct Start<'a> {
    pub(super) target: Target<'a>,
    pub(super) callback: &'a CallbackSettings,
    pub(super) shows_qr: bool,
    pub(super) is_json: bool,
}

/// What a program is told of a login that was started.
#[derive(Serialize)]
struct Told<'a> {
    server: &'a str,
    /// The page to open.
    page: &'a str,
    /// Who shows it.
    issuer: &'a str,
    /// Where the browser ends; nobody listens there.
    redirect_uri: &'a str,
    /// When it can no longer be finished (RFC 3339).
    expires_at: Option<String>,
    expires_in: u64,
    /// What finishes it, given the address at which the browser ended on standard input.
    finish: String,
}

impl Start<'_> {
    /// Prints the page to open, and what to do then.
    pub(super) async fn run(self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let target = self.target;
        if host.store_choice().kind == StoreKind::Memory {
            return Err(StoreOpenError::KeepsNothing.into());
        }
        let qr = Some(()).filter(|()| self.shows_qr && !self.is_json && output.manner().can_move);
        let scene = Scene {
            qr: qr
                .filter(|()| qr::is_plausible(host.environment()))
                .map(|()| qr::Room::of_terminal()),
            ..Scene::default()
        };
        let narrator = Narrator::new(target.server, output, scene);
        let started = host
            .start_login(target, Some(self.callback), &narrator)
            .await;
        narrator.finish();
        let Some(started) = started? else {
            output.note(&format!("{} needs no login", target.server));
            return Ok(Exit::Done);
        };
        if started.replaced {
            output.warn("a login that was started before can no longer be finished");
        }
        narrator.lead_to(started.issuer.as_str());
        let left = started.expires_at.duration_since(SystemTime::now());
        let left = left.unwrap_or_default().as_secs();
        let finish = target.command("login --finish");
        if self.is_json {
            output.json(&Told {
                server: target.server,
                page: started.url.as_str(),
                issuer: started.issuer.as_str(),
                redirect_uri: &started.redirect_uri,
                expires_at: rfc3339(started.expires_at),
                expires_in: left,
                finish,
            })?;
            return Ok(Exit::Done);
        }
        output.data(&clean_text(started.url.as_str(), usize::MAX))?;
        narrator.qr_of_page(&started.url, &started.redirect_uri, Some(&finish));
        let way_back = started.redirect_uri.split('?').next().unwrap_or_default();
        output.insist(&format!(
            "Open that page in any browser. It ends at an address that begins with {}, where nothing may answer: \
             copy the whole address.",
            clean(way_back)
        ));
        output.insist(&format!(
            "next: {finish}, and paste it there, within {} minutes",
            left.div_ceil(60)
        ));
        Ok(Exit::Done)
    }
}

/// Takes the address from the arguments, else from standard input.
pub(super) async fn finish(
    target: Target<'_>,
    given: Option<&str>,
    host: &Host,
    output: &Output,
) -> Result<LoginOutcome, Failure> {
    // Whoever has nothing to finish is told before they look for something to paste.
    if host.pending_login(target).await?.is_none() {
        return Err(refused(target, AuthorizationError::NoPendingLogin));
    }
    let callback = match given {
        Some(given) => {
            output.note(
                "The address was given as an argument, which other processes of this machine can see. Its code \
                 works once, and only with what the login left in the store; standard input keeps it to yourself.",
            );
            given.to_owned()
        }
        None => {
            let line = tokio::time::timeout(PATIENCE, pasted(target, output));
            let line = line.await.unwrap_or(Ok(None));
            line.map_err(Failure::Input)?
                .ok_or_else(|| refused(target, AuthorizationError::LoginAbandoned))?
        }
    };
    let narrator = Narrator::new(target.server, output, Scene::default());
    let outcome = host.finish_login(target, callback.trim(), &narrator).await;
    narrator.finish();
    Ok(outcome?)
}

/// The address, from standard input; `None`: nobody gives it any more. A terminal does not show it, for a code in its
/// scrollback is there for whoever looks at the screen.
async fn pasted(target: Target<'_>, output: &Output) -> std::io::Result<Option<String>> {
    let asked = format!(
        "Paste the address at which the browser ended, to sign in to {}",
        shown(target)
    );
    let keyboard = match output.terminal().stdin {
        true => Keyboard::new(),
        false => None,
    };
    let Some((keyboard, mut lines)) = keyboard else {
        if output.terminal().stdin {
            output.note(&format!("{asked}:"));
        }
        let line = tokio::task::spawn_blocking(first_line).await;
        return line.ok().transpose();
    };
    let _held = Held(Arc::clone(&keyboard));
    // What was typed before that is dropped.
    keyboard.listen();
    output.note(&format!("{asked}, and press Enter; it is not shown:"));
    while let Some(line) = lines.recv().await {
        if !line.trim().is_empty() {
            return Ok(Some(line));
        }
    }
    Ok(None)
}

/// The first line that is not empty, or nothing.
fn first_line() -> std::io::Result<String> {
    let input = std::io::stdin().lock().take(LONGEST);
    for line in input.lines() {
        let line = line?;
        if !line.trim().is_empty() {
            return Ok(line);
        }
    }
    Ok(String::new())
}

fn refused(target: Target<'_>, error: AuthorizationError) -> Failure {
    Failure::Host(Error::Authorization {
        what: "sign in to",
        server: target.server.to_owned(),
        source: Box::new(error),
    })
}

/// As long as there is something to be finished.
const PATIENCE: Duration = Duration::from_secs(600);
/// Far more than an address has.
const LONGEST: u64 = 64 * 1024;
