//! The certificate authorities that servers are verified against.

use std::collections::BTreeSet;
use std::fmt;
#[cfg(feature = "client")]
use std::path::PathBuf;

use bytes::Bytes;

use crate::pem::{self, PemError};

/// The certificate authorities to trust.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Roots {
    /// The operating system's, as [`system_roots`] finds them: read when the first server has to be
    /// verified by them, and kept for the other clients of the process while their files stay what they
    /// are. Where there are none, that is when it shows. No variable of the environment is asked where
    /// they are [files](system_root_places): who wants `SSL_CERT_FILE` and `SSL_CERT_DIR` to count
    /// passes explicit roots instead.
    #[default]
    System,
    /// The operating system's and these.
    SystemAnd(Vec<RootCertificate>),
    /// These and no others.
    Only(Vec<RootCertificate>),
}

/// The certificate of one authority. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    let mut roots = Vec::new();
    for file in files {
        match RootCertificate::from_pem_bundle(file.pem) {
            Ok(found) => roots.extend(found),
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
    Ok(each_once(roots))
}

/// The certificates in their order, each the first time alone.
#[must_use]
pub fn each_once(roots: impl IntoIterator<Item = RootCertificate>) -> Vec<RootCertificate> {
    // They differ in their first bytes, so that to compare them costs less than to hash them.
    let mut seen = BTreeSet::new();
    let roots = roots.into_iter();
    roots.filter(|root| seen.insert(root.clone())).collect()
}

/// Where the operating system keeps its certificate authorities, if that is in files at one of the
/// usual places: the bundle, then the folders. Empty elsewhere, as on macOS and Windows, which have a
/// store.
#[cfg(feature = "client")]
#[must_use]
pub fn system_root_places() -> Vec<PathBuf> {
    if cfg!(not(target_os = "linux")) {
        return Vec::new();
    }
    let there = |places: &'static [&'static str]| {
        let places = places.iter().map(PathBuf::from);
        places.filter(|place| place.exists())
    };
    let bundle = there(SYSTEM_BUNDLES).next();
    bundle.into_iter().chain(there(SYSTEM_FOLDERS)).collect()
}

/// The operating system's certificate authorities.
///
/// They are read from the [usual places](system_root_places), and where there is none from wherever
/// the platform's loader finds them: on macOS and Windows the system's store. That loader asks
/// `SSL_CERT_FILE` and `SSL_CERT_DIR` first.
///
/// # Errors
///
/// [`SystemRootsError`] if not one certificate could be loaded. Single files that could not be
/// read are passed over with a warning.
#[cfg(feature = "client")]
pub fn system_roots() -> Result<Vec<RootCertificate>, SystemRootsError> {
    let mut loaded = load_from(&system_root_places());
    if loaded.certs.is_empty() {
        return Err(SystemRootsError {
            source: loaded.errors.pop(),
        });
    }
    for error in &loaded.errors {
        tracing::warn!(%error, "part of the system's certificate store could not be read");
    }
    let found = loaded.certs.into_iter();
    let found = found.map(|certificate| RootCertificate(certificate.as_ref().to_vec().into()));
    Ok(each_once(found))
}

/// What is in these files and folders; without any, what the platform's loader finds.
#[cfg(feature = "client")]
pub(crate) fn load_from(places: &[PathBuf]) -> rustls_native_certs::CertificateResult {
    if places.is_empty() {
        return rustls_native_certs::load_native_certs();
    }
    let mut all = rustls_native_certs::CertificateResult::default();
    for place in places {
        let (file, folder) = match place.is_dir() {
            true => (None, Some(place.as_path())),
            false => (Some(place.as_path()), None),
        };
        let loaded = rustls_native_certs::load_certs_from_paths(file, folder);
        all.certs.extend(loaded.certs);
        all.errors.extend(loaded.errors);
    }
    all
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

/// The bundles of Linux distributions, the first that is there counts: Debian, Fedora and its kin of two
/// ages, openSUSE, small media systems, Alpine, routers with Entware, `OpenHarmony`.
#[cfg(feature = "client")]
const SYSTEM_BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
    "/opt/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/certs/cacert.pem",
];

/// Their folders of single certificates: all that are there count.
#[cfg(feature = "client")]
const SYSTEM_FOLDERS: &[&str] = &[
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/etc/security/certificates",
];

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
    fn of_several_bundles_each_certificate_comes_once_and_where_it_came_first() {
        let read = |pem: &str| RootCertificate::from_pem_bundle(pem.as_bytes()).unwrap();
        let (one, other) = (read(ONE), read(TRUSTED));
        let all = [&other[..], &one, &other, &one].concat();
        assert_eq!(each_once(all), [other, one].concat());
    }

    #[cfg(feature = "client")]
    #[test]
    fn the_systems_roots_are_read_from_where_they_are_said_to_be_each_once() {
        let places = system_root_places();
        assert!(places.iter().all(|place| place.exists()), "{places:?}");
        let Ok(roots) = system_roots() else {
            return assert!(places.is_empty(), "nothing in {places:?}");
        };
        let once: BTreeSet<_> = roots.iter().collect();
        assert_eq!(once.len(), roots.len());
        if let Some(bundle) = places.iter().find(|place| place.is_file()) {
            let pem = std::fs::read(bundle).unwrap();
            let listed = RootCertificate::from_pem_bundle(&pem).unwrap();
            assert!(listed.iter().all(|root| once.contains(root)));
        }
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
