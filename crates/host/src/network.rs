//! The network as environment and configuration describe it, made into one `HttpProfile`.

mod addresses;
mod error;
mod headers;
mod in_force;
mod proxies;
mod reload;
mod roots;
mod setting;
mod stamp;

use std::path::Path;

#[cfg(feature = "postgres")]
use doorkey_http::{ClientIdentity, Roots};
use http::{HeaderName, HeaderValue, header};
use secrecy::SecretString;

use crate::bounded;
use crate::config::{HeaderSource, ServerConfig};
use crate::environment::Environment;

pub use addresses::AddressesInForce;
pub use error::{HeaderProblem, NetworkError};
pub use headers::{HeaderInForce, HeaderScope};
pub use in_force::{CertificateFiles, NetworkInForce};
pub use proxies::{ProxiesInForce, ProxyChoice};
pub(crate) use reload::open;
pub use roots::{Bundle, RootsInForce, SystemRoots};
pub use setting::{SetBy, Setting};

/// TLS to a database as the global settings want it: the same roots and client certificate as everywhere.
#[cfg(feature = "postgres")]
pub(crate) fn database_roots(
    environment: &Environment,
    global: &crate::config::NetworkSettings,
) -> Result<(Roots, Option<ClientIdentity>), NetworkError> {
    let tables = setting::Tables { global, own: None };
    let roots = RootsInForce::of(environment, tables).read()?;
    let files = CertificateFiles::of(tables);
    let identity = files.map(|files| files.value.read()).transpose()?;
    Ok((roots, identity))
}

/// A whole file that a variable or key names.
pub(crate) fn read(setting: &str, path: &Path) -> Result<Vec<u8>, NetworkError> {
    bounded::read(path, FILE_BYTES).map_err(|source| NetworkError::Read {
        setting: setting.to_owned(),
        path: path.to_owned(),
        source,
    })
}

/// The configured bearer token of a server.
///
/// A static `Authorization` header becomes the bearer token: it turns OAuth off for the server, so
/// that there is one header and not two (USE-09).
pub(crate) fn bearer(
    environment: &Environment,
    server: &ServerConfig,
) -> Result<Option<SecretString>, NetworkError> {
    if let Some(variable) = &server.bearer_token_env_var {
        let token = required_variable(environment, server, "bearer_token_env_var", variable)?;
        return Ok(Some(SecretString::from(token.trim())));
    }
    let mut variables = server.env_http_headers.iter();
    let from_variable = variables.find(|(name, _)| *name == header::AUTHORIZATION);
    if let Some((name, variable)) = from_variable {
        let key = env_header_key(name);
        let value = header_of_variable(environment, server, key.clone(), variable)?;
        return bearer_of(server, &key, &value).map(Some);
    }
    let key = "http_headers";
    match server.http_headers.get(&header::AUTHORIZATION) {
        Some(HeaderSource::Value(value)) => bearer_of(server, key, value).map(Some),
        Some(HeaderSource::Variable(variable)) => {
            let value = header_of_variable(environment, server, key.to_owned(), variable)?;
            bearer_of(server, key, &value).map(Some)
        }
        // A configuration that was read has neither.
        Some(HeaderSource::File(_) | HeaderSource::Command(_)) => Err(NetworkError::Scheme {
            server: server.name.clone(),
            key: key.to_owned(),
        }),
        None => Ok(None),
    }
}

/// The value of a header that is in a variable, which `key` of the configuration names.
pub(crate) fn header_of_variable(
    environment: &Environment,
    server: &ServerConfig,
    key: String,
    variable: &str,
) -> Result<HeaderValue, NetworkError> {
    let text = required_variable(environment, server, &key, variable)?;
    let mut value = HeaderValue::from_str(text).map_err(|_| NetworkError::Header {
        server: server.name.clone(),
        key,
        what: variable.to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn env_header_key(name: &HeaderName) -> String {
    format!("env_http_headers.{name}")
}

fn bearer_of(
    server: &ServerConfig,
    key: &str,
    value: &HeaderValue,
) -> Result<SecretString, NetworkError> {
    value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty())
        .map(|(_, token)| SecretString::from(token.trim()))
        .ok_or_else(|| NetworkError::Scheme {
            server: server.name.clone(),
            key: key.to_owned(),
        })
}

pub(crate) fn required_variable<'a>(
    environment: &'a Environment,
    server: &ServerConfig,
    key: &str,
    variable: &str,
) -> Result<&'a str, NetworkError> {
    environment
        .text(variable)?
        .ok_or_else(|| NetworkError::Unset {
            server: server.name.clone(),
            key: key.to_owned(),
            variable: variable.to_owned(),
        })
}

/// More than every certificate authority there is.
const FILE_BYTES: u64 = 16 * bounded::MIB;

#[cfg(test)]
mod tests;
