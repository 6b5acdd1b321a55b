//! `doorkey remove`: sign out and take the server out of the configuration.

use clap::Args;
use doorkey::{Config, Error, Host};
use doorkey_oauth::LogoutOptions;

use super::exit::{Exit, Failure};
use super::logout;
use super::output::Output;

#[derive(Args, Debug)]
pub(crate) struct Remove {
    /// The server, as named in the configuration
    pub(crate) name: String,
}

impl Remove {
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let mut exit = Exit::Done;
        if host.config().server(&self.name).is_ok() {
            let others = host.sharing_login(&self.name)?.join(", ");
            if others.is_empty() {
                exit = self.sign_out(host, output).await?;
                host.forget(&self.name).await?;
            } else {
                output.note(&format!(
                    "{}: kept the login: {others} uses it too",
                    self.name
                ));
            }
        }
        Config::remove_server(host.home(), &self.name)?;
        let file = host.home().config_file();
        output.note(&format!("removed {} from {}", self.name, file.display()));
        Ok(exit)
    }

    async fn sign_out(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        match host.logout(&self.name, LogoutOptions::default()).await {
            Ok(outcome) => Ok(logout::tell(&self.name, &outcome, output)),
            Err(Error::BearerConfigured { .. }) => Ok(Exit::Done),
            Err(error) => Err(error.into()),
        }
    }
}
