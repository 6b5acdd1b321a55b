//! The walks that take a certificate authority from one leg at a time, as a person's settings do.

use doorkey::{Environment, Host};
use doorkey_http::HttpClient;
use doorkey_testkit::CertificateAuthority;

use super::{
    Leg,
    servers::Servers,
    spoilt::{self, Clients},
};
use crate::Home;

/// The private authority is one more; the spoilt leg lacks it, unless nothing is `configured`.
pub(super) async fn without_the_private_authority(configured: bool) -> Vec<(Leg, bool)> {
    let clients = async move || {
        let added = [
            ("SSL_CERT_FILE", "system.pem"),
            ("DOORKEY_CA_CERTIFICATE", "world.pem"),
        ];
        let left = if configured { &added[..1] } else { &added[..] };
        clients((&added, ""), (left, "")).await
    };
    spoilt::walk(clients, |failure| failure.is_tls).await
}

/// The servers are known to what stands in for the system's certificates; the spoilt leg has others in place of those,
/// unless nothing is `configured`.
pub(super) async fn without_the_systems(configured: bool) -> Vec<(Leg, bool)> {
    let clients = async move || {
        let system = [("SSL_CERT_FILE", "world.pem")];
        // `true` would put the system's own in the place of what the variable names.
        let system_roots = if configured {
            "system_roots = false\n"
        } else {
            ""
        };
        let replaced = format!(
            "[mcp_servers.{}.network]\nca_certificates = [\"private.pem\"]\n{system_roots}",
            Home::SERVER,
        );
        clients((&system, ""), (&system, &replaced)).await
    };
    spoilt::walk(clients, |failure| failure.is_tls).await
}

/// Variables that name files of the home, and settings.
type Said<'a> = (&'a [(&'static str, &'static str)], &'a str);

/// A world, and the clients that a host makes of what was said.
async fn clients(reaching: Said<'_>, spoilt: Said<'_>) -> Clients {
    let servers = Servers::start(None).await;
    let home = Home::new(&servers.world, "");
    for name in ["system.pem", "private.pem"] {
        let other = CertificateAuthority::named(name).expect("a certificate authority");
        home.write(name, other.pem().as_bytes());
    }
    home.write("world.pem", servers.world.ca.pem().as_bytes());
    let (reaching, spoilt) = (client(&home, reaching), client(&home, spoilt));
    Clients {
        reaching,
        spoilt,
        servers,
    }
}

fn client(home: &Home, (variables, settings): Said<'_>) -> HttpClient {
    home.configure(settings);
    let files = variables
        .iter()
        .map(|(name, file)| (*name, home.path().join(file)));
    let place = ("DOORKEY_HOME", home.path().to_owned());
    let environment = Environment::new(files.chain([place]));
    let host = Host::open(environment).expect("a host");
    let session = host.session(Home::SERVER).expect("a session");
    // Without the host's watch over the files, which end with this home.
    HttpClient::new(&session.http.profile()).expect("a client")
}
