//! Connections that many clients share, and why that is safe.
//!
//! A pooled connection is used again without a question. So a client may use one that another client
//! made only if it would have made the very same. What makes one different is the key of its pool:
//!
//! - **Whom it trusts and what it shows**: the roots and the client certificate, by their content. For the
//!   operating system's roots that is what its files are when a client is built or its profile changes;
//!   where they are no files, each change of a profile counts as a change of them.
//! - **How it is made**: proxy (with its credentials), HTTP/2 or not, the time-out, the limits of what is
//!   held of an answer's head and of connections to one origin. The resolver belongs to the
//!   [`Connections`] themselves.
//! - **Where it may lead**: the `Judgement`, which is everything that the verdict over an address depends on:
//!   the reach of the request, the class that it is measured by and the networks that the user allowed.
//! - The origin, within the pool.
//!
//! A pool judges addresses by its key and by nothing else, so that all its connections, whoever made them,
//! lead to addresses which every client that has this key may be led to. A client finds its key anew
//! whenever what it is made of changes: after a pin, and after each lesson about the class of its server, it
//! goes to another pool. That is the old rule, *no connection from before a pin is used after it*, without
//! a need to throw connections away that the pin allows.
//!
//! Two things are not in the key, since they are about one client and a time:
//!
//! - A class that is *forgotten* is to be learned anew, from where the server is now. After that a client
//!   uses no pool for its own server that is older.
//! - A profile that *changed* in roots, certificate or anything else of the first two points leaves its
//!   connections behind, even if it changes back: the registry forgets them, so that nobody joins them.
//!
//! What a client learns from a connection of somebody else is as good as from its own: it was verified by
//! the same roots for the same name, and the answer came over it now.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::client::HttpClient;
use crate::error::Error;
use crate::profile::HttpProfile;
use crate::reload::{ProfileSource, Renewal};
use crate::resolve::{Resolver, SystemResolver};
use crate::transport::{Kind, Transport};

/// The connections of many clients: those that may share them do. A cheap handle.
///
/// A host makes one, and from it a client for each MCP server and account. Clients then have one pool of
/// connections, one TLS configuration and one cache of TLS sessions between them wherever a connection of
/// one is exactly what another one would make: with the same roots, client certificate, proxy and
/// time-outs, and judged by the same rules for addresses. A pool is made when a request needs it and gone
/// with the last client that used it.
///
/// To one origin there is one connection over HTTP/2, and over HTTP/1.1 about as many as
/// [`Limits::connections`](crate::Limits::connections) says.
///
/// A server can tell that requests over one connection come from one program. [`HttpClient::new`] and
/// its kin have connections of their own.
#[derive(Clone)]
pub struct Connections(Arc<Registry>);

struct Registry {
    resolver: Arc<dyn Resolver>,
    /// One for each kind that somebody uses.
    transports: Mutex<Vec<Weak<Transport>>>,
}

impl Connections {
    /// No connections yet; names are looked up by the operating system.
    #[must_use]
    pub fn new() -> Self {
        Self::with_resolver(Arc::new(SystemResolver))
    }

    /// No connections yet; names are looked up by `resolver`.
    #[must_use]
    pub fn with_resolver(resolver: Arc<dyn Resolver>) -> Self {
        Self(Arc::new(Registry {
            resolver,
            transports: Mutex::default(),
        }))
    }

    /// A client that shares these connections.
    ///
    /// # Errors
    ///
    /// As [`HttpClient::new`].
    pub fn client(&self, profile: &HttpProfile) -> Result<HttpClient, Error> {
        HttpClient::connecting(profile, self, None)
    }

    /// A client that shares these connections, for a profile that changes while it lives: see
    /// [`HttpClient::reloading`].
    ///
    /// # Errors
    ///
    /// As [`HttpClient::reloading`].
    pub fn reloading(
        &self,
        profile: &HttpProfile,
        source: Arc<dyn ProfileSource>,
    ) -> Result<HttpClient, Error> {
        HttpClient::connecting(profile, self, Some(Renewal::new(source)))
    }

    pub(crate) fn resolver(&self) -> &Arc<dyn Resolver> {
        &self.0.resolver
    }

    /// What connections of this profile are made by.
    pub(crate) fn transport(&self, profile: &HttpProfile) -> Result<Arc<Transport>, Error> {
        self.0.transport(Kind::of(profile), profile)
    }

    /// The same for a profile that was another one so far.
    pub(crate) fn transport_after(
        &self,
        before: &Arc<Transport>,
        profile: &HttpProfile,
    ) -> Result<Arc<Transport>, Error> {
        let kind = Kind::of(profile);
        if before.is_of(&kind) && kind.is_certain() {
            return Ok(Arc::clone(before));
        }
        self.0.forget(before);
        self.0.transport(kind, profile)
    }
}

impl Registry {
    fn transport(&self, kind: Kind, profile: &HttpProfile) -> Result<Arc<Transport>, Error> {
        let mut transports = self
            .transports
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut known = transports.iter().filter_map(Weak::upgrade);
        if let Some(known) = known.find(|known| known.is_of(&kind)) {
            return Ok(known);
        }
        drop(known);
        let made = Arc::new(Transport::new(kind, profile, Arc::clone(&self.resolver))?);
        transports.retain(|transport| transport.strong_count() > 0);
        transports.push(Arc::downgrade(&made));
        Ok(made)
    }

    /// Nobody joins these connections from now on.
    fn forget(&self, transport: &Arc<Transport>) {
        let mut transports = self
            .transports
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        transports.retain(|known| !std::ptr::eq(known.as_ptr(), Arc::as_ptr(transport)));
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("resolver", &self.0.resolver)
            .finish_non_exhaustive()
    }
}
