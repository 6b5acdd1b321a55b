//! `doorkey resources`: what a server has to read.

use clap::Args;
use doorkey::{Connection, Host};

use super::exit::{Exit, Failure};
use super::output::Output;
use super::subject::Account;
use super::tools::named;

#[derive(Args, Debug)]
pub(crate) struct Resources {
    /// The server, as named in the configuration
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) account: Account,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Resources {
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let list = async |connection: &Connection<_>| connection.list_resources().await;
        let resources = host
            .with_connection(self.account.at(&self.name), list)
            .await?;
        if self.json {
            output.json(&resources)?;
            return Ok(Exit::Done);
        }
        for resource in &resources {
            output.data(&named(&resource.uri, &resource.name))?;
        }
        if resources.is_empty() {
            output.note(&format!("{} has no resources", self.name));
        }
        Ok(Exit::Done)
    }
}
