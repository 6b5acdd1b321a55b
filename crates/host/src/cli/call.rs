//! `doorkey call`: one tool, once.

use clap::Args;
use doorkey::{Connection, Host};
use doorkey_rmcp::rmcp::model::CallToolResult;

use super::arguments::Given;
use super::content::{Binary, Place, shown, text};
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
    #[arg(long, conflicts_with = "output")]
    json: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    pub(crate) patience: Patience,
}

impl Call {
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        self.place.is_free(output)?;
        let call = async |connection: &Connection<_>| {
            connection.call_tool(&self.tool, self.given.object()).await
        };
        let result = host.with_connection(self.account.at(&self.name), call);
        let what = format!("waiting for {} of {}", self.tool, self.name);
        let result = output.while_waiting(&what, result).await?;
        let is_error = result.is_error == Some(true);
        if self.json {
            output.json(&result)?;
        } else if self.place.is_given() && !is_error {
            self.keep(&result, output)?;
        } else {
            show(&result, output)?;
        }
        if is_error {
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

    /// What is no text goes into files, and the text is shown; where there is nothing but text, that goes into the file.
    fn keep(&self, result: &CallToolResult, output: &Output) -> Result<(), Failure> {
        let (binaries, others): (Vec<_>, Vec<_>) = result
            .content
            .iter()
            .partition(|block| Binary::in_block(block).is_some());
        if !binaries.is_empty() {
            for block in others {
                output.data(&shown(block))?;
            }
            let binaries: Vec<_> = binaries.into_iter().filter_map(Binary::in_block).collect();
            return self.place.save(&binaries, output);
        }
        let texts: Vec<_> = others.into_iter().filter_map(text).collect();
        match &result.structured_content {
            _ if !texts.is_empty() => self.place.save_text(&texts.join("\n"), output),
            Some(value) => self.place.save_text(&format!("{value:#}\n"), output),
            None => self.place.nothing("the result"),
        }
    }
}

/// Text with its lines, other content named; structured content where there is nothing else.
fn show(result: &CallToolResult, output: &Output) -> Result<(), Failure> {
    for block in &result.content {
        output.data(&shown(block))?;
    }
    match &result.structured_content {
        Some(value) if result.content.is_empty() => output.json(value),
        _ => Ok(()),
    }
}

const CLEANED: &str = "\
The text of a result is shown without control characters and escape sequences, also in a pipe; lines,
tabs and indentation stay. --json shows all of it, with those characters escaped, and --output keeps
it as it came. Files that are there already are left as they are, unless --force is given.";
