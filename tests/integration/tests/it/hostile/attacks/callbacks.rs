//! What comes to the listener before the answer, or in place of it.

use std::sync::Arc;

use url::Url;

use super::super::{
    case::{Case, Verdict},
    class::Class,
    leg::Leg,
    visitor::{authority, request},
};

/// What is sent to the address at which the browser would end.
type Forged = fn(&Url) -> Vec<u8>;

#[expect(clippy::too_many_lines, reason = "a table, one row after the other")]
pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, verdict, then_answers, forged: Forged| {
        Case::new(
            Leg::Callback,
            Class::Callback,
            name,
            verdict,
            move |stage, _| {
                stage.visitor.forge(Arc::new(forged), then_answers);
            },
        )
    };
    let ignored = |name, forged| case(name, Verdict::Works, true, forged);
    let ends = |name, forged| case(name, Verdict::Refused, false, forged);
    let mut cases = vec![
        ignored("another state", |at| {
            get(at, &with(at, "state", "somebody-elses-state-0123456789"))
        }),
        ignored("a state of the right length", |at| {
            let state: String = value(at, "state").chars().rev().collect();
            get(at, &with(at, "state", &state))
        }),
        ignored("no state", |at| get(at, &without(at, "state"))),
        ignored("the state twice", |at| {
            get(at, &format!("{}&state={}", query(at), value(at, "state")))
        }),
        ignored("an error without a state", |at| {
            get(at, "error=access_denied")
        }),
        ignored("an empty query", |at| get(at, "")),
        ignored("a megabyte of query", |at| {
            get(at, &format!("{}&x={}", query(at), "x".repeat(1 << 20)))
        }),
        ignored("a POST", |at| request("POST", at, query(at))),
        ignored("a HEAD", |at| request("HEAD", at, query(at))),
        ignored("another path", |at| {
            let mut other = at.clone();
            other.set_path("/elsewhere");
            get(&other, query(at))
        }),
        ignored("another host", |at| hosted(at, "elsewhere.test")),
        ignored("two hosts", |at| {
            let host = authority(at);
            hosted(at, &format!("{host}\r\nhost: elsewhere.test"))
        }),
        ignored("no host", |at| {
            format!(
                "GET {}?{} HTTP/1.1\r\nconnection: close\r\n\r\n",
                at.path(),
                query(at)
            )
            .into()
        }),
        ignored("no HTTP", |_| {
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()
        }),
        ignored("ten thousand header fields", |at| {
            let fields: String = (0..10_000).map(|at| format!("x-{at}: y\r\n")).collect();
            format!("GET {}?{} HTTP/1.1\r\n{fields}\r\n", at.path(), query(at)).into()
        }),
        ends("another issuer", |at| {
            get(at, &with(at, "iss", "https://elsewhere.test"))
        }),
        ends("no issuer though one was promised", |at| {
            get(at, &without(at, "iss"))
        }),
        ends("the code twice", |at| {
            get(at, &format!("{}&code=another", query(at)))
        }),
        ends("a code and an error", |at| {
            get(at, &format!("{}&error=access_denied", query(at)))
        }),
        ends("neither code nor error", |at| get(at, &without(at, "code"))),
        ends("a code with control characters", |at| {
            get(
                at,
                &format!("{}&code=a%00b%1b%5b31m%0d%0a", without(at, "code")),
            )
        }),
        ends("a code of ten thousand letters", |at| {
            get(at, &with(at, "code", &"x".repeat(10_000)))
        }),
        ends("an error with markup", |at| {
            let error = "error=%3Cscript%3Ealert(1)%3C%2Fscript%3E&error_description=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&error_uri=javascript%3Aalert(1)";
            get(at, &format!("{}&{error}", without(at, "code")))
        }),
        ends("an error that writes to the terminal", |at| {
            let error = "error=invalid_request&error_description=%1b%5b31m%0a%0a%e2%80%aeowned";
            get(at, &format!("{}&{error}", without(at, "code")))
        }),
        ends("an error without an end", |at| {
            let text = "a%20".repeat(5000);
            get(
                at,
                &format!(
                    "{}&error=invalid_request&error_description={text}",
                    without(at, "code")
                ),
            )
        }),
        ends("an error that looks alike", |at| {
            get(
                at,
                &format!("{}&error=%D0%B0ccess_denied", without(at, "code")),
            )
        }),
    ];
    let unicode = cases.split_off(cases.len() - 1);
    cases.extend(unicode.into_iter().map(|case| Case {
        class: Class::Unicode,
        ..case
    }));
    cases
}

fn get(at: &Url, query: &str) -> Vec<u8> {
    request("GET", at, query)
}

fn hosted(at: &Url, host: &str) -> Vec<u8> {
    let (path, query) = (at.path(), query(at));
    format!("GET {path}?{query} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into()
}

fn query(at: &Url) -> &str {
    at.query().unwrap_or_default()
}

fn value(at: &Url, name: &str) -> String {
    let mut pairs = at.query_pairs();
    let found = pairs.find(|(key, _)| key == name);
    found
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn without(at: &Url, name: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (key, value) in at.query_pairs().filter(|(key, _)| key != name) {
        query.append_pair(&key, &value);
    }
    query.finish()
}

fn with(at: &Url, name: &str, value: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(without(at, name));
    query.append_pair(name, value);
    query.finish()
}
