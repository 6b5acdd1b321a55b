use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use futures_util::stream;

use super::*;

fn chunks(text: &str, size: usize) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
    let chunks: Vec<_> = text
        .as_bytes()
        .chunks(size)
        .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
        .collect();
    stream::iter(chunks)
}

#[tokio::test]
async fn an_event_at_the_limit_passes_and_one_byte_more_does_not() {
    for (text, limit, passes) in [
        ("data: 12345678\n\n", 15, true),
        ("data: 12345678\n\n", 14, false),
        ("data: 1\r\ndata: 2\r\n\r\n", 16, true),
        ("data: 1\r\ndata: 2\r\n\r\n", 15, false),
        ("data: 1\n\ndata: 2\n\n", 8, true),
        (": a comment is not kept\ndata: 1\n\n", 25, true),
        ("what is no field is counted\ndata: 1\n\n", 35, false),
        ("data: without an end", 12, false),
        ("event: message\ndata: 1\n\n", 23, true),
        ("event: message\ndata: 1\n\n", 22, false),
        ("\u{feff}data: 1\n\n", 10, true),
        ("\u{feff}data: 1\n\n", 9, false),
    ] {
        for size in [1, 3, 1000] {
            let events: Vec<_> = bounded_events(chunks(text, size), limit, None, |_| {})
                .collect()
                .await;
            let passed = events.iter().all(Result::is_ok);
            assert_eq!(passed, passes, "{text:?} in chunks of {size} under {limit}");
        }
    }
}

#[tokio::test]
async fn what_stands_for_bytes_that_are_no_text_counts_as_long_as_it_is() {
    let text = [&b"data: "[..], &[0xff; 20], b"\n\n"].concat();
    for (limit, passes) in [(67, true), (66, false)] {
        let pieces = stream::iter([Ok::<_, Infallible>(Bytes::from(text.clone()))]);
        let events = bounded_events(pieces, limit, None, |_| {});
        let events: Vec<_> = events.collect().await;
        assert_eq!(events[0].is_ok(), passes, "under {limit}: {events:?}");
    }
}

#[tokio::test]
async fn an_oversized_event_ends_the_stream_and_names_where_it_stood() {
    let text = "id: 7\ndata: a\n\ndata: far too large for this limit\n\ndata: b\n\n";
    let reported = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&reported);
    let events: Vec<_> = bounded_events(chunks(text, 5), 16, Some("6".to_owned()), move |id| {
        *seen.lock().unwrap() = id;
    })
    .collect()
    .await;
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].as_ref().unwrap().data.as_deref(), Some("a"));
    let error = events[1].as_ref().unwrap_err().to_string();
    assert!(error.contains("maximum size of 16 bytes"), "{error}");
    assert_eq!(reported.lock().unwrap().as_deref(), Some("7"));
}

#[tokio::test]
async fn a_line_too_long_ends_the_stream_after_the_events_above_it() {
    for size in [1, 2, 3, 1000] {
        let long = "data: too long for the limit of thirty-two bytes";
        let text = format!("data: a\r\n\r\ndata: b\n\n{long}\ndata: c\n\n");
        let events = bounded_events(chunks(&text, size), 32, None, |_| {});
        let events: Vec<_> = events.collect().await;
        let data = |index: usize| events[index].as_ref().unwrap().data.clone();
        assert_eq!(events.len(), 3, "in pieces of {size}: {events:?}");
        assert_eq!(
            (data(0), data(1)),
            (Some("a".to_owned()), Some("b".to_owned()))
        );
        assert!(events[2].is_err());
    }
}

/// Event, data, id and retry.
type Read<'a> = (
    Option<&'a str>,
    Option<&'a str>,
    Option<&'a str>,
    Option<u64>,
);

