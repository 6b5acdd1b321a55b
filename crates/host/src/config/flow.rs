//! `flow`, and the tables that two of the flows need.

use doorkey_discovery::Issuer;

use super::ConfigError;
use super::assertion::AssertionSettings;
use super::identity_provider::IdentityProviderSettings;
use super::oauth::{OAuthSettings, read_issuer};
use super::section::Section;
use crate::Home;

/// How a token is obtained.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum FlowSettings {
    /// By a person in a browser.
    #[default]
    AuthorizationCode,
    /// By a person on another device, who types a code (RFC 8628).
    Device,
    /// By the client itself, with its secret or key.
    ClientCredentials,
    /// By the JWT that a platform gives this workload: the table `workload`.
    WorkloadIdentity(Box<WorkloadSettings>),
    /// By a person's sign-on at the enterprise's identity provider: the table `identity_provider`.
    EnterpriseManaged(Box<IdentityProviderSettings>),
}

/// `[mcp_servers.<name>.oauth.workload]`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WorkloadSettings {
    /// Where the JWT comes from.
    pub assertion: AssertionSettings,
    /// The one issuer it goes to; the same as `issuer` beside the table.
    pub issuer: Option<Issuer>,
}

/// The words of `flow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    AuthorizationCode,
    Device,
    ClientCredentials,
    WorkloadIdentity,
    EnterpriseManaged,
}

impl FlowSettings {
    /// The word in the configuration.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::Device => "device",
            Self::ClientCredentials => "client_credentials",
            Self::WorkloadIdentity(_) => "workload_identity",
            Self::EnterpriseManaged(_) => "enterprise_managed",
        }
    }

    /// Whether tokens are obtained by themselves. A sign-on at an identity provider may still need
    /// a person once in a while.
    #[must_use]
    pub fn is_unattended(&self) -> bool {
        match self {
            Self::AuthorizationCode | Self::Device => false,
            Self::ClientCredentials | Self::WorkloadIdentity(_) | Self::EnterpriseManaged(_) => {
                true
            }
        }
    }

    pub(super) fn read(section: &Section<'_>, home: &Home) -> Result<Self, ConfigError> {
        let word = section.choice("flow", WORDS)?.unwrap_or(WORDS[0].1);
        let workload = section.section("workload")?;
        let provider = section.section("identity_provider")?;
        for (table, key, owner) in [
            (&workload, "workload", Word::WorkloadIdentity),
            (&provider, "identity_provider", Word::EnterpriseManaged),
        ] {
            if table.is_some() && word != owner {
                let example = format!("flow = {:?}", spelled(owner));
                let expected = format!("{example} beside it");
                let found = format!("flow = {:?}", spelled(word));
                return Err(section.wrong(key, &expected, found, &example));
            }
        }
        let needed = |key: &str| {
            let example = format!("[{}]", section.dotted(key));
            section.wrong(
                "flow",
                &format!("the table {key} beside it"),
                "it alone",
                &example,
            )
        };
        Ok(match word {
            Word::AuthorizationCode => Self::AuthorizationCode,
            Word::Device => Self::Device,
            Word::ClientCredentials => Self::ClientCredentials,
            Word::WorkloadIdentity => {
                let table = workload.ok_or_else(|| needed("workload"))?;
                let settings = WorkloadSettings {
                    assertion: AssertionSettings::read(&table, home)?,
                    issuer: read_issuer(&table, "issuer")?,
                };
                if settings.issuer.is_some() && section.has("issuer") {
                    let (found, example) = ("a second one", "# one issuer, here or in oauth");
                    return Err(table.wrong("issuer", "one issuer", found, example));
                }
                section.note_all_of(&table);
                Self::WorkloadIdentity(Box::new(settings))
            }
            Word::EnterpriseManaged => {
                let table = provider.ok_or_else(|| needed("identity_provider"))?;
                let settings = IdentityProviderSettings::read(&table, home)?;
                section.note_all_of(&table);
                Self::EnterpriseManaged(Box::new(settings))
            }
        })
    }
}

impl OAuthSettings {
    /// What a flow needs besides its own table (CC-02, CC-03, WIF-04, EMA-08).
    pub(super) fn check_flow(&self, section: &Section<'_>) -> Result<(), ConfigError> {
        let flow_needs = |what: &str, example: &str| {
            Err(section.wrong("flow", &format!("{what} beside it"), "it alone", example))
        };
        let client = "client_id = \"my-client\"";
        match &self.flow {
            FlowSettings::ClientCredentials if self.client_id.is_none() => {
                flow_needs("client_id", client)
            }
            FlowSettings::ClientCredentials if !self.credentials.is_any() => flow_needs(
                "client_secret or private_key",
                "private_key_file = \"key.pem\"",
            ),
            FlowSettings::WorkloadIdentity(_) => {
                let there = CREDENTIAL_KEYS.iter().find(|key| section.has(key));
                there.map_or(Ok(()), |key| {
                    let expected = "no credentials: the JWT stands for the workload";
                    Err(section.wrong(key, expected, "some", &format!("# without {key}")))
                })
            }
            FlowSettings::EnterpriseManaged(_)
                if self.client_id.is_none() && self.client_metadata_url.is_none() =>
            {
                flow_needs("client_id or client_metadata_url", client)
            }
            _ => Ok(()),
        }
    }

    /// Keys that this flow takes no notice of.
    pub(super) fn note_idle_keys(&self, section: &Section<'_>) {
        use super::IdentitySettings::SignOn;
        let why = format!("flow = {:?}", self.flow.as_str());
        let is_sign_on = matches!(&self.flow,
            FlowSettings::EnterpriseManaged(provider) if provider.identity == SignOn);
        if self.flow != FlowSettings::AuthorizationCode {
            section.note_without_effect("authorize_params", &why);
            section.note_without_effect("login_hint", &why);
            if !is_sign_on {
                section.note_without_effect("callback_port", &why);
                section.note_without_effect("callback_host", &why);
                section.note_without_effect("callback_url", &why);
            }
        }
        match self.flow.is_unattended() {
            true => section.note_without_effect("offline_access", &why),
            false => section.note_without_effect("accept_discovered_issuer", &why),
        }
        if self.credentials.private_key.is_none() {
            section.note_without_effect("assertion_audience", "there is no private_key");
        }
    }
}

fn spelled(word: Word) -> &'static str {
    let entry = WORDS.iter().find(|(_, known)| *known == word);
    entry.map_or("", |(text, _)| text)
}

const CREDENTIAL_KEYS: [&str; 6] = [
    "client_secret",
    "client_secret_env",
    "client_secret_file",
    "private_key",
    "private_key_env",
    "private_key_file",
];

const WORDS: &[(&str, Word)] = &[
    ("authorization_code", Word::AuthorizationCode),
    ("device", Word::Device),
    ("client_credentials", Word::ClientCredentials),
    ("workload_identity", Word::WorkloadIdentity),
    ("enterprise_managed", Word::EnterpriseManaged),
];
