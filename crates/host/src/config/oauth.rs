//! `[mcp_servers.<name>.oauth]`.

use std::fmt;

use doorkey_discovery::Issuer;
use doorkey_oauth::DpopChoice;
use url::Url;

use super::ConfigError;
use super::credentials::ClientCredentials;
use super::endpoints::EndpointSettings;
use super::flow::FlowSettings;
use super::section::Section;
use crate::Home;
use crate::loopback::{CallbackHost, CallbackPorts, CallbackSettings};

/// `[mcp_servers.<name>.oauth]`: how tokens are obtained, and who this client is to the authorization server.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct OAuthSettings {
    /// How a token is obtained, with the tables that this needs.
    pub flow: FlowSettings,
    /// A client registered beforehand.
    pub client_id: Option<String>,
    /// What it shows for itself.
    pub credentials: ClientCredentials,
    /// The issuer it was registered with; credentials go to no other. It is also the authorization
    /// server of an MCP server that names none.
    pub issuer: Option<Issuer>,
    /// The endpoints of that issuer, where it publishes no metadata.
    pub endpoints: Option<Box<EndpointSettings>>,
    /// Whether credentials without an issuer may go to the first one that the server names.
    pub accept_discovered_issuer: bool,
    /// What client assertions name as their audience, for a server that does not want its issuer there.
    pub assertion_audience: Option<String>,
    /// Whether tokens are bound to a key of this client (RFC 9449).
    pub dpop: DpopChoice,
    /// The URL of a client metadata document.
    pub client_metadata_url: Option<Url>,
    /// The port the redirect comes back to, or a range of which the first free one is taken.
    pub callback_port: Option<CallbackPorts>,
    /// What the redirect URI calls this machine, where `callback_url` does not say.
    pub callback_host: Option<CallbackHost>,
    /// The redirect URI, where the authorization server insists on one.
    pub callback_url: Option<Url>,
    /// Whether a refresh token is asked for.
    pub offline_access: bool,
    /// Who is to sign in, told to the authorization server beforehand: an address, mostly.
    pub login_hint: Option<String>,
    /// More parameters for the authorization request, such as `audience`.
    pub authorize_params: Vec<(String, String)>,
}

impl OAuthSettings {
    /// The issuer that credentials and the JWT of a workload are bound to.
    #[must_use]
    pub fn bound_issuer(&self) -> Option<&Issuer> {
        match &self.flow {
            FlowSettings::WorkloadIdentity(workload) => {
                self.issuer.as_ref().or(workload.issuer.as_ref())
            }
            _ => self.issuer.as_ref(),
        }
    }

    /// Where a login comes back to.
    #[must_use]
    pub fn callback(&self) -> CallbackSettings {
        let settings = CallbackSettings::new(self.callback_port, self.callback_url.clone());
        match self.callback_host {
            Some(host) => settings.at_host(host),
            None => settings,
        }
    }

    pub(super) fn read(section: &Section<'_>, home: &Home) -> Result<Self, ConfigError> {
        let client_id = section
            .text("client_id", "a client id", "client_id = \"my-client\"")?
            .map(str::to_owned);
        let flow = FlowSettings::read(section, home)?;
        let settings = Self {
            endpoints: read_endpoints(section, &flow)?,
            flow,
            credentials: ClientCredentials::read(section, home, client_id.is_some())?,
            client_id,
            issuer: read_issuer(section, "issuer")?,
            accept_discovered_issuer: section.flag("accept_discovered_issuer", false)?,
            assertion_audience: section
                .text(
                    "assertion_audience",
                    "an audience",
                    "assertion_audience = \"https://login.example/token\"",
                )?
                .map(str::to_owned),
            dpop: section.choice("dpop", DPOP)?.unwrap_or_default(),
            client_metadata_url: read_metadata_url(section)?,
            callback_port: read_ports(section)?,
            callback_host: section.choice("callback_host", CALLBACK_HOSTS)?,
            callback_url: section.url(
                "callback_url",
                "a redirect URI, https or http on loopback",
                "callback_url = \"http://localhost:3118/callback\"",
                accept_callback_url,
            )?,
            offline_access: section.flag("offline_access", true)?,
            login_hint: section
                .text(
                    "login_hint",
                    "who signs in",
                    "login_hint = \"ada@example.com\"",
                )?
                .map(str::to_owned),
            authorize_params: section.text_pairs("authorize_params")?,
        };
        settings.check_callback(section)?;
        settings.check_flow(section)?;
        settings.note_idle_keys(section);
        Ok(settings)
    }

    /// On loopback the redirect URI names the host and the port to listen on; second ones would be a guess.
    /// Elsewhere something forwards it to `callback_port`, which can be but one.
    fn check_callback(&self, section: &Section<'_>) -> Result<(), ConfigError> {
        let Some(url) = &self.callback_url else {
            return Ok(());
        };
        if let Some(host) = self.callback_host {
            return Err(section.wrong(
                "callback_host",
                "nothing beside callback_url, which names a host itself",
                format!("{:?}", host.as_str()),
                &format!("callback_url = {:?}", url.as_str()),
            ));
        }
        let Some(ports) = self.callback_port else {
            return Ok(());
        };
        match (url.scheme(), url.port()) {
            ("http", Some(other)) if ports.single() != Some(other) => Err(section.wrong(
                "callback_port",
                &format!("the port of callback_url, {other}, or nothing"),
                ports.to_string(),
                &format!("callback_port = {other}"),
            )),
            ("https", _) if ports.single().is_none() || ports.is_any() => Err(section.wrong(
                "callback_port",
                "the one port that callback_url is forwarded to",
                ports.to_string(),
                &format!("callback_port = {}", ports.first().max(1)),
            )),
            _ => Ok(()),
        }
    }
}

