//! PEM (RFC 7468) as it is found in the wild: text between the blocks, OpenSSL's own labels.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;

use crate::redact::clean_text;

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
    /// The bytes do not begin with a whole DER sequence.
    #[error("the certificate is not DER: its outer SEQUENCE is missing or cut off")]
    Der,
    /// The private key is of no known kind.
    #[error("the private key is neither PKCS#8 nor PKCS#1 nor SEC1")]
    Key,
}

/// One block between a begin and an end line.
pub(crate) struct Block {
    pub(crate) label: String,
    /// The decoded bytes, which may be a key's.
    pub(crate) der: Zeroizing<Vec<u8>>,
    /// Whether RFC 1421 headers say that the bytes are encrypted.
    pub(crate) encrypted: bool,
}

/// The blocks whose label `wanted` accepts, in order. Other blocks and the text between blocks
/// are passed over, whatever they hold.
pub(crate) fn blocks(pem: &[u8], wanted: fn(&str) -> bool) -> Result<Vec<Block>, PemError> {
    let mut found = Vec::new();
    let mut lines = pem
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .zip(1..);
    while let Some((text, line)) = lines.next() {
        let Some(label) = boundary(text, b"-----BEGIN ").filter(|label| wanted(label)) else {
            continue;
        };
        let Some(body) = body(&mut lines, label) else {
            let label = clean_text(label, LABEL_LIMIT);
            return Err(PemError::Unterminated { label, line });
        };
        let block = Block::read(label, &body).map_err(|source| PemError::Base64 {
            label: clean_text(label, LABEL_LIMIT),
            line,
            source,
        })?;
        found.push(block);
    }
    Ok(found)
}

/// The lines up to the end line of `label`; `None` if another block or the end comes first.
fn body<'a>(
    lines: &mut impl Iterator<Item = (&'a [u8], usize)>,
    label: &str,
) -> Option<Vec<&'a [u8]>> {
    let mut body = Vec::new();
    for (line, _) in lines {
        if boundary(line, b"-----END ").is_some_and(|end| end == label) {
            return Some(body);
        }
        if line.starts_with(b"-----") {
            return None;
        }
        body.push(line);
    }
    None
}

impl Block {
    fn read(label: &str, body: &[&[u8]]) -> Result<Self, base64::DecodeError> {
        let length = body.iter().map(|line| line.len()).sum();
        // In one piece from the start: a buffer that grows leaves its content behind.
        let mut base64 = Zeroizing::new(Vec::with_capacity(length));
        let mut encrypted = false;
        for line in body {
            if line.contains(&b':') {
                // A header of RFC 1421, such as `Proc-Type: 4,ENCRYPTED`.
                encrypted |= line.ends_with(b"ENCRYPTED");
            } else if line.iter().any(u8::is_ascii_whitespace) {
                base64.extend(line.iter().filter(|byte| !byte.is_ascii_whitespace()));
            } else {
                base64.extend_from_slice(line);
            }
        }
        let mut der = Zeroizing::new(Vec::with_capacity(length));
        STANDARD.decode_vec(base64.as_slice(), &mut der)?;
        Ok(Self {
            label: label.to_owned(),
            der,
            encrypted,
        })
    }
}

/// The label of a begin or end line.
fn boundary<'a>(line: &'a [u8], start: &[u8]) -> Option<&'a str> {
    let label = line.strip_prefix(start)?.strip_suffix(b"-----")?;
    std::str::from_utf8(label).ok()
}

/// The first DER SEQUENCE (X.690 §8.1) of `bytes`: OpenSSL's trusted form of a certificate is the
/// certificate followed by what it is trusted for.
pub(crate) fn first_sequence(bytes: &[u8]) -> Result<&[u8], PemError> {
    let (&[tag, first], rest) = bytes.split_first_chunk().ok_or(PemError::Der)?;
    if tag != SEQUENCE {
        return Err(PemError::Der);
    }
    let (header, length) = match first {
        0..=0x7f => (2, usize::from(first)),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            let digits = rest.get(..count).ok_or(PemError::Der)?;
            let length = digits
                .iter()
                .fold(0, |sum, digit| sum << 8 | usize::from(*digit));
            (2 + count, length)
        }
        _ => return Err(PemError::Der),
    };
    let end = length.checked_add(header).ok_or(PemError::Der)?;
    bytes.get(..end).ok_or(PemError::Der)
}

const SEQUENCE: u8 = 0x30;
const LABEL_LIMIT: usize = 40;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn every_label(_: &str) -> bool {
        true
    }

    fn pem(label: &str, der: &[u8]) -> String {
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            STANDARD.encode(der)
        )
    }

    #[test]
    fn the_line_of_a_broken_block_is_named_for_both_kinds_of_line_ends() {
        for (text, line) in [
            ("-----BEGIN X-----\nAA", 1),
            ("a\nb\n-----BEGIN X-----\nAA", 3),
            ("a\r\nb\r\n\r\n-----BEGIN X-----\r\nAA", 4),
            ("\n\n-----BEGIN X-----\n%%%\n-----END X-----", 3),
            (
                "-----BEGIN X-----\nAA==\n-----BEGIN X-----\nAA==\n-----END X-----",
                1,
            ),
        ] {
            let found = blocks(text.as_bytes(), every_label)
                .err()
                .map(|err| err.to_string());
            let found = found.unwrap_or_default();
            assert!(
                found.starts_with(&format!("line {line}: the `X` block")),
                "{text:?}: {found}"
            );
        }
    }

    #[test]
    fn a_sequence_is_cut_out_and_what_follows_is_dropped() {
        let long = [&[0x30, 0x82, 0x01, 0x00][..], &[7; 256], &[0x30, 0x00]].concat();
        for (bytes, length) in [
            (&[0x30, 0x00][..], Some(2)),
            (&[0x30, 0x02, 1, 2, 9, 9], Some(4)),
            (&[0x30, 0x81, 0x01, 5, 9], Some(4)),
            (&long, Some(260)),
            (&[0x30, 0x03, 1, 2], None),
            (&[0x30, 0x82, 0x01], None),
            (&[0x30, 0x80, 0, 0], None),
            (&[0x30, 0x85, 1, 1, 1, 1, 1], None),
            (&[0x02, 0x01, 0], None),
            (&[0x30], None),
            (&[], None),
        ] {
            assert_eq!(
                first_sequence(bytes).ok().map(<[u8]>::len),
                length,
                "{bytes:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn blocks_come_back_whatever_stands_between_them(
            contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..6),
            noise in "[ -,.-~\n\r]{0,80}",
        ) {
            let text: String =
                contents.iter().map(|der| format!("{noise}\n{}", pem("CERTIFICATE", der))).collect();
            let found = blocks(text.as_bytes(), every_label).unwrap();
            prop_assert_eq!(found.iter().map(|block| block.der.to_vec()).collect::<Vec<_>>(), contents);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            drop(blocks(&bytes, every_label));
            drop(first_sequence(&bytes));
        }
    }
}
