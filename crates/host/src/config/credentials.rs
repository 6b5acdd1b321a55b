//! What a client shows for itself to a server that registered it: a secret, a key, or both.

use doorkey_store::ClientAuthMethod;

use super::ConfigError;
use super::secret::{SecretKeys, SecretSource};
use super::section::Section;
use crate::Home;

/// The keys `client_secret`, `private_key` and what belongs to them.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ClientCredentials {
    /// `client_secret`, `client_secret_env` or `client_secret_file`.
    pub secret: Option<SecretSource>,
    /// `private_key`, `private_key_env` or `private_key_file`: PEM, or a JSON Web Key.
    pub private_key: Option<SecretSource>,
    /// `private_key_id`: the `kid` that the server knows the key by.
    pub private_key_id: Option<String>,
    /// `token_endpoint_auth_method`: how the client authenticates.
    pub auth_method: Option<ClientAuthMethod>,
}

impl ClientCredentials {
    /// Reads them for a client that may have an id.
    pub(super) fn read(
        section: &Section<'_>,
        home: &Home,
        has_client: bool,
    ) -> Result<Self, ConfigError> {
        let secret = SECRET.read(section, home)?;
        let private_key = PRIVATE_KEY.read(section, home)?;
        if let Some((key, _)) = secret.as_ref().or(private_key.as_ref())
            && !has_client
        {
            let example = "client_id = \"my-client\"";
            return Err(section.wrong(key, "client_id beside it", "it alone", example));
        }
        let credentials = Self {
            secret: secret.map(|(_, secret)| secret),
            private_key: private_key.map(|(_, key)| key),
            private_key_id: section
                .text(
                    "private_key_id",
                    "the id of the private key",
                    "private_key_id = \"2026-01\"",
                )?
                .map(str::to_owned),
            auth_method: section.choice("token_endpoint_auth_method", METHODS)?,
        };
        credentials.check_key(section)?;
        Ok(credentials)
    }

    /// Whether there is anything to authenticate with.
    pub(super) fn is_any(&self) -> bool {
        self.secret.is_some() || self.private_key.is_some()
    }

    fn check_key(&self, section: &Section<'_>) -> Result<(), ConfigError> {
        let needs_key = match self.auth_method {
            _ if self.private_key.is_some() => return Ok(()),
            Some(ClientAuthMethod::PrivateKeyJwt) => "token_endpoint_auth_method",
            _ if self.private_key_id.is_some() => "private_key_id",
            _ => return Ok(()),
        };
        let expected = "a private key beside it";
        Err(section.wrong(needs_key, expected, "it alone", PRIVATE_KEY.example))
    }
}

const SECRET: SecretKeys = SecretKeys {
    value: "client_secret",
    variable: "client_secret_env",
    file: "client_secret_file",
    what: "a client secret",
    example: "client_secret_env = \"EXAMPLE_SECRET\"",
};

const PRIVATE_KEY: SecretKeys = SecretKeys {
    value: "private_key",
    variable: "private_key_env",
    file: "private_key_file",
    what: "a private key, PEM or JSON Web Key",
    example: "private_key_file = \"key.pem\"",
};

const METHODS: &[(&str, ClientAuthMethod)] = &[
    ("none", ClientAuthMethod::None),
    ("client_secret_basic", ClientAuthMethod::Basic),
    ("client_secret_post", ClientAuthMethod::Post),
    ("private_key_jwt", ClientAuthMethod::PrivateKeyJwt),
];
