//! `doorkey remove`: sign out and take the server out of the configuration.

use clap::Args;
use doorkey::{Config, Error, Host, Target};
use doorkey_oauth::LogoutOptions;

use super::exit::{Exit, Failure};
use super::logout;
use super::output::Output;
use super::subject::shown;

#[derive(Args, Debug)]
pub(crate) struct Remove {
    /// The server, as named in the configuration
    pub(crate) name: String,
}

impl Remove {
    pub(crate) async fn run(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let mut exit = Exit::Done;
        if let Ok(server) = host.config().server(&self.name) {
            let default = server.account.clone();
            exit = self.sign_out_of(&default, None, host, output).await?;
            let others = host.accounts_anywhere(&self.name).await?;
            for account in others.iter().filter(|account| **account != default) {
                let of_other = self.sign_out_of(account, Some(account), host, output);
                exit = exit.worse(of_other.await?);
            }
        }
        Config::remove_server(host.home(), &self.name)?;
        let file = host.home().config_file();
        output.note(&format!("removed {} from {}", self.name, file.display()));
        Ok(exit)
    }

    /// The other servers that the login of an account can be used with: by default, or with `--account`.
    fn sharing<'h>(
        &self,
        account: &str,
        named: bool,
        host: &'h Host,
    ) -> Result<Vec<&'h str>, Failure> {
        if !named {
            return Ok(host.sharing_login(Target::new(&self.name).with_account(account))?);
        }
        let url = &host.config().server(&self.name)?.url;
        let others = host.config().servers().iter().filter(|other| {
            other.name != self.name && other.bearer_key().is_none() && other.url == *url
        });
        Ok(others.map(|other| other.name.as_str()).collect())
    }

    /// A login that another server of the configuration can be used with stays.
    async fn sign_out_of(
        &self,
        account: &str,
        named: Option<&String>,
        host: &Host,
        output: &Output,
    ) -> Result<Exit, Failure> {
        let target = Target::new(&self.name).with_account(named.map(String::as_str));
        let others = self.sharing(account, named.is_some(), host)?;
        if !others.is_empty() {
            output.note(&format!(
                "{}: kept the login: {} uses it too",
                shown(target),
                others.join(", ")
            ));
            return Ok(Exit::Done);
        }
        let logout = host.logout(target, LogoutOptions::default());
        let what = format!("signing out of {}", shown(target));
        let outcome = output.while_waiting(&what, logout).await;
        let exit = if let Err(Error::BearerConfigured { .. }) = outcome {
            Exit::Done
        } else {
            let done = logout::done(target, outcome, &[])?;
            done.tell(false, output);
            done.exit()
        };
        if named.is_none() {
            host.forget(&self.name).await?;
        }
        Ok(exit)
    }
}
