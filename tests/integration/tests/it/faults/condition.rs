//! What goes wrong.

use std::{fmt, time::Duration};

use doorkey_testkit::Fault;

/// One way for a request to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Answered with this status and a short text, or a redirect.
    Status(u16),
    /// 200 and no body.
    Empty,
    /// 200 and a web page.
    Html,
    /// The right answer under the wrong content type.
    WrongType,
    /// Less than was announced.
    Truncated,
    /// More than anybody reads.
    Oversized,
    /// Later than anybody waits.
    Slow,
    /// Handled, and the connection closed in place of an answer.
    Lost,
    /// No connection.
    Refused,
}

impl Condition {
    pub(crate) const ALL: [Self; 17] = [
        Self::Status(302),
        Self::Status(400),
        Self::Status(401),
        Self::Status(403),
        Self::Status(404),
        Self::Status(418),
        Self::Status(429),
        Self::Status(500),
        Self::Status(503),
        Self::Empty,
        Self::Html,
        Self::WrongType,
        Self::Truncated,
        Self::Oversized,
        Self::Slow,
        Self::Lost,
        Self::Refused,
    ];

    /// What the server commits; `None` if it takes no server.
    pub(crate) fn fault(self) -> Option<Fault> {
        Some(match self {
            Self::Status(status) => {
                let header = match status {
                    300..400 => vec![("location", "/elsewhere")],
                    429 | 503 => vec![("retry-after", "7")],
                    _ => Vec::new(),
                };
                let header = header.into_iter();
                let header = header.map(|(name, value)| (name.to_owned(), value.to_owned()));
                let text = format!("the words of a {status}\n");
                Fault::Status(status, header.collect(), text)
            }
            Self::Empty => Fault::Empty,
            Self::Html => Fault::Html,
            Self::WrongType => Fault::WrongContentType,
            Self::Truncated => Fault::Truncated,
            Self::Oversized => Fault::Oversized(MORE_THAN_ANY_LIMIT),
            Self::Slow => Fault::Slow(LATER_THAN_ANY_LIMIT),
            Self::Lost => Fault::AnswerLost,
            Self::Refused => return None,
        })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(out, "{status}"),
            Self::Empty => out.write_str("empty"),
            Self::Html => out.write_str("a web page"),
            Self::WrongType => out.write_str("wrong content type"),
            Self::Truncated => out.write_str("truncated"),
            Self::Oversized => out.write_str("oversized"),
            Self::Slow => out.write_str("slow"),
            Self::Lost => out.write_str("answer lost"),
            Self::Refused => out.write_str("connection refused"),
        }
    }
}

/// An answer of the MCP server may have 16 MiB, any other 1 MiB.
const MORE_THAN_ANY_LIMIT: u64 = 17 * 1024 * 1024;
const LATER_THAN_ANY_LIMIT: Duration = Duration::from_secs(120);
