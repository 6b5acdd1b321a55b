//! The first steps: the settings, the network they describe, and the way to the server.

use doorkey_http::{AddressClass, CertificateDate, HttpClient, Leg, Path, TlsProblem, Trouble};
use doorkey_oauth::{ClientChoice, Error as OAuthError, TokenSource};
use doorkey_store::Store;
use secrecy::SecretString;

use super::diagnosis::{Evidence, Status};
use super::engine::{Doctor, Patient, told};
use super::fault::{Fault, Step};
use super::table::{network as net, settings};
use crate::config::{Config, ConfigError, ServerConfig};
use crate::error::Error;
use crate::host::Session;
use crate::network::{NetworkError, NetworkInForce};
use crate::target::Target;

impl Doctor<'_> {
    /// The server, its settings, and the client made of them.
    pub(super) async fn configuration(&mut self) -> Option<Patient> {
        self.notes.begin(Step::Configuration);
        let (server, is_configured) = match self.server() {
            Ok(found) => found,
            Err((fault, why)) => {
                self.notes.fail(fault, None, &[("value", why)]);
                return None;
            }
        };
        let target = Target::new(&server.name).with_account(self.options.account.as_deref());
        match is_configured {
            true => self.notes.named(target, &server.url),
            false => self.notes.bare(&server.url),
        }
        let store = match is_configured {
            true => self.host.store().clone(),
            false => Store::memory(),
        };
        let session = match self.prepared(&server, &store) {
            Ok(session) => session,
            Err(error) => {
                let fault = of_settings(&error);
                if fault.step == Step::Network {
                    self.notes.ok("read");
                    self.notes.begin(Step::Network);
                }
                let variable = variable(&error).unwrap_or("VARIABLE").to_owned();
                let values = [("value", told(&error)), ("variable", variable)];
                self.notes.fail(fault, None, &values);
                return None;
            }
        };
        if !server.enabled {
            self.notes.find(&settings::SERVER_DISABLED, None, &[]);
        }
        self.notes.ok(match is_configured {
            true => format!("[mcp_servers.{}], {}", server.name, flow(&server)),
            false => "the URL is in no table of config.toml; nothing about it is kept".to_owned(),
        });
        self.notes.begin(Step::Network);
        let network = NetworkInForce::of(
            self.host.environment(),
            self.host.config().network(),
            &server,
        );
        self.settings = super::settings::shown(&server, &network);
        self.notes.ok(summary(&network));
        Some(Patient { server, session })
    }

    /// The server that is meant, and whether the configuration knows it.
    fn server(&self) -> Result<(ServerConfig, bool), (&'static Fault, String)> {
        let name = self.named.clone();
        let config = self.host.config();
        let name = match name.contains("://") {
            false => name,
            true => match configured_at(config, &name) {
                Some(known) => known,
                None => return bare(&name, self.host.home()).map(|server| (server, false)),
            },
        };
        let target = Target::new(&name).with_account(self.options.account.as_deref());
        self.host
            .server(target)
            .map(|server| (server, true))
            .map_err(|error| {
                let fault = match &error {
                    Error::Config(ConfigError::UnknownServer { .. }) => {
                        match name.contains(['/', ':', '.']) {
                            true => &settings::URL_WITHOUT_SCHEME,
                            false => &settings::SERVER_UNKNOWN,
                        }
                    }
                    Error::Config(ConfigError::NotRemote { .. }) => &settings::SERVER_LOCAL,
                    Error::AccountName { .. } => &settings::SETTING_WRONG,
                    _ => &settings::CONFIGURATION_WRONG,
                };
                let why = match &error {
                    Error::Config(inner) => told(inner),
                    other => told(other),
                };
                (fault, why)
            })
    }

    /// A session of its own, whose client is recorded.
    fn prepared(&mut self, server: &ServerConfig, store: &Store) -> Result<Session, Error> {
        let bearer = crate::network::bearer(self.host.environment(), server)?;
        self.notes.secrets.add(bearer.as_ref());
        let http = self.host.http_client(server)?;
        let profile = http.profile();
        let headers = profile
            .default_headers
            .values()
            .chain(profile.resource_headers.values());
        let of_origins = profile
            .origin_headers
            .iter()
            .flat_map(|(_, headers)| headers.values());
        for value in headers.chain(of_origins) {
            let text = value.to_str().unwrap_or_default();
            self.notes.secrets.add(Some(&SecretString::from(text)));
        }
        let http = http.recorded(&self.recorder);
        let tokens = match bearer {
            Some(bearer) => TokenSource::fixed(server.url.clone(), bearer),
            None => {
                let config = self.host.authorization_config(server)?;
                if let ClientChoice::Static { client_secret, .. } = &config.client {
                    self.notes.secrets.add(client_secret.as_ref());
                }
                TokenSource::builder(config, http.clone(), store.clone()).build()
            }
        };
        Ok(Session {
            server: server.clone(),
            http,
            tokens,
        })
    }

    /// Name, connection, TLS. Whether the server can be asked.
    pub(super) async fn way(&mut self, patient: &Patient) -> bool {
        let http = &patient.session.http;
        let url = &patient.server.url;
        self.notes.begin(Step::Address);
        let path = http.path(url).await;
        if let Some(proxy) = &path.proxy {
            self.notes.skip(
                Step::Address,
                format!("the proxy {proxy} looks the name up"),
            );
            if !self.connection(&path) {
                return false;
            }
            let because = "it is made end to end through the proxy, in the first request";
            self.notes.skip(Step::Tls, because);
            return true;
        }
        if let Some(lookup) = &path.lookup {
            self.notes.took(lookup.took);
        }
        self.address(http, url, &path).await && self.connection(&path) && self.tls(url, &path)
    }

    async fn address(&mut self, http: &HttpClient, url: &url::Url, path: &Path) -> bool {
        let host = url.host_str().unwrap_or_default().to_owned();
        let addresses = match path.lookup.as_ref().map(|lookup| &lookup.outcome) {
            Some(Ok(addresses)) if !addresses.is_empty() => addresses,
            Some(Err(error)) => {
                let evidence = self.of_way(url, &error.to_string());
                self.notes
                    .fail(&net::DNS_FAILED, evidence, &[("value", host)]);
                return false;
            }
            _ => {
                let evidence = self.of_way(url, "the lookup brought nothing");
                self.notes
                    .fail(&net::DNS_FAILED, evidence, &[("value", host)]);
                return false;
            }
        };
        if let Err(error) = http.judge(Leg::Resource, url).await {
            let why = error
                .refused_address()
                .map_or_else(|| told(&error), ToString::to_string);
            let evidence = self.of_way(url, &why);
            self.notes
                .fail(&net::ADDRESS_REFUSED, evidence, &[("value", why)]);
            return false;
        }
        let all: Vec<_> = addresses
            .iter()
            .take(4)
            .map(|address| format!("{address} ({})", AddressClass::of(*address)))
            .collect();
        let all = all.join(", ");
        self.notes.ok(match all.starts_with(host.as_str()) {
            true => all,
            false => format!("{host} is {all}"),
        });
        true
    }

    fn connection(&mut self, path: &Path) -> bool {
        self.notes.begin(Step::Connection);
        let Some(connection) = &path.connection else {
            self.notes
                .done(Status::Skipped, "no address may be connected to");
            return true;
        };
        self.notes.took(connection.took);
        match &connection.outcome {
            Ok(address) => {
                self.notes.ok(match &path.proxy {
                    Some(proxy) => format!("to {address}, the proxy {proxy}"),
                    None => format!("to {address}"),
                });
                true
            }
            Err(error) => {
                let fault = match error.kind() {
                    _ if path.proxy.is_some() => &net::PROXY_UNREACHABLE,
                    std::io::ErrorKind::TimedOut => &net::CONNECTION_TIMEOUT,
                    _ => &net::CONNECTION_REFUSED,
                };
                let url = self.notes.diagnosis.url.clone().unwrap_or_default();
                let evidence = Evidence {
                    leg: Some(Leg::Resource.as_str().to_owned()),
                    url: Some(url.clone()),
                    excerpt: Some(told(error)),
                    ..Evidence::default()
                };
                let whose = path.proxy.as_ref().unwrap_or(&url);
                let value = format!("{whose}: {}", told(error));
                self.notes.fail(fault, Some(evidence), &[("value", value)]);
                false
            }
        }
    }

    fn tls(&mut self, url: &url::Url, path: &Path) -> bool {
        self.notes.begin(Step::Tls);
        let Some(tls) = &path.tls else {
            self.notes
                .done(Status::Skipped, "http on this machine needs none");
            return true;
        };
        self.notes.took(tls.took);
        match &tls.outcome {
            Ok(facts) => {
                let alpn = facts.alpn.as_deref().unwrap_or("no protocol named");
                self.notes.ok(format!(
                    "{}, {alpn}, the certificate is trusted",
                    facts.version
                ));
                true
            }
            Err(error) => {
                let problem = path.tls_problem().unwrap_or(TlsProblem::Handshake);
                let why = reason(error);
                let evidence = self.of_way(url, &why);
                self.notes
                    .fail(of_tls(problem), evidence, &[("value", why)]);
                false
            }
        }
    }

    fn of_way(&self, url: &url::Url, why: &str) -> Option<Evidence> {
        Some(Evidence {
            leg: Some(Leg::Resource.as_str().to_owned()),
            url: Some(super::seen::shown(url)),
            excerpt: Some(doorkey_http::clean_text(why, 200)),
            ..Evidence::default()
        })
    }
}

