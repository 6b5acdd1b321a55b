//! Every network setting that holds for one server, and who said so.

use std::path::PathBuf;
use std::time::Duration;

use doorkey_http::{ClientIdentity, HttpProfile, Origin, Timeouts};
use http::{HeaderMap, HeaderValue};
use secrecy::SecretSlice;
use url::Url;

use super::addresses::AddressesInForce;
use super::headers::{self, HeaderInForce, HeaderScope};
use super::proxies::ProxiesInForce;
use super::roots::{RootsInForce, SystemRoots};
use super::setting::{Setting, Tables};
use super::stamp::Watched;
use super::{NetworkError, read};
use crate::config::{HeaderSource, NetworkSettings, ServerConfig};
use crate::environment::Environment;

/// Every network setting that holds for one server, and who said so: the server's own table, else
/// `[network]`, else the environment, else nobody.
///
/// The HTTP client of the server is made of this value, so that what is shown is what is done. No
/// file has been read and no program run for it. `Debug` shows no secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NetworkInForce {
    /// The certificate authorities that are trusted.
    pub roots: RootsInForce,
    /// The certificate that this client shows.
    pub client_certificate: Option<Setting<CertificateFiles>>,
    /// The proxies.
    pub proxies: ProxiesInForce,
    /// How long a connection may take to come up.
    pub connect_timeout: Setting<Duration>,
    /// How long a response may fall silent.
    pub read_timeout: Setting<Duration>,
    /// How long one request may take in all.
    pub total_timeout: Setting<Duration>,
    /// The `User-Agent`.
    pub user_agent: Setting<String>,
    /// Whether HTTP/2 is offered.
    pub http2: Setting<bool>,
    /// The configured headers, the narrowest scope first.
    pub headers: Vec<HeaderInForce>,
    /// What may be contacted beyond the rules for addresses.
    pub addresses: AddressesInForce,
    resource: Url,
}

