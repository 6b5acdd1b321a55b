//! The server and the account that a command is about.

use std::time::Duration;

use clap::Args;
use doorkey::{Target, is_account_name};

/// `--account`, for the commands that act as somebody.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Account {
    /// The account there, where you have several; a new name is a new account
    #[arg(long, value_name = "NAME", value_parser = account)]
    account: Option<String>,
}

impl Account {
    /// The one of a target.
    pub(crate) fn of(target: Target<'_>) -> Self {
        Self {
            account: target.account.map(str::to_owned),
        }
    }

    pub(crate) fn at<'a>(&'a self, server: &'a str) -> Target<'a> {
        Target::new(server).with_account(self.account.as_deref())
    }
}

/// `--timeout`, for the commands that ask a server something.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Patience {
    /// Wait for the answer this many seconds at most, in place of tool_timeout_sec
    #[arg(long, value_name = "SEC", value_parser = seconds)]
    timeout: Option<Duration>,
}

impl Patience {
    pub(crate) fn limit(self) -> Option<Duration> {
        self.timeout
    }
}

/// The server of a target as a person refers to it: with the account where one was named.
pub(crate) fn shown(target: Target<'_>) -> String {
    match target.account {
        Some(account) => format!("{} as {account}", target.server),
        None => target.server.to_owned(),
    }
}

fn account(text: &str) -> Result<String, String> {
    if is_account_name(text) {
        Ok(text.to_owned())
    } else {
        Err("an account is 1 to 64 letters, digits and `-_.@+`, not beginning with `-`".to_owned())
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let expected = || "expected seconds, such as 30 or 0.5".to_owned();
    let seconds: f64 = text.parse().map_err(|_| expected())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|limit| !limit.is_zero() && *limit <= LONGEST)
        .ok_or_else(expected)
}

/// A day: nothing is waited for longer.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
