//! The login that a command turns out to need: a person at a terminal is asked whether to do it now.

use std::io;

use doorkey::{Host, Target};
use tokio::sync::oneshot;

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
    let question = format!(
        "{} wants you to sign in first. Sign in now? [Y/n]",
        shown(target)
    );
    if !is_yes(&question, output).await {
        return outcome;
    }
    let login = Login::of(target);
    match Box::pin(login.run(host, output)).await? {
        Exit::Done => command().await,
        exit => Ok(exit),
    }
}

/// Whether a person says yes; nothing but Enter is yes, as the question shows, and an end of the input is none.
async fn is_yes(question: &str, output: &Output) -> bool {
    output.insist(question);
    let (sender, answer) = oneshot::channel();
    // No task of the runtime: whoever gives up with Ctrl-C is not to wait for a line.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line);
        // Nobody listens any more if the program is about to end.
        drop(sender.send(read.map(|length| (length > 0).then_some(line))));
    });
    match answer.await {
        Ok(Ok(Some(line))) => means_yes(&line),
        _ => false,
    }
}

fn means_yes(line: &str) -> bool {
    matches!(line.trim().to_lowercase().as_str(), "" | "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enter_and_yes_are_yes_and_anything_else_is_not() {
        for yes in ["\n", "y\n", "Y\r\n", " yes \n", "YES"] {
            assert!(means_yes(yes), "{yes:?}");
        }
        for no in ["n\n", "no\n", "N", "https://a.example\n", "j\n"] {
            assert!(!means_yes(no), "{no:?}");
        }
    }
}
