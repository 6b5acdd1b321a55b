//! Where the facts about a server came from.

use std::fmt;

/// What named the authorization server, so that a host can show it, or refuse the guesses of old
/// servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// Protected resource metadata at the URL the challenge gave (RFC 9728 §5.1).
    Challenge,
    /// Protected resource metadata at the well-known URL with the server's path inserted (RFC 9728
    /// §3.1).
    PathWellKnown,
    /// Protected resource metadata at the root well-known URL.
    RootWellKnown,
    /// No resource metadata: authorization server metadata at the MCP server's own origin (MCP
    /// 2025-03-26).
    LegacyMetadata,
    /// No metadata at all: `/authorize`, `/token` and `/register` at the MCP server's own origin
    /// (MCP 2025-03-26).
    LegacyDefaults,
    /// The host's configuration.
    Configured,
}

impl Source {
    /// A stable name for machine-readable output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Challenge => "challenge",
            Self::PathWellKnown => "path_well_known",
            Self::RootWellKnown => "root_well_known",
            Self::LegacyMetadata => "legacy_metadata",
            Self::LegacyDefaults => "legacy_defaults",
            Self::Configured => "configured",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_one_name_for_machines_leg_09() {
        for (source, name) in [
            (Source::Challenge, "challenge"),
            (Source::PathWellKnown, "path_well_known"),
            (Source::RootWellKnown, "root_well_known"),
            (Source::LegacyMetadata, "legacy_metadata"),
            (Source::LegacyDefaults, "legacy_defaults"),
            (Source::Configured, "configured"),
        ] {
            assert_eq!(source.as_str(), name);
            assert_eq!(source.to_string(), name);
        }
    }
}
