//! Records as every backend sees them: an id, bytes and a generation.

use std::fmt;

use zeroize::Zeroizing;

use crate::Problem;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RecordKind {
    /// Tokens and what is needed to refresh them: [`Grant`](crate::Grant).
    Grant,
    /// A client known to an authorization server: [`Registration`](crate::Registration).
    Registration,
    /// What a warm start remembers of a server: [`ServerFacts`](crate::ServerFacts).
    Facts,
    /// When logins of an account began, and one that waits for its callback: [`Login`](crate::Login).
    Login,
    /// What was learned about an authorization server: [`IssuerFacts`](crate::IssuerFacts).
    Issuer,
}

impl RecordKind {
    /// Every kind there is.
    pub const ALL: [Self; 5] = [
        Self::Grant,
        Self::Registration,
        Self::Facts,
        Self::Login,
        Self::Issuer,
    ];

    /// The name of the kind in files, tables and keyrings: `grant`, `registration`, `facts`, `login`, `issuer`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Registration => "registration",
            Self::Facts => "facts",
            Self::Login => "login",
            Self::Issuer => "issuer",
        }
    }

    /// The kind of that name, or `None`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names one record of a store: its kind, and the exact strings of its key, in order.
///
/// The strings may be URLs that carry a secret in their query or user part, so `Debug` and `Display` leave those out.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    kind: RecordKind,
    parts: Vec<String>,
}

impl RecordId {
    /// The record of that kind whose key is `parts`.
    pub fn new(kind: RecordKind, parts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            kind,
            parts: parts.into_iter().map(Into::into).collect(),
        }
    }

    /// What the record holds.
    #[must_use]
    pub fn kind(&self) -> RecordKind {
        self.kind
    }

    /// The strings of the key, in order.
    #[must_use]
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// The key as one string, for stores with one text column or attribute: a JSON array.
    #[must_use]
    pub fn key(&self) -> String {
        // Strings can always be written.
        serde_json::to_string(&self.parts).unwrap_or_default()
    }

    /// The record of that kind whose [`key`](Self::key) is `key`, or `None` if `key` is not one.
    #[must_use]
    pub fn from_key(kind: RecordKind, key: &str) -> Option<Self> {
        let parts: Vec<String> = serde_json::from_str(key).ok()?;
        Some(Self { kind, parts })
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} of", self.kind)?;
        for (index, part) in self.parts.iter().enumerate() {
            let separator = if index == 0 { " " } else { " / " };
            write!(f, "{separator}{}", Shown(part))?;
        }
        Ok(())
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordId({self})")
    }
}

/// Which version of a record this is. Opaque: compare it, hand it back, and nothing else.
///
/// Within the life of a record each save has a greater one than the save before; a record that was removed and made
/// anew never gets one that it had before, so that an old generation cannot match a newer record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u64);

impl Generation {
    /// For backends: the generation of that number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// For backends: the number that is stored.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// For backends: the generation that the next save of the same record gets.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A value and the generation it was stored under.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stored<T> {
    /// What was stored.
    pub value: T,
    /// Which version of it; hand it to the next save or remove.
    pub generation: Generation,
}

impl<T> Stored<T> {
    /// `value`, stored as `generation`.
    pub const fn new(value: T, generation: Generation) -> Self {
        Self { value, generation }
    }
}

/// The bytes of a record, wiped from memory on drop, and their generation.
#[derive(Clone)]
#[non_exhaustive]
pub struct RawRecord {
    /// One JSON object in UTF-8, as the store saved it.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Which version of it.
    pub generation: Generation,
}

impl RawRecord {
    /// Bytes as they were saved, and their generation.
    #[must_use]
    pub const fn new(bytes: Zeroizing<Vec<u8>>, generation: Generation) -> Self {
        Self { bytes, generation }
    }
}

impl fmt::Debug for RawRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawRecord")
            .field("bytes", &format_args!("[{} bytes]", self.bytes.len()))
            .field("generation", &self.generation)
            .finish()
    }
}

/// What a store holds, and what it found but could not use.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Listing<T> {
    /// What can be used.
    pub entries: Vec<T>,
    /// What was found and set aside, refused or repaired, now or earlier; each says what to do.
    pub problems: Vec<Problem>,
}

impl<T> Listing<T> {
    /// These entries and problems.
    #[must_use]
    pub const fn new(entries: Vec<T>, problems: Vec<Problem>) -> Self {
        Self { entries, problems }
    }
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new())
    }
}

/// A part of a key as people may see it: no user part, query or fragment of a URL, no control characters, bounded.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.split(['?', '#']).next().unwrap_or_default();
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, text),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let authority = match scheme {
            Some(_) => authority.rsplit('@').next().unwrap_or_default(),
            None => authority,
        };
        let shown = scheme
            .into_iter()
            .flat_map(|scheme| [scheme, "://"])
            .chain([authority, path]);
        for character in shown.flat_map(str::chars).take(SHOWN_LIMIT) {
            fmt::Write::write_char(f, visible(character))?;
        }
        Ok(())
    }
}

/// A character as it may be shown: nothing that a terminal obeys, turns the text around or shows as nothing.
pub(crate) fn visible(character: char) -> char {
    let plain = matches!(character, ' ' | '"' | '\'' | '\\');
    // Of all others, those that are printed are the ones that need no escape.
    if plain || character.escape_debug().count() == 1 {
        character
    } else {
        '\u{fffd}'
    }
}

/// Characters of one part of a key that are shown.
const SHOWN_LIMIT: usize = 200;