/// An error with its causes; one about the dates of a certificate tells them.
pub(super) fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let Some(CertificateDate { limit, here, .. }) = CertificateDate::of(error) else {
        return told(error);
    };
    let (limit_shown, here_shown) = (date(limit), date(here));
    match limit < here {
        true => format!("it was valid until {limit_shown}, and here it is {here_shown}"),
        false => format!("it is valid from {limit_shown}, and here it is {here_shown}"),
    }
}

fn date(seconds: u64) -> String {
    crate::calendar::rfc3339_of(seconds).unwrap_or_default()
}

/// The fault of a TLS connection.
pub(super) fn of_tls(problem: TlsProblem) -> &'static Fault {
    match problem {
        TlsProblem::UnknownAuthority => &net::TLS_UNKNOWN_AUTHORITY,
        TlsProblem::Expired => &net::TLS_EXPIRED,
        TlsProblem::NotYetValid => &net::TLS_NOT_YET_VALID,
        TlsProblem::OtherName => &net::TLS_OTHER_NAME,
        TlsProblem::Certificate => &net::TLS_CERTIFICATE_BAD,
        TlsProblem::ClientCertificate => &net::TLS_CLIENT_CERTIFICATE,
        TlsProblem::NotTls => &net::TLS_NOT_TLS,
        TlsProblem::BrokenOff => &net::TLS_BROKEN_OFF,
        _ => &net::TLS_HANDSHAKE,
    }
}

