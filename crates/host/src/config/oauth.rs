//! `[mcp_servers.<name>.oauth]`.

use std::fmt;
use std::path::PathBuf;

use doorkey_discovery::Issuer;
use doorkey_store::ClientAuthMethod;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::ConfigError;
use super::section::Section;
use crate::Home;

/// `[mcp_servers.<name>.oauth]`: who this client is to the authorization server.
#[derive(Clone, PartialEq)]
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

impl OAuthSettings {
    pub(super) fn read(section: &Section<'_>, home: &Home) -> Result<Self, ConfigError> {
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
        settings.check_callback(section)?;
        Ok(settings)
    }

    /// On loopback the redirect URI names the port to listen on; a second one would be a guess.
    /// Elsewhere something forwards it to `callback_port`.
    fn check_callback(&self, section: &Section<'_>) -> Result<(), ConfigError> {
        let (Some(port), Some(url)) = (self.callback_port, &self.callback_url) else {
            return Ok(());
        };
        match url.port() {
            Some(other) if url.scheme() == "http" && other != port => Err(section.wrong(
                "callback_port",
                &format!("the port of callback_url, {other}, or nothing"),
                port.to_string(),
                &format!("callback_port = {other}"),
            )),
            _ => Ok(()),
        }
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

impl PartialEq for ClientSecret {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Value(one), Self::Value(other)) => one.expose_secret() == other.expose_secret(),
            (Self::Variable(one), Self::Variable(other)) => one == other,
            (Self::File(one), Self::File(other)) => one == other,
            _ => false,
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

pub(super) fn read_issuer(
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
