//! The certificate and key by which the client shows itself to a server (mutual TLS, RFC 8446 §4.4.2).

use std::fmt;

use bytes::Bytes;
use rustls_pki_types::PrivateKeyDer;
use secrecy::{ExposeSecret, SecretSlice};

use crate::pem::{self, PemError};
use crate::roots::certificates;

/// A client certificate chain and its private key.
#[derive(Clone)]
pub struct ClientIdentity {
    chain: Vec<Bytes>,
    key: SecretSlice<u8>,
}

impl ClientIdentity {
    /// Reads a PEM chain (the client's certificate first) and its PEM key, PKCS#8, PKCS#1 or
    /// SEC1. Both may be the same file.
    ///
    /// # Errors
    ///
    /// [`PemError`] if either is missing or broken, or the key is encrypted. That key and
    /// certificate belong together is checked when a client is built.
    pub fn from_pem(chain: &[u8], key: &SecretSlice<u8>) -> Result<Self, PemError> {
        let chain = certificates(chain)?;
        if chain.is_empty() {
            return Err(PemError::NoCertificate);
        }
        let block = pem::blocks(key.expose_secret(), is_key)?.into_iter().next();
        let block = block.ok_or(PemError::NoKey)?;
        if block.encrypted || block.label == ENCRYPTED {
            return Err(PemError::EncryptedKey);
        }
        let key = SecretSlice::from(Box::<[u8]>::from(block.der.as_slice()));
        match PrivateKeyDer::try_from(key.expose_secret()) {
            Ok(_) => Ok(Self { chain, key }),
            Err(_) => Err(PemError::Key),
        }
    }

    /// The chain in DER, the client's own certificate first.
    pub fn chain(&self) -> impl Iterator<Item = &[u8]> {
        self.chain.iter().map(AsRef::as_ref)
    }

    /// Whether it is the same chain with the same key.
    #[cfg(feature = "client")]
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.chain == other.chain && self.key.expose_secret() == other.key.expose_secret()
    }

    /// The private key in DER.
    #[must_use]
    pub fn key(&self) -> &SecretSlice<u8> {
        &self.key
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ClientIdentity({} certificates and a key)",
            self.chain.len()
        )
    }
}

fn is_key(label: &str) -> bool {
    matches!(
        label,
        "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" | ENCRYPTED
    )
}

const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["client.example".to_owned()]).unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn read(chain: &str, key: &str) -> Result<ClientIdentity, PemError> {
        ClientIdentity::from_pem(
            chain.as_bytes(),
            &SecretSlice::from(key.as_bytes().to_vec()),
        )
    }

    #[test]
    fn chain_and_key_are_read_from_one_file_or_two() {
        let (chain, key) = pair();
        let both = format!("{key}{chain}");
        for (chain, key) in [(&chain, &key), (&both, &both)] {
            assert_eq!(read(chain, key).unwrap().chain().count(), 1);
        }
    }

    #[test]
    fn what_is_missing_or_unusable_is_named() {
        let (chain, key) = pair();
        let encrypted = key.replace("PRIVATE KEY", ENCRYPTED);
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\nAA==\n-----END RSA PRIVATE KEY-----";
        let other = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----";
        for (chain, key, text) in [
            (key.as_str(), key.as_str(), "no certificate found"),
            (&chain, &chain, "no private key found"),
            (&chain, &encrypted, "encrypted"),
            (&chain, old, "encrypted"),
            (&chain, other, "neither PKCS#8"),
        ] {
            let err = read(chain, key).unwrap_err().to_string();
            assert!(err.contains(text), "{err}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let (chain, key) = pair();
        let identity = read(&chain, &key).unwrap();
        assert_eq!(
            format!("{identity:?}"),
            "ClientIdentity(1 certificates and a key)"
        );
    }
}
