//! `doorkey store`: where the logins are, and moving them.

mod migrate;
mod new_key;
mod show;

use clap::{Args, Subcommand};
use doorkey::Host;

use super::exit::{Exit, Failure};
use super::output::Output;

#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) struct Store {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show where the logins are kept, why there, and what other stores hold
    Show(show::Show),
    /// Move every login to another kind of store; end other doorkey programs first, which would go on with the old one
    Migrate(migrate::Migrate),
    /// Make a file with a new key, for key_file in [store] and [store.postgres]
    NewKey(new_key::NewKey),
}

impl Store {
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        match &self.command {
            Command::Show(show) => show.run(host, output).await,
            Command::Migrate(migrate) => migrate.run(host, output).await,
            Command::NewKey(new_key) => new_key.run(output),
        }
    }
}
