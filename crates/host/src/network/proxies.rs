//! Which proxy is used for which scheme, by the configuration, else by the environment.

use std::sync::Arc;

use doorkey_http::{NoProxy, ProxyRules, ProxyUrl, ProxyUrlError};
use secrecy::ExposeSecret as _;

use super::NetworkError;
use super::setting::{SetBy, Setting, Tables};
use crate::config::{NetworkSettings, ProxySetting};
use crate::environment::{Environment, NotText};

/// The proxies, by the scheme of what is asked through them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProxiesInForce {
    /// For https.
    pub https: Setting<ProxyChoice>,
    /// For http.
    pub http: Setting<ProxyChoice>,
    /// What is asked without a proxy, as it is written: the lists of both tables, said to be set by
    /// the narrower one that has any, else the variable; the error of a variable that is not text.
    pub no_proxy: Setting<Result<Vec<String>, NotText>>,
}

/// The proxy for one scheme. `Debug` shows no credentials.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ProxyChoice {
    /// None.
    Direct,
    /// This one.
    Through(ProxyUrl),
    /// A variable should say, and is not the URL of a proxy.
    NotUrl(Arc<ProxyUrlError>),
    /// A variable should say, and is not text.
    NotText(NotText),
}

impl ProxyChoice {
    /// Whether the URL of the proxy has a user name or a password.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        match self {
            Self::Through(proxy) => {
                let full = url::Url::parse(proxy.full().expose_secret());
                full.is_ok_and(|full| !full.username().is_empty() || full.password().is_some())
            }
            _ => false,
        }
    }
}

impl ProxiesInForce {
    pub(super) fn of(environment: &Environment, tables: Tables<'_>) -> Self {
        let configured = |own: fn(&NetworkSettings) -> Option<&ProxySetting>| {
            // The narrower key of one table, then its wider one, then the other table.
            let said = tables.one(|table| own(table).or(table.proxy.as_ref()))?;
            let choice = match said.value {
                ProxySetting::Direct => ProxyChoice::Direct,
                ProxySetting::Through(proxy) => ProxyChoice::Through(proxy.clone()),
            };
            Some(Setting::new(choice, said.set_by))
        };
        // A web server hands a request's `Proxy` header to the programs it starts as `HTTP_PROXY`.
        let believed = environment.variable("REQUEST_METHOD").is_none();
        let http: &[&str] = match believed {
            true => &["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
            false => &["http_proxy", "ALL_PROXY", "all_proxy"],
        };
        let https = &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
        Self {
            https: configured(|table| table.https_proxy.as_ref())
                .unwrap_or_else(|| of_variable(environment, https)),
            http: configured(|table| table.http_proxy.as_ref())
                .unwrap_or_else(|| of_variable(environment, http)),
            no_proxy: configured_hosts(tables).unwrap_or_else(|| no_proxy(environment)),
        }
    }

    pub(super) fn rules(&self) -> Result<ProxyRules, NetworkError> {
        let no_proxy = self.no_proxy.value.clone()?.join(",");
        Ok(ProxyRules::new(
            usable(&self.https)?,
            usable(&self.http)?,
            NoProxy::parse(&no_proxy),
        ))
    }
}

fn usable(choice: &Setting<ProxyChoice>) -> Result<Option<ProxyUrl>, NetworkError> {
    match &choice.value {
        ProxyChoice::Direct => Ok(None),
        ProxyChoice::Through(proxy) => Ok(Some(proxy.clone())),
        ProxyChoice::NotText(not_text) => Err(not_text.clone().into()),
        ProxyChoice::NotUrl(source) => Err(NetworkError::Proxy {
            variable: match &choice.set_by {
                SetBy::Variable(name) => name.clone(),
                other => other.to_string(),
            },
            source: Arc::clone(source),
        }),
    }
}

fn of_variable(environment: &Environment, names: &[&str]) -> Setting<ProxyChoice> {
    let set = names
        .iter()
        .find(|name| environment.variable(name).is_some());
    let Some(name) = set else {
        return Setting::default(ProxyChoice::Direct);
    };
    let choice = match environment.text(name) {
        Err(not_text) => ProxyChoice::NotText(not_text),
        Ok(text) => match text.unwrap_or_default().parse() {
            Ok(proxy) => ProxyChoice::Through(proxy),
            Err(error) => ProxyChoice::NotUrl(Arc::new(error)),
        },
    };
    Setting::new(choice, SetBy::variable(name))
}

/// What the tables list, the global ones first, by the narrowest table that lists any.
fn configured_hosts(tables: Tables<'_>) -> Option<Setting<Result<Vec<String>, NotText>>> {
    let narrowest = tables.one(|table| table.no_proxy.as_ref())?;
    let hosts = tables.all(|table| table.no_proxy.as_deref().unwrap_or_default());
    let hosts = hosts.into_iter().map(|host| host.value).collect();
    Some(Setting::new(Ok(hosts), narrowest.set_by))
}

fn no_proxy(environment: &Environment) -> Setting<Result<Vec<String>, NotText>> {
    let names = ["NO_PROXY", "no_proxy"];
    let set = names
        .into_iter()
        .find(|name| environment.variable(name).is_some());
    let Some(name) = set else {
        return Setting::default(Ok(Vec::new()));
    };
    let hosts = environment.text(name).map(|text| {
        let parts = text.unwrap_or_default().split([',', ' ', '\t']);
        let hosts = parts.map(str::trim).filter(|host| !host.is_empty());
        hosts.map(str::to_owned).collect()
    });
    Setting::new(hosts, SetBy::variable(name))
}
