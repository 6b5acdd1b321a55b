//! The certificate authorities that servers are verified against.

use std::fmt;

use crate::pem::PemError;

/// The certificate authorities to trust.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Roots {
    /// The operating system's, as [`system_roots`](crate::system_roots) loads them: mind that it
    /// reads `SSL_CERT_FILE` and `SSL_CERT_DIR` by itself. A program that reads its environment
    /// once passes explicit roots instead.
    #[default]
    System,
    /// The operating system's and these.
    SystemAnd(Vec<RootCertificate>),
    /// These and no others.
    Only(Vec<RootCertificate>),
}

/// The certificate of one authority.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RootCertificate(Vec<u8>);

impl RootCertificate {
    /// Every certificate of a PEM bundle.
    ///
    /// # Errors
    ///
    /// [`PemError`]
    pub fn from_pem_bundle(_pem: &[u8]) -> Result<Vec<Self>, PemError> {
        todo!()
    }

    /// A certificate in DER.
    ///
    /// # Errors
    ///
    /// [`PemError::Der`]
    pub fn from_der(_der: impl Into<Vec<u8>>) -> Result<Self, PemError> {
        todo!()
    }

    /// The certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for RootCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootCertificate({} bytes)", self.0.len())
    }
}

/// One file that may hold root certificates, as bytes that the caller has read.
#[derive(Clone, Copy, Debug)]
pub struct RootFile<'a> {
    /// What to call it in an error, such as `SSL_CERT_FILE=/etc/ca.pem`.
    pub name: &'a str,
    /// Its content.
    pub pem: &'a [u8],
    /// Whether it must hold a certificate: true for a file that the user named, false for a
    /// member of a directory, where other files lie about.
    pub required: bool,
}

/// A file that was to hold root certificates and does not.
#[derive(Debug, thiserror::Error)]
#[error("no root certificates from {name}")]
pub struct RootsError {
    /// The file, as [`RootFile::name`] called it.
    pub name: String,
    /// What is wrong with it.
    #[source]
    pub source: PemError,
}

/// The certificates of several files, each once, in order.
///
/// # Errors
///
/// [`RootsError`]
pub fn roots_from_files<'a>(
    _files: impl IntoIterator<Item = RootFile<'a>>,
) -> Result<Vec<RootCertificate>, RootsError> {
    todo!()
}
