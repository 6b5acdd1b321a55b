//! One `[mcp_servers.<name>]` table.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use doorkey_discovery::{Issuer, ResourceMatch};
use doorkey_oauth::ResourceChoice;
use doorkey_rmcp::Protocol;
use doorkey_store::ClientAuthMethod;
use http::{HeaderMap, HeaderName};
use secrecy::SecretString;
use url::Url;

use super::network::NetworkSettings;
use super::section::Section;
use super::{ConfigError, ConfigWarning};
use crate::Home;

/// A remote server as configured.
#[derive(Clone, Debug)]
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
    /// Headers for the MCP server's own origin; marked sensitive.
    pub http_headers: HeaderMap,
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
}

/// `[mcp_servers.<name>.oauth]`: who this client is to the authorization server.
#[derive(Clone)]
#[non_exhaustive]
pub struct OAuthSettings {
    /// A client registered beforehand.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<ClientSecret>,
    /// The issuer it was registered with; credentials go to no other.
    pub issuer: Option<Issuer>,
    /// How it authenticates.
    pub token_endpoint_auth_method: Option<ClientAuthMethod>,
    /// The URL of a client metadata document.
    pub client_metadata_url: Option<Url>,
    /// The port the redirect comes back to.
    pub callback_port: Option<u16>,
    /// The redirect URI, where the authorization server insists on one.
    pub callback_url: Option<Url>,
    /// Whether a refresh token is asked for.
    pub offline_access: bool,
    /// More parameters for the authorization request, such as `audience`.
    pub authorize_params: Vec<(String, String)>,
}

/// Where the secret of a registered client is.
#[derive(Clone)]
#[non_exhaustive]
pub enum ClientSecret {
    /// In the configuration itself.
    Value(SecretString),
    /// In an environment variable.
    Variable(String),
    /// In a file.
    File(PathBuf),
}

impl ServerConfig {
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
        let server = Self {
            name,
            url: read_url(section)?,
            enabled: section.flag("enabled", true)?,
            account: section
                .text("account", "the name of an account", "account = \"work\"")?
                .unwrap_or("default")
                .to_owned(),
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
            http_headers: section.headers("http_headers", true)?,
            env_http_headers: section
                .header_texts("env_http_headers")?
                .into_iter()
                .map(|(header, variable)| (header, variable.to_owned()))
                .collect(),
            bearer_token_env_var: read_bearer(section)?,
            startup_timeout: section
                .seconds("startup_timeout_sec")?
                .unwrap_or(STARTUP_TIMEOUT),
            tool_timeout: section.seconds("tool_timeout_sec")?.unwrap_or(TOOL_TIMEOUT),
            protocol: read_protocol(section)?,
            oauth: oauth_settings.unwrap_or_default(),
            network: network_settings.unwrap_or_default(),
        };
        let nested = [oauth.as_ref(), network.as_ref()];
        let warnings = nested
            .into_iter()
            .flatten()
            .chain([section])
            .flat_map(Section::unknown_keys)
            .collect();
        Ok((server, warnings))
    }
}

impl OAuthSettings {
    fn read(section: &Section<'_>, home: &Home) -> Result<Self, ConfigError> {
        let client_id = section
            .text("client_id", "a client id", "client_id = \"my-client\"")?
            .map(str::to_owned);
        let settings = Self {
            client_secret: read_client_secret(section, home, client_id.is_some())?,
            client_id,
            issuer: read_issuer(section, "issuer")?,
            token_endpoint_auth_method: section.choice(
                "token_endpoint_auth_method",
                &[
                    ("none", ClientAuthMethod::None),
                    ("client_secret_basic", ClientAuthMethod::Basic),
                    ("client_secret_post", ClientAuthMethod::Post),
                ],
            )?,
            client_metadata_url: section.url(
                "client_metadata_url",
                "an https URL with a path",
                "client_metadata_url = \"https://example.com/client.json\"",
                accept_metadata_url,
            )?,
            callback_port: section.port("callback_port")?,
            callback_url: section.url(
                "callback_url",
                "a redirect URI, https or http on loopback",
                "callback_url = \"http://localhost:3118/callback\"",
                accept_callback_url,
            )?,
            offline_access: section.flag("offline_access", true)?,
            authorize_params: section.text_pairs("authorize_params")?,
        };
        Ok(settings)
    }
}

impl Default for OAuthSettings {
    fn default() -> Self {
        Self {
            client_id: None,
            client_secret: None,
            issuer: None,
            token_endpoint_auth_method: None,
            client_metadata_url: None,
            callback_port: None,
            callback_url: None,
            offline_access: true,
            authorize_params: Vec::new(),
        }
    }
}

