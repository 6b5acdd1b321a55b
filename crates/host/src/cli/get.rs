//! `doorkey get`: one server, its settings, its login, and the network that holds for it.

mod credentials;
mod lines;
mod network;
mod shown;

use clap::Args;
use doorkey::{Host, ServerStatus};

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
        self.show(host, &status, output)?;
        if !self.json && status.has_login() {
            list::note_plain(host, output);
        }
        Ok(Exit::Done)
    }

    fn show(&self, host: &Host, status: &ServerStatus, output: &Output) -> Result<(), Failure> {
        let server = host.config().server(&self.name)?;
        let network = host.network_of(&self.name)?;
        let shown = Shown::new(server, status, &network, host.environment());
        if self.json {
            return output.json(&shown);
        }
        for line in shown.page() {
            output.data(&line)?;
        }
        Ok(())
    }
}
