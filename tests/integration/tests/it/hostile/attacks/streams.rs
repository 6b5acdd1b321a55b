//! Event streams that never end, or hold what nobody can use.

use std::time::Duration;

use bytes::Bytes;
use doorkey_testkit::{Fault, Raw};

use super::super::{
    case::{Case, Verdict},
    class::Class,
    leg::Leg,
    stage::BODY,
};
use super::on_answer;

pub(super) fn cases() -> Vec<Case> {
    let legs = [Leg::Initialize, Leg::ToolsList, Leg::ToolsCall, Leg::Stream];
    let mut cases: Vec<_> = legs.into_iter().flat_map(of).collect();
    cases.retain(|case| {
        matches!(case.leg, Leg::ToolsList | Leg::Stream) || TELLING.contains(&case.name.as_str())
    });
    cases
}

const TELLING: &[&str] = &[
    "an event without an end",
    "an event over the limit",
    "JSON that is deep",
    "no JSON",
    "an answer to another question",
];

#[expect(clippy::too_many_lines, reason = "a table, one row after the other")]
fn of(leg: Leg) -> Vec<Case> {
    let is_stream = leg == Leg::Stream;
    // Nothing waits for the stream of a session; of an answer there is none then.
    // The session is over with it, and the next one may have a better answer; one that cannot begin has none.
    let spoilt = match leg {
        Leg::Stream => Verdict::Works,
        Leg::Initialize => Verdict::Refused,
        _ => Verdict::Passing,
    };
    let refused = if is_stream {
        Verdict::Works
    } else {
        Verdict::Refused
    };
    let case = |name: &str, verdict, body: Bytes| {
        on_answer(
            leg,
            Class::Sse,
            name,
            verdict,
            Fault::Bytes(200, events(), body),
        )
    };
    let endless = |first: &str, again: &str| {
        Fault::Endless(events(), first.to_owned().into(), again.to_owned().into())
    };
    let text = |text: &str| Bytes::from(text.to_owned());
    let large = format!("data: {}\n\n", "x".repeat(BODY + 1));
    let lines = "data: x\n".repeat(BODY / 8 + 1) + "\n";
    let deep = format!("data: {}\n\n", "[".repeat(100_000));
    let html = vec![("content-type".to_owned(), "text/html".to_owned())];
    vec![
        on_answer(
            leg,
            Class::Sse,
            "an event without an end",
            refused,
            endless("data: ", &"x".repeat(16 * 1024)),
        ),
        on_answer(
            leg,
            Class::Sse,
            "comments without an end",
            spoilt,
            endless(": ", &":\n".repeat(4096)),
        ),
        on_answer(
            leg,
            Class::Sse,
            "a name without an end",
            refused,
            endless("event: ", &"x".repeat(16 * 1024)),
        ),
        case("an event over the limit", refused, large.into()),
        case(
            "an event over the limit in many lines",
            refused,
            lines.into(),
        ),
        on_answer(
            leg,
            Class::Sse,
            "another type",
            refused,
            Fault::Bytes(200, html, text("data: {}\n\n")),
        ),
        case(
            "a wait for ever before the next try",
            spoilt,
            text("retry: 99999999999999999999\ndata: \n\n"),
        ),
        case("an id with a NUL", spoilt, text("id: a\0b\ndata: \n\n")),
        case(
            "an id that would be a header",
            spoilt,
            text("id: a\rx-evil: 1\ndata: \n\n"),
        ),
        case("JSON that is deep", spoilt, deep.into()),
        case("no JSON", spoilt, text("data: <html>\n\n")),
        case(
            "junk between the events",
            spoilt,
            text("junk\n\0\n\u{feff}data: x\n\nevent: \u{1b}[31m\n\n"),
        ),
        case("a byte order mark alone", spoilt, text("\u{feff}")),
        case(
            "bytes that are no UTF-8",
            spoilt,
            Bytes::from_static(b"data: \xff\xfe\n\n"),
        ),
        case(
            "an answer to another question",
            spoilt,
            text("data: {\"jsonrpc\":\"2.0\",\"id\":999999,\"result\":{}}\n\n"),
        ),
        case(
            "a request for a sample",
            spoilt,
            text(
                "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sampling/createMessage\",\"params\":{}}\n\n",
            ),
        ),
        on_answer(
            leg,
            Class::Sse,
            "an event byte by byte",
            spoilt,
            Fault::Raw(
                Raw::new("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
                    .and_slowly("data: ".repeat(40), Duration::from_millis(100)),
            ),
        )
        .http1()
        .impatient(),
    ]
}

fn events() -> Vec<(String, String)> {
    vec![("content-type".to_owned(), "text/event-stream".to_owned())]
}
