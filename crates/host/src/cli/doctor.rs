//! `doorkey doctor`: what is wrong with a server, where, and what mends it.

mod words;

use clap::Args;
use doorkey::doctor::{Class, Diagnosis, ExamineOptions};
use doorkey::{Error, Host};

use super::exit::{Exit, Failure};
use super::output::Output;

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// The server, as named in the configuration, or its URL
    #[arg(value_name = "NAME|URL")]
    pub(crate) server: String,
    /// The account there, where you have several
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Leave a token alone that is due for a refresh
    #[arg(long)]
    no_refresh: bool,
}

impl Doctor {
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let options = ExamineOptions::default()
            .with_account(self.account.clone())
            .with_refresh(!self.no_refresh);
        let diagnosis = host.diagnose(&self.server, &options).await;
        self.show(&diagnosis, output)
    }

    /// What there is to say where the configuration or the store cannot be opened.
    pub(crate) fn without_host(&self, error: &Error, output: &Output) -> Result<Exit, Failure> {
        self.show(&Diagnosis::of_host_failure(&self.server, error), output)
    }

    fn show(&self, diagnosis: &Diagnosis, output: &Output) -> Result<Exit, Failure> {
        if self.json {
            output.json(diagnosis)?;
        } else {
            for line in words::page(diagnosis) {
                output.data(&line)?;
            }
        }
        Ok(diagnosis.class().map_or(Exit::Done, exit))
    }
}

fn exit(class: Class) -> Exit {
    match class {
        Class::Configuration => Exit::Configuration,
        Class::Login => Exit::LoginRequired,
        Class::Forbidden => Exit::Forbidden,
        Class::Temporary => Exit::Temporary,
        Class::Mcp => Exit::Mcp,
        _ => Exit::Other,
    }
}
