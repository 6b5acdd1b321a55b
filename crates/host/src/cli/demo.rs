//! `doorkey demo`: everything once, against servers on this machine.

use clap::Args;
use doorkey::Environment;

use super::exit::{Exit, Failure};
use super::output::Output;

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Keep the servers up, for trying the other commands from another terminal
    #[arg(long)]
    serve: bool,
}

impl Demo {
    pub(crate) async fn run(
        &self,
        _environment: Environment,
        _output: &Output,
    ) -> Result<Exit, Failure> {
        Err(Failure::Usage("the demo is being built".to_owned()))
    }
}
