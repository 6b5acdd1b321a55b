//! What was chosen for an authorization server: for good, and until the test changes it.

use std::{collections::HashMap, time::Duration};

use serde_json::Value;

use super::{
    client::{ClientAuthMethod, StaticClient},
    device::DeviceGrant,
    jwt_bearer::TrustedIssuer,
    odd::Oddity,
    options::{
        ClientCredentials, Consent, Document, IssParameter, MetadataKind, PushedRequests,
        RefreshTokens, RegistrationUpdates, ResourceParameter, StateParameter,
    },
    token_exchange::ForeignClient,
};
use crate::{Dpop, DpopNonces, SigningAlgorithm, SigningKey};

/// What stays the same while the server runs.
#[derive(Clone)]
pub(crate) struct Config {
    pub(super) issuer_path: String,
    pub(super) metadata: MetadataKind,
    pub(super) dynamic_registration: bool,
    pub(super) initial_access_token: Option<String>,
    pub(super) registration_method: Option<ClientAuthMethod>,
    pub(super) secret_lifetime: Option<Duration>,
    pub(super) metadata_document_clients: bool,
    pub(super) documents: HashMap<String, Value>,
    pub(super) static_clients: Vec<StaticClient>,
    pub(super) access_token_lifetime: Duration,
    pub(super) rotate: bool,
    pub(super) reuse_grace: Duration,
    pub(super) refresh_tokens: RefreshTokens,
    pub(super) resources: Vec<String>,
    pub(super) resource_parameter: ResourceParameter,
    pub(super) scopes_supported: Vec<String>,
    pub(super) iss: IssParameter,
    pub(super) loopback_any_port: bool,
    pub(super) client_credentials: ClientCredentials,
    /// Empty if clients cannot authenticate with assertions.
    pub(super) assertion_algorithms: Vec<SigningAlgorithm>,
    pub(super) assertion_audience: Option<String>,
    pub(super) dpop_algorithms: Vec<SigningAlgorithm>,
    pub(super) registration_updates: RegistrationUpdates,
    pub(super) device: Option<DeviceGrant>,
    /// What an OpenID provider signs with.
    pub(super) openid: Option<SigningKey>,
    pub(super) token_exchange: bool,
    pub(super) odd: Vec<Oddity>,
    pub(super) settings: Settings,
}

/// What a test may change while the server runs.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(super) consent: Consent,
    pub(super) state: StateParameter,
    pub(super) pushed: PushedRequests,
    pub(super) trusted: Vec<TrustedIssuer>,
    pub(super) id_token_lifetime: Option<Duration>,
    /// Whom the registered SAML assertions speak of.
    pub(super) saml_assertions: HashMap<String, String>,
    pub(super) foreign_clients: Vec<ForeignClient>,
    /// The scopes that ID-JAGs may have; `None` is any.
    pub(super) id_jag_scopes: Option<Vec<String>>,
    /// How many polls of devices are still told to slow down whatever their pace.
    pub(super) slow_downs: usize,
    pub(super) dpop: Dpop,
    pub(super) dpop_nonces: DpopNonces,
    pub(super) fields: Vec<(Document, String, Value)>,
}

impl Config {
    /// The scopes that exist; empty if any does.
    pub(super) fn scopes(&self) -> Vec<String> {
        let mut scopes = self.scopes_supported.clone();
        if self.openid.is_some() && !scopes.is_empty() {
            scopes.push("openid".to_owned());
        }
        scopes
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            issuer_path: String::new(),
            metadata: MetadataKind::default(),
            dynamic_registration: true,
            initial_access_token: None,
            registration_method: None,
            secret_lifetime: None,
            metadata_document_clients: false,
            documents: HashMap::new(),
            static_clients: Vec::new(),
            access_token_lifetime: Duration::from_secs(3600),
            rotate: true,
            reuse_grace: Duration::ZERO,
            refresh_tokens: RefreshTokens::default(),
            resources: Vec::new(),
            resource_parameter: ResourceParameter::default(),
            scopes_supported: Vec::new(),
            iss: IssParameter::default(),
            loopback_any_port: false,
            client_credentials: ClientCredentials::default(),
            assertion_algorithms: Vec::new(),
            assertion_audience: None,
            dpop_algorithms: vec![SigningAlgorithm::Es256],
            registration_updates: RegistrationUpdates::default(),
            device: None,
            openid: None,
            token_exchange: false,
            odd: Vec::new(),
            settings: Settings::default(),
        }
    }
}

impl Settings {
    /// Whether the script has a `slow_down` for this poll.
    pub(super) fn takes_slow_down(&mut self) -> bool {
        let scripted = self.slow_downs > 0;
        self.slow_downs = self.slow_downs.saturating_sub(1);
        scripted
    }

    /// Sets and removes the members that the test asked for.
    pub(super) fn apply(&self, document: Document, to: &mut Value) {
        let Some(members) = to.as_object_mut() else {
            return;
        };
        for (_, name, value) in self.fields.iter().filter(|(d, ..)| *d == document) {
            if value.is_null() {
                members.remove(name);
            } else {
                members.insert(name.clone(), value.clone());
            }
        }
    }
}
