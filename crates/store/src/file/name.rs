//! Names of files: readable, and made so that no key can collide with another or reach outside the folder.

use sha2::{Digest, Sha256};

use crate::{DEFAULT_ACCOUNT, RecordId, RecordKind};

/// The files that belong to one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    stem: String,
    suffix: &'static str,
}

impl Name {
    /// The name for a record: its kind, a readable part of its key, and a hash of all of its key.
    pub(crate) fn of(id: &RecordId) -> Self {
        let kind = id.kind();
        let slug = slug(id.parts());
        let separator = if slug.is_empty() { "" } else { "-" };
        Self {
            stem: format!("{kind}-{slug}{separator}{}", hash(id)),
            suffix: PLAIN_SUFFIX,
        }
    }

    /// A name that shows nothing but the kind; `hash` is one that nobody can compute without the key.
    #[cfg(feature = "encrypted")]
    pub(crate) fn hidden(kind: RecordKind, hash: &[u8]) -> Self {
        Self {
            stem: format!("{kind}-{}", hex(hash)),
            suffix: SEALED_SUFFIX,
        }
    }

    /// What a directory entry is, among those with `suffix`, or `None` if it is nothing of ours.
    pub(crate) fn of_entry(entry: &str, suffix: &'static str) -> Option<(RecordKind, Entry)> {
        let kind = RecordKind::ALL.into_iter().find(|kind| {
            entry
                .strip_prefix(kind.as_str())
                .is_some_and(|rest| rest.starts_with('-'))
        })?;
        if let Some(stem) = entry.strip_suffix(suffix) {
            let stem = stem.to_owned();
            return Some((kind, Entry::Record(Self { stem, suffix })));
        }
        let (record, number) = entry.rsplit_once(BROKEN_INFIX)?;
        let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        (numbered && record.ends_with(suffix)).then_some((kind, Entry::SetAside))
    }

    pub(crate) fn record(&self) -> String {
        format!("{}{}", self.stem, self.suffix)
    }

    /// The name without an ending, for places that are no files.
    #[cfg(feature = "keyring")]
    pub(crate) fn stem(&self) -> &str {
        &self.stem
    }

    pub(crate) fn being_written(&self) -> String {
        format!(".{}{}.new", self.stem, self.suffix)
    }

    pub(crate) fn set_aside(&self, number: u32) -> String {
        format!("{}{number}", self.set_aside_prefix())
    }

    pub(crate) fn set_aside_prefix(&self) -> String {
        format!("{}{}{BROKEN_INFIX}", self.stem, self.suffix)
    }

    pub(crate) fn lock(&self) -> String {
        format!("{}.lock", self.stem)
    }

    pub(crate) fn save_lock(&self) -> String {
        format!("{}.save", self.stem)
    }
}

/// What a directory entry is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A record.
    Record(Name),
    /// A record that was set aside.
    SetAside,
}

/// The host of a URL and the account, if it is not the usual one: enough for a person, and nothing secret.
fn slug(parts: &[String]) -> String {
    let first = parts.first().map_or("", String::as_str);
    let rest = first.split_once("://").map_or(first, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let accounts = parts
        .iter()
        .skip(1)
        .filter(|account| *account != DEFAULT_ACCOUNT);
    let words = std::iter::once(host).chain(accounts.map(String::as_str));
    let joined = words.collect::<Vec<_>>().join("-");
    let plain = joined
        .chars()
        .map(|character| match character.to_ascii_lowercase() {
            allowed @ ('a'..='z' | '0'..='9' | '.' | '_') => allowed,
            _ => '-',
        });
    plain
        .take(SLUG_LIMIT)
        .collect::<String>()
        .trim_matches(['-', '.'])
        .to_owned()
}

/// 128 bits of SHA-256 over kind and key; both are free of ambiguity, since the key is a JSON array.
fn hash(id: &RecordId) -> String {
    let digest = Sha256::new()
        .chain_update(id.kind().as_str())
        .chain_update(id.key())
        .finalize();
    hex(&digest)
}

/// The first 128 bits of a hash.
fn hex(hash: &[u8]) -> String {
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 0xf)]);
    let bytes = hash.iter().take(HASH_BYTES);
    bytes
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}

/// What the names of records in the clear end with.
pub(crate) const PLAIN_SUFFIX: &str = ".json";
/// What the names of encrypted records end with.
#[cfg(feature = "encrypted")]
pub(crate) const SEALED_SUFFIX: &str = ".sealed";
const BROKEN_INFIX: &str = ".broken-";
/// Characters of the readable part: with all else a name stays far below the 255 bytes that file systems take.
const SLUG_LIMIT: usize = 60;
const HASH_BYTES: usize = 16;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grant(server: &str, account: &str) -> Name {
        Name::of(&RecordId::new(RecordKind::Grant, [server, account]))
    }

    #[test]
    fn a_name_shows_host_and_account_and_no_secret_of_the_url() {
        let cases = [
            (
                "https://MCP.Example.com/a/b?key=s3cret",
                "default",
                "grant-mcp.example.com-",
            ),
            (
                "https://user:s3cret@mcp.example.com:8443/",
                "work",
                "grant-mcp.example.com-8443-work-",
            ),
            ("https://[::1]:9/", "default", "grant-1--9-"),
            ("../../etc/passwd", "../x", "grant-x-"),
            ("", "", "grant-"),
        ];
        for (server, account, prefix) in cases {
            let record = grant(server, account).record();
            let hash = record
                .strip_prefix(prefix)
                .unwrap_or_else(|| panic!("{record}"));
            assert_eq!(hash.len(), 32 + ".json".len(), "{record}");
            assert!(!record.contains("s3cret"));
        }
    }

    #[test]
    fn keys_that_look_alike_have_names_of_their_own() {
        let names = [
            grant("https://a.example/", "default"),
            grant("https://a.example", "default"),
            grant("https://A.example", "default"),
            grant("https://a.example", "Default"),
            grant("https://a.example\",\"default", ""),
            Name::of(&RecordId::new(
                RecordKind::Registration,
                ["https://a.example", "default"],
            )),
            Name::of(&RecordId::new(RecordKind::Grant, ["https://a.example"])),
        ];
        for (index, name) in names.iter().enumerate() {
            assert!(!names[..index].contains(name), "{name:?}");
        }
    }

    #[test]
    fn only_our_own_entries_are_recognised() {
        let name = grant("https://a.example", "default");
        assert_eq!(
            Name::of_entry(&name.record(), PLAIN_SUFFIX),
            Some((RecordKind::Grant, Entry::Record(name.clone())))
        );
        assert_eq!(
            Name::of_entry(&name.set_aside(12), PLAIN_SUFFIX),
            Some((RecordKind::Grant, Entry::SetAside))
        );
        for foreign in [
            name.being_written(),
            name.lock(),
            "config.toml".to_owned(),
            "grant".to_owned(),
        ] {
            assert_eq!(Name::of_entry(&foreign, PLAIN_SUFFIX), None, "{foreign}");
        }
        for foreign in ["grant-x.broken-1", "grant-x.json.broken-", "grants-x.json"] {
            assert_eq!(Name::of_entry(foreign, PLAIN_SUFFIX), None, "{foreign}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_one_plain_path_component_whatever_the_key(server in any::<String>(), account in any::<String>()) {
            let record = grant(&server, &account).record();
            prop_assert!(record.len() < 128);
            prop_assert!(record.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte)));
            prop_assert!(record.starts_with("grant-") && !record.contains(".json."));
        }
    }
}
