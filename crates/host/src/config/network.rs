//! The `[network]` table, global and per server.

use std::path::PathBuf;
use std::time::Duration;

use doorkey_http::{Network, Origin, ProxyUrl};
use http::HeaderName;
use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};

use super::ConfigError;
use super::header::HeaderSettings;
use super::section::Section;
use crate::Home;

/// What `[network]` says, for every server or for one (`[mcp_servers.<name>.network]`).
///
/// Lists add up, single values of a server win over the global ones
/// ([`NetworkInForce`](crate::NetworkInForce) is what comes of both and the environment). `Debug`
/// shows no header value.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct NetworkSettings {
    /// PEM files whose certificates are trusted.
    pub ca_certificates: Vec<PathBuf>,
    /// Whether the system's certificates are trusted too; `None` leaves it so.
    pub system_roots: Option<bool>,
    /// A PEM file with the certificate chain this client shows.
    pub client_certificate: Option<PathBuf>,
    /// A PEM file with its private key.
    pub client_key: Option<PathBuf>,
    /// The proxy for https and http alike; wins over the environment.
    pub proxy: Option<ProxySetting>,
    /// The proxy for https; wins over `proxy`.
    pub https_proxy: Option<ProxySetting>,
    /// The proxy for http; wins over `proxy`.
    pub http_proxy: Option<ProxySetting>,
    /// Hosts reached without the proxy; `None` in both tables leaves the environment's list.
    pub no_proxy: Option<Vec<String>>,
    /// How long a connection may take to come up.
    pub connect_timeout: Option<Duration>,
    /// How long a response may fall silent.
    pub read_timeout: Option<Duration>,
    /// How long one request may take in all (for the MCP server: until its headers arrive).
    pub total_timeout: Option<Duration>,
    /// The `User-Agent` of every request.
    pub user_agent: Option<String>,
    /// Whether HTTP/2 is offered; `None` leaves it so.
    pub http2: Option<bool>,
    /// Headers on every request to everyone, foreign authorization servers too. Wherever their values
    /// come from, they are not secrets.
    pub default_headers: HeaderSettings,
    /// Headers for a named origin, such as a gateway in front of a server.
    pub origin_headers: Vec<(Origin, HeaderSettings)>,
    /// Origins that may have a private address though a server named them.
    pub allow_origins: Vec<Origin>,
    /// Networks whose addresses may be contacted though a server named them.
    pub allow_networks: Vec<Network>,
}

/// What a configuration says of a proxy. `Debug` shows no credentials.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ProxySetting {
    /// `"none"`: no proxy, whatever the environment says.
    Direct,
    /// The URL of a proxy.
    Through(ProxyUrl),
}

impl NetworkSettings {
    pub(super) fn read(section: &Section<'_>, home: &Home) -> Result<Self, ConfigError> {
        let path = |key, example| -> Result<Option<PathBuf>, ConfigError> {
            let text = section.text(key, "the path of a PEM file", example)?;
            Ok(text.map(|written| home.resolve(written)))
        };
        let settings = Self {
            ca_certificates: section
                .texts(
                    "ca_certificates",
                    "a list of paths of PEM files",
                    "ca_certificates = [\"company-ca.pem\"]",
                )?
                .into_iter()
                .map(|written| home.resolve(written))
                .collect(),
            system_roots: section.optional_flag("system_roots")?,
            client_certificate: path("client_certificate", "client_certificate = \"client.pem\"")?,
            client_key: path("client_key", "client_key = \"client-key.pem\"")?,
            proxy: read_proxy(section, "proxy")?,
            https_proxy: read_proxy(section, "https_proxy")?,
            http_proxy: read_proxy(section, "http_proxy")?,
            no_proxy: read_no_proxy(section)?,
            connect_timeout: section.seconds("connect_timeout_sec")?,
            read_timeout: section.seconds("read_timeout_sec")?,
            total_timeout: section.seconds("total_timeout_sec")?,
            user_agent: section
                .text("user_agent", "a User-Agent", "user_agent = \"agent/1.0\"")?
                .map(str::to_owned),
            http2: section.optional_flag("http2")?,
            default_headers: read_default_headers(section, home)?,
            origin_headers: read_origin_headers(section, home)?,
            allow_origins: read_origins(section)?,
            allow_networks: read_networks(section)?,
        };
        settings.check_pair(section)?;
        Ok(settings)
    }

