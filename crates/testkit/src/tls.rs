//! TLS configurations from certificates of the kit, with one fixed crypto provider.

use std::sync::Arc;

use tokio_rustls::rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};

use crate::{CertificateAuthority, Error, Identity};

/// What a server does about client certificates.
#[derive(Clone, Debug, Default)]
pub(crate) enum ClientCertificates {
    #[default]
    NotAsked,
    /// A certificate of this authority is asked for; a connection without one goes on.
    Requested(CertificateAuthority),
    /// A connection without a certificate of this authority fails.
    Required(CertificateAuthority),
}

pub(crate) fn server_config(
    identity: &Identity,
    clients: &ClientCertificates,
    http1_only: bool,
) -> Result<Arc<ServerConfig>, Error> {
    let verifier = client_verifier(clients)?;
    let (chain, key) = identity_parts(identity)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(Error::Tls)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(Error::Tls)?;
    config.alpn_protocols = if http1_only {
        vec![b"http/1.1".to_vec()]
    } else {
        vec![b"h2".to_vec(), b"http/1.1".to_vec()]
    };
    Ok(Arc::new(config))
}

pub(crate) fn client_config(
    trusted: &[CertificateAuthority],
    identity: Option<&Identity>,
) -> Result<Arc<ClientConfig>, Error> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(Error::Tls)?;
    // An empty store is an error for the verifier's builder, and rightly so elsewhere; here it
    // only means that every handshake fails.
    let builder = builder.with_root_certificates(roots(trusted)?);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = identity_parts(identity)?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(Error::Tls)?
        }
    };
    Ok(Arc::new(config))
}

fn client_verifier(clients: &ClientCertificates) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let (authority, required) = match clients {
        ClientCertificates::NotAsked => return Ok(WebPkiClientVerifier::no_client_auth()),
        ClientCertificates::Requested(authority) => (authority, false),
        ClientCertificates::Required(authority) => (authority, true),
    };
    let roots = Arc::new(roots(std::slice::from_ref(authority))?);
    let mut builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
    if !required {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map_err(Error::ClientVerifier)
}

fn roots(trusted: &[CertificateAuthority]) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for authority in trusted {
        let certificate =
            CertificateDer::from_pem_slice(authority.pem().as_bytes()).map_err(Error::Pem)?;
        roots.add(certificate).map_err(Error::Tls)?;
    }
    Ok(roots)
}

fn identity_parts(
    identity: &Identity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
    let chain = CertificateDer::pem_slice_iter(identity.certificate_pem().as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(Error::Pem)?;
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem().as_bytes()).map_err(Error::Pem)?;
    Ok((chain, key))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
