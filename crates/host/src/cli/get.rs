//! `doorkey get`: one server, its settings and its login.

mod credentials;
mod shown;

use clap::Args;
use doorkey::Host;

use super::exit::{Exit, Failure};
use super::list;
use super::output::{Output, clean};
use super::subject::Account;
use shown::Shown;

#[derive(Args, Debug)]
pub(crate) struct Get {
    /// The server, as named in the configuration
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) account: Account,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Get {
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let status = host.status(self.account.at(&self.name)).await?;
        list::warn_if_unreadable(&status, output);
        let server = host.config().server(&self.name)?;
        let shown = Shown::new(server, &status);
        if self.json {
            output.json(&shown)?;
        } else {
            for (label, value) in shown.lines() {
                output.data(&format!("{label:<22} {}", clean(&value)))?;
            }
        }
        if !self.json && status.has_login() {
            list::note_plain(host, output);
        }
        Ok(Exit::Done)
    }
}
