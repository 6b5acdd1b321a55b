//! `doorkey get`: one server, its settings, its login, and the network that holds for it.

mod credentials;
mod network;
mod shown;

use clap::Args;
use doorkey::{Host, ServerStatus};

use super::exit::{Exit, Failure};
use super::format::Format;
use super::list;
use super::output::Output;
use super::paint;
use super::subject::Account;
use shown::Shown;

#[derive(Args, Debug)]
pub(crate) struct Get {
    /// The server, as named in the configuration
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) account: Account,
    #[command(flatten)]
    format: Format,
}

impl Get {
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let status = host.status(self.account.at(&self.name)).await?;
        list::warn_if_unreadable(&status, output);
        self.show(host, &status, output)?;
        if !self.format.is_json(output) && status.has_login() {
            list::note_plain(host, output);
        }
        Ok(Exit::Done)
    }

    fn show(&self, host: &Host, status: &ServerStatus, output: &Output) -> Result<(), Failure> {
        let server = host.config().server(&self.name)?;
        let network = host.network_of(&self.name)?;
        let shown = Shown::new(server, status, &network, host.environment());
        if self.format.is_json(output) {
            return output.json(&shown);
        }
        let width = output.width();
        paint::pages(&shown.page(width).join("\n"), output)
    }
}
