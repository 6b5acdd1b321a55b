//! `doorkey prompts`: the prompts that a server offers, and one of them filled in.

use clap::{Args, Subcommand};
use doorkey::{Connection, Host, Target};
use doorkey_rmcp::rmcp::model::{GetPromptResult, Prompt, Role};

use super::arguments::Given;
use super::content::shown;
use super::exit::{Exit, Failure};
use super::listing::{or_none, present};
use super::output::{Output, clean};
use super::subject::{Account, Patience};

#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true
)]
pub(crate) struct Prompts {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Get one prompt, filled in
    Get(Get),
}

#[derive(Args, Debug)]
struct List {
    /// The server, as named in the configuration
    #[arg(required = true)]
    name: Option<String>,
    #[command(flatten)]
    account: Account,
    /// As JSON, arguments included
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    patience: Patience,
}

#[derive(Args, Debug)]
struct Get {
    /// The server, as named in the configuration
    name: String,
    /// The prompt
    prompt: String,
    #[command(flatten)]
    account: Account,
    #[command(flatten)]
    given: Given,
    /// The whole answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    patience: Patience,
}

impl Prompts {
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        match &self.command {
            Some(Command::Get(get)) => get.run(host, output).await,
            None => self.list.run(host, output).await,
        }
    }

    pub(crate) fn target(&self) -> Target<'_> {
        match &self.command {
            Some(Command::Get(get)) => get.account.at(&get.name),
            None => self.list.target(),
        }
    }

    pub(crate) fn patience(&self) -> Patience {
        match &self.command {
            Some(Command::Get(get)) => get.patience,
            None => self.list.patience,
        }
    }

    pub(crate) fn given(&mut self) -> Option<&mut Given> {
        match &mut self.command {
            Some(Command::Get(get)) => Some(&mut get.given),
            None => None,
        }
    }
}

impl List {
    fn target(&self) -> Target<'_> {
        self.account.at(self.name.as_deref().unwrap_or_default())
    }

    async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let name = self.target().server;
        let list = async |connection: &Connection<_>| or_none(connection.list_prompts().await);
        let prompts = host.with_connection(self.target(), list);
        let what = format!("asking {name} for its prompts");
        let prompts = output.while_waiting(&what, prompts).await?;
        let header = ["PROMPT", "WHAT IT IS FOR"];
        let row = |prompt: &Prompt| {
            let said = prompt.description.as_deref().or(prompt.title.as_deref());
            (with_arguments(prompt), said.unwrap_or_default().to_owned())
        };
        let none = format!("{name} has no prompts");
        present(&prompts, self.json, header, row, &none, output)
    }
}

/// A prompt with the names of its arguments; those that can be left out in brackets.
fn with_arguments(prompt: &Prompt) -> String {
    let arguments = prompt
        .arguments
        .iter()
        .flatten()
        .map(|argument| match argument.required {
            Some(true) => format!(" {}=…", argument.name),
            _ => format!(" [{}=…]", argument.name),
        });
    format!("{}{}", prompt.name, arguments.collect::<String>())
}

impl Get {
    async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let get = async |connection: &Connection<_>| {
            connection
                .get_prompt(&self.prompt, self.given.object())
                .await
        };
        let result = host.with_connection(self.account.at(&self.name), get);
        let what = format!("asking {} for {}", self.name, clean(&self.prompt));
        let result = output.while_waiting(&what, result).await?;
        if self.json {
            output.json(&result)?;
        } else {
            show(&result, output)?;
        }
        Ok(Exit::Done)
    }
}

/// One message is what somebody pipes to a model; of several it matters who says which.
fn show(result: &GetPromptResult, output: &Output) -> Result<(), Failure> {
    let is_dialogue = result.messages.len() > 1;
    for message in &result.messages {
        if is_dialogue {
            let who = match message.role {
                Role::User => "user:",
                Role::Assistant => "assistant:",
            };
            output.data(who)?;
        }
        output.data(&shown(&message.content))?;
    }
    Ok(())
}
