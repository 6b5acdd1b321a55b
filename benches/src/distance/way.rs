//! The ways through that are measured.

use doorkey_testkit::{Caching, McpServerBuilder, Wire};

use super::Far;
use crate::{BoxError, Context};

/// A way through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Login,
    LoginAgain,
    LoginOf2025,
    LoginAgainOf2025,
    Tools,
    ToolsKept,
    ToolsOf2025,
    ToolsDue,
}

/// What it took.
pub(super) struct Taken {
    /// The requests of the critical path.
    pub(super) path: Vec<String>,
    /// How many requests there were.
    pub(super) requests: usize,
    /// How many connections were made once the person had decided, where there was one.
    pub(super) connections: Option<usize>,
    /// In round trips.
    pub(super) time: f64,
}

impl Kind {
    pub(super) const ALL: [Self; 8] = [
        Self::Login,
        Self::LoginAgain,
        Self::LoginOf2025,
        Self::LoginAgainOf2025,
        Self::Tools,
        Self::ToolsKept,
        Self::ToolsOf2025,
        Self::ToolsDue,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Login => "login with registration and its proof",
            Self::LoginAgain => "login without registration",
            Self::LoginOf2025 => "login with registration, 2025-11-25",
            Self::LoginAgainOf2025 => "login without registration, 2025-11-25",
            Self::Tools => "`tools`",
            Self::ToolsKept => "`tools`, discovery kept as the server allows",
            Self::ToolsOf2025 => "`tools`, 2025-11-25",
            Self::ToolsDue => "`tools` with a token that is due",
        }
    }

    /// Goes this way once, between servers of its own.
    pub(super) async fn taken(self, context: &Context) -> Result<Taken, BoxError> {
        let settings = match self.is_of_2025() {
            true => "protocol = \"2025-11-25\"",
            false => "",
        };
        let far = Far::start(context, settings, |mcp| self.server(mcp)).await?;
        let host = far.host()?;
        let mut time = far.login(&host).await?;
        // What was left behind is not counted.
        if !matches!(self, Self::Login | Self::LoginOf2025) {
            host.closed().await;
            if self == Self::ToolsDue {
                far.expire(&host).await?;
            }
            far.recorder.clear();
            let host = far.host()?;
            time = match self {
                Self::LoginAgain | Self::LoginAgainOf2025 => far.login(&host).await?,
                _ => far.tools(&host).await?,
            };
        }
        Ok(Taken {
            path: far.path(),
            requests: far.requests().len(),
            connections: far.connections_after_the_page(),
            time,
        })
    }

    const fn is_of_2025(self) -> bool {
        matches!(
            self,
            Self::LoginOf2025 | Self::LoginAgainOf2025 | Self::ToolsOf2025
        )
    }

    fn server(self, mcp: McpServerBuilder) -> McpServerBuilder {
        match self {
            _ if self.is_of_2025() => mcp.wire(Wire::Stateful2025_11_25),
            Self::ToolsKept => mcp
                .wire(Wire::Stateless2026_07_28)
                .caching(Caching::Public(AN_HOUR)),
            _ => mcp.wire(Wire::Stateless2026_07_28),
        }
    }
}

/// In milliseconds.
const AN_HOUR: u64 = 3_600_000;