#[tokio::test]
async fn an_event_is_read_as_the_standard_says_however_it_is_cut() {
    let cases: [(&[u8], &[Read<'_>]); 13] = [
        (b"data: a\ndata:b\ndata\ndata:  c\n\n", &[(None, Some("a\nb\n\n c"), None, None)]),
        (b"\xef\xbb\xbfdata: a\r\rdata: b\r\n\r\n", &[(None, Some("a"), None, None), (None, Some("b"), None, None)]),
        (b"data: \xef\xbb\xbfa\n\n", &[(None, Some("\u{feff}a"), None, None)]),
        (b"event: x\nid: 1\nretry: 20\ndata\n\n", &[(Some("x"), Some(""), Some("1"), Some(20))]),
        // The last of a field counts.
        (b"event: x\nevent: y\nid: 1\nid: 2\nretry: 1\nretry: 2\n\n", &[(Some("y"), None, Some("2"), Some(2))]),
        // What is no field, or no number, is passed over.
        (b"junk\nx-field: 1\n: comment\nretry: 1s\nretry: 99999999999999999999\nretry:\ndata: a\n\n", &[(None, Some("a"), None, None)]),
        (b"id: a\0b\ndata: a\n\n", &[(None, Some("a"), None, None)]),
        (b"junk\n\n\n\n: comment\n\ndata: a\n\n", &[(None, Some("a"), None, None)]),
        // A space is taken off once, and none of a name.
        (b" data: a\ndata : b\nData: c\ndata: d\n\n", &[(None, Some("d"), None, None)]),
        (b"data: \xff\n\n", &[(None, Some("\u{fffd}"), None, None)]),
        (b"id:\n\n", &[(None, None, Some(""), None)]),
        // What does not end does not count.
        (b"data: a\n\ndata: b\n", &[(None, Some("a"), None, None)]),
        (b"", &[]),
    ];
    for (text, expected) in cases {
        for size in 1..=text.len().max(1) {
            let pieces = text.chunks(size).map(Bytes::copy_from_slice);
            let pieces: Vec<Result<_, Infallible>> = pieces.map(Ok).collect();
            let events = bounded_events(stream::iter(pieces), 1000, None, |_| {});
            let events: Vec<_> = events.map(Result::unwrap).collect().await;
            let read = events.iter().map(|event| {
                let Sse {
                    event,
                    data,
                    id,
                    retry,
                } = event;
                (event.as_deref(), data.as_deref(), id.as_deref(), *retry)
            });
            let read: Vec<Read<'_>> = read.collect();
            let text = String::from_utf8_lossy(text);
            assert_eq!(read, expected, "{text:?} in pieces of {size}");
        }
    }
}

#[tokio::test]
async fn a_read_failure_is_passed_on_and_is_no_oversize() {
    let body = stream::iter([
        Ok(Bytes::from_static(b"data: a\n\n")),
        Err(std::io::Error::other("reset by peer")),
        Ok(Bytes::from_static(b"data: b\n\n")),
    ]);
    let events: Vec<_> = bounded_events(body, 64, None, |_| panic!("not an oversize"))
        .collect()
        .await;
    assert_eq!(events.len(), 2);
    assert!(events[1].is_err());
}

#[tokio::test]
async fn an_error_in_an_event_repeats_no_secret_and_answers_what_was_asked() {
    const TOKEN: &str = "at-0123456789-abcdefghij";
    let error = |id: &str| {
        format!(
            "data: {{\"jsonrpc\":\"2.0\",{id}\"error\":{{\"code\":-32000,\"message\":\"who is {TOKEN}?\",\
             \"data\":{{\"{TOKEN}\":[\"Bearer {TOKEN}\",7]}}}}}}\n\n"
        )
    };
    let asked = RequestId::Number(3);
    for (id, request, answered) in [
        ("", Some(&asked), Some(RequestId::Number(3))),
        ("", None, None),
        ("\"id\":4,", Some(&asked), Some(RequestId::Number(4))),
    ] {
        let text = error(id);
        let events = bounded_events(chunks(&text, 1000), 1000, None, |_| {});
        let answering = Answering::new(request, Quoting::without(TOKEN));
        let events: Vec<_> = events.answering(Some(answering)).collect().await;
        let event = events[0].as_ref().unwrap();
        assert!(!format!("{event:?}").contains(TOKEN), "{event:?}");
        let told = rpc_error(event).unwrap();
        assert_eq!(told.id, answered);
        assert_eq!(told.error.message, "who is …?");
        assert_eq!(
            told.error.data.unwrap(),
            serde_json::json!({ "…": ["Bearer …", 7] })
        );
    }
}

#[test]
fn an_error_is_told_however_its_name_is_written_and_however_long_it_is() {
    for name in ["error", "\\u0065rror", "err\\u006Fr"] {
        for length in [1, SHORT - 1, SHORT, SHORT + 1, 4 * SHORT] {
            let begun =
                format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"{name}\":{{\"code\":1,\"message\":\"");
            let message = "m".repeat(length.saturating_sub(begun.len() + 3).max(1));
            let event = Sse {
                data: Some(format!("{begun}{message}\"}}}}")),
                ..Sse::default()
            };
            let told = rpc_error(&event).map(|error| error.error.message.into_owned());
            assert_eq!(told, Some(message), "{name} in {length} bytes");
        }
    }
}

#[test]
fn a_secret_that_is_hidden_between_what_nobody_sees_is_struck_as_well() {
    const TOKEN: &str = "at-0123456789-abcdefghij";
    let quoting = Quoting::without(TOKEN);
    for hidden in ["\u{200b}", "\u{1b}[31m", "\u{202e}", "\u{1b}]0;t\u{7}"] {
        let halves = TOKEN.split_at(12);
        let text = format!("who is {}{hidden}{}?", halves.0, halves.1);
        assert_eq!(quoting.quote(text.as_bytes()), "who is …?");
        let said = serde_json::json!({
            "jsonrpc": "2.0", "id": 1,
            "error": { "code": 1, "message": text, "data": { text.clone(): [text] } },
        });
        let error = quoting.error(serde_json::from_value(said).unwrap()).error;
        assert_eq!(error.message, "who is …?");
        let data = serde_json::json!({ "who is …?": ["who is …?"] });
        assert_eq!(error.data, Some(data));
    }
    // What hides nothing stays in the data as it was sent.
    let said = serde_json::json!({
        "jsonrpc": "2.0", "id": 1,
        "error": { "code": 1, "message": "m", "data": "a\u{200b}b" },
    });
    let error = quoting.error(serde_json::from_value(said).unwrap()).error;
    assert_eq!(error.data, Some("a\u{200b}b".into()));
}
