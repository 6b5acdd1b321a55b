//! Sessions of one process, opened by one kind of client: what the programs `startup-*` do.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use doorkey_http::{Connections, HttpProfile, RootCertificate, Roots};
use doorkey_oauth::{AuthorizationConfig, TokenSource};
use doorkey_rmcp::{AuthorizedClient, ClientOptions, ConnectOptions, connect};
use doorkey_store::{Grant, Store};
use futures_util::future::try_join_all;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use rmcp::service::RunningService;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::{
    AuthClient, AuthorizationManager, CredentialStore as _, InMemoryCredentialStore,
};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{RoleClient, ServiceExt as _};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::BoxError;
use crate::server::TOKEN;

/// Who opens sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Our stack: a client, a token source and an account for each session, connections shared.
    Ours,
    /// rmcp's reqwest client, one for all sessions, with a token that never changes.
    Reqwest,
    /// rmcp's `AuthClient`, one for each session with a client of its own, as its constructors make them.
    AuthClient,
}

impl Who {
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Reqwest => "reqwest",
            Self::AuthClient => "auth-client",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Ours, Self::Reqwest, Self::AuthClient]
            .into_iter()
            .find(|who| who.name() == name)
    }
}

/// When sessions of a start could be used, in nanoseconds since all began.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Started {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

/// What idle sessions hold.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Idle {
    /// Bytes that are allocated.
    pub bytes: i64,
    /// In so many blocks.
    pub blocks: i64,
    /// How much the resident set grew, in bytes.
    pub resident: i64,
}

/// What the command line asks for: `WHO COUNT URL AUTHORITY-FILE (fresh|expired)`.
#[derive(Debug)]
pub struct Asked {
    who: Who,
    count: usize,
    url: Url,
    authority: Vec<u8>,
    is_expired: bool,
}

impl Asked {
    /// Reads the words behind the program's name.
    ///
    /// # Errors
    /// A word is missing or unknown.
    pub fn read(words: impl Iterator<Item = String>) -> Result<Self, BoxError> {
        let words: Vec<_> = words.collect();
        let [who, count, url, authority, state] = &words[..] else {
            return Err("WHO COUNT URL AUTHORITY-FILE (fresh|expired)".into());
        };
        Ok(Self {
            who: Who::named(who).ok_or("nobody of that name")?,
            count: count.parse()?,
            url: url.parse()?,
            authority: std::fs::read(authority)?,
            is_expired: state == "expired",
        })
    }

    /// Opens all sessions at once and lists the tools of each.
    ///
    /// # Errors
    /// A session cannot be used.
    pub async fn start(&self) -> Result<Started, BoxError> {
        let (opener, began) = (&Opener::new(self).await?, Instant::now());
        let opened = (0..self.count).map(|number| async move {
            let session = opener.open(number).await?;
            session.peer().list_all_tools().await?;
            Ok::<_, BoxError>((session, began.elapsed()))
        });
        let opened = try_join_all(opened).await?;
        let times = opened.iter().map(|(_, time)| *time);
        let nanoseconds =
            |time: Option<Duration>| u64::try_from(time.unwrap_or_default().as_nanos());
        Ok(Started {
            first: nanoseconds(times.clone().min())?,
            last: nanoseconds(times.max())?,
        })
    }

    /// Opens all sessions, lets them rest, and says what they hold by `live`: bytes and blocks.
    ///
    /// # Errors
    /// A session cannot be opened.
    pub async fn rest(&self, live: impl Fn() -> (i64, i64)) -> Result<Idle, BoxError> {
        let opener = Opener::new(self).await?;
        // What is made once is no part of a session.
        let first = opener.open(self.count).await?;
        tokio::time::sleep(REST).await;
        let ((bytes, blocks), resident_before) = (live(), resident()?);
        let sessions: Vec<_> = stream::iter(0..self.count)
            .map(|number| opener.open(number))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        tokio::time::sleep(REST).await;
        let (bytes_after, blocks_after) = live();
        let resident = resident()? - resident_before;
        drop((first, sessions));
        Ok(Idle {
            bytes: bytes_after - bytes,
            blocks: blocks_after - blocks,
            resident,
        })
    }
}

type Session = RunningService<RoleClient, ()>;

/// What the sessions of a process have in common.
struct Opener<'a> {
    asked: &'a Asked,
    connections: Connections,
    roots: Roots,
    store: Store,
    reqwest: reqwest::Client,
    expires_at: u64,
}

