//! Finds what really went wrong below the wrappers of an HTTP library.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use crate::BoxError;

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
    fn a_type_is_found_at_any_depth() {
        let err = link("outer", Some(Box::new(io::Error::other(link("x", None)))));
        assert_eq!(find::<Link>(&*err).map(|link| link.name), Some("outer"));
        assert!(find::<io::Error>(&*err).is_some());
    }
}
