//! The way back by hand: the address that a browser on another machine ended at, or the code that it showed, pasted here.

use std::sync::Arc;

use doorkey_oauth::{Callback, CallbackVerdict};
use tokio::sync::oneshot;
use url::Url;

use crate::progress::{LoginStep, PasteProblem, Progress};

/// What a pasted line may be compared with.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    /// Where the browser ends.
    pub(super) redirect_uri: &'a str,
    /// Where it begins.
    pub(super) page: Option<&'a Url>,
}

/// What is in a pasted line.
#[derive(Debug, PartialEq, Eq)]
enum Pasted<'a> {
    /// The query of an authorization response.
    Response(&'a str),
    /// A code, with its state or alone.
    Code(&'a str, Option<&'a str>),
}

/// The callback in a pasted line, which then goes through the same checks as one that the listener
/// got (RSP-16). `None`: there is none in it, and the person is told.
pub(super) fn callback(
    line: &str,
    expected: Expected<'_>,
    progress: &Arc<dyn Progress>,
) -> Option<Callback> {
    // What a terminal broke into lines, or a person copied with blanks around it, is of one piece.
    let line = line.trim().trim_matches(['<', '>', '"', '\'']);
    if line.is_empty() {
        return None;
    }
    let pasted = match judge(line, expected) {
        Ok(pasted) => pasted,
        Err(problem) => {
            progress.report(&LoginStep::Paste(problem));
            return None;
        }
    };
    let (reply, verdict) = oneshot::channel();
    let progress = Arc::clone(progress);
    tokio::spawn(async move {
        let problem = match verdict.await {
            Ok(CallbackVerdict::Ignored) => PasteProblem::OtherLogin,
            Ok(CallbackVerdict::Insufficient) => PasteProblem::NeedsAddress,
            Ok(CallbackVerdict::Refused { .. }) => PasteProblem::CodeRefused,
            _ => return,
        };
        progress.report(&LoginStep::Paste(problem));
    });
    Some(match pasted {
        Pasted::Response(query) => Callback::with_reply(query.to_owned(), reply),
        Pasted::Code(code, state) => Callback::of_code(code, state, reply),
    })
}

fn judge<'a>(line: &'a str, expected: Expected<'_>) -> Result<Pasted<'a>, PasteProblem> {
    let scheme_is_web = |url: &Url| matches!(url.scheme(), "http" | "https");
    // Browsers show an address without its scheme, and some copy it so.
    let whole = match expected.redirect_uri.split_once("://") {
        Some((scheme, rest)) if line.starts_with(rest.split('/').next().unwrap_or(rest)) => {
            Url::parse(&format!("{scheme}://{line}"))
        }
        _ => Url::parse(line),
    };
    if let Some(address) = whole.ok().filter(scheme_is_web) {
        where_it_ends(&address, expected)?;
        let query = line.split_once('?').map_or("", |(_, query)| query);
        let query = query.split('#').next().unwrap_or_default();
        return response(query).ok_or(PasteProblem::Incomplete);
    }
    let query = line.strip_prefix('?').unwrap_or(line);
    let query = query.split('#').next().unwrap_or_default();
    if has(query, &["code", "error", "state"]) {
        return response(query).ok_or(PasteProblem::Incomplete);
    }
    let (code, state) = match line.split_once('#') {
        Some((code, state)) => (code, Some(state)),
        None => (line, None),
    };
    let is_bare = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let is_code = code.len() >= SHORTEST_CODE && is_bare(code) && state.is_none_or(is_bare);
    let state = state.filter(|state| !state.is_empty());
    is_code
        .then_some(Pasted::Code(code, state))
        .ok_or(PasteProblem::NotTheAddress)
}

