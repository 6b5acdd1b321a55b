//! Which network setting holds on which leg, measured on real servers.
//!
//! Three walks over all the legs fill the table. What no walk saw is no cell: nothing is assumed.
//!
//! 1. Everything is configured at once, as a person does it, and the servers have names that only the proxy knows. What they
//!    record says which legs came with the client certificate, the headers and the User-Agent, and through the proxy.
//! 2. One leg at a time does not know the private authority: that leg fails in the TLS handshake, and no server sees it.
//! 3. One leg at a time is answered too late: that leg ends with the time-out.

mod configured;
mod drive;
mod late;
mod untrusted;

use std::{collections::BTreeMap, fmt};

use doorkey_testkit::RecordedRequest;
use http::Method;

use crate::IdentityProvider;

/// The requests of the stack, as finely as the servers can tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leg {
    /// A JSON-RPC message to the MCP server.
    McpPost,
    /// The MCP server's event stream.
    McpStream,
    /// The end of an MCP session.
    McpDelete,
    /// The protected resource metadata.
    ResourceMetadata,
    /// The authorization server's metadata.
    AuthorizationServerMetadata,
    /// Dynamic client registration.
    Registration,
    /// The exchange of a code for tokens.
    Token,
    /// A refresh.
    Refresh,
    /// The revocation of a token.
    Revocation,
    /// The end of a dynamic registration.
    Deregistration,
    /// An authorization request that is pushed before the browser opens.
    PushedAuthorization,
    /// The start of a login on another device.
    DeviceAuthorization,
    /// An identity provider: sign-on, exchange of tokens, and the service that hands an identity over.
    IdentityProvider,
}

/// What a person can say about the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// A certificate authority that the system does not know.
    PrivateCa,
    /// A certificate of the client's own.
    ClientCertificate,
    /// A header for everybody.
    DefaultHeader,
    /// A header for the MCP server's origin alone.
    ResourceHeader,
    /// A forward proxy.
    Proxy,
    /// How long an answer may take.
    TimeOut,
    /// The `User-Agent`.
    UserAgent,
}

/// Whether each setting holds on each leg.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matrix(BTreeMap<(Leg, Setting), bool>);

impl Leg {
    /// All of them: a session from its start to its end, then what only some logins need.
    pub const ALL: [Self; 13] = [
        Self::McpPost,
        Self::McpStream,
        Self::McpDelete,
        Self::ResourceMetadata,
        Self::AuthorizationServerMetadata,
        Self::Registration,
        Self::Token,
        Self::Refresh,
        Self::Revocation,
        Self::Deregistration,
        Self::PushedAuthorization,
        Self::DeviceAuthorization,
        Self::IdentityProvider,
    ];

    /// The leg of a request that a server recorded; `None` for the browser's.
    pub fn of(request: &RecordedRequest) -> Option<Self> {
        use doorkey_testkit::Leg as Recorded;
        Some(match request.leg {
            Recorded::Resource if request.method == Method::GET => Self::McpStream,
            Recorded::Resource if request.method == Method::DELETE => Self::McpDelete,
            Recorded::Resource => Self::McpPost,
            Recorded::ResourceMetadata => Self::ResourceMetadata,
            Recorded::AuthorizationServerMetadata => Self::AuthorizationServerMetadata,
            Recorded::Token | Recorded::Other if IdentityProvider::saw(request) => {
                Self::IdentityProvider
            }
            Recorded::Registration => Self::Registration,
            Recorded::ClientConfiguration => Self::Deregistration,
            Recorded::Token if request.form("grant_type") == ["refresh_token"] => Self::Refresh,
            Recorded::Token => Self::Token,
            Recorded::Revocation => Self::Revocation,
            Recorded::PushedAuthorization => Self::PushedAuthorization,
            Recorded::DeviceAuthorization => Self::DeviceAuthorization,
            _ => return None,
        })
    }