    /// A certificate without a key, or the other way round, would be silently useless.
    fn check_pair(&self, section: &Section<'_>) -> Result<(), ConfigError> {
        let (there, other, file) = match (&self.client_certificate, &self.client_key) {
            (Some(_), None) => ("client_certificate", "client_key", "client-key.pem"),
            (None, Some(_)) => ("client_key", "client_certificate", "client.pem"),
            _ => return Ok(()),
        };
        let expected = format!("{other} beside it");
        Err(section.wrong(
            there,
            &expected,
            "it alone",
            &format!("{other} = \"{file}\""),
        ))
    }
}

/// The value may hold a password: it is never repeated.
fn read_proxy(
    section: &Section<'_>,
    key: &'static str,
) -> Result<Option<ProxySetting>, ConfigError> {
    let expected = "the URL of a proxy, or \"none\"";
    let example = format!("{key} = \"http://proxy.example:3128\"");
    let Some(text) = section.text(key, expected, &example)? else {
        return Ok(None);
    };
    if text == "none" {
        return Ok(Some(ProxySetting::Direct));
    }
    match text.parse() {
        Ok(proxy) => Ok(Some(ProxySetting::Through(proxy))),
        Err(_) => Err(section.wrong(key, expected, "something else", &example)),
    }
}

fn read_no_proxy(section: &Section<'_>) -> Result<Option<Vec<String>>, ConfigError> {
    if !section.has("no_proxy") {
        return Ok(None);
    }
    let hosts = section.texts(
        "no_proxy",
        "a list of host names",
        "no_proxy = [\"localhost\", \".corp\"]",
    )?;
    Ok(Some(hosts.into_iter().map(str::to_owned).collect()))
}

/// Headers that go to every origin must not carry credentials: a server that names another
/// authorization server would collect them. A value from a variable or a program is no exception; it
/// is taken for what differs from machine to machine, such as a route, and not for a secret.
fn read_default_headers(section: &Section<'_>, home: &Home) -> Result<HeaderSettings, ConfigError> {
    let headers = section.header_settings("default_headers", home)?;
    let credential = headers.names().find(|name| is_credential(name)).cloned();
    match credential {
        None => {
            section.note_seen_by_all("default_headers");
            Ok(headers)
        }
        Some(name) => Err(section.wrong(
            "default_headers",
            "headers that every server may see",
            format!("{name}, which would reach authorization servers too"),
            &format!(
                "http_headers = {{ {name} = \"…\" }} in [mcp_servers.<name>], or \
                 [network.origin_headers.\"https://gateway.example\"]"
            ),
        )),
    }
}

/// Whether a header is a credential by its name.
fn is_credential(name: &HeaderName) -> bool {
    [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION].contains(name) || name == "dpop"
}

fn read_origin_headers(
    section: &Section<'_>,
    home: &Home,
) -> Result<Vec<(Origin, HeaderSettings)>, ConfigError> {
    let Some(origins) = section.section("origin_headers")? else {
        return Ok(Vec::new());
    };
    let headers = origins.header_settings_by_name(home, |name| {
        parse_origin(name).ok_or_else(|| {
            origins.wrong(
                name,
                "the table's name to be an origin",
                format!("{name:?}"),
                "[network.origin_headers.\"https://gateway.example\"]",
            )
        })
    })?;
    section.note_noted_of(&origins);
    Ok(headers)
}

fn read_origins(section: &Section<'_>) -> Result<Vec<Origin>, ConfigError> {
    let example = "allow_origins = [\"https://login.corp.example\"]";
    section
        .texts("allow_origins", "a list of origins", example)?
        .into_iter()
        .map(|text| {
            parse_origin(text).ok_or_else(|| {
                section.wrong(
                    "allow_origins",
                    "a list of origins",
                    format!("{text:?}"),
                    example,
                )
            })
        })
        .collect()
}

fn read_networks(section: &Section<'_>) -> Result<Vec<Network>, ConfigError> {
    let (key, expected) = ("allow_networks", "a list of networks or addresses");
    let example = "allow_networks = [\"10.20.0.0/16\"]";
    let parse = |text: &str| {
        text.parse()
            .map_err(|_| section.wrong(key, expected, format!("{text:?}"), example))
    };
    let texts = section.texts(key, expected, example)?;
    texts.into_iter().map(parse).collect()
}

fn parse_origin(text: &str) -> Option<Origin> {
    text.parse().ok()
}
