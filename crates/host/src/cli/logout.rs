//! `doorkey logout`: revoke, remove, and say honestly which of it happened.

use clap::Args;
use doorkey::{Host, Logout as Done, LogoutOutcome as Outcome};
use doorkey_oauth::{LogoutOptions, LogoutReport, StepOutcome};

use super::exit::{Exit, Failure};
use super::output::{Output, clean};
use super::report;
use super::subject::{Account, shown};
use super::wording::in_configured_names;

#[derive(Args, Debug)]
pub(crate) struct Logout {
    /// The server, as named in the configuration
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) account: Account,
    /// Also delete the client registration, unless another login uses it
    #[arg(long)]
    forget_client: bool,
}

impl Logout {
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let target = self.account.at(&self.name);
        let options = LogoutOptions::default().forget_client(self.forget_client);
        let outcome = host.logout(target, options).await?;
        let exit = tell_all(&shown(target), &outcome, output);
        let oauth = &host.config().server(&self.name)?.oauth;
        if oauth.flow.is_unattended() {
            output.note(&format!(
                "{}: flow = {:?} signs in again with the next request that needs it",
                self.name,
                oauth.flow.as_str()
            ));
        }
        for other in host.sharing_login(target)? {
            output.note(&format!(
                "{other}: had the same login, and is signed out too"
            ));
        }
        Ok(exit)
    }
}

/// Tells what was done, in the store in use and in the others.
pub(crate) fn tell_all(name: &str, logout: &Done, output: &Output) -> Exit {
    if !logout.copies.is_empty() {
        output.note(&format!("{name}:"));
    }
    let mut exit = tell(name, &logout.login, output);
    for copy in &logout.copies {
        let name = format!(
            "{name}, copy in the {} store {}",
            copy.kind,
            clean(&copy.location)
        );
        let of_copy = match &copy.outcome {
            Ok(outcome) => {
                output.note(&format!("{name}:"));
                tell(&name, outcome, output)
            }
            Err(error) => {
                let causes = report::causes(error).join(": ");
                output.warn(&format!("{name}: not looked into: {causes}"));
                if let Some(remedy) = error.remedy() {
                    output.note(&format!("  next: {remedy}, then log out again"));
                }
                Exit::Configuration
            }
        };
        exit = exit.worse(of_copy);
    }
    exit
}

/// Tells what was done. A local copy that stays is a failure; what only the server could do is not.
fn tell(name: &str, outcome: &Outcome, output: &Output) -> Exit {
    match outcome {
        Outcome::Complete(report) => tell_steps(name, report, output),
        Outcome::LocalOnly { removed, cause } => {
            let done = if *removed {
                "removed the login"
            } else {
                "there was no login"
            };
            output.note(&format!("{name}: {done}"));
            output.warn(&format!(
                "nothing was revoked: {}",
                report::causes(cause).join(": ")
            ));
            Exit::Done
        }
        Outcome::LinkRemoved { link } => {
            output.note(&format!(
                "{name}: removed the link {}",
                clean(&link.display().to_string())
            ));
            output.warn("nothing was revoked, and what the link pointed to is as it was");
            Exit::Done
        }
        _ => Exit::Done,
    }
}

fn tell_steps(name: &str, report: &LogoutReport, output: &Output) -> Exit {
    if matches!(report.removed_local, StepOutcome::NothingToDo) {
        output.note(&format!("{name}: there was no login"));
    }
    for (step, outcome) in [
        ("refresh token at the server", &report.revoked_refresh),
        ("access token at the server", &report.revoked_access),
        ("login on this machine", &report.removed_local),
        ("sign-on at the identity provider", &report.identity),
        (REGISTRATION, &report.registration),
    ] {
        let text = match outcome {
            StepOutcome::Done => "removed".to_owned(),
            StepOutcome::InUse => "kept, another login uses it".to_owned(),
            StepOutcome::Unsupported if step == REGISTRATION => {
                format!("{FORGOTTEN}: the authorization server offers no way to delete it")
            }
            StepOutcome::Unsupported => {
                "the authorization server offers no way to revoke it".to_owned()
            }
            StepOutcome::LocalOnly(error) if step == REGISTRATION => {
                format!("{FORGOTTEN}: {}", clean(&chain(error)))
            }
            StepOutcome::LocalOnly(error) => {
                format!("removed here, not there: {}", clean(&chain(error)))
            }
            StepOutcome::Failed(error) => format!("not removed: {}", clean(&chain(error))),
            _ => continue,
        };
        output.note(&format!("  {step}: {text}"));
    }
    match &report.removed_local {
        StepOutcome::Failed(_) => Exit::Configuration,
        _ => Exit::Done,
    }
}

fn chain(error: &doorkey_oauth::Error) -> String {
    let first: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(first), |&error| error.source())
        .map(|cause| in_configured_names(&cause.to_string()))
        .collect::<Vec<_>>()
        .join(": ")
}

const REGISTRATION: &str = "client registration";
const FORGOTTEN: &str = "forgotten here, still registered there";
