//! PEM (RFC 7468) as it is found in the wild: text between the blocks, several kinds of labels.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Why certificates or a key could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// There is no certificate block at all.
    #[error("no certificate found: expected at least one `-----BEGIN CERTIFICATE-----` block")]
    NoCertificate,
    /// There is no private key block at all.
    #[error("no private key found: expected a `-----BEGIN PRIVATE KEY-----` block")]
    NoKey,
    /// The key is protected by a passphrase.
    #[error("the private key is encrypted; decrypt it first, for example with `openssl pkey`")]
    EncryptedKey,
    /// A block has no end line.
    #[error("line {line}: the `{label}` block that begins here has no end line")]
    Unterminated {
        /// The label of the block.
        label: String,
        /// Its first line, counted from 1.
        line: usize,
    },
    /// A block is not base64.
    #[error("line {line}: the `{label}` block that begins here is not base64")]
    Base64 {
        /// The label of the block.
        label: String,
        /// Its first line, counted from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: base64::DecodeError,
    },
    /// The bytes are not one DER sequence.
    #[error("the certificate is not DER: its outer SEQUENCE is missing or cut off")]
    Der,
    /// The private key is of no known kind.
    #[error("the private key is neither PKCS#8 nor PKCS#1 nor SEC1")]
    Key,
}