impl fmt::Debug for OAuthSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthSettings")
            .field("client_id", &self.client_id)
            .field("client_secret", &self.client_secret)
            .field("issuer", &self.issuer)
            .field("client_metadata_url", &self.client_metadata_url)
            .field("callback_port", &self.callback_port)
            .field("callback_url", &self.callback_url)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value([redacted])"),
            Self::Variable(name) => f.debug_tuple("Variable").field(name).finish(),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

fn read_url(section: &Section<'_>) -> Result<Url, ConfigError> {
    let (expected, example) = ("the URL of a remote MCP server", URL_EXAMPLE);
    let url = section.url("url", expected, example, |url| {
        doorkey_http::check_endpoint(url).map_err(|error| error.to_string())
    })?;
    url.ok_or_else(|| section.missing("url", expected, example))
}

/// A list, or one text with blanks or commas between the scopes.
fn read_scopes(section: &Section<'_>) -> Result<Vec<String>, ConfigError> {
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
fn is_scope_token(scope: &str) -> bool {
    !scope.is_empty()
        && scope
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

fn read_resource(section: &Section<'_>) -> Result<ResourceChoice, ConfigError> {
    let expected = "\"auto\", \"omit\" or an absolute URI without a fragment";
    let example = "oauth_resource = \"auto\"";
    match section.text("oauth_resource", expected, example)? {
        None | Some("auto") => Ok(ResourceChoice::Auto),
        Some("omit") => Ok(ResourceChoice::Omit),
        // RFC 8707 section 2. The text is kept as written, it is compared byte for byte.
        Some(uri) if Url::parse(uri).is_ok_and(|url| url.fragment().is_none()) => {
            Ok(ResourceChoice::Value(uri.to_owned()))
        }
        Some(other) => {
            Err(section.wrong("oauth_resource", expected, format!("{other:?}"), example))
        }
    }
}

fn read_issuer(section: &Section<'_>, key: &'static str) -> Result<Option<Issuer>, ConfigError> {
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

/// Two sources of one `Authorization` header would be a guess (USE-09).
fn read_bearer(section: &Section<'_>) -> Result<Option<String>, ConfigError> {
    let variable = section.text(
        "bearer_token_env_var",
        "the name of an environment variable",
        "bearer_token_env_var = \"EXAMPLE_TOKEN\"",
    )?;
    let static_header = section
        .headers("http_headers", true)?
        .contains_key("authorization")
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

fn read_client_secret(
    section: &Section<'_>,
    home: &Home,
    has_client: bool,
) -> Result<Option<ClientSecret>, ConfigError> {
    let value = section
        .text(
            "client_secret",
            "a client secret",
            "client_secret_env = \"EXAMPLE_SECRET\"",
        )?
        .map(|secret| ClientSecret::Value(SecretString::from(secret)));
    let variable = section
        .text(
            "client_secret_env",
            "the name of an environment variable",
            "client_secret_env = \"EXAMPLE_SECRET\"",
        )?
        .map(|name| ClientSecret::Variable(name.to_owned()));
    let file = section
        .text(
            "client_secret_file",
            "the path of a file",
            "client_secret_file = \"secret\"",
        )?
        .map(|path| ClientSecret::File(home.resolve(path)));
    let mut secrets = [
        ("client_secret", value),
        ("client_secret_env", variable),
        ("client_secret_file", file),
    ]
    .into_iter()
    .filter_map(|(key, secret)| Some((key, secret?)));
    let Some((key, secret)) = secrets.next() else {
        return Ok(None);
    };
    if let Some((second, _)) = secrets.next() {
        let example = format!("# only one of {key} and {second}");
        return Err(section.wrong(second, "one client secret", "a second one", &example));
    }
    if !has_client {
        let example = "client_id = \"my-client\"";
        return Err(section.wrong(key, "client_id beside it", "it alone", example));
    }
    Ok(Some(secret))
}

/// The client metadata document draft, section 3 (REG-08).
fn accept_metadata_url(url: &Url) -> Result<(), String> {
    doorkey_http::check_endpoint(url).map_err(|error| error.to_string())?;
    if url.scheme() != "https" {
        return Err(format!("the scheme {:?}", url.scheme()));
    }
    if url.path() == "/" {
        return Err("a URL without a path".to_owned());
    }
    no_fragment(url)
}

/// Redirect URIs are loopback or https (AZ-15).
fn accept_callback_url(url: &Url) -> Result<(), String> {
    doorkey_http::check_endpoint(url).map_err(|error| error.to_string())?;
    no_fragment(url)
}

fn no_fragment(url: &Url) -> Result<(), String> {
    url.fragment()
        .map_or(Ok(()), |_| Err("a URL with a fragment".to_owned()))
}

const URL_EXAMPLE: &str = "url = \"https://mcp.example.com/mcp\"";
const STARTUP_TIMEOUT: Duration = Duration::from_secs(30);
const TOOL_TIMEOUT: Duration = Duration::from_secs(60);
