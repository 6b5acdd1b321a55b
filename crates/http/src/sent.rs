//! The secrets of a request, so that nothing of its answer is shown that repeats one (ERR-11).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderValue};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use url::form_urlencoded;

use crate::headers::is_credential;

/// The secrets that one request carried. Servers put what they were sent into error texts and pages.
///
/// Every response of an [`HttpClient`](crate::HttpClient) has in its extensions those of its
/// request's headers: credentials, and whatever is marked sensitive. Whoever sends secrets in a body
/// adds them with [`and`](Self::and).
///
/// What an answer says is read as it came, since a tenant's name is a header here and part of a
/// scope or URL there; it is shown only through [`strike`](Self::strike).
#[derive(Clone, Default)]
pub struct SentSecrets {
    /// Most requests carry one secret: their token.
    first: Option<SentHeader>,
    others: Vec<SentHeader>,
    added: Vec<SecretString>,
}

/// A header that was sent: the very bytes of the request, of which no copy is made until an answer has to be struck.
#[derive(Clone)]
struct SentHeader {
    /// The scheme before it is no secret.
    has_scheme: bool,
    value: HeaderValue,
}

impl SentSecrets {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut secrets = headers
            .iter()
            .filter(|(name, value)| value.is_sensitive() || is_credential(name))
            .map(|(name, value)| SentHeader {
                has_scheme: name == AUTHORIZATION || name == PROXY_AUTHORIZATION,
                value: value.clone(),
            });
        Self {
            first: secrets.next(),
            others: secrets.collect(),
            added: Vec::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len() + self.added.len()
    }

    /// The same and another one.
    #[must_use]
    pub fn and(mut self, secret: &SecretString) -> Self {
        self.added.push(secret.clone());
        self
    }

    /// `text` with `…` in place of every part of a secret: as it was sent, as a form or URL encodes
    /// it, or in base64 as within Basic credentials. For what is shown and logged, never for what is
    /// still to be understood.
    ///
    /// A part is [`PART`](Self::PART) bytes in a row or more, since answers cut things short. A
    /// secret of few bytes may be an everyday word, and is struck only where it stands alone. The
    /// work grows with the length of the text and of the secrets, hardly with their product.
    #[must_use]
    pub fn strike(&self, text: &str) -> String {
        let mut marked = Marked::new(text);
        for header in self.first.iter().chain(&self.others) {
            // What is no text cannot be repeated by one.
            if let Ok(value) = std::str::from_utf8(header.value.as_bytes()) {
                marked.mark(header.secret(value));
            }
        }
        for secret in &self.added {
            marked.mark(secret.expose_secret());
        }
        marked.remaining()
    }

    /// How many bytes of a secret in a row give it away.
    pub const PART: usize = 12;
}

impl fmt::Debug for SentSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SentSecrets").field(&self.len()).finish()
    }
}

impl SentHeader {
    fn secret<'a>(&self, value: &'a str) -> &'a str {
        match value.split_once(' ') {
            Some((_, rest)) if self.has_scheme => rest,
            _ => value,
        }
    }
}

/// A text, and which of its bytes belong to a secret.
struct Marked<'a> {
    text: &'a str,
    /// Each part of the text once, in order, and whether a secret has it too.
    parts: Vec<(Part, bool)>,
    struck: Vec<bool>,
}

/// [`SentSecrets::PART`] bytes in a row, as a number.
type Part = u128;

impl<'a> Marked<'a> {
    fn new(text: &'a str) -> Self {
        let mut parts: Vec<_> = parts(text).map(|part| (part, false)).collect();
        parts.sort_unstable();
        parts.dedup();
        Self {
            text,
            parts,
            struck: vec![false; text.len()],
        }
    }

    /// Looks for one secret, however it is written.
    fn mark(&mut self, secret: &str) {
        let form: Zeroizing<String> =
            Zeroizing::new(form_urlencoded::byte_serialize(secret.as_bytes()).collect());
        let blanks = Zeroizing::new(form.replace('+', "%20"));
        let mut all = vec![secret, &form, &blanks];
        all.dedup();
        for written in all {
            if written.len() < SHORTEST_WITHIN {
                self.mark_word(written);
            } else {
                self.mark_within(written);
            }
            // Of fewer bytes too: base64 is no everyday word.
            for before in 0..3 {
                self.mark_within(&in_base64(written, before));
            }
        }
    }

    /// Marks each part; what has none, as it is too short, counts as a whole.
    fn mark_within(&mut self, written: &str) {
        if written.len() >= SentSecrets::PART {
            for part in parts(written) {
                if let Ok(found) = self.parts.binary_search_by_key(&part, |(part, _)| *part) {
                    self.parts[found].1 = true;
                }
            }
        } else if written.len() >= SHORTEST_WITHIN {
            for (at, found) in self.text.match_indices(written) {
                self.struck[at..at + found.len()].fill(true);
            }
        }
    }

    fn mark_word(&mut self, word: &str) {
        if word.len() < SHORTEST {
            return;
        }
        for (at, found) in self.text.match_indices(word) {
            let end = at + found.len();
            if is_edge(self.text, at) && is_edge(self.text, end) {
                self.struck[at..end].fill(true);
            }
        }
    }

    /// The text with each run of struck bytes as one `…`; a character that is struck in part goes
    /// whole.
    fn remaining(mut self) -> String {
        // Bytes before this one are marked already.
        let mut marked = 0;
        for (at, part) in parts(self.text).enumerate() {
            let found = self.parts.binary_search(&(part, true));
            if found.is_ok() {
                let end = at + SentSecrets::PART;
                self.struck[at.max(marked)..end].fill(true);
                marked = end;
            }
        }
        let mut shown = String::with_capacity(self.text.len());
        let mut within = false;
        for (at, character) in self.text.char_indices() {
            let hit = self.struck[at..at + character.len_utf8()].contains(&true);
            if !hit {
                shown.push(character);
            } else if !within {
                shown.push('…');
            }
            within = hit;
        }
        shown
    }
}

/// Every [`SentSecrets::PART`] bytes in a row of `text`.
fn parts(text: &str) -> impl Iterator<Item = Part> {
    let mut part: Part = 0;
    let all = text.bytes().map(move |byte| {
        part = (part << 8 | Part::from(byte)) & WHOLE_PART;
        part
    });
    all.skip(SentSecrets::PART - 1)
}

/// Base64 depends on how many bytes stand before: what is the text's own with so many.
fn in_base64(text: &str, before: usize) -> Zeroizing<String> {
    let bytes = Zeroizing::new([&[0; 2][..before], text.as_bytes()].concat());
    let encoded = Zeroizing::new(STANDARD.encode(&*bytes));
    let own = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
    Zeroizing::new(encoded.get(own).unwrap_or_default().to_owned())
}

/// Whether no word goes on across this place in `text`: `invalid_client` and `well-known` are one.
fn is_edge(text: &str, at: usize) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let (before, after) = text.split_at(at);
    !(before.ends_with(is_word) && after.starts_with(is_word))
}

/// Anything shorter is no secret, and would be found in every sentence.
const SHORTEST: usize = 4;

/// Anything shorter may be part of everyday words.
const SHORTEST_WITHIN: usize = 8;

/// The bits of a whole part.
const WHOLE_PART: Part = (1 << (8 * SentSecrets::PART)) - 1;

#[cfg(test)]
mod tests;
