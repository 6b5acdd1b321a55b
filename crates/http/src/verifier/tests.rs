use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;

use super::*;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn store(&self) -> RootCertStore {
        let mut store = RootCertStore::empty();
        store.add(self.0.der().clone()).unwrap();
        store
    }

    /// The certificate of a server of that name.
    fn vouch(&self, name: &str) -> CertificateDer<'static> {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, &self.0).unwrap().der().clone()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// A verifier with these of its own, and these files and folders for the system's.
fn verifier_over(own: RootCertStore, places: &[&Path]) -> Verifier {
    let verifier = Verifier::new(own, &provider());
    let places: Vec<_> = places.iter().map(|place| place.to_path_buf()).collect();
    let stamps = places.iter().map(|place| stamp(place)).collect();
    let system = Arc::new(System::new(places, stamps));
    verifier.system.set(system).unwrap();
    verifier
}

fn judge(verifier: &Verifier, certificate: &CertificateDer<'_>, name: &str) -> Result<(), Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let judged = verifier.verify_server_cert(certificate, &[], &name, &[], UnixTime::now());
    judged.map(drop)
}

/// Which parts of the system's authorities were read.
fn read_parts(verifier: &Verifier) -> Vec<bool> {
    let system = verifier.system.get().unwrap();
    let parts = system.parts.iter();
    parts.map(|part| part.verifier.get().is_some()).collect()
}

#[test]
fn authorities_are_read_when_one_is_needed_and_any_of_them_is_enough() {
    let folder = tempfile();
    let bundle = folder.join("bundle.pem");
    let members = folder.join("members");
    let [own, bundled, member, stranger] =
        ["own", "bundled", "member", "stranger"].map(Authority::new);
    fs::write(&bundle, bundled.0.pem()).unwrap();
    fs::create_dir(&members).unwrap();
    fs::write(members.join("one.pem"), member.0.pem()).unwrap();
    let verifier = verifier_over(own.store(), &[&bundle, &members]);
    assert_eq!(read_parts(&verifier), [false, false]);
    for (authority, is_good, read) in [
        (&own, true, [false, false]),
        (&bundled, true, [true, false]),
        (&member, true, [true, true]),
        (&stranger, false, [true, true]),
    ] {
        let judged = judge(&verifier, &authority.vouch("mcp.test"), "mcp.test");
        assert_eq!(judged.is_ok(), is_good, "{judged:?}");
        assert_eq!(read_parts(&verifier), read);
        assert!(judged.is_ok() || judged.is_err_and(|error| is_stranger(&error)));
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn who_knows_the_issuer_says_what_is_wrong() {
    let folder = tempfile();
    let bundle = folder.join("bundle.pem");
    let [own, bundled] = ["own", "bundled"].map(Authority::new);
    fs::write(&bundle, bundled.0.pem()).unwrap();
    let verifier = verifier_over(own.store(), &[&bundle]);
    for authority in [&own, &bundled] {
        let error = judge(&verifier, &authority.vouch("other.test"), "mcp.test").unwrap_err();
        let Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. }) = error
        else {
            panic!("{error:?}");
        };
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_systems_authorities_are_shared_while_their_files_stay_and_read_anew_when_they_change() {
    let folder = tempfile();
    let bundle = folder.join("bundle.pem");
    let [first, second] = ["first", "second"].map(Authority::new);
    let places = vec![bundle.clone()];
    fs::write(&bundle, first.0.pem()).unwrap();
    let one = renewed(None, places.clone(), &provider());
    let same = renewed(Some(&one), places.clone(), &provider());
    assert!(Arc::ptr_eq(&one, &same));
    fs::write(&bundle, format!("{}{}", first.0.pem(), second.0.pem())).unwrap();
    let two = renewed(Some(&one), places.clone(), &provider());
    assert!(!Arc::ptr_eq(&one, &two));
    // Nothing at all is somebody who is just writing it.
    fs::write(&bundle, "").unwrap();
    let still = renewed(Some(&two), places, &provider());
    assert!(Arc::ptr_eq(&two, &still));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_system_without_authorities_is_told_as_that() {
    let empty = system_roots_error();
    let error = Error::Other(OtherError(Arc::new(empty)));
    let told = without_authorities(&error).expect("the reason");
    assert!(
        told.to_string().contains("certificate store is empty"),
        "{told}"
    );
    assert!(without_authorities(&Error::HandshakeNotComplete).is_none());
}

fn system_roots_error() -> SystemRootsError {
    SystemRootsError { source: None }
}

/// A folder of this test alone.
fn tempfile() -> PathBuf {
    let mut bytes = [0; 8];
    aws_lc_rs::default_provider()
        .secure_random
        .fill(&mut bytes)
        .unwrap();
    let name = format!("doorkey-verifier-{:x}", u64::from_be_bytes(bytes));
    let folder = std::env::temp_dir().join(name);
    fs::create_dir(&folder).unwrap();
    folder
}
