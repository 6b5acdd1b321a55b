//! What a program or library left behind, and where a secret may be in it after all.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{
    search::Search,
    secrets::{Kind, Secret},
};

/// Where something was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Stdout,
    /// Messages and the log.
    Stderr,
    /// The arguments of the program and of what it started.
    Arguments,
    /// The environment of what the program started.
    Environment,
    /// A file of the home, by its path in it.
    File(String),
    /// A log record of the library.
    Log,
    /// `Display` or `Debug` of a value.
    Text,
}

/// Something that was said, and by whom.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    pub(crate) place: Place,
    pub(crate) from: String,
    pub(crate) bytes: Vec<u8>,
}

/// Where secrets may be, and why. What is not here is a leak.
///
/// Two more are not kinds in places but exact texts, which are taken out before the search: the address of the authorization
/// page ([`Evidence::without_page`]) and the variables that the person exported ([`Evidence::without_variables`]).
const EXCEPTIONS: &[(Kind, &str, &str)] = &[
    (
        Kind::HeaderValue,
        "config.toml",
        "the person wrote it there",
    ),
    (
        Kind::ClientSecret,
        "config.toml",
        "the person wrote it there",
    ),
    (
        Kind::ProxyPassword,
        "config.toml",
        "the person wrote it there",
    ),
    (
        Kind::ClientKey,
        "client-key.pem",
        "the person put it there; only its path is configured",
    ),
    (
        Kind::SigningKey,
        "signing-key.pem",
        "the person put it there; only its path is configured",
    ),
    (Kind::SigningKey, "config.toml", "the person wrote it there"),
    (
        Kind::HeaderFromFile,
        "file-key",
        "the person wrote it there",
    ),
    (
        Kind::HeaderFromProgram,
        "printed-key",
        "the program prints it from there",
    ),
    (
        Kind::SigningKey,
        "half.pem",
        "the person put it there, though it is none",
    ),
    (
        Kind::WorkloadJwt,
        "workload.jwt",
        "the platform keeps it there",
    ),
    (
        Kind::WorkloadJwt,
        "print-jwt",
        "a program that prints it, in place of one that asks for it",
    ),
    (
        Kind::IdToken,
        "identity.jwt",
        "whoever signed the person on put it there",
    ),
];

/// What was found where it must not be; empty is good.
pub(crate) fn leaks(secrets: &[Secret], evidence: &[Evidence]) -> Vec<String> {
    let search = Search::new(secrets);
    let mut leaks = Vec::new();
    for said in evidence {
        for hit in search.find(&without_excepted(secrets, said)) {
            if !is_excepted(hit.secret, &said.place) {
                leaks.push(format!("{} ({:?}): {hit:?}", said.from, said.place));
            }
        }
    }
    leaks
}

fn is_excepted(secret: &Secret, place: &Place) -> bool {
    let Place::File(name) = place else {
        return false;
    };
    EXCEPTIONS
        .iter()
        .any(|(kind, file, _)| *kind == secret.kind && file == name)
}

/// Without the secrets that may be there, as they are: one JWT has parts of another.
fn without_excepted<'a>(secrets: &[Secret], said: &'a Evidence) -> Cow<'a, [u8]> {
    let mut rest = Cow::Borrowed(said.bytes.as_slice());
    for secret in secrets {
        let length = secret.bytes.len();
        let at = |text: &[u8]| text.windows(length).position(|part| part == secret.bytes);
        while is_excepted(secret, &said.place)
            && let Some(start) = at(&rest)
        {
            rest.to_mut().splice(start..start + length, *b"(excepted)");
        }
    }
    rest
}

impl Evidence {
    pub(crate) fn new(place: Place, from: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            place,
            from: from.to_owned(),
            bytes: bytes.into(),
        }
    }

    /// Without the address of the authorization page, once: a person has to be able to open it, and it holds `state`, which
    /// only ties the answer to the question. It is searched by itself for everything else.
    pub(crate) fn without_page(mut self, pages: &[String]) -> Self {
        let mut text = String::from_utf8_lossy(&self.bytes).into_owned();
        for page in pages {
            text = text.replacen(page, "(the authorization page)", 1);
        }
        self.bytes = text.into_bytes();
        self
    }

    /// Without the lines of variables exactly as the person exported them, which every child inherits; the program
    /// neither adds nor renames one.
    pub(crate) fn without_variables(mut self, variables: &[(String, String)]) -> Self {
        let exported: BTreeSet<_> = variables
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        let others: Vec<_> = text
            .lines()
            .filter(|line| !exported.contains(*line))
            .collect();
        self.bytes = others.join("\n").into_bytes();
        self
    }
}

/// Every file of a home but the records of grants and registrations, which are where secrets are kept; those must be their
/// owner's alone.
///
/// # Panics
/// When a record or its folder is open to others.
pub(crate) fn files(home: &Path) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    for path in walk(home) {
        let name = path.strip_prefix(home).expect("a path in the home");
        if is_secret_record(name) {
            assert_private(&path);
            continue;
        }
        let bytes = fs::read(&path).expect("a readable file");
        let name = name.display().to_string();
        evidence.push(Evidence::new(Place::File(name), "the home", bytes));
    }
    evidence
}

/// How many records of secrets there are.
pub(crate) fn secret_records(home: &Path) -> Vec<PathBuf> {
    walk(home)
        .into_iter()
        .filter(|path| path.strip_prefix(home).is_ok_and(is_secret_record))
        .collect()
}

fn is_secret_record(name: &Path) -> bool {
    let file = name.file_name().unwrap_or_default().to_string_lossy();
    let file = file.trim_start_matches('.');
    name.parent() == Some(Path::new("state"))
        && (file.starts_with("grant-") || file.starts_with("registration-"))
}

fn assert_private(path: &Path) {
    let mode = |path: &Path| {
        let metadata = fs::metadata(path).expect("a file that is there");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode(path), 0o600, "{}", path.display());
    let folder = path.parent().expect("a folder");
    assert_eq!(mode(folder), 0o700, "{}", folder.display());
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else {
            files.push(path);
        }
    }
    files
}