/// The fault that is the same whoever was asked; `None` where it depends on that.
pub(super) fn of_trouble(trouble: Trouble) -> Option<&'static Fault> {
    Some(match trouble {
        Trouble::Tls(problem) => of_tls(problem),
        Trouble::NoProxy => &net::PROXY_UNREACHABLE,
        Trouble::ProxyRefused => &net::PROXY_REFUSED,
        Trouble::Refused => &net::ADDRESS_REFUSED,
        Trouble::Settings => &settings::HEADER_UNUSABLE,
        _ => return None,
    })
}

fn of_settings(error: &Error) -> &'static Fault {
    match error {
        Error::Network(error) => of_network(error),
        Error::Client { .. } => &settings::CERTIFICATES_UNREADABLE,
        Error::Authorization { source, .. } => match &**source {
            OAuthError::Store(_) => &settings::STORE_UNUSABLE,
            _ => &settings::SETTING_WRONG,
        },
        _ => &settings::SETTING_WRONG,
    }
}

/// The variable that a failure is about.
fn variable(error: &Error) -> Option<&str> {
    match error {
        Error::Network(NetworkError::Unset { variable, .. }) => Some(variable),
        _ => None,
    }
}

fn of_network(error: &NetworkError) -> &'static Fault {
    match error {
        NetworkError::Unset { .. } | NetworkError::NotText(_) => &settings::VARIABLE_UNSET,
        NetworkError::Read { setting, .. } if setting.starts_with("client_") => {
            &settings::CLIENT_CERTIFICATE_UNUSABLE
        }
        NetworkError::Identity { .. } => &settings::CLIENT_CERTIFICATE_UNUSABLE,
        NetworkError::Client(inner) => match &**inner {
            doorkey_http::Error::Profile {
                setting: "client_identity",
                ..
            } => &settings::CLIENT_CERTIFICATE_UNUSABLE,
            _ => &settings::CERTIFICATES_UNREADABLE,
        },
        NetworkError::Proxy { .. } => &settings::PROXY_SETTING_WRONG,
        NetworkError::Header { .. }
        | NetworkError::HeaderValue { .. }
        | NetworkError::Scheme { .. } => &settings::HEADER_UNUSABLE,
        _ => &settings::CERTIFICATES_UNREADABLE,
    }
}

