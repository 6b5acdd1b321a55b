//! The way back by hand: the address that a browser on another machine ended at, pasted here.

use std::sync::Arc;

use doorkey_oauth::{Callback, CallbackVerdict};
use tokio::sync::oneshot;
use url::Url;

use crate::progress::{LoginStep, PasteProblem, Progress};

/// The callback in a pasted line, which then goes through the same checks as one that the listener
/// got (RSP-16). `None`: there is none in it, and the person is told.
pub(super) fn callback(
    line: &str,
    redirect_uri: &str,
    progress: &Arc<dyn Progress>,
) -> Option<Callback> {
    let line = line.trim();
    if line.is_empty() {
        return None;
    }
    let Some(query) = query_of(line, redirect_uri) else {
        progress.report(&LoginStep::Paste(PasteProblem::NotTheAddress));
        return None;
    };
    let (reply, verdict) = oneshot::channel();
    let progress = Arc::clone(progress);
    tokio::spawn(async move {
        if let Ok(CallbackVerdict::Ignored) = verdict.await {
            progress.report(&LoginStep::Paste(PasteProblem::OtherLogin));
        }
    });
    Some(Callback::with_reply(query, reply))
}

/// The query of the redirect URI, or a query alone.
fn query_of(line: &str, redirect_uri: &str) -> Option<String> {
    match Url::parse(line) {
        Ok(pasted) => {
            let redirect = Url::parse(redirect_uri).ok()?;
            let same = |of: fn(&Url) -> Option<&str>| of(&pasted) == of(&redirect);
            let same_place = pasted.scheme() == redirect.scheme()
                && same(Url::host_str)
                && pasted.port_or_known_default() == redirect.port_or_known_default()
                && pasted.path() == redirect.path();
            same_place.then(|| pasted.query().unwrap_or_default().to_owned())
        }
        Err(_) => {
            let query = line.strip_prefix('?').unwrap_or(line);
            let is_query = url::form_urlencoded::parse(query.as_bytes())
                .any(|(name, _)| name == "code" || name == "error");
            is_query.then(|| query.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_found_in_an_address_or_alone_and_nowhere_else() {
        let redirect = "http://127.0.0.1:4000/callback";
        for (line, query) in [
            (
                "http://127.0.0.1:4000/callback?code=a&state=b",
                Some("code=a&state=b"),
            ),
            ("http://127.0.0.1:4000/callback?code=a#x", Some("code=a")),
            ("?code=a&state=b", Some("code=a&state=b")),
            (
                "error=access_denied&state=b",
                Some("error=access_denied&state=b"),
            ),
            ("http://127.0.0.1:4001/callback?code=a", None),
            ("http://127.0.0.1:4000/other?code=a", None),
            ("https://127.0.0.1:4000/callback?code=a", None),
            ("https://as.example/authorize?code=a", None),
            ("yes", None),
            ("a b c", None),
        ] {
            assert_eq!(query_of(line, redirect).as_deref(), query, "{line}");
        }
    }
}
