//! The one TLS configuration of a client: its provider, its roots, its own certificate.

use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ConfigBuilder, InconsistentKeys, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::ExposeSecret;

use crate::BoxError;
use crate::error::Error;
use crate::identity::ClientIdentity;
use crate::profile::HttpProfile;
use crate::roots::{RootCertificate, Roots};
use crate::verifier::Verifier;

/// Builds the configuration of a client of that profile.
pub(crate) fn client_config(profile: &HttpProfile) -> Result<ClientConfig, Error> {
    let mut config = made_of(&profile.roots, profile.client_identity.as_ref())?;
    config.alpn_protocols = match profile.http2 {
        true => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        false => vec![b"http/1.1".to_vec()],
    };
    Ok(config)
}

/// TLS with these roots and this client certificate for another protocol than HTTP, such as that of a
/// database: what a user configured for the network holds there too. `alpn` is the protocol's name in the
/// handshake (RFC 7301 section 6).
///
/// # Errors
/// [`Error::Profile`]: a root or the certificate cannot be used, or there is no root at all.
pub fn tls_config(
    roots: &Roots,
    identity: Option<&ClientIdentity>,
    alpn: &str,
) -> Result<Arc<ClientConfig>, Error> {
    let mut config = made_of(roots, identity)?;
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    Ok(Arc::new(config))
}

/// The crypto provider is decided here and nowhere else.
fn made_of(roots: &Roots, identity: Option<&ClientIdentity>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let unusable = |source| Error::Profile {
        setting: "roots",
        source,
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|err| unusable(err.into()))?;
    let builder = match roots {
        Roots::Only(own) if own.is_empty() => return Err(unusable(NoRoots.into())),
        Roots::Only(own) => builder.with_root_certificates(trusted(own).map_err(unusable)?),
        Roots::System | Roots::SystemAnd(_) => {
            let own = match roots {
                Roots::SystemAnd(own) => own.as_slice(),
                _ => &[],
            };
            let own = trusted(own).map_err(unusable)?;
            // What rustls calls dangerous is to bring a verifier: ours asks rustls's own, several in turn.
            let verifier = Arc::new(Verifier::new(own, &provider));
            builder
                .dangerous()
                .with_custom_certificate_verifier(verifier)
        }
    };
    match identity {
        None => Ok(builder.with_no_client_auth()),
        Some(identity) => with_identity(builder, identity).map_err(|source| Error::Profile {
            setting: "client_identity",
            source,
        }),
    }
}

fn trusted(own: &[RootCertificate]) -> Result<RootCertStore, BoxError> {
    let mut store = RootCertStore::empty();
    for (position, root) in own.iter().enumerate() {
        store.add(der(root)).map_err(|source| BadRoot {
            position: position + 1,
            source,
        })?;
    }
    Ok(store)
}

fn der(root: &RootCertificate) -> CertificateDer<'static> {
    CertificateDer::from(root.der().to_vec())
}

fn with_identity(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    identity: &ClientIdentity,
) -> Result<ClientConfig, BoxError> {
    let chain = identity
        .chain()
        .map(|der| CertificateDer::from(der.to_vec()))
        .collect();
    // Lent, not copied: rustls does not wipe the copies that it is given.
    let key = PrivateKeyDer::try_from(identity.key().expose_secret())?;
    let certified = CertifiedKey::new(chain, aws_lc_rs::sign::any_supported_type(&key)?);
    match certified.keys_match() {
        // Not every kind of key tells.
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
        Err(other) => return Err(other.into()),
    }
    let resolver = SingleCertAndKey::from(certified);
    Ok(builder.with_client_cert_resolver(Arc::new(resolver)))
}

/// A configured root that is no certificate.
#[derive(Debug, thiserror::Error)]
#[error("certificate {position} of the configured roots cannot be used")]
struct BadRoot {
    /// Counted from 1.
    position: usize,
    #[source]
    source: rustls::Error,
}

/// Nothing to trust.
#[derive(Debug, thiserror::Error)]
#[error("no certificate authority is configured: no server could be trusted")]
struct NoRoots;
