//! The network as environment and configuration describe it, made into one `HttpProfile`.

mod addresses;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use doorkey_http::{
    ClientIdentity, HttpProfile, NoProxy, PemError, ProxyRules, ProxyUrl, ProxyUrlError,
    RootCertificate, RootFile, Roots, RootsError, Timeouts, roots_from_files,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use secrecy::{SecretSlice, SecretString};

use crate::config::{NetworkSettings, ServerConfig};
use crate::environment::{Environment, NotText};

/// What environment or configuration say about the network cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A file that a variable or key names cannot be read.
    #[error("{setting}: cannot read {}", path.display())]
    Read {
        /// The variable or key.
        setting: String,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A bundle holds no certificate, or a broken one.
    #[error("the trusted certificates cannot be used")]
    Roots(#[source] RootsError),
    /// A folder of certificates holds none.
    #[error("{setting}: no certificate in {}", path.display())]
    NoRoots {
        /// The variable.
        setting: &'static str,
        /// Its value.
        path: PathBuf,
    },
    /// The client certificate or its key cannot be used.
    #[error("client_certificate {}: cannot be used with client_key {}", chain.display(), key.display())]
    Identity {
        /// The file with the chain.
        chain: PathBuf,
        /// The file with the key.
        key: PathBuf,
        /// Why.
        #[source]
        source: PemError,
    },
    /// A variable that should name a proxy does not.
    #[error("{variable}: not the URL of a proxy")]
    Proxy {
        /// The variable.
        variable: String,
        /// Why.
        #[source]
        source: ProxyUrlError,
    },
    /// A variable is not text.
    #[error(transparent)]
    NotText(#[from] NotText),
    /// A variable that the configuration names is not set.
    #[error("{key} of {server:?} names the environment variable {variable}, which is not set")]
    Unset {
        /// The server.
        server: String,
        /// The key of the configuration.
        key: String,
        /// The variable.
        variable: String,
    },
    /// A header value with characters that cannot be sent.
    #[error("{key} of {server:?}: {what} holds characters that a header cannot carry")]
    Header {
        /// The server.
        server: String,
        /// The key of the configuration.
        key: String,
        /// The variable or header.
        what: String,
    },
    /// An `Authorization` header of a kind that is not a bearer token.
    #[error("{key} of {server:?}: expected `Bearer` and a token in Authorization")]
    Scheme {
        /// The server.
        server: String,
        /// The key of the configuration.
        key: String,
    },
}

/// TLS to a database as the global settings want it: the same roots and client certificate as everywhere.
#[cfg(feature = "postgres")]
pub(crate) fn database_roots(
    environment: &Environment,
    settings: &NetworkSettings,
) -> Result<(Roots, Option<ClientIdentity>), NetworkError> {
    Ok((roots(environment, settings)?, client_identity(settings)?))
}

/// The profile for one server: global settings, then the server's own, then the environment for what
/// neither says.
pub(crate) fn profile(
    environment: &Environment,
    global: &NetworkSettings,
    server: &ServerConfig,
    headers: HeaderMap,
) -> Result<HttpProfile, NetworkError> {
    let settings = server.network.over(global);
    let mut profile = HttpProfile::new(server.url.clone());
    profile.roots = roots(environment, &settings)?;
    profile.client_identity = client_identity(&settings)?;
    profile.proxy = proxy(environment, &settings)?;
    let defaults = Timeouts::default();
    profile.timeouts = Timeouts::new(
        settings.connect_timeout.unwrap_or(defaults.connect),
        settings.read_timeout.unwrap_or(defaults.read),
        settings.total_timeout.unwrap_or(defaults.total),
    );
    if let Some(user_agent) = settings.user_agent {
        profile.user_agent = user_agent;
    }
    profile.default_headers = settings.default_headers;
    profile.origin_headers = settings.origin_headers;
    profile.resource_headers = headers;
    profile.addresses = addresses::policy(settings.allow_origins, &server.oauth.flow);
    Ok(profile)
}

/// `SSL_CERT_FILE` and `SSL_CERT_DIR` replace the system's roots, as users of other tools expect;
/// `DOORKEY_CA_CERTIFICATE` and the configuration add to whatever there is.
fn roots(environment: &Environment, settings: &NetworkSettings) -> Result<Roots, NetworkError> {
    let mut added = Vec::new();
    if let Some(path) = environment.variable("DOORKEY_CA_CERTIFICATE") {
        added.push(bundle("DOORKEY_CA_CERTIFICATE", Path::new(path))?);
    }
    for path in &settings.ca_certificates {
        added.push(bundle("ca_certificates", path)?);
    }
    let mut only = Vec::new();
    if let Some(path) = environment.variable("SSL_CERT_FILE") {
        only.push(bundle("SSL_CERT_FILE", Path::new(path))?);
    }
    if let Some(folders) = environment.variable("SSL_CERT_DIR") {
        for folder in std::env::split_paths(folders) {
            only.extend(folder_bundles("SSL_CERT_DIR", &folder)?);
        }
    }
    let replaced = !only.is_empty();
    only.extend(added);
    let certificates = certificates(&only)?;
    Ok(match (replaced, certificates.is_empty()) {
        (true, _) => Roots::Only(certificates),
        (false, false) => Roots::SystemAnd(certificates),
        (false, true) => Roots::System,
    })
}

struct Bundle {
    name: String,
    pem: Vec<u8>,
    required: bool,
}

fn certificates(bundles: &[Bundle]) -> Result<Vec<RootCertificate>, NetworkError> {
    let files = bundles.iter().map(|bundle| RootFile {
        name: &bundle.name,
        pem: &bundle.pem,
        required: bundle.required,
    });
    roots_from_files(files).map_err(NetworkError::Roots)
}

fn bundle(setting: &str, path: &Path) -> Result<Bundle, NetworkError> {
    let name = format!("{setting}={}", path.display());
    Ok(Bundle {
        name,
        pem: read(setting, path)?,
        required: true,
    })
}

/// Every file of a folder that holds a certificate; a folder without any is an error.
fn folder_bundles(setting: &'static str, folder: &Path) -> Result<Vec<Bundle>, NetworkError> {
    let failed = |source| NetworkError::Read {
        setting: setting.to_owned(),
        path: folder.to_owned(),
        source,
    };
    let mut bundles = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // Links are followed: such folders consist of them. A dangling one is nobody's fault here.
        if path.is_file() {
            let name = format!("{setting}={}", path.display());
            bundles.push(Bundle {
                name,
                pem: read(setting, &path)?,
                required: false,
            });
        }
    }
    bundles.sort_by(|left, right| left.name.cmp(&right.name));
    if certificates(&bundles)?.is_empty() {
        return Err(NetworkError::NoRoots {
            setting,
            path: folder.to_owned(),
        });
    }
    Ok(bundles)
}

fn client_identity(settings: &NetworkSettings) -> Result<Option<ClientIdentity>, NetworkError> {
    let (Some(chain), Some(key)) = (&settings.client_certificate, &settings.client_key) else {
        return Ok(None);
    };
    let pem = read("client_certificate", chain)?;
    let secret = SecretSlice::from(read("client_key", key)?);
    let identity =
        ClientIdentity::from_pem(&pem, &secret).map_err(|source| NetworkError::Identity {
            chain: chain.clone(),
            key: key.clone(),
            source,
        })?;
    Ok(Some(identity))
}

fn proxy(
    environment: &Environment,
    settings: &NetworkSettings,
) -> Result<ProxyRules, NetworkError> {
    let no_proxy = match &settings.no_proxy {
        Some(hosts) => NoProxy::parse(&hosts.join(",")),
        None => environment
            .first_text(&["NO_PROXY", "no_proxy"])?
            .map_or_else(NoProxy::default, |(_, list)| NoProxy::parse(list)),
    };
    if let Some(proxy) = &settings.proxy {
        return Ok(ProxyRules::all(proxy.clone(), no_proxy));
    }
    let variable = |names: &[&str]| -> Result<Option<ProxyUrl>, NetworkError> {
        let Some((name, text)) = environment.first_text(names)? else {
            return Ok(None);
        };
        let proxy = text.parse().map_err(|source| NetworkError::Proxy {
            variable: name.to_owned(),
            source,
        })?;
        Ok(Some(proxy))
    };
    let mut rules = ProxyRules::default();
    rules.https = variable(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])?;
    // A web server hands a request's `Proxy` header to the programs it starts as `HTTP_PROXY`.
    let believed = environment.variable("REQUEST_METHOD").is_none();
    let upper: &[&str] = if believed { &["HTTP_PROXY"] } else { &[] };
    rules.http = match variable(upper)? {
        Some(proxy) => Some(proxy),
        None => variable(&["http_proxy", "ALL_PROXY", "all_proxy"])?,
    };
    rules.no_proxy = no_proxy;
    Ok(rules)
}

/// `http_headers` and `env_http_headers` of a server, without `Authorization`.
pub(crate) fn plain_headers(
    environment: &Environment,
    server: &ServerConfig,
) -> Result<HeaderMap, NetworkError> {
    let mut headers = server.http_headers.clone();
    for (name, variable) in &server.env_http_headers {
        if *name != header::AUTHORIZATION {
            let value = header_of_variable(environment, server, env_header_key(name), variable)?;
            headers.insert(name.clone(), value);
        }
    }
    headers.remove(header::AUTHORIZATION);
    Ok(headers)
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
    let from_variable = server
        .env_http_headers
        .iter()
        .find(|(name, _)| *name == header::AUTHORIZATION);
    if let Some((name, variable)) = from_variable {
        let value = header_of_variable(environment, server, env_header_key(name), variable)?;
        return bearer_of(server, &env_header_key(name), &value).map(Some);
    }
    server
        .http_headers
        .get(header::AUTHORIZATION)
        .map(|value| bearer_of(server, "http_headers", value))
        .transpose()
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

/// A whole file, within reason: a device or a wrong path must not fill the memory.
pub(crate) fn read(setting: &str, path: &Path) -> Result<Vec<u8>, NetworkError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES + 1).read_to_end(&mut bytes))
        .and_then(|_| {
            if bytes.len() as u64 > FILE_BYTES {
                return Err(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    "larger than 16 MiB",
                ));
            }
            Ok(())
        })
        .map_err(|source| NetworkError::Read {
            setting: setting.to_owned(),
            path: path.to_owned(),
            source,
        })?;
    Ok(bytes)
}

const FILE_BYTES: u64 = 16 * 1024 * 1024;

#[cfg(test)]
mod tests;
