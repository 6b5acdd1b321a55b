//! Finds what really went wrong below the wrappers of an HTTP library.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use crate::BoxError;
#[cfg(feature = "client")]
use crate::address::AddressRefused;

/// A connection that could not be made to the addresses that may be contacted, while others may
/// not. The refusal is no source: the failure is.
#[cfg(feature = "client")]
#[derive(Debug, thiserror::Error)]
#[error("the allowed addresses could not be reached, and others were left out: {refused}")]
pub(crate) struct NarrowedDown {
    pub(crate) refused: AddressRefused,
    pub(crate) source: BoxError,
}

/// The error below `err`, looking into [`io::Error`], whose `source` skips the error it holds.
fn below<'a>(err: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match err.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => err.source(),
    }
}

/// The error and everything below it, outermost first.
pub(crate) fn chain<'a>(
    err: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(err), |err| below(*err)).take(DEPTH_LIMIT)
}

/// The first error of type `E` in the chain.
pub(crate) fn find<'a, E: StdError + 'static>(err: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    chain(err).find_map(|err| err.downcast_ref())
}

/// An error that shows only the deepest cause of `err`: the layers above it say in five ways that
/// a request failed, and name the URL with its query.
pub(crate) fn deepest(err: BoxError) -> BoxError {
    let depth = chain(&*err).count();
    if depth <= 1 {
        err
    } else {
        Box::new(Deepest {
            outer: err,
            depth: depth - 1,
        })
    }
}

/// An error of an exchange that had begun, made fit to show: [`ConnectionCut`] where that is what
/// happened, else the [`deepest`] cause.
pub(crate) fn plain(err: BoxError) -> BoxError {
    if is_cut(&*err) {
        Box::new(ConnectionCut { outer: err })
    } else {
        deepest(err)
    }
}

/// HTTP/2 keeps of such an error no more than its text, so the text counts as well.
fn is_cut(err: &(dyn StdError + 'static)) -> bool {
    chain(err).any(|link| {
        let io = link.downcast_ref::<io::Error>();
        io.is_some_and(|io| io.kind() == io::ErrorKind::UnexpectedEof)
            || link.to_string().contains(CUT_TLS)
    })
}

/// Whether a response was given up because its header block had no end: the connection says so by
/// no more than its text.
pub(crate) fn is_long_head(err: &(dyn StdError + 'static)) -> bool {
    let text = err.to_string();
    text == "message head is too large" || text.contains("too_many_continuations")
}

/// The other side, or something in between, closed the connection in the middle of an answer.
///
/// It is the source of [`Error::Body`](crate::Error::Body), [`Error::Transport`](crate::Error::Transport)
/// and [`BodyError::Broken`](crate::BodyError::Broken). It has no source of its own: what the
/// libraries below say of it is for their users, and kept as [`cause`](Self::cause).
#[derive(thiserror::Error)]
#[error("the connection was cut before the answer was complete")]
pub struct ConnectionCut {
    outer: BoxError,
}

impl ConnectionCut {
    /// What the connection reported: an [`io::Error`] wherever the layers in between kept it.
    #[must_use]
    pub fn cause(&self) -> &(dyn StdError + 'static) {
        match find::<io::Error>(&*self.outer) {
            Some(io) => io,
            None => chain(&*self.outer).last().unwrap_or(&*self.outer),
        }
    }
}

/// The layers above the cause name the URL with its query.
impl fmt::Debug for ConnectionCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConnectionCut").field(&self.cause()).finish()
    }
}

/// What the operating system said, if it did, also of an error that shows its [`deepest`] cause only.
pub(crate) fn io_kind(err: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    let cause = match err.downcast_ref::<Deepest>() {
        Some(deepest) => find::<io::Error>(&*deepest.outer),
        None => find::<io::Error>(err),
    };
    cause.map(io::Error::kind)
}

/// Keeps the whole error, shows its deepest cause.
struct Deepest {
    outer: BoxError,
    depth: usize,
}

impl Deepest {
    fn cause(&self) -> &(dyn StdError + 'static) {
        chain(&*self.outer).nth(self.depth).unwrap_or(&*self.outer)
    }
}

impl fmt::Display for Deepest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.cause(), f)
    }
}

impl fmt::Debug for Deepest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.cause(), f)
    }
}

impl StdError for Deepest {}

/// No honest chain is deeper; a cyclic one must not hang us.
const DEPTH_LIMIT: usize = 32;

/// What rustls says of a connection that ends without a `close_notify` (RFC 8446 §6.1), before it
/// goes on to its documentation.
const CUT_TLS: &str = "without sending TLS close_notify";

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{name}")]
    struct Link {
        name: &'static str,
        #[source]
        source: Option<BoxError>,
    }

    fn link(name: &'static str, source: Option<BoxError>) -> BoxError {
        Box::new(Link { name, source })
    }

    #[test]
    fn the_deepest_cause_is_shown_also_through_io_errors() {
        let inner = link("root", None);
        let io = io::Error::other(inner);
        let err = deepest(link("outer", Some(Box::new(io))));
        assert_eq!(err.to_string(), "root");
        assert!(err.source().is_none());
    }

    #[test]
    fn an_error_without_a_cause_stays_itself() {
        assert!(deepest(link("only", None)).downcast_ref::<Link>().is_some());
    }

    #[test]
    fn a_cut_connection_is_told_in_plain_words_and_its_cause_kept() {
        let tls = "peer closed connection without sending TLS close_notify: https://docs.example/x";
        let eof = || io::Error::new(io::ErrorKind::UnexpectedEof, tls);
        for inner in [
            link("GET https://h/?secret", Some(Box::new(eof()))),
            link("GET https://h/?secret", Some(tls.into())),
            Box::new(eof()),
        ] {
            let err = plain(inner);
            assert_eq!(
                err.to_string(),
                "the connection was cut before the answer was complete"
            );
            assert!(err.source().is_none());
            let cut = err.downcast_ref::<ConnectionCut>().unwrap();
            assert_eq!(cut.cause().to_string(), tls);
            assert!(!format!("{cut:?}").contains("secret"), "{cut:?}");
        }
        let other = plain(link("outer", Some(link("root", None))));
        assert_eq!(other.to_string(), "root");
    }

    #[test]
    fn a_type_is_found_at_any_depth() {
        let err = link("outer", Some(Box::new(io::Error::other(link("x", None)))));
        assert_eq!(find::<Link>(&*err).map(|link| link.name), Some("outer"));
        assert!(find::<io::Error>(&*err).is_some());
    }
}
