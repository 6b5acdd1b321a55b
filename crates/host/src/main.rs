//! `doorkey`: signs in to remote MCP servers, and uses them, from the command line.

mod cli;
mod crash;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use doorkey::{Environment, Folders, Terminal};

fn main() -> ExitCode {
    crash::leave_no_secrets();
    cli::run(std::env::args_os(), environment())
}

/// The one place where the surroundings are read (law 2).
fn environment() -> Environment {
    #[expect(
        clippy::disallowed_methods,
        reason = "main is where the environment is read, once"
    )]
    let variables = std::env::vars_os();
    Environment::new(variables)
        .with_folders(Folders::platform())
        .with_terminal(Terminal::new(
            std::io::stdin().is_terminal(),
            std::io::stdout().is_terminal(),
            std::io::stderr().is_terminal(),
        ))
}
