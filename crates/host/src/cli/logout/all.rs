//! `doorkey logout --all`: every account of every server, some at a time; one that fails keeps no other from it.

use doorkey::{ErrorCode, Host, Target, is_account_name};
use futures_util::StreamExt as _;
use futures_util::stream;

use super::{Done, Logout, tell_unattended};
use crate::cli::ask::{Enter, is_yes};
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, clean};
use crate::cli::subject::shown;

impl Logout {
    pub(super) async fn run_all(&self, host: &Host, output: &Output) -> Result<Exit, Failure> {
        let logins = logins(host).await?;
        if !self.yes {
            agreed(&logins, output).await?;
        }
        let signed_out = logins.iter().map(|(server, account)| async move {
            let target = Target::new(server).with_account(account.as_deref());
            let outcome = host.logout(target, self.options()).await;
            let also = host.sharing_login(target).unwrap_or_default();
            Done::new(target, &outcome, &also)
        });
        let signed_out: Vec<_> = stream::iter(signed_out).buffered(AT_ONCE).collect().await;
        if self.json {
            output.json(&signed_out)?;
        } else {
            for done in signed_out.iter().filter(|done| done.has_something_to_say()) {
                done.tell(true, output);
            }
            for (server, account) in &logins {
                if account.is_none() {
                    tell_unattended(host, server, output)?;
                }
            }
            let count = signed_out.iter().filter(|done| done.found()).count();
            output.note(&match count {
                0 => "there was no login".to_owned(),
                1 => "signed out of 1 login".to_owned(),
                count => format!("signed out of {count} logins"),
            });
        }
        tell_of_strangers(host, output).await;
        let exits = signed_out.iter().map(Done::exit);
        Ok(exits.fold(Exit::Done, Exit::worse))
    }
}

/// Every account of every server once: servers that share a login are signed out of together.
async fn logins(host: &Host) -> Result<Vec<(String, Option<String>)>, Failure> {
    let mut logins: Vec<(String, Option<String>)> = Vec::new();
    for server in host.config().servers() {
        let others = host.accounts_anywhere(&server.name).await?.into_iter();
        let others = others.filter(|account| *account != server.account);
        for account in std::iter::once(None).chain(others.map(Some)) {
            let target = Target::new(&server.name).with_account(account.as_deref());
            let sharing = host.sharing_login(target)?;
            let is_known = logins.iter().any(|(name, known)| {
                known.as_deref() == account.as_deref() && sharing.contains(&name.as_str())
            });
            if !is_known {
                logins.push((server.name.clone(), account));
            }
        }
    }
    Ok(logins)
}

/// Whether it is meant: a person says so, or the arguments.
async fn agreed(logins: &[(String, Option<String>)], output: &Output) -> Result<(), Failure> {
    let refused = |text: &str| Failure::Refused {
        text: text.to_owned(),
        next: Some("doorkey logout --all --yes".to_owned()),
        code: ErrorCode::Usage,
    };
    if !output.is_interactive() {
        return Err(refused(
            "signing out of everything needs a yes, and nobody can be asked here",
        ));
    }
    let names = logins
        .iter()
        .map(|(server, account)| shown(Target::new(server).with_account(account.as_deref())));
    let names: Vec<_> = names.collect();
    let question = format!(
        "Sign out of all of these, and revoke their tokens: {}?",
        clean(&names.join(", "))
    );
    match is_yes(&question, Enter::No, output).await {
        true => Ok(()),
        false => Err(refused("nobody was signed out")),
    }
}

/// Logins of servers that were taken out of the configuration by hand: nobody knows how to revoke those.
async fn tell_of_strangers(host: &Host, output: &Output) {
    let Ok(listing) = host.store().grants().await else {
        return;
    };
    let mut servers: Vec<_> = listing
        .entries
        .into_iter()
        // A sign-on at an identity provider goes with the last login that uses it.
        .filter(|(key, _)| is_account_name(&key.account))
        .map(|(key, _)| key.server)
        .filter(|url| url::Url::parse(url).is_ok_and(|url| !is_configured(host, &url)))
        .collect();
    servers.dedup();
    for url in servers {
        let url =
            url::Url::parse(&url).map(|url| doorkey_http::RedactedUrl::from(&url).to_string());
        output.warn(&format!(
            "a login is left of a server that is not in the configuration: {url}; to sign out of it: doorkey \
             add NAME --url URL, then doorkey logout NAME",
            url = clean(&url.unwrap_or_default()),
        ));
    }
}

fn is_configured(host: &Host, url: &url::Url) -> bool {
    let servers = host.config().servers();
    servers.iter().any(|server| {
        let mut configured = server.url.clone();
        configured.set_fragment(None);
        configured == *url
    })
}

/// How many logouts are under way at a time: each asks a server or two.
const AT_ONCE: usize = 8;
