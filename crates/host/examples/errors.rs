//! How a host with a window shows what went wrong: every failure has a code, its causes in order and something to do.
//!
//! `cargo run -p doorkey --example errors -- work` connects to the server `work` of the configuration and shows what it came to.

use doorkey::doctor::ExamineOptions;
use doorkey::{Environment, Error, ErrorCode, Folders, Host, Target};

/// What a window shows.
#[derive(Debug)]
pub struct Dialog {
    /// Fit for a bug report, and for looking up: it never changes its meaning.
    pub code: ErrorCode,
    /// What failed, then each cause.
    pub lines: Vec<String>,
    /// What to do, in words.
    pub advice: String,
    /// The button.
    pub button: Button,
}

/// What a click does.
#[derive(Debug, PartialEq, Eq)]
pub enum Button {
    /// Calls [`Host::login`].
    SignIn,
    /// The same call again, after a while; nothing was lost.
    TryAgain,
    /// A setting, the server or the account: only the advice helps.
    Close,
}

/// The dialog for a failure at one account of a server.
pub fn dialog(error: &Error, target: Target<'_>) -> Dialog {
    let told = error.explain(target);
    let button = if error.needs_login() {
        Button::SignIn
    } else if error.is_transient() {
        Button::TryAgain
    } else {
        Button::Close
    };
    Dialog {
        code: told.code,
        lines: told.lines().map(str::to_owned).collect(),
        advice: told.next.text.clone(),
        button,
    }
}

/// What a button "Find out why" shows: what is wrong on the way to a server, the most likely cause first.
pub async fn found(host: &Host, server: &str) -> Vec<String> {
    let diagnosis = host.diagnose(server, &ExamineOptions::default()).await;
    let findings = diagnosis.findings.into_iter();
    findings
        .map(|finding| format!("{}: {}", finding.title, finding.mend.text))
        .collect()
}

#[tokio::main]
#[expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example is a program: it reads the environment once and prints"
)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = std::env::args().nth(1).ok_or("expected a name")?;
    let environment = Environment::new(std::env::vars_os()).with_folders(Folders::platform());
    let host = Host::open(environment)?;
    if let Err(error) = host.connect(server.as_str()).await {
        println!("{:#?}", dialog(&error, Target::new(&server)));
        for line in found(&host, &server).await {
            println!("{line}");
        }
    }
    Ok(())
}
