//! The servers of one case under names that only a resolver of the test knows, and the traps beside them.
//!
//! The MCP server counts as public. The servers that take part are allowed by the user's word, though
//! their names lead to loopback; everything else on loopback is somebody else's, and a server that leads there is caught.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use doorkey_http::{
    AddressPolicy, HttpClient, HttpProfile, Origin, RootCertificate, Roots, Timeouts,
};
use doorkey_store::Store;
use doorkey_testkit::{
    AuthorizationServer, AuthorizationServerBuilder, CertificateAuthority, DeviceGrant, Document,
    FaultRule, Leg as Recorded, Listen, McpServer, MetadataKind, PushedRequests, Recorder, Wire,
};
use http::{HeaderMap, HeaderValue};
use integration::{HandClock, IdentityProvider};
use tempfile::TempDir;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    task::{JoinHandle, JoinSet},
};
use url::Url;

use super::{case::Ground, leg::Leg, names::Names, visitor::Visitor};
use crate::sentinel;

pub(super) struct Stage {
    pub(super) recorder: Recorder,
    pub(super) auth: Arc<AuthorizationServer>,
    pub(super) mcp: McpServer,
    pub(super) provider: Option<IdentityProvider>,
    /// A public origin that is nobody's here: no secret may come there.
    pub(super) elsewhere: AuthorizationServer,
    /// On loopback, and not to be connected to.
    pub(super) trap: Trap,
    /// Takes connections, and never says a word.
    pub(super) silent: Trap,
    pub(super) names: Arc<Names>,
    pub(super) visitor: Visitor,
    pub(super) clock: Arc<HandClock>,
    pub(super) store: Store,
    ca: CertificateAuthority,
    ground: Ground,
    folder: TempDir,
    changes: Mutex<Vec<Change>>,
}

impl Stage {
    pub(super) async fn new(leg: Leg, ground: Ground) -> Self {
        let ca = authority().clone();
        let recorder = Recorder::new();
        let listen = |name: &str| {
            let listen = Listen::new().tls(&ca).recorder(&recorder);
            let listen = listen.named(name).host(format!("{name}.test"));
            if ground.http1 {
                listen.http1_only()
            } else {
                listen
            }
        };
        let provider = match leg {
            Leg::Exchange | Leg::Assertion => Some(IdentityProvider::start(listen("idp")).await),
            _ => None,
        };
        let auth = authorization_server(leg).listen(listen("as"));
        let auth = Arc::new(auth.start().await.expect("a free port"));
        if let Some(provider) = &provider {
            provider.introduce(&auth);
        }
        let mcp = McpServer::builder()
            .listen(listen("mcp"))
            .wire(Wire::Stateful2025_11_25)
            .authorization(&auth);
        let mcp = mcp.start().await.expect("a free port");
        let elsewhere = AuthorizationServer::builder().listen(listen(ELSEWHERE));
        let elsewhere = elsewhere.start().await.expect("a free port");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::file(folder.path().join("state")).expect("a store");
        let names = Names::default();
        for name in ["as", "idp", ELSEWHERE, "trap", "silent"] {
            names.first_then(&format!("{name}.test"), &[&[LOOPBACK]]);
        }
        // A name with addresses of several classes counts as public; the first one is connected to.
        names.first_then("mcp.test", &[&[LOOPBACK, NOBODY]]);
        Self {
            visitor: Visitor::new(&ca),
            trap: Trap::open().await,
            silent: Trap::open().await,
            names: Arc::new(names),
            clock: Arc::default(),
            recorder,
            auth,
            mcp,
            provider,
            elsewhere,
            store,
            ca,
            ground,
            folder,
            changes: Mutex::default(),
        }
    }

    pub(super) fn url(&self) -> Url {
        self.mcp.url().parse().expect("a URL")
    }

