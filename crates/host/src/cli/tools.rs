//! `doorkey tools`: what a server can do.

use clap::Args;
use doorkey::{Connection, Host};
use doorkey_rmcp::rmcp::model::Tool;

use super::exit::{Exit, Failure};
use super::listing::present;
use super::output::Output;
use super::subject::{Account, Patience};

#[derive(Args, Debug)]
pub(crate) struct Tools {
    /// The server, as named in the configuration
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) account: Account,
    /// As JSON, schemas included
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(crate) patience: Patience,
}

impl Tools {
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let list = async |connection: &Connection<_>| connection.list_tools().await;
        let tools = host.with_connection(self.account.at(&self.name), list);
        let what = format!("asking {} for its tools", self.name);
        let tools = output.while_waiting(&what, tools).await?;
        let header = ["TOOL", "WHAT IT DOES"];
        let row = |tool: &Tool| (tool.name.to_string(), said(tool).to_owned());
        let none = format!("{} has no tools", self.name);
        present(&tools, self.json, header, row, &none, output)
    }
}

/// What the server says of a tool, else how it calls it.
fn said(tool: &Tool) -> &str {
    let words = tool.description.as_deref().or(tool.title.as_deref());
    words.unwrap_or_default()
}
