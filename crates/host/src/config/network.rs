//! The `[network]` table, global and per server.

use std::path::PathBuf;
use std::time::Duration;

use doorkey_http::{Origin, ProxyUrl};
use http::{HeaderMap, HeaderName};

use super::ConfigError;
use super::section::Section;
use crate::Home;

/// What `[network]` says, for every server or for one (`[mcp_servers.<name>.network]`).
///
/// Lists add up, single values of a server win over the global ones. `Debug` shows no header value
/// of `origin_headers`: they are marked sensitive.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct NetworkSettings {
    /// PEM files whose certificates are trusted beside the system's.
    pub ca_certificates: Vec<PathBuf>,
    /// A PEM file with the certificate chain this client shows.
    pub client_certificate: Option<PathBuf>,
    /// A PEM file with its private key.
    pub client_key: Option<PathBuf>,
    /// The proxy for https and http alike; wins over the environment.
    pub proxy: Option<ProxyUrl>,
    /// Hosts reached without the proxy; `None` leaves the environment's list.
    pub no_proxy: Option<Vec<String>>,
    /// How long a connection may take to come up.
    pub connect_timeout: Option<Duration>,
    /// How long a response may fall silent.
    pub read_timeout: Option<Duration>,
    /// How long one request may take in all (for the MCP server: until its headers arrive).
    pub total_timeout: Option<Duration>,
    /// The `User-Agent` of every request.
    pub user_agent: Option<String>,
    /// Headers on every request to everyone; never a secret.
    pub default_headers: HeaderMap,
    /// Headers for a named origin, such as a gateway in front of a server.
    pub origin_headers: Vec<(Origin, HeaderMap)>,
    /// Origins that may have a private address though a server named them.
    pub allow_origins: Vec<Origin>,
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
            client_certificate: path("client_certificate", "client_certificate = \"client.pem\"")?,
            client_key: path("client_key", "client_key = \"client-key.pem\"")?,
            proxy: read_proxy(section)?,
            no_proxy: read_no_proxy(section)?,
            connect_timeout: section.seconds("connect_timeout_sec")?,
            read_timeout: section.seconds("read_timeout_sec")?,
            total_timeout: section.seconds("total_timeout_sec")?,
            user_agent: section
                .text("user_agent", "a User-Agent", "user_agent = \"agent/1.0\"")?
                .map(str::to_owned),
            default_headers: read_default_headers(section)?,
            origin_headers: read_origin_headers(section)?,
            allow_origins: read_origins(section)?,
        };
        settings.check_pair(section)?;
        Ok(settings)
    }

    /// These settings of one server on top of the global ones.
    #[must_use]
    pub fn over(&self, global: &Self) -> Self {
        let mut merged = global.clone();
        merged
            .ca_certificates
            .extend(self.ca_certificates.iter().cloned());
        if self.client_certificate.is_some() {
            merged
                .client_certificate
                .clone_from(&self.client_certificate);
            merged.client_key.clone_from(&self.client_key);
        }
        merged.proxy = self.proxy.clone().or(merged.proxy);
        merged.no_proxy = self.no_proxy.clone().or(merged.no_proxy);
        merged.connect_timeout = self.connect_timeout.or(merged.connect_timeout);
        merged.read_timeout = self.read_timeout.or(merged.read_timeout);
        merged.total_timeout = self.total_timeout.or(merged.total_timeout);
        merged.user_agent = self.user_agent.clone().or(merged.user_agent);
        merged.default_headers.extend(self.default_headers.clone());
        merged
            .origin_headers
            .extend(self.origin_headers.iter().cloned());
        merged
            .allow_origins
            .extend(self.allow_origins.iter().cloned());
        merged
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
fn read_proxy(section: &Section<'_>) -> Result<Option<ProxyUrl>, ConfigError> {
    let (expected, example) = (
        "the URL of a proxy",
        "proxy = \"http://proxy.example:3128\"",
    );
    let Some(text) = section.text("proxy", expected, example)? else {
        return Ok(None);
    };
    match text.parse() {
        Ok(proxy) => Ok(Some(proxy)),
        Err(_) => Err(section.wrong("proxy", expected, "something else", example)),
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
/// authorization server would collect them.
fn read_default_headers(section: &Section<'_>) -> Result<HeaderMap, ConfigError> {
    let headers = section.headers("default_headers", false)?;
    match headers.keys().find(|name| is_credential(name)) {
        None => Ok(headers),
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

pub(super) fn is_credential(name: &HeaderName) -> bool {
    ["authorization", "cookie", "proxy-authorization"].contains(&name.as_str())
}

fn read_origin_headers(section: &Section<'_>) -> Result<Vec<(Origin, HeaderMap)>, ConfigError> {
    let Some(origins) = section.section("origin_headers")? else {
        return Ok(Vec::new());
    };
    origins.headers_by_name(|name| {
        parse_origin(name).ok_or_else(|| {
            origins.wrong(
                name,
                "the table's name to be an origin",
                format!("{name:?}"),
                "[network.origin_headers.\"https://gateway.example\"]",
            )
        })
    })
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

fn parse_origin(text: &str) -> Option<Origin> {
    text.parse().ok()
}
