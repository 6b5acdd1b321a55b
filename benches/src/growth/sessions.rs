//! Authorized sessions in one process: `growth-sessions` runs this, so that its memory is its own.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use doorkey_http::{Connections, HttpProfile, RootCertificate, Roots};
use doorkey_oauth::{AuthorizationConfig, TokenSource};
use doorkey_rmcp::{AuthorizedClient, ClientOptions};
use doorkey_store::{Grant, Store};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::BoxError;
use crate::server::TOKEN;

/// What so many sessions cost.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Sessions {
    /// How many there are.
    pub count: usize,
    /// Opening all of them, each with its token read from the store, in nanoseconds.
    pub opened: u64,
    /// The memory that came with that, in bytes.
    pub memory: u64,
    /// One read of a token that is fresh, in nanoseconds: the mean over many, each of another session.
    pub read: f64,
    /// One refresh, in nanoseconds: the mean over all sessions, which were all expired.
    pub refreshed: f64,
}

/// Opens sessions at `origin`, whose certificate `authority` signed, and uses them.
///
/// # Errors
/// If a token cannot be had.
pub async fn measure(count: usize, origin: &str, authority: &[u8]) -> Result<Sessions, BoxError> {
    let origin: Url = origin.parse()?;
    let roots = Roots::Only(RootCertificate::from_pem_bundle(authority)?);
    let host = Host {
        origin,
        roots,
        connections: Connections::new(),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let fresh = signed_in(&host.origin, count, now + 3600).await?;
    let expired = signed_in(&host.origin, count, now - 1).await?;

    let before = resident()?;
    let start = Instant::now();
    let sessions = host.open(&fresh, count)?;
    for session in &sessions {
        session.tokens.token().await?.ok_or("no token")?;
    }
    let opened = start.elapsed();
    let memory = resident()?.saturating_sub(before);
    let read = reads(&sessions).await?;
    drop(sessions);
    let sessions = host.open(&expired, count)?;
    let start = Instant::now();
    stream::iter(&sessions)
        .map(|session| async {
            session
                .tokens
                .token()
                .await?
                .ok_or_else(|| BoxError::from("no token"))
        })
        .buffer_unordered(AT_ONCE)
        .try_for_each(async |_| Ok(()))
        .await?;
    let refreshed = start.elapsed();
    Ok(Sessions {
        count,
        opened: u64::try_from(opened.as_nanos())?,
        memory,
        read,
        refreshed: each(refreshed, count),
    })
}

/// A session as a host holds it.
struct Session {
    tokens: TokenSource,
    _client: AuthorizedClient,
}

/// What the sessions of one host have in common.
struct Host {
    origin: Url,
    roots: Roots,
    connections: Connections,
}

impl Host {
    fn open(&self, store: &Store, count: usize) -> Result<Vec<Session>, BoxError> {
        (0..count)
            .map(|number| {
                let server = server(&self.origin, number)?;
                let mut profile = HttpProfile::new(server.clone());
                profile.roots = self.roots.clone();
                let http = self.connections.client(&profile)?;
                let config = AuthorizationConfig::new(server);
                let tokens = TokenSource::builder(config, http.clone(), store.clone()).build();
                let client = AuthorizedClient::new(http, tokens.clone(), ClientOptions::default());
                Ok(Session {
                    tokens,
                    _client: client,
                })
            })
            .collect()
    }
}

/// A store with so many logins.
async fn signed_in(origin: &Url, count: usize, expires_at: u64) -> Result<Store, BoxError> {
    let store = Store::memory();
    let issuer = origin.as_str().trim_end_matches('/');
    for number in 0..count {
        let server = server(origin, number)?;
        let mut grant = Grant::new(issuer, "bench", format!("{issuer}/token"));
        grant.resource = Some(server.to_string());
        grant.access_token = Some(TOKEN.into());
        grant.refresh_token = Some("bench-refresh".into());
        grant.issued_at = expires_at - 3600;
        grant.expires_at = Some(expires_at);
        let key = AuthorizationConfig::new(server).grant_key();
        store.save_grant(&key, &grant, None).await?;
    }
    Ok(store)
}

fn server(origin: &Url, number: usize) -> Result<Url, BoxError> {
    Ok(origin.join(&format!("/mcp/{number}"))?)
}

/// The mean of one read, in nanoseconds.
async fn reads(sessions: &[Session]) -> Result<f64, BoxError> {
    let start = Instant::now();
    for session in sessions.iter().cycle().take(READS) {
        session.tokens.token().await?.ok_or("no token")?;
    }
    Ok(each(start.elapsed(), READS))
}

fn each(all: Duration, count: usize) -> f64 {
    all.as_nanos() as f64 / count as f64
}

/// The memory that this process holds, in bytes.
fn resident() -> Result<u64, BoxError> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line
        .and_then(|line| line.trim().strip_suffix("kB"))
        .ok_or("no VmRSS")?;
    Ok(kibibytes.trim().parse::<u64>()? * 1024)
}

const READS: usize = 200_000;
/// Refreshes under way at once.
const AT_ONCE: usize = 64;
