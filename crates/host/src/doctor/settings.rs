//! The settings in force, as a record shows them: secrets are only said to be there.

use std::collections::BTreeMap;

use doorkey_oauth::ResourceChoice;

use crate::config::ServerConfig;
use crate::network::{HeaderScope, NetworkInForce, ProxyChoice};

/// What holds for a server, by the names of the configuration.
pub(super) fn shown(server: &ServerConfig, network: &NetworkInForce) -> BTreeMap<String, String> {
    let mut shown = of_server(server);
    shown.extend(of_network(network));
    shown
}

fn of_server(server: &ServerConfig) -> BTreeMap<String, String> {
    let mut shown = BTreeMap::new();
    let mut put = |name: &str, value: String| shown.insert(name.to_owned(), value);
    let oauth = &server.oauth;
    put("url", super::seen::shown(&server.url));
    put("enabled", server.enabled.to_string());
    put("account", server.account.clone());
    put("scopes", server.scopes.join(" "));
    put("legacy", server.legacy.to_string());
    put("protocol", format!("{:?}", server.protocol));
    put("oauth.flow", oauth.flow.as_str().to_owned());
    put("oauth.dpop", format!("{:?}", oauth.dpop));
    put(
        "oauth_resource",
        match &server.resource {
            ResourceChoice::Auto => "auto".to_owned(),
            ResourceChoice::Omit => "omit".to_owned(),
            ResourceChoice::Value(value) => value.clone(),
            _ => "another".to_owned(),
        },
    );
    if let Some(issuer) = &server.trusted_issuer {
        put("trusted_issuer", issuer.as_str().to_owned());
    }
    if let Some(issuer) = oauth.bound_issuer() {
        put("oauth.issuer", issuer.as_str().to_owned());
    }
    if oauth.client_id.is_some() {
        put("oauth.client_id", "configured".to_owned());
    }
    if oauth.client_metadata_url.is_some() {
        put("oauth.client_metadata_url", "configured".to_owned());
    }
    if oauth.endpoints.is_some() {
        put("oauth.endpoints", "configured".to_owned());
    }
    if let Some(key) = server.bearer_key() {
        put(key, "a token is configured".to_owned());
    }
    shown
}

fn of_network(network: &NetworkInForce) -> BTreeMap<String, String> {
    let mut shown = BTreeMap::new();
    let mut put = |name: &str, value: String| shown.insert(format!("network.{name}"), value);
    let roots = &network.roots;
    put(
        "system_roots",
        format!("{:?} ({})", roots.system.value, roots.system.set_by),
    );
    put("ca_certificates", format!("{} places", roots.bundles.len()));
    put(
        "client_certificate",
        network.client_certificate.is_some().to_string(),
    );
    let proxy = match &network.proxies.https.value {
        ProxyChoice::Direct => "none".to_owned(),
        ProxyChoice::Through(proxy) => proxy.to_string(),
        _ => "unusable".to_owned(),
    };
    put(
        "proxy",
        format!("{proxy} ({})", network.proxies.https.set_by),
    );
    put(
        "connect_timeout_sec",
        network.connect_timeout.value.as_secs_f32().to_string(),
    );
    put(
        "read_timeout_sec",
        network.read_timeout.value.as_secs_f32().to_string(),
    );
    put(
        "total_timeout_sec",
        network.total_timeout.value.as_secs_f32().to_string(),
    );
    put("http2", network.http2.value.to_string());
    put("user_agent", network.user_agent.value.clone());
    for header in &network.headers {
        let to = match &header.scope {
            HeaderScope::Origin(origin) | HeaderScope::Resource(origin) => origin.to_string(),
            HeaderScope::Everyone => "everyone".to_owned(),
        };
        put(&format!("header {}", header.name), format!("to {to}"));
    }
    shown
}
