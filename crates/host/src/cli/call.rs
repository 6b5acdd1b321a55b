//! `doorkey call`: one tool, once.

use clap::Args;
use doorkey::{Connection, Host};
use doorkey_rmcp::rmcp::model::{CallToolResult, ContentBlock, ResourceContents};
use serde_json::{Map, Value};

use super::exit::{Exit, Failure};
use super::output::{Output, clean};
use super::subject::Account;

#[derive(Args, Debug)]
#[command(after_help = CLEANED)]
pub(crate) struct Call {
    /// The server, as named in the configuration
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) account: Account,
    /// The tool
    tool: String,
    /// Its arguments, a JSON object
    #[arg(long, value_name = "JSON", value_parser = arguments)]
    args: Option<Map<String, Value>>,
    /// The whole result as JSON
    #[arg(long)]
    json: bool,
}

impl Call {
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let call = async |connection: &Connection<_>| {
            connection.call_tool(&self.tool, self.args.clone()).await
        };
        let result = host.with_connection(self.account.at(&self.name), call);
        let what = format!("waiting for {} of {}", self.tool, self.name);
        let result = output.while_waiting(&what, result).await?;
        if self.json {
            output.json(&result)?;
        } else {
            show(&result, output)?;
        }
        if result.is_error == Some(true) {
            output.note(&format!(
                "the tool {} of {} answered an error",
                clean(&self.tool),
                self.name
            ));
            return Ok(Exit::ToolError);
        }
        Ok(Exit::Done)
    }
}

const CLEANED: &str = "\
The text of a result is written without control characters and escape sequences, also into a pipe
or a file; lines, tabs and indentation stay. --json writes all of it, with those characters escaped.";

fn arguments(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(_) => Err("expected a JSON object, such as {\"city\": \"Oslo\"}".to_owned()),
        Err(error) => Err(format!("not JSON: {error}")),
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

pub(super) fn shown(block: &ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(image) => binary("image", &image.mime_type, image.data.len()),
        ContentBlock::Audio(audio) => binary("audio", &audio.mime_type, audio.data.len()),
        ContentBlock::Resource(embedded) => match &embedded.resource {
            ResourceContents::TextResourceContents { text, .. } => text.clone(),
            ResourceContents::BlobResourceContents { uri, blob, .. } => {
                binary("resource", uri, blob.len())
            }
            _ => "[resource]".to_owned(),
        },
        ContentBlock::ResourceLink(link) => clean(&link.uri),
        _ => "[content of a kind that is not known here; see --json]".to_owned(),
    }
}

fn binary(kind: &str, what: &str, length: usize) -> String {
    format!(
        "[{kind} {}, {length} bytes in base64; see --json]",
        clean(what)
    )
}
