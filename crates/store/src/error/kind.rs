//! What kind of failure it is, for programs.

use super::{Error, is_passing};

/// One table gives the enum its names and the list of them; the `match` has no wildcard, so that no variant is
/// left out.
macro_rules! kinds {
    ($($(#[$meta:meta])* $failure:pat $(if $guard:expr)? => $kind:literal,)+) => {
        impl Error {
            /// Every name that [`kind`](Self::kind) gives.
            pub const KINDS: &'static [&'static str] = &[$($(#[$meta])* $kind),+];

            /// The kind of failure as one word for programs, which stays the same when the text changes:
            /// what a person looks up, and a script compares.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self {
                    $($(#[$meta])* $failure $(if $guard)? => $kind,)+
                }
            }
        }
    };
}

kinds! {
    Self::LockTimeout { .. } | Self::LockLost { .. } => "store-busy",
    Self::Io { source, .. } if is_passing(source) => "store-busy",
    Self::Io { .. } => "store-file-failed",
    Self::UnsafeFile { .. } => "store-unsafe",
    Self::Conflict { .. } => "store-record-changed",
    Self::TooLarge { .. } => "store-record-too-large",
    Self::Encode { .. } | Self::Sealing(_) | Self::InTheWay { .. } | Self::NotKept { .. } => "store-not-kept",
    Self::SameStore { .. } => "store-move-refused",
    Self::NewerVersion { .. } => "store-newer",
    Self::Random(_) => "no-randomness",
    Self::Key { .. } => "store-key-refused",
    Self::OtherFormat { .. } => "store-other-format",
    Self::Runtime(_) => "internal",
    #[cfg(feature = "keyring")]
    Self::Keyring { source, .. } if source.is_transient() => "keyring-busy",
    #[cfg(feature = "keyring")]
    Self::Keyring { source, .. } if source.is_locked() => "keyring-locked",
    #[cfg(feature = "keyring")]
    Self::Keyring { .. } => "keyring-unusable",
    Self::Backend { transient: true, .. } => "database-unavailable",
    Self::Backend { .. } => "database-refused",
}
