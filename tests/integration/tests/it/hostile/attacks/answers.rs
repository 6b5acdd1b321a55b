//! Answers that are too long, too late, in other letters, too deep, or two at once, whatever they are to.

use std::time::Duration;

use bytes::Bytes;
use doorkey_testkit::{Edit, Fault, Raw};

use super::super::{
    case::{Case, Verdict},
    class::Class,
    leg::Leg,
    stage::BODY,
};
use super::{JSON, json_type, on_answer};

pub(super) fn cases() -> Vec<Case> {
    let legs = Leg::ALL.into_iter().filter(|leg| leg.rule().is_some());
    legs.flat_map(|leg| {
        let mut cases = size(leg);
        cases.extend(slowness(leg));
        cases.extend(duplicate_headers(leg));
        if leg.is_json() {
            cases.extend(encoding(leg));
            cases.extend(nesting(leg));
        }
        if !leg.is_thorough() {
            cases.retain(|case| TELLING.contains(&case.name.as_str()));
        }
        cases
    })
    .collect()
}

/// What is done to every answer there is.
const TELLING: &[&str] = &[
    "a body over the limit",
    "a header block over the limit",
    "a length that is too long",
    "no answer",
    "a body byte by byte",
    "UTF-16",
    "bytes that are no UTF-8",
    "100,000 arrays",
    "two lengths",
];

fn size(leg: Leg) -> Vec<Case> {
    let case = |name, verdict, fault| on_answer(leg, Class::Size, name, verdict, fault);
    let length = |length: usize, body: &str| {
        let head = format!("HTTP/1.1 200 OK\r\n{JSON}content-length: {length}\r\n\r\n{body}");
        Fault::Raw(Raw::new(head))
    };
    let large = "x".repeat(8 * 1024);
    let fields = (0..12).map(|at| (format!("x-large-{at}"), large.clone()));
    let many: String = (0..10_000).map(|at| format!("x-{at}: y\r\n")).collect();
    let gzip = ("content-encoding".to_owned(), "gzip".to_owned());
    vec![
        case(
            "a body over the limit",
            unfinished(leg),
            Fault::Oversized(BODY as u64 + 1),
        ),
        case(
            "a body without an end",
            unfinished(leg),
            Fault::Endless(
                json_type(),
                "{\"a\":\"".into(),
                vec![b'x'; 16 * 1024].into(),
            ),
        ),
        case(
            "a length that is too long",
            cut(leg),
            length(4096, "{\"a\":"),
        )
        .http1(),
        case(
            "a length that is too short",
            unreadable(leg),
            length(5, "{\"a\":1} and more"),
        )
        .http1(),
        case(
            "a header block over the limit",
            headers(leg),
            Fault::Status(200, fields.collect(), "{}".to_owned()),
        ),
        case(
            "ten thousand header fields",
            headers(leg),
            Fault::Raw(Raw::new(format!("HTTP/1.1 200 OK\r\n{many}\r\n{{}}"))),
        )
        .http1(),
        case(
            "a compressed bomb that nobody asked for",
            unreadable(leg),
            Fault::Bytes(200, [json_type(), vec![gzip]].concat(), bomb(40_000)),
        ),
    ]
}

fn slowness(leg: Leg) -> Vec<Case> {
    let case = |name: &str, raw: Raw| {
        let verdict = match unreadable(leg) {
            // The body is not waited for.
            Verdict::Works if name.contains("body") => Verdict::Works,
            _ => broken(leg),
        };
        let case = on_answer(leg, Class::Slowness, name, verdict, Fault::Raw(raw));
        case.http1().impatient()
    };
    let head = format!("HTTP/1.1 200 OK\r\n{JSON}");
    let whole = format!("{head}content-length: 4096\r\n\r\n");
    let pause = Duration::from_millis(200);
    let no_answer = Fault::Slow(NEVER);
    vec![
        on_answer(leg, Class::Slowness, "no answer", broken(leg), no_answer).impatient(),
        case(
            "headers byte by byte",
            Raw::new(head.clone()).and_slowly(vec![b'x'; 200], pause),
        ),
        case(
            "a body byte by byte",
            Raw::new(whole.clone()).and_slowly(vec![b' '; 200], pause),
        ),
        case("a stop within the headers", Raw::new(head).and_hold(NEVER)),
        case(
            "a stop within the body",
            Raw::new(whole + "{\"a\":").and_hold(NEVER),
        ),
    ]
}

fn encoding(leg: Leg) -> Vec<Case> {
    let case = |name, verdict, fault| on_answer(leg, Class::Encoding, name, verdict, fault);
    let bytes = |bytes: &'static [u8]| Fault::Bytes(200, json_type(), Bytes::from_static(bytes));
    let typed = |media: &str| {
        let edit = Edit::Header("content-type".to_owned(), media.to_owned());
        Fault::Edited(vec![edit])
    };
    let mark = Bytes::from_static(b"\xef\xbb\xbf");
    let latin = Fault::Bytes(
        200,
        vec![(
            "content-type".to_owned(),
            "application/json; charset=iso-8859-1".to_owned(),
        )],
        Bytes::from_static(b"{\"issuer\":\"caf\xe9\"}"),
    );
    vec![
        case("UTF-16", unreadable(leg), Fault::Edited(vec![Edit::Utf16])),
        case(
            "a byte order mark",
            unreadable(leg),
            Fault::Edited(vec![Edit::Before(mark)]),
        ),
        case(
            "bytes that are no UTF-8",
            unreadable(leg),
            bytes(b"{\"issuer\":\"\xff\xfe\"}"),
        ),
        case(
            "an overlong slash",
            unreadable(leg),
            bytes(b"{\"issuer\":\"\xc0\xaf\"}"),
        ),
        case(
            "half a surrogate",
            unreadable(leg),
            bytes(b"{\"issuer\":\"\\ud800\"}"),
        ),
        case("Latin-1", unreadable(leg), latin),
        case(
            "a charset that is not so",
            Verdict::Works,
            typed("application/json; charset=utf-16"),
        ),
        case("a page that is JSON", mistyped(leg), typed("text/html")),
    ]
}

