//! `doorkey tools`: what a server can do.

use clap::Args;
use doorkey::{Connection, Host};

use super::exit::{Exit, Failure};
use super::output::{Output, clean};
use super::subject::Account;

#[derive(Args, Debug)]
pub(crate) struct Tools {
    /// The server, as named in the configuration
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) account: Account,
    /// As JSON, schemas included
    #[arg(long)]
    json: bool,
}

impl Tools {
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let list = async |connection: &Connection<_>| connection.list_tools().await;
        let tools = host
            .with_connection(self.account.at(&self.name), list)
            .await?;
        if self.json {
            output.json(&tools)?;
            return Ok(Exit::Done);
        }
        for tool in &tools {
            let description = tool.description.as_deref().unwrap_or_default();
            output.data(&named(&tool.name, description))?;
        }
        if tools.is_empty() {
            output.note(&format!("{} has no tools", self.name));
        }
        Ok(Exit::Done)
    }
}

/// A name with the first line of what is said about it.
pub(crate) fn named(name: &str, description: &str) -> String {
    let first = description
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty());
    match first {
        Some(line) => format!("{}\t{}", clean(name), clean(line)),
        None => clean(name),
    }
}
