//! `doorkey resources`: what a server has to read.

use clap::Args;
use doorkey::{Connection, Host};

use super::exit::{Exit, Failure};
use super::listing::Listing;
use super::output::Output;
use super::subject::Account;

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
        let resources = host.with_connection(self.account.at(&self.name), list);
        let what = format!("asking {} for its resources", self.name);
        let resources = output.while_waiting(&what, resources).await?;
        if self.json {
            output.json(&resources)?;
            return Ok(Exit::Done);
        }
        let mut listing = Listing::new(["RESOURCE", "WHAT IT IS"]);
        for resource in &resources {
            listing.add(&resource.uri, &resource.name);
        }
        listing.show(output)?;
        if resources.is_empty() {
            output.note(&format!("{} has no resources", self.name));
        }
        Ok(Exit::Done)
    }
}
