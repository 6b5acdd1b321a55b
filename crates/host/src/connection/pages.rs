//! A list of a server, page by page (MCP, pagination), within limits: the server says whether another page follows, and a
//! page that it lets be kept is read again without being asked for.

use std::collections::HashSet;
use std::io::{self, Write};

use doorkey_rmcp::rmcp::model::PaginatedRequestParams;
use doorkey_rmcp::rmcp::service::ServiceError;
use serde::Serialize;

/// How a list that a server gives in pages is no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndlessList {
    /// It leads back to a page that was there before.
    #[error("leads back to a page that was read already")]
    Circle,
    /// It has more pages than are read.
    #[error("has more than {PAGES} pages, which are not read")]
    Pages,
    /// Its pages hold more than is read.
    #[error("has more than {} MiB, which is not read", BYTES / (1024 * 1024))]
    Bytes,
}

/// Why there is no list.
#[derive(Debug)]
pub(super) enum Unlisted {
    Service(ServiceError),
    Endless(EndlessList),
}

/// What a page holds, and where the next one is.
pub(super) type Page<T> = Result<(Vec<T>, Option<String>), ServiceError>;

/// Every item of a list; `page` asks for one page.
pub(super) async fn all<T: Serialize>(
    page: impl AsyncFn(PaginatedRequestParams) -> Page<T>,
) -> Result<Vec<T>, Unlisted> {
    let at = |cursor| PaginatedRequestParams::default().with_cursor(cursor);
    let (mut items, mut next) = page(at(None)).await.map_err(Unlisted::Service)?;
    // The first page is an answer, which has its own limit.
    let mut left = match next {
        None => return Ok(items),
        Some(_) => Left(BYTES).without(&items)?,
    };
    let mut known = HashSet::new();
    while let Some(cursor) = next {
        if known.len() + 1 == PAGES {
            return Err(Unlisted::Endless(EndlessList::Pages));
        }
        if !known.insert(cursor.clone()) {
            return Err(Unlisted::Endless(EndlessList::Circle));
        }
        let (more, after) = page(at(Some(cursor))).await.map_err(Unlisted::Service)?;
        left = left.without(&more)?;
        items.extend(more);
        next = after;
    }
    Ok(items)
}

/// How many bytes of JSON the pages may still have.
struct Left(usize);

impl Left {
    fn without<T: Serialize>(mut self, items: &[T]) -> Result<Self, Unlisted> {
        match serde_json::to_writer(&mut self, items) {
            Ok(()) => Ok(self),
            Err(_full) => Err(Unlisted::Endless(EndlessList::Bytes)),
        }
    }
}

impl Write for Left {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.0.checked_sub(bytes.len());
        self.0 = left.ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Far more than a list has.
const PAGES: usize = 10_000;
/// As much as a single answer may have.
const BYTES: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A list of these pages: what is in each, and the cursor that it leads to.
    async fn listed(
        page: impl Fn(Option<String>) -> (Vec<String>, Option<String>),
    ) -> Result<Vec<String>, Unlisted> {
        all(async |params| Ok(page(params.cursor))).await
    }

    fn endless(outcome: Result<Vec<String>, Unlisted>) -> EndlessList {
        match outcome {
            Err(Unlisted::Endless(fault)) => fault,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn pages_are_joined_in_their_order() {
        let items = listed(|cursor| match cursor.as_deref() {
            None => (vec!["a".to_owned()], Some("2".to_owned())),
            Some("2") => (Vec::new(), Some(String::new())),
            Some("") => (vec!["b".to_owned()], None),
            other => panic!("{other:?}"),
        });
        assert_eq!(items.await.expect("a list"), ["a", "b"]);
    }

    #[tokio::test]
    async fn a_list_that_leads_back_has_pages_without_end_or_is_huge_is_told_so() {
        let circle = listed(|cursor| match cursor.as_deref() {
            None | Some("3") => (Vec::new(), Some("2".to_owned())),
            _ => (Vec::new(), Some("3".to_owned())),
        });
        assert_eq!(endless(circle.await), EndlessList::Circle);
        let asked = Cell::new(0);
        let pages = listed(|_| {
            asked.set(asked.get() + 1);
            (Vec::new(), Some(asked.get().to_string()))
        });
        assert_eq!(endless(pages.await), EndlessList::Pages);
        assert_eq!(asked.get(), PAGES);
        let asked = Cell::new(0);
        let bytes = listed(|_| {
            asked.set(asked.get() + 1);
            (vec!["x".repeat(BYTES / 4)], Some(asked.get().to_string()))
        });
        assert_eq!(endless(bytes.await), EndlessList::Bytes);
        assert_eq!(asked.get(), 4);
    }

    #[tokio::test]
    async fn a_single_page_is_an_answer_and_has_the_limit_of_one() {
        let items = listed(|_| (vec!["x".repeat(BYTES)], None));
        assert_eq!(items.await.expect("a list").len(), 1);
    }
}
