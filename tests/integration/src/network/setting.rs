//! The columns of the table: what a person can say about the network.

use std::fmt;

/// What a person can say about the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// A certificate authority that the system does not know.
    PrivateCa,
    /// Authorities in place of the system's.
    ReplacedRoots,
    /// A certificate of the client's own.
    ClientCertificate,
    /// A forward proxy that is asked in the clear.
    HttpProxy,
    /// A forward proxy that is asked over TLS.
    HttpsProxy,
    /// A header for everybody.
    DefaultHeader,
    /// A header for the MCP server's origin alone.
    ResourceHeader,
    /// A header for one named origin.
    OriginHeader,
    /// How long an answer may take.
    TimeOut,
    /// The `User-Agent`.
    UserAgent,
    /// Which addresses a server may lead to.
    AddressRule,
}

impl Setting {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::PrivateCa,
        Self::ReplacedRoots,
        Self::ClientCertificate,
        Self::HttpProxy,
        Self::HttpsProxy,
        Self::DefaultHeader,
        Self::ResourceHeader,
        Self::OriginHeader,
        Self::TimeOut,
        Self::UserAgent,
        Self::AddressRule,
    ];
}

impl fmt::Display for Setting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::PrivateCa => "private CA",
            Self::ReplacedRoots => "replaced roots",
            Self::ClientCertificate => "client certificate",
            Self::HttpProxy => "HTTP proxy",
            Self::HttpsProxy => "HTTPS proxy",
            Self::DefaultHeader => "default header",
            Self::ResourceHeader => "resource header",
            Self::OriginHeader => "origin header",
            Self::TimeOut => "time-out",
            Self::UserAgent => "User-Agent",
            Self::AddressRule => "address rule",
        })
    }
}
