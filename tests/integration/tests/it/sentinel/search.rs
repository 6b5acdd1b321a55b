//! Finds secrets in what was said: as they are, in the encodings that logs and protocols use, and in parts of them.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    hash::{BuildHasherDefault, Hasher},
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use url::form_urlencoded;

use super::secrets::Secret;

/// How many bytes of a secret, or of an encoding of it, in a row count as found.
pub(crate) const PART: usize = 12;

/// How a secret was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Encoding {
    Raw,
    /// As in a form: only what has to be.
    Form,
    /// As in a URL: a blank is `%20`.
    Percent,
    /// Every byte, as nobody needs to and some do.
    PercentAll,
    /// In a JSON or Rust string.
    Escaped,
    /// `\u0061` for everything.
    Unicode,
    /// In a web page.
    Html,
    Base64,
    Base64Url,
    /// `61` or `3A`, also within `[61, 3a]` and `61:3a`.
    Hex,
    HexUpper,
    HexList,
    HexColons,
    /// `[97, 58]`, as `Debug` writes bytes.
    Decimal,
}

impl Encoding {
    pub(crate) const ALL: [Self; 14] = [
        Self::Raw,
        Self::Form,
        Self::Percent,
        Self::PercentAll,
        Self::Escaped,
        Self::Unicode,
        Self::Html,
        Self::Base64,
        Self::Base64Url,
        Self::Hex,
        Self::HexUpper,
        Self::HexList,
        Self::HexColons,
        Self::Decimal,
    ];

    /// The ways in which `bytes` are written so: more than one where what stands before them matters.
    pub(crate) fn of(self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let each = |write: &dyn Fn(u8) -> String, between: &str| {
            let parts: Vec<_> = bytes.iter().map(|byte| write(*byte)).collect();
            vec![parts.join(between).into_bytes()]
        };
        match self {
            Self::Raw => vec![bytes.to_vec()],
            Self::Form => vec![form(bytes).into_bytes()],
            Self::Percent => vec![form(bytes).replace('+', "%20").into_bytes()],
            Self::PercentAll => each(&|byte| format!("%{byte:02X}"), ""),
            Self::Escaped => vec![escaped(bytes).into_bytes()],
            Self::Unicode => each(&|byte| format!("\\u{byte:04x}"), ""),
            Self::Html => vec![html(bytes).into_bytes()],
            Self::Base64 => base64(bytes),
            Self::Base64Url => base64(bytes).iter().map(|text| url_safe(text)).collect(),
            Self::Hex => each(&|byte| format!("{byte:02x}"), ""),
            Self::HexUpper => each(&|byte| format!("{byte:02X}"), ""),
            Self::HexList => each(&|byte| format!("{byte:x}"), ", "),
            Self::HexColons => each(&|byte| format!("{byte:02x}"), ":"),
            Self::Decimal => each(&|byte| byte.to_string(), ", "),
        }
    }
}

/// Where a secret was found.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hit<'a> {
    pub(crate) secret: &'a Secret,
    pub(crate) encoding: Encoding,
    /// What stands around it.
    pub(crate) context: String,
}

/// A search for many secrets at once: one pass over the text, however many there are.
pub(crate) struct Search<'a> {
    secrets: &'a [Secret],
    parts: HashMap<Part, (usize, Encoding), BuildHasherDefault<PartHasher>>,
    /// Whether any part ends with these two bytes.
    ends: Vec<bool>,
}

/// [`PART`] bytes in a row, as a number.
type Part = u128;

/// Secrets are random already.
#[derive(Default)]
struct PartHasher(u64);

impl Hasher for PartHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, part: Part) {
        let mixed = (part as u64) ^ ((part >> 64) as u64).rotate_left(32);
        let product = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ (product >> 32);
    }
}

