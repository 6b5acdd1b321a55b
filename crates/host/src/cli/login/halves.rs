//! A login in two halves: `--start` shows the page and ends, `--finish` takes what came back.

use std::io::{BufRead as _, Read as _};
use std::time::Duration;

use doorkey::{Error, Host, LoginOutcome, StoreKind, StoreOpenError, Target};
use doorkey_http::clean_text;
use doorkey_oauth::Error as AuthorizationError;

use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, clean};
use crate::cli::progress::Narrator;
use crate::cli::subject::{shown, typed};

/// Prints the page to open, and what to do then.
pub(super) async fn start(
    target: Target<'_>,
    host: &Host,
    output: &Output,
) -> Result<Exit, Failure> {
    if host.store_choice().kind == StoreKind::Memory {
        return Err(StoreOpenError::KeepsNothing.into());
    }
    let narrator = Narrator::new(target.server, output);
    let started = host.start_login(target, &narrator).await;
    narrator.finish();
    let Some(started) = started? else {
        output.note(&format!("{} needs no login", target.server));
        return Ok(Exit::Done);
    };
    if started.replaced {
        output.warn("a login that was started before can no longer be finished");
    }
    narrator.lead_to(started.issuer.as_str());
    output.data(&clean_text(started.url.as_str(), usize::MAX))?;
    let way_back = started.redirect_uri.split('?').next().unwrap_or_default();
    output.note(&format!(
        "Open that page in any browser. It ends at an address that begins with {}, where nothing may answer: \
         copy the whole address.",
        clean(way_back)
    ));
    let left = started
        .expires_at
        .duration_since(std::time::SystemTime::now());
    output.note(&format!(
        "next: doorkey login {} --finish, and paste it there, within {} minutes",
        typed(target),
        left.unwrap_or_default().as_secs().div_ceil(60)
    ));
    Ok(Exit::Done)
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
            if output.terminal().stdin {
                output.note(&format!(
                    "Paste the address at which the browser ended, to sign in to {}:",
                    shown(target)
                ));
            }
            let line = tokio::task::spawn_blocking(first_line);
            match tokio::time::timeout(PATIENCE, line).await {
                Ok(Ok(Ok(line))) => line,
                Ok(Ok(Err(error))) => return Err(Failure::Input(error)),
                Ok(Err(_)) | Err(_) => {
                    return Err(refused(target, AuthorizationError::LoginAbandoned));
                }
            }
        }
    };
    let narrator = Narrator::new(target.server, output);
    let outcome = host.finish_login(target, callback.trim(), &narrator).await;
    narrator.finish();
    Ok(outcome?)
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
