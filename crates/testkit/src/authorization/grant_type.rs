//! The grant types: their names, and which of them a server offers.

use super::{
    options::{ClientCredentials, RefreshTokens},
    server::Core,
};

/// A grant type of the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GrantType {
    AuthorizationCode,
    RefreshToken,
    ClientCredentials,
    DeviceCode,
    JwtBearer,
    TokenExchange,
}

impl GrantType {
    const ALL: [Self; 6] = [
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::ClientCredentials,
        Self::DeviceCode,
        Self::JwtBearer,
        Self::TokenExchange,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
        }
    }

    /// The grant type of that name, if the token endpoint takes it.
    pub(super) fn taken(core: &Core, name: &str) -> Option<Self> {
        let named = Self::ALL.into_iter().find(|g| g.as_str() == name)?;
        // A server that issues no refresh tokens still says `invalid_grant` about one.
        let taken = named == Self::RefreshToken || named.is_offered(core);
        taken.then_some(named)
    }

    /// What the metadata lists.
    pub(super) fn offered(core: &Core) -> Vec<Self> {
        let mut offered = Self::ALL.to_vec();
        offered.retain(|grant| grant.is_offered(core));
        offered
    }

    /// Whether a client may register it by itself.
    pub(super) fn is_registrable(core: &Core, name: &str) -> bool {
        // Client credentials are for clients that somebody vouched for.
        Self::taken(core, name).is_some_and(|grant| grant != Self::ClientCredentials)
    }

    fn is_offered(self, core: &Core) -> bool {
        let config = &core.config;
        match self {
            Self::AuthorizationCode => true,
            Self::RefreshToken => config.refresh_tokens != RefreshTokens::Never,
            Self::ClientCredentials => config.client_credentials != ClientCredentials::Off,
            Self::DeviceCode => config.device.is_some(),
            Self::JwtBearer => !core.settings().trusted.is_empty(),
            Self::TokenExchange => config.token_exchange,
        }
    }
}
