//! Verifies servers by the operating system's certificate authorities, which are read when one is needed, and by the
//! user's own.
//!
//! A certificate is good if one authority vouches for it. So the authorities are asked in turn, those at hand first: the
//! user's own, then the system's bundle, then its folders of some hundred files. What is read is kept for all clients
//! of the process, for as long as the files stay what they are.

use std::error::Error as StdError;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

use crate::BoxError;
use crate::roots::{SystemRootsError, load_from, system_root_places, system_roots};

/// Asks the user's own authorities, then the system's.
#[derive(Debug)]
pub(crate) struct Verifier {
    own: Option<Arc<WebPkiServerVerifier>>,
    system: OnceLock<Arc<System>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    /// `own` may be empty. Nothing is read yet.
    pub(crate) fn new(own: RootCertStore, provider: &Arc<CryptoProvider>) -> Self {
        Self {
            own: verifier(own, provider),
            system: OnceLock::new(),
            provider: Arc::clone(provider),
        }
    }

    fn system(&self) -> &System {
        self.system.get_or_init(|| shared(&self.provider))
    }
}

impl ServerCertVerifier for Verifier {
    /// The system's files are read here, in the first handshake of the process that needs them.
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let own = self.own.as_ref().map(Arc::clone);
        let system = std::iter::once_with(|| self.system().asked(&self.provider)).flatten();
        let mut refusal = None;
        for verifier in own.into_iter().chain(system) {
            let judged = verifier.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            );
            match judged {
                Ok(verified) => return Ok(verified),
                // Whoever knows the issuer knows best what is wrong.
                Err(error) if refusal.as_ref().is_none_or(is_stranger) => refusal = Some(error),
                Err(_) => {}
            }
        }
        Err(refusal.unwrap_or_else(nobody))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

fn is_stranger(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(CertificateError::UnknownIssuer)
    )
}

/// There was nobody to ask: why the system has no authorities.
fn nobody() -> Error {
    match system_roots() {
        Err(empty) => Error::Other(OtherError(Arc::new(empty))),
        // They came in this moment.
        Ok(_) => Error::InvalidCertificate(CertificateError::UnknownIssuer),
    }
}

/// Why there was nobody to ask, if that is what `error` says.
pub(crate) fn without_authorities(error: &Error) -> Option<BoxError> {
    match error {
        Error::Other(other) if other.0.is::<SystemRootsError>() => {
            Some(Box::new(Nobody(other.clone())))
        }
        _ => None,
    }
}

/// The [`SystemRootsError`] inside, out of what TLS wraps it in.
#[derive(Debug)]
struct Nobody(OtherError);

impl fmt::Display for Nobody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.0.fmt(f)
    }
}

impl StdError for Nobody {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.0.source()
    }
}

/// The system's authorities, as its files are at one time.
#[derive(Debug)]
struct System {
    stamps: Vec<Stamp>,
    since: Instant,
    parts: Vec<Part>,
}

/// Some of the system's authorities, read when somebody asks for the first time.
#[derive(Debug)]
struct Part {
    /// None: wherever the platform's loader finds them.
    places: Vec<PathBuf>,
    verifier: OnceLock<Option<Arc<WebPkiServerVerifier>>>,
}

/// What tells that the system's authorities are others than they were; empty where they are in no file.
pub(crate) fn system_stamps() -> Vec<Stamp> {
    stamps(&system_root_places())
}

fn stamps(places: &[PathBuf]) -> Vec<Stamp> {
    places.iter().map(|place| stamp(place)).collect()
}

/// What tells that a place is another one than it was; `None` where there is none.
pub(crate) type Stamp = Option<(u64, Option<SystemTime>, Identity)>;

/// What all clients of the process have in common.
static SHARED: Mutex<Option<Arc<System>>> = Mutex::new(None);

/// The system's authorities as they are now.
fn shared(provider: &Arc<CryptoProvider>) -> Arc<System> {
    let places = system_root_places();
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let system = renewed(shared.as_ref(), places, provider);
    *shared = Some(Arc::clone(&system));
    system
}

/// What is `known`, while the places are what they were, else what is in them. Nothing at all there is somebody who is just
/// writing it: what is known stays then.
fn renewed(
    known: Option<&Arc<System>>,
    places: Vec<PathBuf>,
    provider: &Arc<CryptoProvider>,
) -> Arc<System> {
    let stamps = stamps(&places);
    if let Some(known) = known.filter(|known| known.is_still(&stamps)) {
        return Arc::clone(known);
    }
    let system = System::new(places, stamps);
    match known {
        Some(known) if system.asked(provider).next().is_none() => {
            tracing::warn!("the system's certificate store is empty now: what it held is used on");
            Arc::clone(known)
        }
        _ => Arc::new(system),
    }
}

impl System {
    fn new(places: Vec<PathBuf>, stamps: Vec<Stamp>) -> Self {
        let part = |places| Part {
            places,
            verifier: OnceLock::new(),
        };
        // Folders hold what the bundle holds, unless somebody put something there by hand.
        let (folders, bundle): (Vec<_>, Vec<_>) =
            places.into_iter().partition(|place| place.is_dir());
        let parts = match (bundle.is_empty(), folders.is_empty()) {
            (true, _) => vec![part(folders)],
            (false, true) => vec![part(bundle)],
            (false, false) => vec![part(bundle), part(folders)],
        };
        Self {
            stamps,
            since: Instant::now(),
            parts,
        }
    }

    /// A store that is no file is read again after a while.
    fn is_still(&self, stamps: &[Stamp]) -> bool {
        self.stamps == stamps && !(stamps.is_empty() && self.since.elapsed() > STORE_KEPT)
    }

    /// Those who can be asked, each read when it is its turn.
    fn asked(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> impl Iterator<Item = Arc<WebPkiServerVerifier>> {
        let read = |part: &Part| {
            part.verifier
                .get_or_init(|| read(&part.places, provider))
                .clone()
        };
        self.parts.iter().filter_map(read)
    }
}

fn read(places: &[PathBuf], provider: &Arc<CryptoProvider>) -> Option<Arc<WebPkiServerVerifier>> {
    let mut store = RootCertStore::empty();
    let loaded = load_from(places);
    for error in &loaded.errors {
        tracing::warn!(%error, "part of the system's certificate store could not be read");
    }
    // Some systems carry a certificate or two that nobody can parse.
    store.add_parsable_certificates(loaded.certs);
    verifier(store, provider)
}

/// `None` without an authority.
fn verifier(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<WebPkiServerVerifier>> {
    let builder =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    builder.build().ok()
}

fn stamp(place: &Path) -> Stamp {
    let metadata = fs::metadata(place).ok()?;
    let modified = metadata.modified().ok();
    Some((metadata.len(), modified, identity(&metadata)))
}

/// Which file it is, and when anything about it changed.
#[cfg(unix)]
type Identity = (u64, u64, i64, i64);

#[cfg(unix)]
fn identity(metadata: &fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (
        metadata.dev(),
        metadata.ino(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    )
}

#[cfg(not(unix))]
type Identity = Option<SystemTime>;

#[cfg(not(unix))]
fn identity(metadata: &fs::Metadata) -> Identity {
    metadata.created().ok()
}

/// How long what a store holds that is no file counts as what it holds.
const STORE_KEPT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