    pub(super) fn authority(&self) -> &CertificateAuthority {
        &self.ca
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The origin of the server that is attacked on this leg.
    pub(super) fn attacked(&self, leg: Leg) -> &str {
        match &self.provider {
            _ if leg.is_mcp() => self.mcp.origin(),
            Some(provider) if leg.is_provider() => provider.server.url(),
            _ => self.auth.url(),
        }
    }

    /// An origin on loopback, in plain or by a name: nothing may come there.
    pub(super) fn trap(&self, scheme: &str, host: &str) -> String {
        format!("{scheme}://{host}:{}", self.trap.address.port())
    }

    /// Whether something is late on purpose.
    pub(super) fn is_impatient(&self) -> bool {
        self.ground.impatient
    }

    pub(super) fn silent(&self) -> String {
        format!("https://silent.test:{}", self.silent.address.port())
    }

    /// Adds a fault to the server of the rule's leg.
    pub(super) fn fault(&self, leg: Leg, rule: FaultRule) {
        match &self.provider {
            _ if leg.is_mcp() => self.mcp.fault(rule),
            Some(provider) if leg.is_provider() => provider.server.fault(rule),
            _ => self.auth.fault(rule),
        }
    }

    /// Publishes a member of the metadata of the leg's authorization server.
    pub(super) fn publish(&self, leg: Leg, member: &str, value: serde_json::Value) {
        let (server, name) = match &self.provider {
            Some(provider) if leg.is_provider() => (&provider.server, IdentityProvider::NAME),
            _ => (&*self.auth, "as"),
        };
        server.set_field(Document::Metadata, member, value);
        self.changed(name, Recorded::AuthorizationServerMetadata);
    }

    /// Answers the registration of a client with this member.
    pub(super) fn register(&self, member: &str, value: serde_json::Value) {
        self.auth.set_field(Document::Registration, member, value);
        self.changed("as", Recorded::Registration);
    }

    /// Has a name lead here, lookup by lookup.
    pub(super) fn rebind(&self, name: &'static str, answers: &[&[&str]]) {
        self.names.first_then(name, answers);
        self.changes().push(Change::Name(name));
    }

    /// What a hostile party did that reached nobody, or that it did nothing at all. A case of which this says something
    /// has shown nothing.
    pub(super) fn undelivered(&self) -> Vec<String> {
        let mut hits = [self.mcp.fault_hits(), self.auth.fault_hits()].concat();
        if let Some(provider) = &self.provider {
            hits.extend(provider.server.fault_hits());
        }
        let (forged, delivered) = self.visitor.delivered();
        let changes = self.changes();
        if hits.is_empty() && changes.is_empty() && forged == 0 {
            return vec!["nothing hostile was done".to_owned()];
        }
        let missed = hits.iter().filter(|&&hits| hits == 0).count();
        let mut undelivered = Vec::new();
        if missed > 0 {
            undelivered.push(format!("of {} faults no request met {missed}", hits.len()));
        }
        if delivered < forged {
            undelivered.push(format!("{delivered} of {forged} callbacks were answered"));
        }
        let requests = self.recorder.requests();
        let unseen = changes.iter().filter(|change| match change {
            Change::Document { server, leg, since } => !requests.iter().skip(*since).any(|it| {
                let is_read = it.status.is_some_and(|status| (200..300).contains(&status));
                it.server == *server && it.leg == *leg && is_read
            }),
            Change::Name(name) => self.names.lookups(name) == 0,
        });
        undelivered.extend(unseen.map(|change| format!("nobody read {change:?}")));
        undelivered
    }

    fn changed(&self, server: &'static str, leg: Recorded) {
        let since = self.recorder.len();
        let change = Change::Document { server, leg, since };
        self.changes().push(change);
    }

    fn changes(&self) -> MutexGuard<'_, Vec<Change>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn http(&self) -> HttpClient {
        let mut profile = HttpProfile::new(self.url());
        let roots = RootCertificate::from_pem_bundle(self.ca.pem().as_bytes());
        profile.roots = Roots::Only(roots.expect("a certificate"));
        let mut headers = HeaderMap::new();
        headers.insert(RESOURCE_HEADER, HeaderValue::from_static(RESOURCE_SECRET));
        profile.resource_headers = headers;
        profile.addresses = AddressPolicy::allowing(self.allowed());
        let limit = if self.ground.impatient {
            PATIENCE
        } else {
            USUAL
        };
        profile.timeouts = Timeouts::new(limit, limit, limit);
        (profile.limits.metadata, profile.limits.endpoint) = (BODY, BODY);
        HttpClient::with_resolver(&profile, Arc::clone(&self.names) as _).expect("a client")
    }

