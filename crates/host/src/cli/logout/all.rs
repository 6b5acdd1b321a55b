//! `doorkey logout --all`: every account of every server, some at a time; one that fails keeps no other from it.

use std::collections::HashMap;

use doorkey::{ErrorCode, Host, Target, is_account_name};
use doorkey_store::GrantKey;
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
        if !self.yes && logins.iter().any(|login| login.is_known) {
            agreed(&logins, output).await?;
        }
        let signed_out = logins.iter().map(|login| async move {
            let target = login.target();
            let outcome = host.logout(target, self.options()).await;
            let also: Vec<_> = login.also.iter().map(String::as_str).collect();
            Done::new(target, &outcome, &also)
        });
        let signed_out = stream::iter(signed_out).buffered(AT_ONCE).collect();
        let signed_out: Vec<_> = output.while_waiting("signing out", signed_out).await;
        if self.json {
            output.json(&signed_out)?;
        } else {
            for done in signed_out.iter().filter(|done| done.has_something_to_say()) {
                done.tell(true, output);
            }
            for login in logins.iter().filter(|login| login.account.is_none()) {
                tell_unattended(host, &login.server, output)?;
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

/// A login of some account at a server.
struct Login {
    server: String,
    /// None is the default one.
    account: Option<String>,
    /// Whether it is stored; without one there may still be leftovers.
    is_known: bool,
    /// The other servers that use it.
    also: Vec<String>,
}

impl Login {
    fn target(&self) -> Target<'_> {
        Target::new(&self.server).with_account(self.account.as_deref())
    }
}

/// Every login of every server once, whatever the servers call it that share it; accounts without one only where
/// something may have been left of them.
async fn logins(host: &Host) -> Result<Vec<Login>, Failure> {
    let found = host.logins_anywhere().await?;
    let mut logins: Vec<Login> = Vec::new();
    let mut taken: HashMap<GrantKey, usize> = HashMap::new();
    for server in host.config().servers() {
        let mut url = server.url.clone();
        url.set_fragment(None);
        let key_of = |account: &str| GrantKey::new(url.as_str(), account);
        let first = key_of("");
        let others = found
            .keys
            .range(first..)
            .take_while(|key| key.server == url.as_str());
        let others = others.map(|key| key.account.as_str());
        let others = others.filter(|name| *name != server.account && is_account_name(name));
        for account in std::iter::once(server.account.as_str()).chain(others) {
            let key = key_of(account);
            if let Some(&index) = taken.get(&key) {
                if server.account == account {
                    logins[index].also.push(server.name.clone());
                }
                continue;
            }
            let is_known = found.keys.contains(&key);
            if !is_known && found.is_whole && !found.started.contains(&key) {
                continue;
            }
            taken.insert(key, logins.len());
            logins.push(Login {
                server: server.name.clone(),
                account: (account != server.account).then(|| account.to_owned()),
                is_known,
                also: Vec::new(),
            });
        }
    }
    Ok(logins)
}

/// Whether it is meant: a person says so, or the arguments.
async fn agreed(logins: &[Login], output: &Output) -> Result<(), Failure> {
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
    let known = logins.iter().filter(|login| login.is_known);
    let names: Vec<_> = known.map(|login| shown(login.target())).collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let names = &names[..names.len().min(NAMED)];
    let question = format!(
        "Sign out of all of these, and revoke their tokens: {}{more}?",
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

/// How many logins a question names.
const NAMED: usize = 20;
/// How many logouts are under way at a time: each asks a server or two.
const AT_ONCE: usize = 8;