/// The files of a client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateFiles {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl NetworkInForce {
    pub(crate) fn of(
        environment: &Environment,
        global: &NetworkSettings,
        server: &ServerConfig,
    ) -> Self {
        let tables = Tables {
            global,
            own: Some((&server.name, &server.network)),
        };
        let defaults = HttpProfile::default();
        let timeouts = defaults.timeouts;
        let limit = |get: fn(&NetworkSettings) -> Option<Duration>, default| {
            tables.one(get).unwrap_or(Setting::default(default))
        };
        Self {
            roots: RootsInForce::of(environment, tables),
            client_certificate: CertificateFiles::of(tables),
            proxies: ProxiesInForce::of(environment, tables),
            connect_timeout: limit(|table| table.connect_timeout, timeouts.connect),
            read_timeout: limit(|table| table.read_timeout, timeouts.read),
            total_timeout: limit(|table| table.total_timeout, timeouts.total),
            user_agent: tables
                .one(|table| table.user_agent.clone())
                .unwrap_or(Setting::default(defaults.user_agent)),
            http2: tables
                .one(|table| table.http2)
                .unwrap_or(Setting::default(defaults.http2)),
            headers: headers::in_force(tables, server),
            addresses: AddressesInForce::of(tables, server),
            resource: server.url.clone(),
        }
    }

    /// The profile of these settings, with the certificates that the files hold now. Headers without a
    /// value are left out.
    pub(crate) fn profile(
        &self,
        values: &[Option<HeaderValue>],
    ) -> Result<HttpProfile, NetworkError> {
        let mut profile = HttpProfile::new(self.resource.clone());
        profile.roots = self.roots.read()?;
        let files = self.client_certificate.as_ref();
        profile.client_identity = files.map(|files| files.value.read()).transpose()?;
        profile.proxy = self.proxies.rules()?;
        profile.timeouts = Timeouts::new(
            self.connect_timeout.value,
            self.read_timeout.value,
            self.total_timeout.value,
        );
        profile.user_agent.clone_from(&self.user_agent.value);
        profile.http2 = self.http2.value;
        profile.addresses = self.addresses.policy();
        self.put_headers(&mut profile, values);
        Ok(profile)
    }

    /// Gives a profile of these settings other values of the headers.
    pub(super) fn put_headers(&self, profile: &mut HttpProfile, values: &[Option<HeaderValue>]) {
        profile.default_headers.clear();
        profile.resource_headers.clear();
        profile.origin_headers.clear();
        for (header, value) in self.headers.iter().zip(values) {
            let Some(value) = value else { continue };
            let headers = match &header.scope {
                HeaderScope::Everyone => &mut profile.default_headers,
                HeaderScope::Resource(_) => &mut profile.resource_headers,
                HeaderScope::Origin(origin) => of_origin(&mut profile.origin_headers, origin),
            };
            headers.insert(header.name.clone(), value.clone());
        }
    }

    /// The values of the headers, but for those that a program has to be run for.
    pub(crate) fn known_values(
        &self,
        environment: &Environment,
    ) -> Result<Vec<Option<HeaderValue>>, NetworkError> {
        let values = self.headers.iter().map(|header| header.known(environment));
        values.collect()
    }

    /// The same values, with what files hold now.
    pub(super) fn reread_values(
        &self,
        mut values: Vec<Option<HeaderValue>>,
    ) -> Result<Vec<Option<HeaderValue>>, NetworkError> {
        for (header, value) in self.headers.iter().zip(&mut values) {
            if let HeaderSource::File(path) = &header.source {
                *value = Some(header.written(path)?);
            }
        }
        Ok(values)
    }

    /// These values, but for those of files, which are taken from the others.
    pub(super) fn with_files(
        &self,
        values: &[Option<HeaderValue>],
        from_files: Vec<Option<HeaderValue>>,
    ) -> Vec<Option<HeaderValue>> {
        let pairs = values.iter().zip(from_files);
        let all = self.headers.iter().zip(pairs);
        all.map(|(header, (value, from_file))| match header.source {
            HeaderSource::File(_) => from_file,
            _ => value.clone(),
        })
        .collect()
    }

    /// The files and folders that settings are read from.
    pub(super) fn watched(&self) -> Vec<Watched> {
        let mut watched = Vec::new();
        if self.roots.system.value == SystemRoots::Trusted {
            // Whoever changes what is in the folders makes new ones of their members, or the bundle anew.
            let places = doorkey_http::system_root_places();
            watched.extend(places.into_iter().map(Watched::File));
        }
        for bundle in &self.roots.bundles {
            let path = bundle.value.path.clone();
            watched.push(match bundle.value.is_folder {
                true => Watched::Folder(path),
                false => Watched::File(path),
            });
        }
        if let Some(files) = &self.client_certificate {
            watched.push(Watched::File(files.value.certificate.clone()));
            watched.push(Watched::File(files.value.key.clone()));
        }
        for header in &self.headers {
            if let HeaderSource::File(path) = &header.source {
                watched.push(Watched::File(path.clone()));
            }
        }
        watched
    }
}

impl CertificateFiles {
    pub(super) fn of(tables: Tables<'_>) -> Option<Setting<Self>> {
        tables.one(|table| {
            Some(Self {
                certificate: table.client_certificate.clone()?,
                key: table.client_key.clone()?,
            })
        })
    }

    /// Reads both.
    ///
    /// # Errors
    /// One of them cannot be read, is no PEM file of its kind, or the key is encrypted.
    pub fn read(&self) -> Result<ClientIdentity, NetworkError> {
        let chain = read("client_certificate", &self.certificate)?;
        let key = SecretSlice::from(read("client_key", &self.key)?);
        ClientIdentity::from_pem(&chain, &key).map_err(|source| NetworkError::Identity {
            chain: self.certificate.clone(),
            key: self.key.clone(),
            source,
        })
    }
}

fn of_origin<'a>(all: &'a mut Vec<(Origin, HeaderMap)>, origin: &Origin) -> &'a mut HeaderMap {
    let at = all.iter().position(|(known, _)| known == origin);
    let at = at.unwrap_or_else(|| {
        all.push((origin.clone(), HeaderMap::new()));
        all.len() - 1
    });
    &mut all[at].1
}