/// Whether an address is the one that the browser ends at.
fn where_it_ends(address: &Url, expected: Expected<'_>) -> Result<(), PasteProblem> {
    let redirect = Url::parse(expected.redirect_uri).map_err(|_| PasteProblem::NotTheAddress)?;
    let origin = |url: &Url| {
        let host = url.host_str().map(str::to_owned);
        (url.scheme().to_owned(), host, url.port_or_known_default())
    };
    if origin(address) == origin(&redirect) && address.path() == redirect.path() {
        return Ok(());
    }
    let is_there = expected
        .page
        .is_some_and(|page| origin(page) == origin(address));
    Err(match is_there {
        true => PasteProblem::StillThere,
        false => PasteProblem::OtherAddress,
    })
}

/// A query with a state and what it answers.
fn response(query: &str) -> Option<Pasted<'_>> {
    (has(query, &["code", "error"]) && has(query, &["state"])).then_some(Pasted::Response(query))
}

fn has(query: &str, names: &[&str]) -> bool {
    url::form_urlencoded::parse(query.as_bytes()).any(|(name, value)| {
        let is_named = names.contains(&name.as_ref());
        is_named && !value.is_empty()
    })
}

/// No server hands out codes that could be guessed (RFC 6749 section 10.10): shorter ones have fewer bits than anybody
/// does with. What is shorter was typed by mistake, and goes nowhere.
const SHORTEST_CODE: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "https://as.example/authorize?client_id=c";
    const END: &str = "http://127.0.0.1:4000/callback";

    fn judged(line: &str) -> Result<Pasted<'_>, PasteProblem> {
        let page = Url::parse(PAGE).expect("a URL");
        let expected = Expected {
            redirect_uri: END,
            page: Some(&page),
        };
        judge(line, expected)
    }

    #[test]
    fn an_answer_is_found_in_an_address_a_query_or_a_code_rsp_16() {
        for (line, query) in [
            (
                "http://127.0.0.1:4000/callback?code=a&state=b",
                "code=a&state=b",
            ),
            (
                "http://127.0.0.1:4000/callback?code=a&state=b#x",
                "code=a&state=b",
            ),
            ("127.0.0.1:4000/callback?code=a&state=b", "code=a&state=b"),
            ("?code=a&state=b", "code=a&state=b"),
            ("error=access_denied&state=b", "error=access_denied&state=b"),
        ] {
            assert_eq!(judged(line), Ok(Pasted::Response(query)), "{line}");
        }
        for (line, code, state) in [
            ("4/0AX4XfWh-code-it-is", "4/0AX4XfWh-code-it-is", None),
            ("abcdefghabcdefgh#st=te", "abcdefghabcdefgh", Some("st=te")),
            ("abcdefghabcdef==", "abcdefghabcdef==", None),
        ] {
            assert_eq!(judged(line), Ok(Pasted::Code(code, state)), "{line}");
        }
    }

    #[test]
    fn what_is_no_answer_is_told_apart_rsp_16() {
        use PasteProblem as P;
        for (line, problem) in [
            (END, P::Incomplete),
            ("http://127.0.0.1:4000/callback?code=a", P::Incomplete),
            ("http://127.0.0.1:4000/callback?state=a", P::Incomplete),
            (
                "http://127.0.0.1:4000/callback?code=&state=b",
                P::Incomplete,
            ),
            ("code=a", P::Incomplete),
            (
                "http://127.0.0.1:4001/callback?code=a&state=b",
                P::OtherAddress,
            ),
            (
                "http://127.0.0.1:4000/other?code=a&state=b",
                P::OtherAddress,
            ),
            ("https://127.0.0.1:4000/callback?code=a", P::OtherAddress),
            ("http://localhost:4000/callback?code=a", P::OtherAddress),
            (PAGE, P::StillThere),
            ("https://as.example/error?code=500", P::StillThere),
            ("127.0.0.1:4000/callback", P::Incomplete),
            ("yes", P::NotTheAddress),
            ("git-status", P::NotTheAddress),
            ("cancel", P::NotTheAddress),
            ("where do I find it", P::NotTheAddress),
            ("c\u{f6}de-c\u{f6}de", P::NotTheAddress),
        ] {
            assert_eq!(judged(line), Err(problem), "{line}");
        }
    }
}