    /// The origins that may be contacted and opened.
    pub(super) fn allowed(&self) -> Vec<Origin> {
        let provider = self.provider.as_ref();
        let mut origins = vec![
            self.mcp.origin().to_owned(),
            self.auth.url().to_owned(),
            self.elsewhere.url().to_owned(),
            self.silent(),
        ];
        origins.extend(provider.map(|provider| provider.server.url().to_owned()));
        let origin = |text: String| text.parse().expect("an origin");
        origins.into_iter().map(origin).collect()
    }
}

/// What is forged beside answers that are faults.
#[derive(Debug)]
enum Change {
    /// A document that this server gives on this leg, from this request of the record on.
    Document {
        server: &'static str,
        leg: Recorded,
        since: usize,
    },
    Name(&'static str),
}

/// What the leg needs of it.
fn authorization_server(leg: Leg) -> AuthorizationServerBuilder {
    AuthorizationServer::builder()
        .issuer_path("/tenant1")
        .device_grant(
            DeviceGrant::new()
                .interval(Duration::from_secs(1))
                .expires_in(DECIDE),
        )
        .pushed_requests(match leg {
            Leg::Pushed => PushedRequests::Required,
            _ => PushedRequests::Off,
        })
        .metadata(match leg {
            Leg::OpenIdMetadata => MetadataKind::OpenIdAppended,
            _ => MetadataKind::OAuth,
        })
        .static_client(IdentityProvider::client_there())
}

/// A port on loopback that notes who came.
pub(super) struct Trap {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
    listening: JoinHandle<()>,
}

impl Trap {
    pub(super) async fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::default();
        let of_task = Arc::clone(&seen);
        let listening = tokio::spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(note(stream, Arc::clone(&of_task)));
            }
        });
        Self {
            address,
            seen,
            listening,
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What each connection began with.
    pub(super) fn seen(&self) -> Vec<Vec<u8>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn note(mut stream: TcpStream, seen: Arc<Mutex<Vec<Vec<u8>>>>) {
    let at = {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(Vec::new());
        seen.len() - 1
    };
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen[at].extend_from_slice(&buffer[..count]);
    }
}

/// Where all servers run: what they log is not the client's, nor are their panics.
pub(super) fn servers() -> &'static Runtime {
    static SERVERS: OnceLock<Runtime> = OnceLock::new();
    SERVERS.get_or_init(sentinel::runtime)
}

/// One for all cases: a key takes its time.
fn authority() -> &'static CertificateAuthority {
    static AUTHORITY: OnceLock<CertificateAuthority> = OnceLock::new();
    AUTHORITY.get_or_init(|| CertificateAuthority::new().expect("a certificate authority"))
}

pub(super) const ELSEWHERE: &str = "elsewhere";
pub(super) const RESOURCE_HEADER: &str = "x-api-key";
pub(super) const RESOURCE_SECRET: &str = "rh-4Kd8Zt1Wq6Xm9Bv2Pc7Y";
/// How long a device's code lives: after that nobody asks any more.
const DECIDE: Duration = Duration::from_secs(5);
const LOOPBACK: &str = "127.0.0.1";
/// Of a documentation (RFC 5737): nobody has it.
const NOBODY: &str = "192.0.2.1";
/// How long a body may be, in bytes; less than by default, so that too much is soon had.
pub(super) const BODY: usize = 256 * 1024;
/// Long enough for a busy machine.
const USUAL: Duration = Duration::from_secs(30);
/// Where something is late: long enough for a busy machine to do everything else.
const PATIENCE: Duration = Duration::from_secs(3);
