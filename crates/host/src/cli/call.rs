//! `doorkey call`: one tool, once.

use clap::Args;
use doorkey::{Connection, Host};
use doorkey_rmcp::rmcp::model::CallToolResult;

use super::arguments::Given;
use super::content::{Binary, Place, shown};
use super::exit::{Exit, Failure};
use super::output::{Output, clean};
use super::subject::{Account, Patience};

#[derive(Args, Debug)]
#[command(after_help = CLEANED)]
pub(crate) struct Call {
    /// The server, as named in the configuration
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) account: Account,
    /// The tool
    tool: String,
    #[command(flatten)]
    pub(crate) given: Given,
    /// The whole result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    pub(crate) patience: Patience,
}

impl Call {
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let call = async |connection: &Connection<_>| {
            connection.call_tool(&self.tool, self.given.object()).await
        };
        let result = host.with_connection(self.account.at(&self.name), call);
        let what = format!("waiting for {} of {}", self.tool, self.name);
        let result = output.while_waiting(&what, result).await?;
        if self.json {
            output.json(&result)?;
        } else {
            self.show(&result, output)?;
        }
        let binaries: Vec<_> = result.content.iter().filter_map(Binary::in_block).collect();
        self.place.save(&binaries, output)?;
        if result.is_error == Some(true) {
            // However quiet: it is what went wrong.
            output.insist(&format!(
                "the tool {} of {} answered an error",
                clean(&self.tool),
                self.name
            ));
            return Ok(Exit::ToolError);
        }
        Ok(Exit::Done)
    }

    /// Text with its lines, other content named unless it is kept; structured content where there is nothing else.
    fn show(&self, result: &CallToolResult, output: &Output) -> Result<(), Failure> {
        for block in &result.content {
            if !self.place.is_given() || Binary::in_block(block).is_none() {
                output.data(&shown(block))?;
            }
        }
        match &result.structured_content {
            Some(value) if result.content.is_empty() => output.json(value),
            _ => Ok(()),
        }
    }
}

const CLEANED: &str = "\
The text of a result is written without control characters and escape sequences, also into a pipe
or a file; lines, tabs and indentation stay. --json writes all of it, with those characters escaped.";
