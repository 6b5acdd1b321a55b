//! The two wires of the streamable HTTP transport, and which of them a host asks for.

use std::{fmt, str::FromStr};

use rmcp::model::ProtocolVersion;

/// How messages travel between client and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wire {
    /// Revision 2025-11-25 and before: an `initialize` handshake and, if the server likes, a session.
    Stateful,
    /// Revision 2026-07-28: every request stands alone and `server/discover` replaces the handshake.
    Stateless,
}

impl Wire {
    /// The newest revision spoken over this wire, as it is written in `MCP-Protocol-Version`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stateful => "2025-11-25",
            Self::Stateless => "2026-07-28",
        }
    }

    /// The method of the request that opens a connection.
    pub(crate) const fn opening(self) -> &'static str {
        match self {
            Self::Stateful => "initialize",
            Self::Stateless => "server/discover",
        }
    }

    pub(crate) const fn version(self) -> ProtocolVersion {
        match self {
            Self::Stateful => ProtocolVersion::V_2025_11_25,
            Self::Stateless => ProtocolVersion::V_2026_07_28,
        }
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Wire {
    type Err = UnknownProtocol;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "2025-11-25" => Ok(Self::Stateful),
            "2026-07-28" => Ok(Self::Stateless),
            other => Err(UnknownProtocol(other.chars().take(40).collect())),
        }
    }
}

/// What a host asks for: a wire of its choice, or whichever the server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// The remembered wire first, else `server/discover` and, for an older server, `initialize`.
    #[default]
    Auto,
    /// Only the `initialize` handshake of 2025-11-25.
    V2025_11_25,
    /// Only `server/discover` of 2026-07-28.
    V2026_07_28,
}

impl Protocol {
    /// The name used in configurations: `auto`, `2025-11-25` or `2026-07-28`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::V2025_11_25 => Wire::Stateful.as_str(),
            Self::V2026_07_28 => Wire::Stateless.as_str(),
        }
    }

    /// The wire this choice is bound to; `None` for [`Protocol::Auto`].
    #[must_use]
    pub const fn wire(self) -> Option<Wire> {
        match self {
            Self::Auto => None,
            Self::V2025_11_25 => Some(Wire::Stateful),
            Self::V2026_07_28 => Some(Wire::Stateless),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            other => other.parse::<Wire>().map(Self::from),
        }
    }
}

impl From<Wire> for Protocol {
    fn from(wire: Wire) -> Self {
        match wire {
            Wire::Stateful => Self::V2025_11_25,
            Wire::Stateless => Self::V2026_07_28,
        }
    }
}

/// A protocol name that is neither `auto` nor a revision this crate speaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown protocol {0:?}: expected \"auto\", \"2025-11-25\" or \"2026-07-28\"")]
pub struct UnknownProtocol(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_as_they_are_written() {
        for protocol in [Protocol::Auto, Protocol::V2025_11_25, Protocol::V2026_07_28] {
            assert_eq!(protocol.as_str().parse(), Ok(protocol));
        }
        for wire in [Wire::Stateful, Wire::Stateless] {
            assert_eq!(wire.as_str().parse(), Ok(wire));
            assert_eq!(wire.version().as_str(), wire.as_str());
        }
    }

    #[test]
    fn an_unknown_name_says_what_was_expected() {
        let error = "2024-11-05".parse::<Protocol>().unwrap_err();
        assert!(error.to_string().contains("\"2024-11-05\""));
        assert!(error.to_string().contains("\"auto\""));
    }
}
