//! One `[mcp_servers.<name>]` table.

use std::time::Duration;

use doorkey_discovery::{Issuer, ResourceMatch};
use doorkey_http::Origin;
use doorkey_oauth::ResourceChoice;
use doorkey_rmcp::Protocol;
use doorkey_store::DEFAULT_ACCOUNT;
use http::HeaderName;
use http::header::AUTHORIZATION;
use url::Url;

use super::header::{HeaderSettings, HeaderSource};
use super::network::NetworkSettings;
use super::oauth::{OAuthSettings, read_issuer};
use super::section::Section;
use super::{ConfigError, ConfigWarning};
use crate::Home;
use crate::quirks::QuirkSwitches;
use crate::target::{ACCOUNT_NAME, is_account_name};

/// A remote server as configured.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Its name in the file.
    pub name: String,
    /// The MCP URL.
    pub url: Url,
    /// Whether to connect to it.
    pub enabled: bool,
    /// Which login of several is used; `default` unless said.
    pub account: String,
    /// Scopes asked for on top of those the server challenges for.
    pub scopes: Vec<String>,
    /// The `resource` of RFC 8707: discovered, a given value, or left out.
    pub resource: ResourceChoice,
    /// Whether a published `resource` above the URL is good enough.
    pub resource_match: ResourceMatch,
    /// The issuer to accept although the metadata of the server names another.
    pub trusted_issuer: Option<Issuer>,
    /// Whether servers of the 2025-03-26 revision, without resource metadata, are signed in to.
    pub legacy: bool,
    /// Headers for the MCP server's own origin.
    pub http_headers: HeaderSettings,
    /// The same, with the values in environment variables.
    pub env_http_headers: Vec<(HeaderName, String)>,
    /// The variable with a bearer token: no OAuth for this server.
    pub bearer_token_env_var: Option<String>,
    /// How long connecting may take.
    pub startup_timeout: Duration,
    /// How long one request to a connected server may take.
    pub tool_timeout: Duration,
    /// Which revision of MCP to speak.
    pub protocol: Protocol,
    /// The OAuth client.
    pub oauth: OAuthSettings,
    /// Network settings on top of the global ones.
    pub network: NetworkSettings,
    /// What of the known quirks is used.
    pub(crate) quirks: QuirkSwitches,
}

impl ServerConfig {
    /// The key under which a bearer token is configured, in place of a login: `bearer_token_env_var`,
    /// `http_headers` or `env_http_headers`.
    #[must_use]
    pub fn bearer_key(&self) -> Option<&'static str> {
        let in_variables = |(name, _): &(HeaderName, String)| *name == AUTHORIZATION;
        if self.bearer_token_env_var.is_some() {
            Some("bearer_token_env_var")
        } else if self.env_http_headers.iter().any(in_variables) {
            Some("env_http_headers")
        } else if self.http_headers.get(&AUTHORIZATION).is_some() {
            Some("http_headers")
        } else {
            None
        }
    }

    /// Whether both sign in and send alike, so that one client and one login serve both.
    pub(crate) fn signs_in_as(&self, other: &Self) -> bool {
        if self.url != other.url {
            return false;
        }
        let like = Self {
            name: self.name.clone(),
            enabled: self.enabled,
            protocol: self.protocol,
            startup_timeout: self.startup_timeout,
            tool_timeout: self.tool_timeout,
            ..other.clone()
        };
        *self == like
    }

    pub(super) fn read(
        name: String,
        section: &Section<'_>,
        home: &Home,
    ) -> Result<(Self, Vec<ConfigWarning>), ConfigError> {
        let oauth = section.section("oauth")?;
        let network = section.section("network")?;
        let (oauth_settings, network_settings) = (
            oauth
                .as_ref()
                .map(|oauth| OAuthSettings::read(oauth, home))
                .transpose()?,
            network
                .as_ref()
                .map(|network| NetworkSettings::read(network, home))
                .transpose()?,
        );
        let http_headers = read_headers(section, home)?;
        let server = Self {
            bearer_token_env_var: read_bearer(section, &http_headers)?,
            http_headers,
            name,
            url: read_url(section)?,
            enabled: section.flag("enabled", true)?,
            account: read_account(section)?,
            scopes: read_scopes(section)?,
            resource: read_resource(section)?,
            resource_match: section
                .choice(
                    "resource_match",
                    &[
                        ("parent", ResourceMatch::Parent),
                        ("exact", ResourceMatch::Exact),
                    ],
                )?
                .unwrap_or_default(),
            trusted_issuer: read_issuer(section, "trusted_issuer")?,
            legacy: section.flag("legacy", true)?,
            env_http_headers: section
                .header_texts("env_http_headers")?
                .into_iter()
                .map(|(header, variable)| (header, variable.to_owned()))
                .collect(),
            startup_timeout: section
                .seconds("startup_timeout_sec")?
                .unwrap_or(STARTUP_TIMEOUT),
            tool_timeout: section.seconds("tool_timeout_sec")?.unwrap_or(TOOL_TIMEOUT),
            protocol: read_protocol(section)?,
            oauth: oauth_settings.unwrap_or_default(),
            network: network_settings.unwrap_or_default(),
            quirks: read_quirks(section)?,
        };
        let nested = [oauth.as_ref(), network.as_ref()];
        let warnings = nested
            .into_iter()
            .flatten()
            .chain([section])
            .flat_map(Section::warnings)
            .collect();
        Ok((server, warnings))
    }
}

