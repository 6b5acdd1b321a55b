//! The certificate and key by which the client shows itself to a server (mutual TLS).

use std::fmt;

use secrecy::{ExposeSecret, SecretSlice};

use crate::pem::PemError;

/// A client certificate chain and its private key.
#[derive(Clone)]
pub struct ClientIdentity {
    chain: Vec<Vec<u8>>,
    key: SecretSlice<u8>,
}

impl ClientIdentity {
    /// Reads a PEM chain (the client's certificate first) and its PEM key, PKCS#8, PKCS#1 or SEC1.
    /// Both may be the same file.
    ///
    /// # Errors
    ///
    /// [`PemError`]
    pub fn from_pem(_chain: &[u8], _key: &SecretSlice<u8>) -> Result<Self, PemError> {
        todo!()
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientIdentity({} certificates, key)", self.chain.len())
    }
}
