//! `[mcp_servers.<name>.oauth.identity_provider]`.

use doorkey_discovery::Issuer;
use url::Url;

use super::ConfigError;
use super::assertion::AssertionSettings;
use super::credentials::ClientCredentials;
use super::oauth::read_issuer;
use super::section::Section;
use super::server::read_scopes;
use crate::Home;

/// The enterprise's identity provider: an administrator's word, never a server's (EMA-11).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct IdentityProviderSettings {
    /// Its issuer.
    pub issuer: Issuer,
    /// Where tokens are exchanged; taken from its own metadata when absent.
    pub token_endpoint: Option<Url>,
    /// Who this program is to it.
    pub client_id: String,
    /// What this program shows for itself there.
    pub credentials: ClientCredentials,
    /// Scopes of the sign-on besides `openid`.
    pub scopes: Vec<String>,
    /// Where the person's identity comes from.
    pub identity: IdentitySettings,
}

/// Where a person's identity comes from.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum IdentitySettings {
    /// The person signs on at the identity provider in a browser.
    SignOn,
    /// `id_token`: somebody hands over an identity token.
    IdToken(AssertionSettings),
    /// `saml_assertion`: somebody hands over a SAML 2.0 assertion.
    SamlAssertion(AssertionSettings),
}

impl IdentityProviderSettings {
    pub(super) fn read(section: &Section<'_>, home: &Home) -> Result<Self, ConfigError> {
        let expected = "the issuer of an identity provider";
        let example = "issuer = \"https://sso.example\"";
        let issuer = read_issuer(section, "issuer")?
            .ok_or_else(|| section.missing("issuer", expected, example))?;
        let (expected, example) = ("a client id", "client_id = \"my-client\"");
        let client_id = section
            .text("client_id", expected, example)?
            .ok_or_else(|| section.missing("client_id", expected, example))?;
        let identity = read_identity(section, home)?;
        let settings = Self {
            issuer,
            token_endpoint: section.url(
                "token_endpoint",
                "an https URL",
                "token_endpoint = \"https://sso.example/token\"",
                |url| doorkey_http::check_endpoint(url).map_err(|error| error.to_string()),
            )?,
            client_id: client_id.to_owned(),
            credentials: ClientCredentials::read(section, home, true)?,
            scopes: read_scopes(section)?,
            identity,
        };
        if settings.identity != IdentitySettings::SignOn {
            section.note_without_effect("scopes", "nobody signs on here");
        }
        Ok(settings)
    }
}

fn read_identity(section: &Section<'_>, home: &Home) -> Result<IdentitySettings, ConfigError> {
    let read = |key| -> Result<Option<AssertionSettings>, ConfigError> {
        let Some(table) = section.section(key)? else {
            return Ok(None);
        };
        let settings = AssertionSettings::read(&table, home)?;
        section.note_all_of(&table);
        Ok(Some(settings))
    };
    match (read("id_token")?, read("saml_assertion")?) {
        (None, None) => Ok(IdentitySettings::SignOn),
        (Some(id_token), None) => Ok(IdentitySettings::IdToken(id_token)),
        (None, Some(saml)) => Ok(IdentitySettings::SamlAssertion(saml)),
        (Some(_), Some(_)) => Err(section.wrong(
            "saml_assertion",
            "one of id_token and saml_assertion",
            "a second one",
            "# only one of id_token and saml_assertion",
        )),
    }
}