impl Default for OAuthSettings {
    fn default() -> Self {
        Self {
            flow: FlowSettings::default(),
            client_id: None,
            credentials: ClientCredentials::default(),
            issuer: None,
            endpoints: None,
            accept_discovered_issuer: false,
            assertion_audience: None,
            dpop: DpopChoice::default(),
            client_metadata_url: None,
            callback_port: None,
            callback_host: None,
            callback_url: None,
            offline_access: true,
            login_hint: None,
            authorize_params: Vec::new(),
        }
    }
}

impl fmt::Debug for OAuthSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthSettings")
            .field("flow", &self.flow)
            .field("client_id", &self.client_id)
            .field("credentials", &self.credentials)
            .field("issuer", &self.issuer)
            .field("endpoints", &self.endpoints)
            .field("dpop", &self.dpop)
            .field("client_metadata_url", &self.client_metadata_url)
            .field("callback_port", &self.callback_port)
            .field("callback_host", &self.callback_host)
            .field("callback_url", &self.callback_url)
            .finish_non_exhaustive()
    }
}

pub(crate) fn read_issuer(
    section: &Section<'_>,
    key: &'static str,
) -> Result<Option<Issuer>, ConfigError> {
    let (expected, example) = (
        "the issuer of an authorization server",
        format!("{key} = \"https://login.example\""),
    );
    let Some(text) = section.text(key, expected, &example)? else {
        return Ok(None);
    };
    let url = Url::parse(text)
        .map_err(|error| section.wrong(key, expected, format!("no URL: {error}"), &example))?;
    doorkey_http::check_endpoint(&url)
        .map_err(|error| section.wrong(key, expected, error.to_string(), &example))?;
    Ok(Some(Issuer::new(text)))
}

/// A port as a number, or a range of ports as a text.
fn read_ports(section: &Section<'_>) -> Result<Option<CallbackPorts>, ConfigError> {
    let key = "callback_port";
    if !section.is_text(key) {
        return Ok(section.port(key)?.map(CallbackPorts::from));
    }
    let example = "callback_port = \"3118-3127\"";
    let expected = "a port number, 0 for any, or a range of at most 100 ports";
    let text = section.text(key, expected, example)?.unwrap_or_default();
    text.parse()
        .map(Some)
        .map_err(|_| section.wrong(key, expected, format!("{text:?}"), example))
}

/// Endpoints belong to an issuer: what is registered and obtained there is bound to it.
fn read_endpoints(
    section: &Section<'_>,
    flow: &FlowSettings,
) -> Result<Option<Box<EndpointSettings>>, ConfigError> {
    let Some(table) = section.section("endpoints")? else {
        return Ok(None);
    };
    let settings = EndpointSettings::read(&table, flow)?;
    section.note_all_of(&table);
    if !section.has("issuer") {
        let example = "issuer = \"https://login.example.com\"";
        return Err(section.wrong("endpoints", "issuer beside it", "it alone", example));
    }
    Ok(Some(Box::new(settings)))
}

fn read_metadata_url(section: &Section<'_>) -> Result<Option<Url>, ConfigError> {
    let (key, expected) = ("client_metadata_url", "an https URL with a path");
    let example = "client_metadata_url = \"https://example.com/client.json\"";
    let Some(text) = section.text(key, expected, example)? else {
        return Ok(None);
    };
    let url = check_metadata_url(text);
    url.map(Some)
        .map_err(|why| section.wrong(key, expected, why, example))
}

/// The URL of a client metadata document (the draft, section 3; REG-08), or what is wrong with it.
pub(crate) fn check_metadata_url(written: &str) -> Result<Url, String> {
    if has_dot_segments(written) {
        return Err("a path with `.` or `..` in it".to_owned());
    }
    let url = Url::parse(written).map_err(|error| format!("no URL: {error}"))?;
    doorkey_http::check_endpoint(&url).map_err(|error| error.to_string())?;
    if url.scheme() != "https" {
        return Err(format!("the scheme {:?}", url.scheme()));
    }
    if url.path() == "/" {
        return Err("a URL without a path".to_owned());
    }
    no_fragment(&url)?;
    Ok(url)
}

/// Whether the path of a URL has `.` or `..` segments as it is written: parsed, it has none.
fn has_dot_segments(written: &str) -> bool {
    let path = written.split(['?', '#']).next().unwrap_or_default();
    path.split(['/', '\\']).any(|segment| {
        let segment = segment.to_ascii_lowercase().replace("%2e", ".");
        segment == "." || segment == ".."
    })
}

/// Redirect URIs are loopback or https (AZ-15).
fn accept_callback_url(url: &Url) -> Result<(), String> {
    doorkey_http::check_endpoint(url).map_err(|error| error.to_string())?;
    no_fragment(url)
}

pub(super) fn no_fragment(url: &Url) -> Result<(), String> {
    url.fragment()
        .map_or(Ok(()), |_| Err("a URL with a fragment".to_owned()))
}

const CALLBACK_HOSTS: &[(&str, CallbackHost)] = &[
    ("127.0.0.1", CallbackHost::Ipv4),
    ("localhost", CallbackHost::Localhost),
    ("::1", CallbackHost::Ipv6),
];

const DPOP: &[(&str, DpopChoice)] = &[
    ("auto", DpopChoice::Auto),
    ("prefer", DpopChoice::Prefer),
    ("require", DpopChoice::Require),
    ("off", DpopChoice::Off),
];
