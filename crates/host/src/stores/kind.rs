//! The kinds of stores there are.

use std::fmt;

/// A kind of store that logins can be kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreKind {
    /// Items of the operating system's keyring (feature `keyring`).
    Keyring,
    /// Encrypted files (feature `encrypted`).
    EncryptedFile,
    /// Files in plain text that only their owner can read.
    File,
    /// Memory: gone when the program ends.
    Memory,
    /// A PostgreSQL database (feature `postgres`).
    Postgres,
}

impl StoreKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Keyring,
        Self::EncryptedFile,
        Self::File,
        Self::Memory,
        Self::Postgres,
    ];

    /// The word for it in `config.toml`, on the command line and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::EncryptedFile => "encrypted_file",
            Self::File => "file",
            Self::Memory => "memory",
            Self::Postgres => "postgres",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