fn read_quirks(section: &Section<'_>) -> Result<QuirkSwitches, ConfigError> {
    let all = section.flag("quirks", true)?;
    let (mut on, mut off) = (Vec::new(), Vec::new());
    for (key, id) in quirk_names(section)? {
        let list = if key == QUIRKS_ON { &mut on } else { &mut off };
        list.push(id.to_owned());
    }
    if let Some(id) = on.iter().find(|id| off.contains(id)) {
        let found = format!("{id:?} in both");
        return Err(section.wrong(
            QUIRKS_ON,
            "none that quirks_off names",
            found,
            QUIRKS_EXAMPLE,
        ));
    }
    if !all {
        section.note_without_effect(QUIRKS_ON, "quirks = false");
    }
    Ok(QuirkSwitches {
        all,
        on,
        off,
        ..QuirkSwitches::default()
    })
}

/// The quirks that a server names, each with the key that does.
pub(super) fn quirk_names<'a>(
    section: &Section<'a>,
) -> Result<Vec<(&'static str, &'a str)>, ConfigError> {
    let mut named = Vec::new();
    for key in [QUIRKS_ON, "quirks_off"] {
        let example = format!("{key} = [\"auth0-audience\"]");
        let ids = section.texts(key, "a list of names of quirks", &example)?;
        named.extend(ids.into_iter().map(|id| (key, id)));
    }
    Ok(named)
}

fn read_url(section: &Section<'_>) -> Result<Url, ConfigError> {
    let (expected, example) = ("the URL of a remote MCP server", URL_EXAMPLE);
    let url = section.url("url", expected, example, |url| {
        doorkey_http::check_endpoint(url).map_err(|error| error.to_string())
    })?;
    url.ok_or_else(|| section.missing("url", expected, example))
}

fn read_account(section: &Section<'_>) -> Result<String, ConfigError> {
    let example = "account = \"work\"";
    match section.text("account", ACCOUNT_NAME, example)? {
        None => Ok(DEFAULT_ACCOUNT.to_owned()),
        Some(account) if is_account_name(account) => Ok(account.to_owned()),
        Some(other) => Err(section.wrong("account", ACCOUNT_NAME, format!("{other:?}"), example)),
    }
}

/// A list, or one text with blanks or commas between the scopes.
pub(super) fn read_scopes(section: &Section<'_>) -> Result<Vec<String>, ConfigError> {
    let (expected, example) = (
        "a list of scopes",
        "scopes = [\"tools:read\", \"tools:call\"]",
    );
    let listed = if section.is_text("scopes") {
        section
            .text("scopes", expected, example)?
            .unwrap_or_default()
            .split([' ', ','])
            .filter(|scope| !scope.is_empty())
            .collect()
    } else {
        section.texts("scopes", expected, example)?
    };
    listed
        .into_iter()
        .map(|scope| {
            if is_scope_token(scope) {
                Ok(scope.to_owned())
            } else {
                Err(section.wrong("scopes", expected, format!("{scope:?}, no scope"), example))
            }
        })
        .collect()
}

