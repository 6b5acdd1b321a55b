//! The MCP server that every contender talks to, in a process of its own so that its work is not counted as theirs.
//!
//! It answers from prepared bytes and keeps no session, so that it costs far less than any client. It speaks HTTP/1.1
//! and HTTP/2, plain and over TLS, and both wires: `2025-11-25` at `/stateful`, `2026-07-28` at `/stateless`, and at
//! `/mcp` whichever the request is of. Tools: `echo` (a small answer), `blob` (1 MiB of text), `stream` (`events` events
//! of which the last is the answer). It wants the bearer token [`TOKEN`], and
//! after [`Server::expire`] the one that its token endpoint hands out.

mod answer;
mod body;
pub mod serve;

use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::{BoxError, Context};

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    addresses: Addresses,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

/// Where it listens: origins without a final slash, and the authority that signed its certificate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Addresses {
    /// Without TLS: HTTP/1.1, and HTTP/2 for clients that know.
    pub plain: String,
    /// With TLS, HTTP/2 preferred.
    pub tls: String,
    /// With TLS, HTTP/1.1 alone.
    pub tls_http1: String,
    /// The certificate of the private authority, as PEM.
    pub authority: String,
}

/// How a contender reaches the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// HTTP/1.1 without TLS.
    Plain,
    /// HTTP/1.1 over TLS.
    Http1,
    /// HTTP/2 over TLS.
    Http2,
}

/// The revision of MCP that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// 2025-11-25: `initialize`, a session.
    Stateful,
    /// 2026-07-28: every request stands alone.
    Stateless,
    /// Either, as the request says.
    Both,
}

/// What the server saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests, whatever became of them.
    pub requests: u64,
    /// Of those, the ones to the token endpoint.
    pub refreshes: u64,
    /// Connections that were accepted.
    pub connections: u64,
}

impl Server {
    /// Starts one.
    ///
    /// # Errors
    /// If it cannot be started, or does not say where it listens.
    pub async fn start(context: &Context) -> Result<Self, BoxError> {
        Self::start_with(context, &[]).await
    }

    /// Starts one with arguments: `--keep MS` is how long its `server/discover` may be kept.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with(context: &Context, args: &[&str]) -> Result<Self, BoxError> {
        let mut child = Command::new(context.program("bench-server")?)
            .args(args)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdin = child.stdin.take().ok_or("the server has no stdin")?;
        let stdout = child.stdout.take().ok_or("the server has no stdout")?;
        let mut stdout = BufReader::new(stdout).lines();
        let addresses = serde_json::from_str(&line(&mut stdout).await?)?;
        Ok(Self {
            addresses,
            stdin,
            stdout,
            _child: child,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The URL of the MCP endpoint.
    #[must_use]
    pub fn url(&self, transport: Transport, wire: Wire) -> String {
        let origin = match transport {
            Transport::Plain => &self.addresses.plain,
            Transport::Http1 => &self.addresses.tls_http1,
            Transport::Http2 => &self.addresses.tls,
        };
        format!("{origin}{}", wire.path())
    }

    /// What it saw since this was asked last.
    ///
    /// # Errors
    /// If the server has ended.
    pub async fn counts(&mut self) -> Result<Counts, BoxError> {
        self.stdin.write_all(b"counts\n").await?;
        Ok(serde_json::from_str(&line(&mut self.stdout).await?)?)
    }

    /// Has it refuse the token that it accepted so far, until a refresh brings the next one: it publishes metadata and
    /// has a token endpoint at `/token`, which takes any refresh token.
    ///
    /// # Errors
    /// If it has ended.
    pub async fn expire(&mut self) -> Result<(), BoxError> {
        self.stdin.write_all(b"expire\n").await?;
        Ok(serde_json::from_str(&line(&mut self.stdout).await?)?)
    }
}

impl Wire {
    /// The path of its endpoint.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Stateful => "/stateful",
            Self::Stateless => "/stateless",
            Self::Both => "/mcp",
        }
    }
}

async fn line(stdout: &mut Lines<BufReader<ChildStdout>>) -> Result<String, BoxError> {
    let line = tokio::time::timeout(ANSWER_LIMIT, stdout.next_line()).await??;
    Ok(line.ok_or("the server ended")?)
}

/// The bearer token that the server accepts.
pub const TOKEN: &str = "bench-token-0123456789abcdef0123456789abcdef";

const ANSWER_LIMIT: Duration = Duration::from_secs(10);
