//! The classes of attack.

use std::fmt;

/// What kind of thing a hostile party does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Forged,
    Redirect,
    Challenge,
    Callback,
    TokenAnswer,
    Registration,
    Sse,
    Size,
    Slowness,
    Encoding,
    Unicode,
    DuplicateKeys,
    Nesting,
    DuplicateHeaders,
    Rebinding,
}

impl Class {
    pub(super) const ALL: [Self; 15] = [
        Self::Forged,
        Self::Redirect,
        Self::Challenge,
        Self::Callback,
        Self::TokenAnswer,
        Self::Registration,
        Self::Sse,
        Self::Size,
        Self::Slowness,
        Self::Encoding,
        Self::Unicode,
        Self::DuplicateKeys,
        Self::Nesting,
        Self::DuplicateHeaders,
        Self::Rebinding,
    ];
}

impl fmt::Display for Class {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Forged => "forged document",
            Self::Redirect => "redirect",
            Self::Challenge => "challenge",
            Self::Callback => "callback",
            Self::TokenAnswer => "token answer",
            Self::Registration => "registration answer",
            Self::Sse => "event stream",
            Self::Size => "size",
            Self::Slowness => "slowness",
            Self::Encoding => "encoding",
            Self::Unicode => "Unicode",
            Self::DuplicateKeys => "duplicate keys",
            Self::Nesting => "nesting",
            Self::DuplicateHeaders => "duplicate headers",
            Self::Rebinding => "rebinding name",
        })
    }
}