/// RFC 6749 section 3.3: visible ASCII but for the quote and the backslash.
pub(super) fn is_scope_token(scope: &str) -> bool {
    !scope.is_empty()
        && scope
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

fn read_resource(section: &Section<'_>) -> Result<ResourceChoice, ConfigError> {
    let expected = "\"auto\", \"omit\" or an absolute URI without a fragment";
    let example = "oauth_resource = \"auto\"";
    let Some(text) = section.text("oauth_resource", expected, example)? else {
        return Ok(ResourceChoice::Auto);
    };
    resource_choice(text)
        .ok_or_else(|| section.wrong("oauth_resource", expected, format!("{text:?}"), example))
}

/// RFC 8707 section 2. A URI is kept as written, it is compared byte for byte.
pub(super) fn resource_choice(text: &str) -> Option<ResourceChoice> {
    match text {
        "auto" => Some(ResourceChoice::Auto),
        "omit" => Some(ResourceChoice::Omit),
        uri => Url::parse(uri)
            .is_ok_and(|url| url.fragment().is_none())
            .then(|| ResourceChoice::Value(uri.to_owned())),
    }
}

fn read_protocol(section: &Section<'_>) -> Result<Protocol, ConfigError> {
    let choices = [
        ("auto", Protocol::Auto),
        ("2025-11-25", Protocol::V2025_11_25),
        ("2026-07-28", Protocol::V2026_07_28),
    ];
    Ok(section
        .choice("protocol", &choices)?
        .unwrap_or(Protocol::Auto))
}

/// A bearer token is read once, when a session is made: it cannot come from what is read again later. Such a header belongs
/// to the origin, where it stands beside a login and not in its place.
fn read_headers(section: &Section<'_>, home: &Home) -> Result<HeaderSettings, ConfigError> {
    let headers = section.header_settings("http_headers", home)?;
    let from = match headers.get(&AUTHORIZATION) {
        Some(HeaderSource::File(_)) => "{ file = \"token\" }",
        Some(HeaderSource::Command(_)) => "{ command = [\"corp-login\", \"print-token\"] }",
        _ => return Ok(headers),
    };
    let url = section.text("url", "a URL", URL_EXAMPLE)?;
    let url = url.and_then(|url| Url::parse(url).ok());
    let origin = url.map_or_else(
        || "https://mcp.example.com".to_owned(),
        |url| Origin::from(&url).to_string(),
    );
    Err(section.wrong(
        "http_headers",
        "Authorization as a text or { env = \"…\" }",
        "it from a file or a program, which belongs to the origin",
        &format!("network.origin_headers.{origin:?} = {{ Authorization = {from} }}"),
    ))
}

/// Two sources of one `Authorization` header would be a guess (USE-09).
fn read_bearer(
    section: &Section<'_>,
    http_headers: &HeaderSettings,
) -> Result<Option<String>, ConfigError> {
    let variable = section.text(
        "bearer_token_env_var",
        "the name of an environment variable",
        "bearer_token_env_var = \"EXAMPLE_TOKEN\"",
    )?;
    let static_header = http_headers.get(&AUTHORIZATION).is_some()
        || section
            .header_texts("env_http_headers")?
            .iter()
            .any(|(name, _)| name == "authorization");
    if static_header && variable.is_some() {
        return Err(section.wrong(
            "bearer_token_env_var",
            "one source of the Authorization header",
            "another Authorization in http_headers or env_http_headers",
            "bearer_token_env_var = \"EXAMPLE_TOKEN\"",
        ));
    }
    Ok(variable.map(str::to_owned))
}

const QUIRKS_ON: &str = "quirks_on";
const QUIRKS_EXAMPLE: &str = "quirks_on = [\"auth0-audience\"]";
const URL_EXAMPLE: &str = "url = \"https://mcp.example.com/mcp\"";
const STARTUP_TIMEOUT: Duration = Duration::from_secs(30);
const TOOL_TIMEOUT: Duration = Duration::from_secs(60);
