//! Whether a login could be done at an authorization server that was found, without beginning one.

use doorkey_discovery::{Discovered, Issuer};
use doorkey_store::Grant;

use super::{check_metadata, needed};
use crate::client::configured;
use crate::config::{AuthorizationConfig, ClientChoice};
use crate::error::Error;
use crate::flow::Flow;

/// Where the client id of a login would come from (REG-02).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientSource {
    /// The configuration.
    Configured,
    /// The URL of the client's metadata document.
    Document,
    /// Dynamic registration, done or to be done (RFC 7591).
    Registration,
    /// The flow needs none.
    NotNeeded,
}

impl AuthorizationConfig {
    /// Checks, as a login does before anything is asked of a person, what `found` says of the
    /// authorization server (AS-16, AS-20, AS-22). Makes no request.
    ///
    /// # Errors
    /// [`Error::PkceUnsupported`], [`Error::UnsupportedServer`].
    pub fn check_server(&self, found: &Discovered) -> Result<(), Error> {
        let quirks = self.quirks_of(found.server.listed.as_str());
        check_metadata(&self.flow, found, &quirks)?;
        let server = &found.server;
        needed(found, server.token_endpoint.as_ref(), "token_endpoint")?;
        let (page, member) = match self.flow {
            Flow::AuthorizationCode => (&server.authorization_endpoint, "authorization_endpoint"),
            Flow::Device => (
                &server.device_authorization_endpoint,
                "device_authorization_endpoint",
            ),
            _ => return Ok(()),
        };
        needed(found, page.as_ref(), member).map(drop)
    }

    /// Where a login at that server would get its client id; `previous` is the login that is there
    /// already. Registers nothing and makes no request.
    ///
    /// # Errors
    /// [`Error::StaticClientIssuer`], [`Error::UnboundCredentials`], [`Error::NoClient`].
    pub fn client_source(
        &self,
        found: &Discovered,
        previous: Option<&Grant>,
    ) -> Result<ClientSource, Error> {
        let server = &found.server;
        let of_client = |previous: &&Grant| matches!(&self.client, ClientChoice::Static { client_id, .. } if *client_id == previous.client_id);
        let bound_to = previous
            .filter(of_client)
            .map(|it| Issuer::new(&*it.issuer));
        if self.flow.is_unattended() {
            self.check_unattended(found, bound_to.as_ref())?;
        }
        if configured(self, server, bound_to.as_ref())?.is_some() {
            return Ok(ClientSource::Configured);
        }
        let quirks = self.quirks_of(server.listed.as_str());
        let takes_documents =
            server.client_id_metadata_document_supported && !quirks.refuses_documents();
        let why = quirks.needs_client();
        match &self.client {
            ClientChoice::Auto {
                metadata_url: Some(_),
            } if takes_documents => Ok(ClientSource::Document),
            _ if matches!(self.flow, Flow::WorkloadIdentity(_)) => Ok(ClientSource::NotNeeded),
            _ if server.registration_endpoint.is_some()
                && why.is_none()
                && !self.flow.is_unattended() =>
            {
                Ok(ClientSource::Registration)
            }
            _ => Err(Error::NoClient {
                issuer: server.listed.clone(),
                why: why.map(str::to_owned),
            }),
        }
    }

    /// Whose the credentials of a flow without a person are (CC-07, WIF-08).
    fn check_unattended(&self, found: &Discovered, bound_to: Option<&Issuer>) -> Result<(), Error> {
        let listed = &found.server.listed;
        let named = match &self.client {
            ClientChoice::Static { issuer, .. } => issuer.as_ref(),
            ClientChoice::Auto { .. } => None,
        };
        let allowed = self.discovery.allowed.as_ref();
        let is_meant = match (named, allowed) {
            // Another issuer than the named one is refused by what follows.
            (Some(_), _) => true,
            (None, Some(allowed)) => allowed.contains(listed),
            (None, None) => {
                self.accept_discovered_issuer && bound_to.is_none_or(|issuer| issuer == listed)
            }
        };
        match is_meant {
            true => Ok(()),
            false => Err(Error::UnboundCredentials {
                discovered: listed.clone(),
            }),
        }
    }
}