fn nesting(leg: Leg) -> Vec<Case> {
    let case = |name, verdict, fault| on_answer(leg, Class::Nesting, name, verdict, fault);
    let bytes = |text: String| Fault::Bytes(200, json_type(), text.into());
    let object = format!("{}1{}", "{\"a\":".repeat(DEPTH), "}".repeat(DEPTH));
    let array = format!("\"x\":{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH));
    vec![
        case(
            "100,000 arrays",
            unreadable(leg),
            bytes("[".repeat(2 * DEPTH)),
        ),
        case("a member with 100,000 objects", unfinished(leg), {
            Fault::Edited(vec![Edit::LastMembers(format!(
                "\"x\":{}",
                object_of(&object)
            ))])
        }),
        case(
            "an array of arrays beside what counts",
            unreadable(leg),
            Fault::Edited(vec![Edit::LastMembers(array)]),
        ),
    ]
}

/// Objects within each other are five bytes each: fewer of them stay below the limit of a body.
fn object_of(object: &str) -> String {
    object.to_owned()
}

fn duplicate_headers(leg: Leg) -> Vec<Case> {
    let case = |name, verdict, fault| on_answer(leg, Class::DuplicateHeaders, name, verdict, fault);
    let raw = |fields: &str, body: &str| {
        Fault::Raw(Raw::new(format!(
            "HTTP/1.1 200 OK\r\n{JSON}{fields}\r\n{body}"
        )))
    };
    let another = |name: &str, value: &str| Edit::AnotherHeader(name.to_owned(), value.to_owned());
    vec![
        case(
            "two lengths",
            broken(leg),
            raw("content-length: 2\r\ncontent-length: 40\r\n", "{}"),
        )
        .http1(),
        case(
            "a length and chunks",
            unreadable(leg),
            raw(
                "content-length: 40\r\ntransfer-encoding: chunked\r\n",
                "2\r\n{}\r\n0\r\n\r\n",
            ),
        )
        .http1(),
        case(
            "two media types",
            Verdict::Works,
            Fault::Edited(vec![another("content-type", "text/html")]),
        ),
        case(
            "two nonces",
            Verdict::Works,
            Fault::Edited(vec![
                another("dpop-nonce", "one"),
                another("dpop-nonce", "two"),
            ]),
        ),
    ]
}

/// What an answer that cannot be read comes to.
fn unreadable(leg: Leg) -> Verdict {
    match leg {
        // The status says it all, or nobody waits for it.
        Leg::Revocation | Leg::Deregistration | Leg::Delete | Leg::Stream => Verdict::Works,
        // Nothing is decided about the grant, so it is kept and tried again.
        Leg::Refresh => Verdict::Passing,
        _ => Verdict::Refused,
    }
}

/// What no answer at all comes to.
fn broken(leg: Leg) -> Verdict {
    match leg {
        Leg::Delete | Leg::Stream => Verdict::Works,
        _ => Verdict::Passing,
    }
}

/// What too many headers come to.
fn headers(leg: Leg) -> Verdict {
    match leg {
        Leg::Revocation | Leg::Deregistration => Verdict::Refused,
        leg => unreadable(leg),
    }
}

/// What an answer comes to that breaks off.
fn cut(leg: Leg) -> Verdict {
    match unreadable(leg) {
        Verdict::Works => Verdict::Works,
        _ => Verdict::Passing,
    }
}

/// What an answer comes to of which there is more than is read, or less than was announced.
fn unfinished(leg: Leg) -> Verdict {
    match unreadable(leg) {
        Verdict::Refused if leg.is_metadata() => Verdict::Passing,
        verdict => verdict,
    }
}

/// What an answer in time, and of another type, comes to.
fn mistyped(leg: Leg) -> Verdict {
    match leg.is_session() {
        true => Verdict::Refused,
        false => Verdict::Works,
    }
}

/// A compressed body (RFC 1951, RFC 1952) of `times` × 258 zeros.
fn bomb(times: usize) -> Bytes {
    let mut bits = Bits::default();
    // The last block, with fixed codes; a zero as it is.
    bits.push(0b1, 1);
    bits.push(0b01, 2);
    bits.push_code(0b0011_0000, 8);
    for _ in 0..times {
        // Length 258 from one byte before.
        bits.push_code(0b1100_0101, 8);
        bits.push_code(0, 5);
    }
    bits.push_code(0, 7);
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    bytes.extend_from_slice(&bits.bytes);
    bytes.extend_from_slice(&[0; 8]);
    bytes.into()
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: usize,
}

impl Bits {
    /// A number: its lowest bit first.
    fn push(&mut self, number: u32, length: usize) {
        for at in 0..length {
            self.bit(number >> at & 1 == 1);
        }
    }

    /// A code: its highest bit first.
    fn push_code(&mut self, code: u32, length: usize) {
        for at in (0..length).rev() {
            self.bit(code >> at & 1 == 1);
        }
    }

    fn bit(&mut self, set: bool) {
        if self.used.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if set && let Some(last) = self.bytes.last_mut() {
            *last |= 1 << (self.used % 8);
        }
        self.used += 1;
    }
}

const NEVER: Duration = Duration::from_secs(60);
/// Two bytes for each array; below the limit of a body.
const DEPTH: usize = 100_000;