impl<'a> Search<'a> {
    /// # Panics
    /// When a secret is too short to be told from other text.
    pub(crate) fn new(secrets: &'a [Secret]) -> Self {
        let mut search = Self {
            secrets,
            parts: HashMap::default(),
            ends: vec![false; 1 << 16],
        };
        for (index, secret) in secrets.iter().enumerate() {
            assert!(secret.bytes.len() >= PART, "{secret:?} is too short");
            // A secret within Basic credentials is form-encoded before it is anything else.
            let mut texts = vec![secret.bytes.clone(), form(&secret.bytes).into_bytes()];
            texts.dedup();
            // Where nothing has to be encoded, several encodings are the same.
            let mut known = HashSet::new();
            for text in &texts {
                for encoding in Encoding::ALL {
                    for encoded in encoding.of(text) {
                        if known.insert(encoded.clone()) {
                            search.add(index, encoding, &encoded);
                        }
                    }
                }
            }
        }
        search
    }

    fn add(&mut self, index: usize, encoding: Encoding, text: &[u8]) {
        for (_, part) in parts(text) {
            self.ends[end(part)] = true;
            self.parts.entry(part).or_insert((index, encoding));
        }
    }

    /// Each secret at most once for each encoding.
    pub(crate) fn find(&self, text: &[u8]) -> Vec<Hit<'a>> {
        let mut hits: Vec<(usize, Encoding, usize)> = Vec::new();
        for (at, part) in parts(text) {
            if !self.ends[end(part)] {
                continue;
            }
            let Some(&(index, encoding)) = self.parts.get(&part) else {
                continue;
            };
            if !hits.iter().any(|hit| hit.0 == index && hit.1 == encoding) {
                hits.push((index, encoding, at));
            }
        }
        let hit = |(index, encoding, at): (usize, Encoding, usize)| Hit {
            secret: &self.secrets[index],
            encoding,
            context: context(text, at),
        };
        hits.into_iter().map(hit).collect()
    }
}

impl fmt::Debug for Hit<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            secret,
            encoding,
            context,
        } = self;
        write!(out, "{:?} as {encoding:?} in …{context}…", secret.kind)
    }
}

/// Where each part of a text begins, and the part.
fn parts(text: &[u8]) -> impl Iterator<Item = (usize, Part)> {
    let mut part: Part = 0;
    let all = text.iter().enumerate().map(move |(at, byte)| {
        part = (part << 8 | Part::from(*byte)) & WHOLE_PART;
        (at, part)
    });
    let whole = all.skip(PART - 1);
    whole.map(|(end, part)| (end + 1 - PART, part))
}

fn end(part: Part) -> usize {
    (part & 0xffff) as usize
}

fn context(text: &[u8], at: usize) -> String {
    let around = at.saturating_sub(CONTEXT)..(at + PART + CONTEXT).min(text.len());
    String::from_utf8_lossy(&text[around]).into_owned()
}

fn form(bytes: &[u8]) -> String {
    form_urlencoded::byte_serialize(bytes).collect()
}

fn escaped(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let json = serde_json::to_string(&text).expect("text is JSON");
    json.trim_matches('"').to_owned()
}

fn html(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// As it comes out after a multiple of three bytes, one more and two more: without the characters that what stands before
/// and after has a part in.
fn base64(bytes: &[u8]) -> Vec<Vec<u8>> {
    let shifted = |shift: usize| {
        let mut padded = vec![0; shift];
        padded.extend_from_slice(bytes);
        let text = STANDARD_NO_PAD.encode(&padded);
        let own = (shift * 8).div_ceil(6)..padded.len() * 8 / 6;
        text.as_bytes()[own].to_vec()
    };
    (0..3).map(shifted).collect()
}

fn url_safe(text: &[u8]) -> Vec<u8> {
    let replace = |byte: &u8| match byte {
        b'+' => b'-',
        b'/' => b'_',
        other => *other,
    };
    text.iter().map(replace).collect()
}

/// The bits of a whole part.
const WHOLE_PART: Part = (1 << (8 * PART)) - 1;
const CONTEXT: usize = 60;