impl<'a> Opener<'a> {
    async fn new(asked: &'a Asked) -> Result<Self, BoxError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let opener = Self {
            asked,
            connections: Connections::new(),
            roots: Roots::Only(RootCertificate::from_pem_bundle(&asked.authority)?),
            store: Store::memory(),
            reqwest: trusting(&asked.authority)?,
            expires_at: match asked.is_expired {
                true => now - 1,
                false => now + 3600,
            },
        };
        if asked.who == Who::Ours {
            for number in 0..=asked.count {
                let key = opener.config(number).grant_key();
                opener
                    .store
                    .save_grant(&key, &opener.grant()?, None)
                    .await?;
            }
        }
        Ok(opener)
    }

    fn config(&self, number: usize) -> AuthorizationConfig {
        let mut config = AuthorizationConfig::new(self.asked.url.clone());
        config.account = format!("account-{number}");
        config
    }

    fn at(&self, path: &str) -> Result<String, BoxError> {
        Ok(self.asked.url.join(path)?.into())
    }

    fn grant(&self) -> Result<Grant, BoxError> {
        let issuer = self.at("/")?;
        let mut grant = Grant::new(issuer.trim_end_matches('/'), "bench", self.at("/token")?);
        grant.resource = Some(self.asked.url.to_string());
        grant.access_token = Some(TOKEN.into());
        grant.refresh_token = Some("bench-refresh".into());
        grant.issued_at = self.expires_at - 3600;
        grant.expires_at = Some(self.expires_at);
        Ok(grant)
    }

    async fn open(&self, number: usize) -> Result<Session, BoxError> {
        match self.asked.who {
            Who::Ours => self.ours(number).await,
            Who::Reqwest => {
                let config = self.transport().auth_header(TOKEN);
                let client = self.reqwest.clone();
                let transport = StreamableHttpClientTransport::with_client(client, config);
                Ok(().serve(transport).await?)
            }
            Who::AuthClient => {
                let client = self.auth_client().await?;
                let transport =
                    StreamableHttpClientTransport::with_client(client, self.transport());
                Ok(().serve(transport).await?)
            }
        }
    }

    fn transport(&self) -> StreamableHttpClientTransportConfig {
        StreamableHttpClientTransportConfig::with_uri(self.asked.url.as_str())
    }

    async fn ours(&self, number: usize) -> Result<Session, BoxError> {
        let url = &self.asked.url;
        let mut profile = HttpProfile::new(url.clone());
        profile.roots = self.roots.clone();
        let http = self.connections.client(&profile)?;
        let store = self.store.clone();
        let tokens = TokenSource::builder(self.config(number), http.clone(), store).build();
        let client = AuthorizedClient::new(http, tokens, ClientOptions::default());
        let connected = connect(client, url, ConnectOptions::default(), ()).await?;
        Ok(connected.service)
    }

    async fn auth_client(&self) -> Result<AuthClient<reqwest::Client>, BoxError> {
        let mut manager = AuthorizationManager::new(self.asked.url.as_str()).await?;
        manager.set_metadata(serde_json::from_value(serde_json::json!({
            "issuer": self.at("/")?.trim_end_matches('/'),
            "authorization_endpoint": self.at("/authorize")?,
            "token_endpoint": self.at("/token")?,
        }))?);
        manager.configure_client_id("bench")?;
        let store = InMemoryCredentialStore::new();
        store
            .save(serde_json::from_value(serde_json::json!({
                "client_id": "bench",
                "token_response": {
                    "access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600,
                    "refresh_token": "bench-refresh",
                },
                "token_received_at": self.expires_at - 3600,
            }))?)
            .await?;
        manager.set_credential_store(store);
        manager.with_client(trusting(&self.asked.authority)?)?;
        Ok(AuthClient::new(trusting(&self.asked.authority)?, manager))
    }
}

fn trusting(authority: &[u8]) -> Result<reqwest::Client, BoxError> {
    let authority = reqwest::Certificate::from_pem(authority)?;
    let builder = reqwest::Client::builder().tls_certs_only([authority]);
    Ok(builder.build()?)
}

/// The memory that this process holds, in bytes.
fn resident() -> Result<i64, BoxError> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line
        .and_then(|line| line.trim().strip_suffix("kB"))
        .ok_or("no VmRSS")?;
    Ok(kibibytes.trim().parse::<i64>()? * 1024)
}

/// Sessions that are being opened at once, where it is about what they hold.
const AT_ONCE: usize = 32;
/// Until whatever an opened session still does is done.
const REST: Duration = Duration::from_millis(500);
