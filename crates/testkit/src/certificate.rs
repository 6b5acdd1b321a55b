//! A private certificate authority and the certificates it issues (RFC 5280).

use std::{fmt, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

use crate::Error;

/// A certificate authority that nobody trusts until told to.
///
/// Cheap to clone; clones are the same authority.
#[derive(Clone)]
pub struct CertificateAuthority {
    issuer: Arc<CertifiedIssuer<'static, KeyPair>>,
}

/// A certificate with its private key, both as PEM.
#[derive(Clone)]
pub struct Identity {
    certificate_pem: String,
    key_pem: String,
}

impl CertificateAuthority {
    /// A new authority with a new key, named "doorkey test authority".
    ///
    /// # Errors
    /// [`Error::Certificate`] if no key can be made.
    pub fn new() -> Result<Self, Error> {
        Self::named("doorkey test authority")
    }

    /// A new authority with a new key and the common name `name`.
    ///
    /// # Errors
    /// [`Error::Certificate`] if no key can be made.
    pub fn named(name: &str) -> Result<Self, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let key = KeyPair::generate().map_err(Error::Certificate)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(Error::Certificate)?;
        Ok(Self {
            issuer: Arc::new(issuer),
        })
    }

    /// The authority's own certificate as PEM: what a client has to trust.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A server certificate for `names`, which may be DNS names or IP addresses.
    ///
    /// # Errors
    /// [`Error::Certificate`] if a name is not a DNS name.
    pub fn issue_server(&self, names: &[&str]) -> Result<Identity, Error> {
        let params = server_params(names)?;
        self.issue(&params)
    }

    /// A server certificate for `names` whose validity ended in 2001.
    ///
    /// # Errors
    /// [`Error::Certificate`] if a name is not a DNS name.
    pub fn issue_expired_server(&self, names: &[&str]) -> Result<Identity, Error> {
        let mut params = server_params(names)?;
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2001, 1, 1);
        self.issue(&params)
    }

    /// A server certificate for `names` whose validity begins in 2200.
    ///
    /// # Errors
    /// [`Error::Certificate`] if a name is not a DNS name.
    pub fn issue_future_server(&self, names: &[&str]) -> Result<Identity, Error> {
        let mut params = server_params(names)?;
        params.not_before = date_time_ymd(2200, 1, 1);
        params.not_after = date_time_ymd(2201, 1, 1);
        self.issue(&params)
    }

    /// A client certificate with the common name `name`.
    ///
    /// # Errors
    /// [`Error::Certificate`] if no key can be made.
    pub fn issue_client(&self, name: &str) -> Result<Identity, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        self.issue(&params)
    }

    fn issue(&self, params: &CertificateParams) -> Result<Identity, Error> {
        let key = KeyPair::generate().map_err(Error::Certificate)?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .map_err(Error::Certificate)?;
        Ok(Identity {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }
}

impl Identity {
    /// A certificate chain and key made elsewhere. They are checked when they are used.
    #[must_use]
    pub fn from_pem(certificate: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            certificate_pem: certificate.into(),
            key_pem: key.into(),
        }
    }

    /// The certificate (chain) as PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The private key as PEM (PKCS #8).
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// Certificate and key in one PEM text, the form in which client identities are often kept.
    #[must_use]
    pub fn pem(&self) -> String {
        format!("{}{}", self.certificate_pem, self.key_pem)
    }
}

impl fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAuthority")
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

fn server_params(names: &[&str]) -> Result<CertificateParams, Error> {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let common_name = names.first().cloned().unwrap_or_default();
    let mut params = CertificateParams::new(names).map_err(Error::Certificate)?;
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}