/// The one server of the configuration that has this URL.
fn configured_at(config: &Config, url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let mut all = config.servers().iter().filter(|server| server.url == url);
    let first = all.next()?;
    all.next().is_none().then(|| first.name.clone())
}

/// Settings for a URL that no table has: every default.
fn bare(url: &str, home: &crate::Home) -> Result<ServerConfig, (&'static Fault, String)> {
    let refused = |why: String| (&settings::URL_REFUSED, why);
    let parsed = url::Url::parse(url).map_err(|error| refused(error.to_string()))?;
    doorkey_http::check_endpoint(&parsed).map_err(|error| refused(error.to_string()))?;
    let mut entry = toml_edit::Table::new();
    entry.insert("url", toml_edit::value(parsed.as_str()));
    let mut servers = toml_edit::Table::new();
    servers.insert(BARE, toml_edit::Item::Table(entry));
    let mut document = toml_edit::DocumentMut::new();
    document.insert("mcp_servers", toml_edit::Item::Table(servers));
    let config = Config::parse(home, &document.to_string());
    let config = config.map_err(|error| refused(told(&error)))?;
    let server = config.server(BARE).map_err(|error| refused(told(&error)))?;
    Ok(server.clone())
}

fn flow(server: &ServerConfig) -> &'static str {
    match (server.bearer_key(), server.oauth.flow.as_str()) {
        (Some(_), _) => "with the token that it names",
        (None, "authorization_code") => "login in a browser",
        (None, "device") => "login on another device",
        (None, "client_credentials") => "login by client credentials",
        (None, "workload_identity") => "login by the identity of the workload",
        (None, _) => "login by the identity provider",
    }
}

fn summary(network: &NetworkInForce) -> String {
    let mut parts = Vec::new();
    match network.roots.bundles.len() {
        0 => parts.push("the system's certificates".to_owned()),
        1 => parts.push("certificates of one configured place".to_owned()),
        more => parts.push(format!("certificates of {more} configured places")),
    }
    if network.client_certificate.is_some() {
        parts.push("a client certificate".to_owned());
    }
    if !network.headers.is_empty() {
        parts.push(format!("{} configured headers", network.headers.len()));
    }
    parts.push(format!(
        "{} s to connect",
        network.connect_timeout.value.as_secs()
    ));
    parts.push(format!(
        "{} s in all",
        network.total_timeout.value.as_secs()
    ));
    parts.join(", ")
}

/// What a server is called that has no name; it is what the remedies show.
const BARE: &str = "NAME";
