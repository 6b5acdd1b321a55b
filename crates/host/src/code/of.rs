//! Which code an error has.

use std::error::Error as StdError;

use doorkey_rmcp::rmcp::service::ServiceError;

use super::ErrorCode;
use crate::config::ConfigError;
use crate::error::Error;
use crate::loopback::{LoopbackError, Unattended};
use crate::network::NetworkError;
use crate::stores::StoreOpenError;

impl Error {
    /// What kind of failure it is: the first cause that has a name.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        if let Some(error) = self.authorization() {
            return of_authorization(error);
        }
        match self {
            Self::NoHome => ErrorCode::NoHome,
            Self::Config(error) => of_config(error),
            Self::Network(error) => of_network(error),
            Self::Client { source, .. } => of_http(source),
            Self::StoreOpen(error) => of_store_open(error),
            Self::Store(error) => of_kind(error.kind()),
            Self::Disabled { .. } => ErrorCode::ServerDisabled,
            Self::BearerConfigured { .. } | Self::BearerHasNoAccounts { .. } => {
                ErrorCode::BearerConfigured
            }
            Self::AccountName { .. } => ErrorCode::AccountNameInvalid,
            Self::Authorization { source, .. } => of_authorization(source),
            Self::Connect { source, .. } => of_kind(source.kind()),
            Self::Request { source, .. } => self.of_request(source),
            Self::TimedOut { .. } => ErrorCode::TimedOut,
            Self::EventTooLarge { .. } => ErrorCode::EventTooLarge,
            Self::EndlessList { .. } => ErrorCode::EndlessList,
            Self::Rejected { source, .. } | Self::Unproven { source, .. } => source.code(),
        }
    }

    fn of_request(&self, error: &ServiceError) -> ErrorCode {
        match (self.transport(), error) {
            (Some(transport), _) => of_kind(transport.kind()),
            (_, ServiceError::McpError(_)) => ErrorCode::McpError,
            (_, ServiceError::Timeout { .. }) => ErrorCode::TimedOut,
            (_, ServiceError::TransportClosed) => ErrorCode::McpInterrupted,
            _ => ErrorCode::McpAnswerUnusable,
        }
    }
}

/// The libraries name the kinds of their failures as the codes are named.
fn of_kind(kind: &str) -> ErrorCode {
    ErrorCode::named(kind).unwrap_or(ErrorCode::Internal)
}

fn of_http(error: &doorkey_http::Error) -> ErrorCode {
    in_causes(error).map_or_else(|| of_kind(error.kind()), of_network)
}

fn of_authorization(error: &doorkey_oauth::Error) -> ErrorCode {
    if let Some(settings) = in_causes(error) {
        return of_network(settings);
    }
    if let Some(listener) = in_causes(error) {
        return of_loopback(listener);
    }
    if error.http().is_some_and(is_untrusted) {
        return ErrorCode::CertificateUntrusted;
    }
    if in_causes::<Unattended>(error).is_some() {
        return ErrorCode::NobodyToAsk;
    }
    of_kind(error.kind())
}

/// Whether a certificate authority is missing from the settings: trying again would not help.
fn is_untrusted(error: &doorkey_http::Error) -> bool {
    of_kind(error.kind()) == ErrorCode::CertificateUntrusted
}

/// The first cause of that type.
fn in_causes<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    std::iter::successors(Some(error), |&error| error.source())
        .find_map(|cause| cause.downcast_ref())
}

fn of_config(error: &ConfigError) -> ErrorCode {
    match error {
        ConfigError::Read { .. } => ErrorCode::ConfigUnreadable,
        ConfigError::Write { .. } => ErrorCode::ConfigNotWritable,
        ConfigError::Busy { .. } => ErrorCode::ConfigBusy,
        ConfigError::Syntax { .. } => ErrorCode::ConfigSyntax,
        ConfigError::Value(_) => ErrorCode::ConfigValue,
        ConfigError::UnknownServer { .. } => ErrorCode::ServerUnknown,
        ConfigError::ServerExists { .. } => ErrorCode::ServerExists,
        ConfigError::NotRemote { .. } => ErrorCode::ServerNotRemote,
        ConfigError::ServerName { .. } => ErrorCode::ServerNameInvalid,
    }
}

fn of_network(error: &NetworkError) -> ErrorCode {
    match error {
        NetworkError::Read { .. }
        | NetworkError::Roots(_)
        | NetworkError::NoRoots { .. }
        | NetworkError::NothingTrusted { .. } => ErrorCode::RootsUnusable,
        NetworkError::Identity { .. } => ErrorCode::ClientCertificateUnusable,
        NetworkError::Proxy { .. } => ErrorCode::ProxyUnusable,
        NetworkError::NotText(_) => ErrorCode::VariableNotText,
        NetworkError::Unset { .. } => ErrorCode::VariableMissing,
        NetworkError::Header { .. } | NetworkError::Scheme { .. } => ErrorCode::HeaderValueUnusable,
        NetworkError::HeaderValue { .. } if error.is_transient() => ErrorCode::HeaderValueLate,
        NetworkError::HeaderValue { .. } => ErrorCode::HeaderValueMissing,
        NetworkError::Client(_) => ErrorCode::NetworkSettingsUnusable,
    }
}

fn of_store_open(error: &StoreOpenError) -> ErrorCode {
    match error {
        StoreOpenError::NotBuilt { .. } => ErrorCode::StoreNotBuilt,
        StoreOpenError::Unset { .. } => ErrorCode::VariableMissing,
        StoreOpenError::NotText(_) => ErrorCode::VariableNotText,
        StoreOpenError::NoKeyring { .. } | StoreOpenError::KeyringNotUsable { .. } => {
            ErrorCode::KeyringUnusable
        }
        StoreOpenError::KeyringLocked => ErrorCode::KeyringLocked,
        StoreOpenError::NothingToMove { .. } => ErrorCode::StoreMoveRefused,
        StoreOpenError::KeepsNothing => ErrorCode::StoreKeepsNothing,
        StoreOpenError::NoDatabase => ErrorCode::DatabaseNotNamed,
        StoreOpenError::Tls(_) => ErrorCode::NetworkSettingsUnusable,
        StoreOpenError::Choice { .. } => ErrorCode::StoreFileFailed,
        StoreOpenError::Unreadable { .. } => ErrorCode::StoreChoiceUnreadable,
    }
}

fn of_loopback(error: &LoopbackError) -> ErrorCode {
    match error {
        LoopbackError::PortInUse { .. } | LoopbackError::PortsInUse { .. } => {
            ErrorCode::CallbackPortInUse
        }
        LoopbackError::NoPort { .. } => ErrorCode::CallbackPortMissing,
        LoopbackError::Listen { .. } => ErrorCode::CallbackNotListening,
    }
}
