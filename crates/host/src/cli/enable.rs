//! `doorkey enable` and `doorkey disable`: whether servers of the configuration are used.

use clap::Args;
use doorkey::{Config, Host, Target};

use super::exit::{Exit, Failure};
use super::output::{Output, clean};

/// The servers to be switched on or off.
#[derive(Args, Debug)]
pub(crate) struct Switch {
    /// The servers, as named in the configuration
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
}

impl Switch {
    /// The server that a failure is about, where it can be but one.
    pub(crate) fn target(&self) -> Option<Target<'_>> {
        match self.names.as_slice() {
            [name] => Some(Target::new(name)),
            _ => None,
        }
    }

    /// All of them or, where one is unknown, none.
    pub(crate) fn run(&self, host: &Host, enabled: bool, output: &Output) -> Result<Exit, Failure> {
        let mut before = Vec::new();
        for name in &self.names {
            before.push(host.config().server(name)?.enabled);
        }
        let word = match enabled {
            true => "enabled",
            false => "disabled",
        };
        for (name, before) in self.names.iter().zip(before) {
            Config::switch_server(host.home(), name, enabled)?;
            let again = if before == enabled { "already " } else { "" };
            output.note(&format!("{}: {again}{word}", clean(name)));
        }
        if !enabled {
            output.note("logins are kept; to sign out: doorkey logout NAME");
        }
        Ok(Exit::Done)
    }
}
