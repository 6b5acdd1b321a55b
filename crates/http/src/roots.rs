//! The certificate authorities that servers are verified against.

use std::collections::HashSet;
use std::fmt;

use bytes::Bytes;

use crate::pem::{self, PemError};

/// The certificate authorities to trust.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Roots {
    /// The operating system's, loaded anew for each client. On Unix the loader reads
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR` by itself, in place of the system's own files. A program
    /// that reads its environment once passes explicit roots instead.
    #[default]
    System,
    /// The operating system's and these.
    SystemAnd(Vec<RootCertificate>),
    /// These and no others.
    Only(Vec<RootCertificate>),
}

/// The certificate of one authority. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RootCertificate(Bytes);

impl RootCertificate {
    /// Every certificate of a PEM bundle, in order: `CERTIFICATE`, `X509 CERTIFICATE` and
    /// OpenSSL's `TRUSTED CERTIFICATE` blocks (whose trust settings are dropped). Text between the
    /// blocks and blocks of other kinds are passed over.
    ///
    /// # Errors
    ///
    /// [`PemError`] if a block is broken, or if there is none.
    pub fn from_pem_bundle(pem: &[u8]) -> Result<Vec<Self>, PemError> {
        let certificates = certificates(pem)?;
        if certificates.is_empty() {
            return Err(PemError::NoCertificate);
        }
        Ok(certificates.into_iter().map(Self).collect())
    }

    /// A certificate in DER.
    ///
    /// # Errors
    ///
    /// [`PemError::Der`] if the bytes do not begin with a whole DER SEQUENCE. Whether it is a
    /// usable certificate shows when a client is built from it.
    pub fn from_der(der: impl Into<Vec<u8>>) -> Result<Self, PemError> {
        let mut der = der.into();
        let length = pem::first_sequence(&der)?.len();
        der.truncate(length);
        Ok(Self(der.into()))
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

/// The certificates of several files, each once, in order. A file that is not required and cannot
/// be read is passed over with a warning.
///
/// # Errors
///
/// [`RootsError`] for the first required file that is broken or holds no certificate.
pub fn roots_from_files<'a>(
    files: impl IntoIterator<Item = RootFile<'a>>,
) -> Result<Vec<RootCertificate>, RootsError> {
    let mut seen = HashSet::new();
    let mut roots = Vec::new();
    for file in files {
        match RootCertificate::from_pem_bundle(file.pem) {
            Ok(found) => roots.extend(found.into_iter().filter(|root| seen.insert(root.clone()))),
            Err(source) if file.required => {
                return Err(RootsError {
                    name: file.name.to_owned(),
                    source,
                });
            }
            Err(PemError::NoCertificate) => {}
            Err(error) => tracing::warn!(file = file.name, %error, "file passed over"),
        }
    }
    Ok(roots)
}

/// The operating system's certificate authorities.
///
/// On Unix this reads `SSL_CERT_FILE` and `SSL_CERT_DIR` (the loader does, not this crate) and
/// then the usual files; on macOS and Windows the system's store.
///
/// # Errors
///
/// [`SystemRootsError`] if not one certificate could be loaded. Single files that could not be
/// read are passed over with a warning.
#[cfg(feature = "client")]
pub fn system_roots() -> Result<Vec<RootCertificate>, SystemRootsError> {
    let mut loaded = rustls_native_certs::load_native_certs();
    if loaded.certs.is_empty() {
        return Err(SystemRootsError {
            source: loaded.errors.pop(),
        });
    }
    for error in &loaded.errors {
        tracing::warn!(%error, "part of the system's certificate store could not be read");
    }
    let found = loaded.certs.into_iter();
    Ok(found
        .map(|certificate| RootCertificate(certificate.as_ref().to_vec().into()))
        .collect())
}

/// The operating system has no certificate authorities for us.
#[cfg(feature = "client")]
#[derive(Debug, thiserror::Error)]
#[error("the operating system's certificate store is empty; configure a CA bundle")]
pub struct SystemRootsError {
    /// The last thing that went wrong while looking.
    #[source]
    pub source: Option<rustls_native_certs::Error>,
}

/// The DER of every certificate block.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<Bytes>, PemError> {
    let blocks = pem::blocks(pem, is_certificate)?;
    blocks
        .into_iter()
        .map(|block| pem::first_sequence(&block.der).map(Bytes::copy_from_slice))
        .collect()
}

fn is_certificate(label: &str) -> bool {
    matches!(
        label,
        "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    // DER sequences, not certificates: what is inside is judged when a client is built.
    const ONE: &str = "-----BEGIN CERTIFICATE-----\nMAIFAA==\n-----END CERTIFICATE-----\n";
    const TRUSTED: &str =
        "-----BEGIN TRUSTED CERTIFICATE-----\nMAMCAQcwAgUA\n-----END TRUSTED CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nnot base64 at all\n-----END PRIVATE KEY-----\n";

    #[test]
    fn a_bundle_may_hold_several_kinds_of_blocks_and_text() {
        let bundle = format!("# Our CA\nsubject=CN = x\n{ONE}\r\nmore: text\n{KEY}{TRUSTED}end");
        let roots = RootCertificate::from_pem_bundle(bundle.as_bytes()).unwrap();
        let ders: Vec<_> = roots.iter().map(RootCertificate::der).collect();
        assert_eq!(ders, [&[0x30, 2, 5, 0][..], &[0x30, 3, 2, 1, 7]]);
    }

    #[test]
    fn a_bundle_without_certificates_is_an_error() {
        for bundle in ["", "just text\n", KEY] {
            let err = RootCertificate::from_pem_bundle(bundle.as_bytes()).unwrap_err();
            assert!(matches!(err, PemError::NoCertificate), "{bundle}: {err}");
        }
    }

    #[test]
    fn files_are_merged_once_each_and_only_named_ones_must_be_good() {
        let file = |name, pem: &'static str, required| RootFile {
            name,
            pem: pem.as_bytes(),
            required,
        };
        let roots = roots_from_files([
            file("a", ONE, true),
            file("dir/README", "hello", false),
            file("dir/broken", "-----BEGIN CERTIFICATE-----\nAA", false),
            file("dir/again", ONE, false),
            file("b", TRUSTED, true),
        ]);
        assert_eq!(roots.unwrap().len(), 2);
        let err = roots_from_files([file("SSL_CERT_FILE=/etc/ca.pem", "", true)]).unwrap_err();
        assert_eq!(
            err.to_string(),
            "no root certificates from SSL_CERT_FILE=/etc/ca.pem"
        );
    }

    #[test]
    fn der_is_checked_for_its_outer_sequence() {
        assert_eq!(
            RootCertificate::from_der([0x30, 0, 9]).unwrap().der(),
            [0x30, 0]
        );
        assert!(RootCertificate::from_der([0x31, 0]).is_err());
    }
}