    /// How the HTTP crate calls it.
    pub fn tag(self) -> doorkey_http::Leg {
        use doorkey_http::Leg as Tag;
        match self {
            Self::McpPost | Self::McpStream | Self::McpDelete => Tag::Resource,
            Self::ResourceMetadata => Tag::ResourceMetadata,
            Self::AuthorizationServerMetadata => Tag::AuthorizationServerMetadata,
            Self::Registration | Self::Deregistration => Tag::Registration,
            Self::Token | Self::Refresh => Tag::Token,
            Self::Revocation => Tag::Revocation,
            Self::PushedAuthorization => Tag::PushedAuthorization,
            Self::DeviceAuthorization => Tag::Device,
            Self::IdentityProvider => Tag::IdentityProvider,
        }
    }
}

impl Setting {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::PrivateCa,
        Self::ClientCertificate,
        Self::DefaultHeader,
        Self::ResourceHeader,
        Self::Proxy,
        Self::TimeOut,
        Self::UserAgent,
    ];
}

impl Matrix {
    /// Measures every cell.
    pub async fn measure() -> Self {
        let mut matrix = Self::default();
        let (seen, untrusted, late) =
            tokio::join!(configured::walk(true), untrusted::walk(), late::walk());
        matrix.0.extend(seen.0);
        for (leg, refused) in untrusted {
            // It works with the authority and fails without.
            let reached = matrix.0.contains_key(&(leg, Setting::Proxy));
            matrix
                .0
                .insert((leg, Setting::PrivateCa), reached && refused);
        }
        for (leg, ended) in late {
            matrix.0.insert((leg, Setting::TimeOut), ended);
        }
        matrix
    }

    /// The same where nothing but the private authority is configured: what shows that a cell can say no.
    pub async fn measure_unconfigured() -> Self {
        Box::pin(configured::walk(false)).await
    }

    /// One cell; `None` if nothing was seen of it.
    pub fn cell(&self, leg: Leg, setting: Setting) -> Option<bool> {
        self.0.get(&(leg, setting)).copied()
    }

    /// A page of Markdown with the table between its markers replaced by this one.
    ///
    /// # Errors
    /// The page has no markers.
    pub fn into_page(&self, page: &str) -> Result<String, &'static str> {
        let missing = "the page has no table: the markers are missing";
        let (before, rest) = page.split_once(BEGIN).ok_or(missing)?;
        let (_, after) = rest.split_once(END).ok_or(missing)?;
        Ok(format!("{before}{BEGIN}\n{self}{END}{after}"))
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "| leg |")?;
        for setting in Setting::ALL {
            write!(out, " {setting} |")?;
        }
        writeln!(out, "\n|---|{}", "---|".repeat(Setting::ALL.len()))?;
        for leg in Leg::ALL {
            write!(out, "| {leg} |")?;
            for setting in Setting::ALL {
                let cell = match self.cell(leg, setting) {
                    Some(true) => "yes",
                    Some(false) => "no",
                    None => "not seen",
                };
                write!(out, " {cell} |")?;
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

impl fmt::Display for Leg {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::McpPost => "MCP POST",
            Self::McpStream => "MCP GET stream",
            Self::McpDelete => "MCP DELETE",
            Self::ResourceMetadata => "resource metadata",
            Self::AuthorizationServerMetadata => "authorization server metadata",
            Self::Registration => "registration",
            Self::Token => "token",
            Self::Refresh => "refresh",
            Self::Revocation => "revocation",
            Self::Deregistration => "registration deletion",
            Self::PushedAuthorization => "pushed authorization request",
            Self::DeviceAuthorization => "device authorization",
            Self::IdentityProvider => "identity provider",
        })
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::PrivateCa => "private CA",
            Self::ClientCertificate => "client certificate",
            Self::DefaultHeader => "default header",
            Self::ResourceHeader => "resource header",
            Self::Proxy => "proxy",
            Self::TimeOut => "time-out",
            Self::UserAgent => "User-Agent",
        })
    }
}

const BEGIN: &str = "<!-- begin: measured by the integration tests -->";
const END: &str = "<!-- end -->";
