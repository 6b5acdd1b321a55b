//! Names for kinds of failures: one table gives an error enum its names and the list of them.

/// Gives an error enum `kind()`, and `KINDS` with every name that it can answer by itself.
///
/// The first block holds the failures with a name of their own, the second those that are told by what is
/// behind them. Both together are one `match` without a wildcard, so that no variant is left out. The second
/// block is looked at first.
#[doc(hidden)]
#[macro_export]
macro_rules! failure_kinds {
    (
        $error:ty {
            $($(#[$meta:meta])* $failure:pat $(if $guard:expr)? => $kind:literal,)+
        } behind {
            $($outer:pat $(if $outer_guard:expr)? => $behind:expr,)*
        }
    ) => {
        impl $error {
            /// Every name that [`kind`](Self::kind) gives, but for those of failures of other crates.
            pub const KINDS: &'static [&'static str] = &[$($(#[$meta])* $kind),+];

            /// The kind of failure as one word for programs, which stays the same when the text changes:
            /// what a person looks up, and a script compares.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self {
                    $($outer $(if $outer_guard)? => $behind,)*
                    $($(#[$meta])* $failure $(if $guard)? => $kind,)+
                }
            }
        }
    };
}

crate::failure_kinds! {
    crate::Error {
        Self::Profile { .. } => "http-setting-unusable",
        Self::Reload { .. } => "network-settings-unusable",
        Self::HeaderRefused { .. } => "header-for-everyone",
        Self::Url { .. } => "url-invalid",
        Self::Endpoint { .. } => "url-refused",
        Self::AddressRefused { .. } => "address-refused",
        Self::RedirectRefused { .. } => "redirect-refused",
        Self::Connect { .. } => "connection-failed",
        Self::Tls { fault: crate::TlsFault::UnknownAuthority, .. } => "certificate-untrusted",
        Self::Tls { fault: crate::TlsFault::ServerCertificate, .. } => "certificate-invalid",
        Self::Tls { fault: crate::TlsFault::ClientCertificate, .. } => "client-certificate-refused",
        Self::Tls { fault: crate::TlsFault::Handshake, .. } => "tls-failed",
        Self::Timeout { .. } => "timed-out",
        Self::HeadersTooLarge { .. } | Self::BodyTooLarge { .. } => "answer-too-large",
        Self::Body { .. } | Self::Transport { .. } => "answer-broken-off",
    } behind {}
}
