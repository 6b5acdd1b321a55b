//! Whose word an address is: the exceptions to the address rules that a configuration makes.

use doorkey_http::{AddressPolicy, Network, Origin};
use url::Url;

use super::setting::{SetBy, Setting, Tables};
use crate::config::{AssertionPlace, FlowSettings, IdentitySettings, ServerConfig};

/// What may be contacted beyond the rules for addresses.
///
/// Origins that the configuration names as an authorization server or an identity provider are the
/// user's own word, like those of `allow_origins`. What an administrator says of the identity provider,
/// and a user of a workload's identity, is their own word too (EMA-11, WIF-06).
///
/// The MCP server's own origin is among them only where `allow_origins` lists it: it may have any address, and
/// the list would keep it from being held to what it was at login (SEC-05).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct AddressesInForce {
    /// Origins that may have a private address though a server named them, each once.
    pub origins: Vec<Setting<Origin>>,
    /// Networks whose addresses may be contacted though a server named them.
    pub networks: Vec<Setting<Network>>,
    /// Origins that a workload's identity is fetched from: any address, for that alone.
    pub workload: Vec<Setting<Origin>>,
}

impl AddressesInForce {
    pub(super) fn of(tables: Tables<'_>, server: &ServerConfig) -> Self {
        let mut found = Self {
            networks: tables.all(|table| &table.allow_networks),
            ..Self::default()
        };
        for allowed in tables.all(|table| &table.allow_origins) {
            found.allow(allowed.value, allowed.set_by);
        }
        let listed = found.origins.len();
        let oauth = &server.oauth;
        let table = format!("mcp_servers.{}", server.name);
        let within = |name: &str| SetBy::Table(format!("{table}.{name}"));
        if let Some(issuer) = &server.trusted_issuer {
            found.allow_url(issuer.as_str(), SetBy::Table(table.clone()));
        }
        if let Some(issuer) = oauth.bound_issuer() {
            found.allow_url(issuer.as_str(), within("oauth"));
        }
        for (_, url) in oauth.endpoints.as_deref().iter().flat_map(|all| all.urls()) {
            found.allow(Origin::from(url), within("oauth.endpoints"));
        }
        let mut sources = Vec::new();
        match &oauth.flow {
            FlowSettings::WorkloadIdentity(workload) => {
                sources.push((&workload.assertion, "oauth.workload"));
            }
            FlowSettings::EnterpriseManaged(provider) => {
                let place = "oauth.identity_provider";
                found.allow_url(provider.issuer.as_str(), within(place));
                if let Some(endpoint) = &provider.token_endpoint {
                    found.allow(Origin::from(endpoint), within(place));
                }
                if let IdentitySettings::IdToken(source) | IdentitySettings::SamlAssertion(source) =
                    &provider.identity
                {
                    sources.push((source, place));
                }
            }
            FlowSettings::AuthorizationCode
            | FlowSettings::Device
            | FlowSettings::ClientCredentials => {}
        }
        let own = Origin::from(&server.url);
        let derived = found.origins.split_off(listed);
        let others = derived.into_iter().filter(|origin| origin.value != own);
        found.origins.extend(others);
        for (source, place) in sources {
            if let AssertionPlace::Url { url, .. } = &source.place {
                let origin = Setting::new(Origin::from(url), within(place));
                found.workload.push(origin);
            }
        }
        found
    }

    pub(super) fn policy(&self) -> AddressPolicy {
        let plain = |origins: &[Setting<Origin>]| -> Vec<_> {
            origins.iter().map(|origin| origin.value.clone()).collect()
        };
        AddressPolicy::allowing(plain(&self.origins))
            .with_networks(self.networks.iter().map(|network| network.value))
            .with_workload(plain(&self.workload))
    }

    fn allow_url(&mut self, url: &str, set_by: SetBy) {
        if let Ok(url) = Url::parse(url) {
            self.allow(Origin::from(&url), set_by);
        }
    }

    fn allow(&mut self, origin: Origin, set_by: SetBy) {
        if !self.origins.iter().any(|known| known.value == origin) {
            self.origins.push(Setting::new(origin, set_by));
        }
    }
}
