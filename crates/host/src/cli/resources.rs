//! `doorkey resources`: what a server has to read, and reading it.

use clap::{Args, Subcommand};
use doorkey::{Connection, Host, Target};
use doorkey_rmcp::rmcp::model::{Resource, ResourceContents, ResourceTemplate};

use super::content::{Binary, Place};
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
pub(crate) struct Resources {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read one resource
    Read(Read),
}

#[derive(Args, Debug)]
struct List {
    /// The server, as named in the configuration
    #[arg(required = true)]
    name: Option<String>,
    #[command(flatten)]
    account: Account,
    /// The templates that addresses of resources are made of, in place of the resources
    #[arg(long)]
    templates: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    patience: Patience,
}

#[derive(Args, Debug)]
struct Read {
    /// The server, as named in the configuration
    name: String,
    /// The address of the resource, from the list or made of a template
    uri: String,
    #[command(flatten)]
    account: Account,
    /// The whole answer as JSON
    #[arg(long, conflicts_with = "output")]
    json: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    patience: Patience,
}

impl Resources {
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        match &self.command {
            Some(Command::Read(read)) => read.run(host, output).await,
            None => self.list.run(host, output).await,
        }
    }

    pub(crate) fn target(&self) -> Target<'_> {
        match &self.command {
            Some(Command::Read(read)) => read.account.at(&read.name),
            None => self.list.target(),
        }
    }

    pub(crate) fn patience(&self) -> Patience {
        match &self.command {
            Some(Command::Read(read)) => read.patience,
            None => self.list.patience,
        }
    }
}

impl List {
    fn target(&self) -> Target<'_> {
        self.account.at(self.name.as_deref().unwrap_or_default())
    }

    async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        match self.templates {
            true => self.list_templates(host, output).await,
            false => self.list_resources(host, output).await,
        }
    }

    async fn list_resources(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let name = self.target().server;
        let list = async |connection: &Connection<_>| or_none(connection.list_resources().await);
        let resources = host.with_connection(self.target(), list);
        let what = format!("asking {name} for its resources");
        let resources = output.while_waiting(&what, resources).await?;
        let row = |resource: &Resource| {
            let said = described(&resource.name, resource.description.as_deref());
            (resource.uri.clone(), said)
        };
        let none = format!(
            "{name} lists no resources; it may make them from templates: doorkey resources {name} --templates"
        );
        let header = ["RESOURCE", "WHAT IT IS"];
        present(&resources, self.json, header, row, &none, output)
    }

    async fn list_templates(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let name = self.target().server;
        let list =
            async |connection: &Connection<_>| or_none(connection.list_resource_templates().await);
        let templates = host.with_connection(self.target(), list);
        let what = format!("asking {name} for its resource templates");
        let templates = output.while_waiting(&what, templates).await?;
        let row = |template: &ResourceTemplate| {
            let said = described(&template.name, template.description.as_deref());
            (template.uri_template.clone(), said)
        };
        let none = format!("{name} has no resource templates");
        let header = ["TEMPLATE", "WHAT IT IS"];
        present(&templates, self.json, header, row, &none, output)
    }
}

/// Its name, and what is said about it.
fn described(name: &str, description: Option<&str>) -> String {
    match description {
        Some(description) if !description.trim().is_empty() => {
            format!("{name}: {}", description.trim())
        }
        _ => name.to_owned(),
    }
}

impl Read {
    async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        self.place.is_free(output)?;
        let read = async |connection: &Connection<_>| connection.read_resource(&self.uri).await;
        let result = host.with_connection(self.account.at(&self.name), read);
        let what = format!("reading {} of {}", clean(&self.uri), self.name);
        let result = output.while_waiting(&what, result).await?;
        if self.json {
            output.json(&result)?;
            return Ok(Exit::Done);
        }
        let binaries: Vec<_> = result
            .contents
            .iter()
            .filter_map(Binary::in_resource)
            .collect();
        if let Some(binary) = binaries.first() {
            if !self.place.is_given() {
                return Err(Failure::Unfit {
                    why: format!("it is no text: {}", binary.shown()),
                    next: format!(
                        "doorkey resources read {} {} --output FILE",
                        self.name,
                        clean(&self.uri)
                    ),
                });
            }
            self.place.save(&binaries, output)?;
        }
        let texts: Vec<_> = result.contents.iter().filter_map(text).collect();
        match (texts.is_empty(), binaries.is_empty()) {
            (true, true) => {
                self.place.nothing("the resource")?;
                output.note("the resource is empty");
            }
            (true, false) => {}
            (false, true) => self.place.save_text(&texts.join("\n"), output)?,
            (false, false) => output.data(&texts.join("\n"))?,
        }
        Ok(Exit::Done)
    }
}

fn text(contents: &ResourceContents) -> Option<&str> {
    match contents {
        ResourceContents::TextResourceContents { text, .. } => Some(text),
        _ => None,
    }
}
