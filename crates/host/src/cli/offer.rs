//! The login that a command turns out to need: a person at a terminal is asked whether to do it now.

use doorkey::{Host, Target};

use super::ask::{Enter, is_yes};
use super::exit::{Exit, Failure};
use super::login::Login;
use super::output::Output;
use super::subject::shown;

/// What `command` comes to; where it fails for want of a login, and a person is there who wants to sign in, what it
/// comes to after that. Nothing of it was done the first time: the server refused it.
///
/// Nobody is asked where [`Output::is_interactive`] says so; then the error tells what to type.
pub(crate) async fn with_login(
    target: Target<'_>,
    host: &Host,
    output: &Output,
    command: impl AsyncFn() -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let outcome = command().await;
    let Err(Failure::Host(error)) = &outcome else {
        return outcome;
    };
    if !error.needs_login() || !output.is_interactive() {
        return outcome;
    }
    let question = format!("{} wants you to sign in first. Sign in now?", shown(target));
    if !is_yes(&question, Enter::Yes, output).await {
        return outcome;
    }
    let login = Login::of(target);
    match Box::pin(login.run(host, output)).await? {
        Exit::Done => command().await,
        exit => Ok(exit),
    }
}
