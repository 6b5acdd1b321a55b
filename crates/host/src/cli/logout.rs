//! `doorkey logout`: revoke, remove, and say honestly which of it happened.

mod all;
mod steps;

use clap::Args;
use doorkey::{Host, Target};
use doorkey_oauth::LogoutOptions;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::subject::{Account, shown};

pub(crate) use steps::{Done, done};

#[derive(Args, Debug)]
#[command(after_help = REVOKING)]
pub(crate) struct Logout {
    /// The server, as named in the configuration
    #[arg(required_unless_present = "all")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) account: Account,
    /// Every account of every server
    #[arg(long, conflicts_with_all = ["name", "account"])]
    all: bool,
    /// With --all: without being asked
    #[arg(long, short)]
    yes: bool,
    /// Also delete the client registration, unless another login uses it
    #[arg(long)]
    forget_client: bool,
    /// As JSON: each step with what came of it
    #[arg(long)]
    json: bool,
}

impl Logout {
    pub(crate) fn target(&self) -> Option<Target<'_>> {
        Some(self.account.at(self.name.as_deref()?))
    }

    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let Some(target) = self.target() else {
            return self.run_all(host, output).await;
        };
        let logout = host.logout(target, self.options());
        let what = format!("signing out of {}", shown(target));
        let outcome = output.while_waiting(&what, logout).await;
        let done = done(target, outcome, &host.sharing_login(target)?)?;
        if self.json {
            output.json(&done)?;
        } else {
            done.tell(false, output);
            tell_unattended(host, target.server, output)?;
        }
        Ok(done.exit())
    }

    fn options(&self) -> LogoutOptions {
        LogoutOptions::default().forget_client(self.forget_client)
    }
}

/// A server that nobody has to sign in to is signed in to again by itself.
fn tell_unattended(host: &Host, name: &str, output: &Output) -> Result<(), Failure> {
    let oauth = &host.config().server(name)?.oauth;
    if oauth.flow.is_unattended() {
        output.note(&format!(
            "{name}: flow = {:?} signs in again with the next request that needs it",
            oauth.flow.as_str()
        ));
    }
    Ok(())
}

const REVOKING: &str = "\
The exit code is 0 when nothing of the login is left on this machine, also where the server could not be asked to
take the tokens back: a second try would find none. That is a warning, and \"revoked\": false in JSON.";
