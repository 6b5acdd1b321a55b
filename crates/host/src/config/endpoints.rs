//! `[mcp_servers.<name>.oauth.endpoints]`: an authorization server that publishes no metadata.

use url::Url;

use super::ConfigError;
use super::flow::FlowSettings;
use super::oauth::no_fragment;
use super::section::Section;

/// Where the authorization server `oauth.issuer` is asked for what, in place of its metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointSettings {
    /// Where a person is sent; needed for a login in a browser.
    pub authorization_endpoint: Option<Url>,
    /// Where tokens are obtained.
    pub token_endpoint: Url,
    /// Where clients register (RFC 7591).
    pub registration_endpoint: Option<Url>,
    /// Where tokens are revoked (RFC 7009).
    pub revocation_endpoint: Option<Url>,
    /// Where a login on another device starts (RFC 8628).
    pub device_authorization_endpoint: Option<Url>,
    /// Where authorization requests are pushed (RFC 9126).
    pub pushed_authorization_request_endpoint: Option<Url>,
}

impl EndpointSettings {
    /// The table; `flow` says which endpoint cannot be missing.
    pub(super) fn read(section: &Section<'_>, flow: &FlowSettings) -> Result<Self, ConfigError> {
        let read = |key: &'static str| section.url(key, EXPECTED, &example(key), accept);
        let needed = |key: &str| section.missing(key, EXPECTED, &example(key));
        let token_endpoint = read("token_endpoint")?;
        let authorization_endpoint = read("authorization_endpoint")?;
        let registration_endpoint = read("registration_endpoint")?;
        let revocation_endpoint = read("revocation_endpoint")?;
        let device_authorization_endpoint = read("device_authorization_endpoint")?;
        let pushed_authorization_request_endpoint = read("pushed_authorization_request_endpoint")?;
        let settings = Self {
            authorization_endpoint,
            token_endpoint: token_endpoint.ok_or_else(|| needed("token_endpoint"))?,
            registration_endpoint,
            revocation_endpoint,
            device_authorization_endpoint,
            pushed_authorization_request_endpoint,
        };
        match flow {
            FlowSettings::AuthorizationCode if settings.authorization_endpoint.is_none() => {
                Err(needed("authorization_endpoint"))
            }
            FlowSettings::Device if settings.device_authorization_endpoint.is_none() => {
                Err(needed("device_authorization_endpoint"))
            }
            _ => Ok(settings),
        }
    }

    /// Every endpoint that is written, with its key.
    pub fn urls(&self) -> impl Iterator<Item = (&'static str, &Url)> {
        [
            (
                "authorization_endpoint",
                self.authorization_endpoint.as_ref(),
            ),
            ("token_endpoint", Some(&self.token_endpoint)),
            ("registration_endpoint", self.registration_endpoint.as_ref()),
            ("revocation_endpoint", self.revocation_endpoint.as_ref()),
            (
                "device_authorization_endpoint",
                self.device_authorization_endpoint.as_ref(),
            ),
            (
                "pushed_authorization_request_endpoint",
                self.pushed_authorization_request_endpoint.as_ref(),
            ),
        ]
        .into_iter()
        .filter_map(|(key, url)| Some((key, url?)))
    }
}

fn accept(url: &Url) -> Result<(), String> {
    doorkey_http::check_endpoint(url).map_err(|error| error.to_string())?;
    no_fragment(url)
}

fn example(key: &str) -> String {
    let path = match key {
        "authorization_endpoint" => "authorize",
        "registration_endpoint" => "register",
        "revocation_endpoint" => "revoke",
        "device_authorization_endpoint" => "device",
        "pushed_authorization_request_endpoint" => "par",
        _ => "token",
    };
    format!("{key} = \"https://login.example.com/{path}\"")
}

const EXPECTED: &str = "a URL, https or http on loopback, without a fragment";
