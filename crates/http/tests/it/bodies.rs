//! How much is read, and bodies that break off (SEC-12).

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use doorkey_http::{Body, BodyError, Error, HttpProfile, Leg};
use futures_util::stream;
use http::Response;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::ca::Ca;
use crate::server::{Server, chain, get};
use crate::tls::{client, profile};

/// A body of unannounced length.
fn chunks(count: usize, size: usize) -> Body {
    let chunk = Bytes::from(vec![b'x'; size]);
    let frames = stream::iter(vec![chunk; count]);
    let frames =
        futures_util::StreamExt::map(frames, |chunk| Ok::<_, Infallible>(Frame::data(chunk)));
    Body::new(StreamBody::new(frames))
}

#[tokio::test]
async fn a_body_is_read_up_to_the_limit_of_its_leg() {
    let ca = Ca::new();
    let server = Server::start(
        Some(ca.server(&["mcp.test"], None)),
        async |seen| match seen.path.as_str() {
            "/announced" => Response::new(Body::from(vec![b'x'; 101])),
            "/unannounced" => Response::new(chunks(2, 51)),
            _ => Response::new(chunks(2, 50)),
        },
    )
    .await;
    let mut profile = profile(&server, ca.roots());
    (
        profile.limits.metadata,
        profile.limits.endpoint,
        profile.limits.resource,
    ) = (100, 100, 100);
    let client = client(&profile);
    for leg in Leg::ALL {
        for path in ["/announced", "/unannounced"] {
            let url = server.url("mcp.test", path);
            let err = client.send_collected(leg, get(&url)).await.unwrap_err();
            assert!(
                matches!(err, Error::BodyTooLarge { limit: 100, .. }),
                "{leg} {path}: {err:?}"
            );
            assert!(!err.is_transient());
        }
        let whole = client
            .send_collected(leg, get(&server.url("mcp.test", "/fits")))
            .await
            .unwrap();
        assert_eq!(whole.body().len(), 100, "{leg}");
    }
}

#[tokio::test]
async fn a_header_block_beyond_the_limit_is_refused_on_either_version() {
    let ca = Ca::new();
    for tls in [None, Some(ca.server(&["127.0.0.1"], None))] {
        let server = Server::start(tls, async |_| {
            let answer = Response::builder().header("x-long", "x".repeat(70_000));
            answer.body(Body::empty()).unwrap()
        })
        .await;
        let url = server.url("127.0.0.1", "/");
        let mut profile = profile(&server, ca.roots());
        profile.resource = Some(url.parse().unwrap());
        let err = client(&profile)
            .send(Leg::Resource, get(&url))
            .await
            .unwrap_err();
        assert!(
            matches!(err, Error::HeadersTooLarge { limit: 65_536, .. }),
            "{err:?}"
        );
        assert!(chain(&err).contains("limits.headers"), "{}", chain(&err));
    }
}

#[tokio::test]
async fn a_header_block_of_too_many_fields_or_far_too_long_is_told_as_such_on_either_version() {
    let ca = Ca::new();
    // The server adds fields of its own: the date, and the length.
    for (fields, size, refused) in [
        (98, 1, false),
        (100, 1, true),
        (1900, 1, true),
        (5000, 1, true),
        (1, 300_000, true),
        (3, 900_000, true),
    ] {
        for tls in [None, Some(ca.server(&["127.0.0.1"], None))] {
            let server = Server::start(tls, move |_| async move {
                let mut answer = Response::builder();
                for number in 0..fields {
                    answer = answer.header(format!("x-{number}"), "x".repeat(size));
                }
                answer.body(Body::empty()).unwrap()
            })
            .await;
            let url = server.url("127.0.0.1", "/");
            let mut profile = profile(&server, ca.roots());
            profile.resource = Some(url.parse().unwrap());
            let sent = client(&profile).send(Leg::Token, get(&url)).await;
            let case = format!("{fields} fields of {size} bytes, {url}: {sent:?}");
            assert_eq!(sent.is_err(), refused, "{case}");
            if let Err(err) = sent {
                assert!(matches!(err, Error::HeadersTooLarge { .. }), "{case}");
                assert!(!err.is_transient(), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn interim_answers_and_chunk_extensions_without_end_meet_a_limit() {
    const LONG: Duration = Duration::from_secs(60);
    let flood = async |total: Duration, first: &'static str, again: &'static str| {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 4096];
            let _: usize = stream.read(&mut asked).await.unwrap();
            stream.write_all(first.as_bytes()).await.unwrap();
            while stream.write_all(again.as_bytes()).await.is_ok() {
                tokio::task::yield_now().await;
            }
        });
        let url = format!("http://127.0.0.1:{port}/");
        let mut profile = HttpProfile::new(url.parse().unwrap());
        profile.roots = Ca::new().roots();
        profile.timeouts.total = total;
        client(&profile)
            .send_collected(Leg::Token, get(&url))
            .await
            .unwrap_err()
    };
    let interim = flood(
        Duration::from_millis(500),
        "",
        "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n",
    )
    .await;
    assert!(interim.is_timeout(), "{interim:?}");
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;";
    let extension = flood(LONG, chunked, "a=b;c=d;").await;
    assert!(matches!(extension, Error::Body { .. }), "{extension:?}");
    let trailer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n";
    let trailer = flood(LONG, trailer, "x-trailer: y\r\n").await;
    assert!(matches!(trailer, Error::Body { .. }), "{trailer:?}");
}

#[tokio::test]
async fn no_compression_is_asked_for_and_none_is_undone() {
    let ca = Ca::new();
    // What it would become is more than the limit of the leg allows.
    let packed: &'static [u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff];
    let server = Server::start(Some(ca.server(&["mcp.test"], None)), move |_| async move {
        let answer = Response::builder().header("content-encoding", "gzip");
        answer.body(Body::from(Bytes::from_static(packed))).unwrap()
    })
    .await;
    let client = client(&profile(&server, ca.roots()));
    let url = server.url("mcp.test", "/");
    for leg in Leg::ALL {
        let answer = client.send_collected(leg, get(&url)).await.unwrap();
        assert_eq!(answer.body(), packed, "{leg}");
    }
    for seen in server.seen() {
        assert_eq!(seen.header("accept-encoding"), None);
    }
}

/// Answers one connection with these bytes and closes it.
async fn raw(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = [0; 4096];
        let _: usize = stream.read(&mut asked).await.unwrap();
        stream.write_all(answer).await.unwrap();
    });
    format!("http://127.0.0.1:{port}/x")
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_transient_and_says_so() {
    let ca = Ca::new();
    for (answer, text) in [
        (
            &b""[..],
            "no valid response: connection closed before message completed",
        ),
        (
            b"nonsense\r\n\r\n",
            "no valid response: invalid HTTP version parsed",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
            "could not be read to its end: the connection was cut before the answer was complete",
        ),
    ] {
        let url = raw(answer).await;
        let mut profile = HttpProfile::new(url.parse().unwrap());
        profile.roots = ca.roots();
        let err = client(&profile)
            .send_collected(Leg::Token, get(&url))
            .await
            .unwrap_err();
        assert!(chain(&err).ends_with(text), "{}", chain(&err));
        assert!(err.is_transient() && !err.is_connect(), "{err:?}");
        assert_eq!(err.url().unwrap().to_string(), url);
    }
}

/// As [`raw`], over TLS of this version of HTTP, ending without a `close_notify`.
async fn raw_tls(ca: &Ca, protocol: &[u8], answer: &'static [u8]) -> String {
    let mut config = (*ca.server(&["127.0.0.1"], None)).clone();
    config.alpn_protocols = vec![protocol.to_vec()];
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
        let mut stream = acceptor.accept(stream).await.unwrap();
        let mut asked = [0; 4096];
        let _: usize = stream.read(&mut asked).await.unwrap();
        stream.write_all(answer).await.unwrap();
        stream.flush().await.unwrap();
        // The rest of the request is taken, so that the end is an end and no reset.
        let quiet = Duration::from_millis(300);
        while let Ok(Ok(1..)) = tokio::time::timeout(quiet, stream.read(&mut asked)).await {}
    });
    format!("https://127.0.0.1:{port}/x")
}

#[tokio::test]
async fn a_cut_tls_connection_is_told_in_plain_words_and_without_a_link() {
    let ca = Ca::new();
    let head = &b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"[..];
    // HTTP/2: our SETTINGS, and the response headers `:status: 200` of stream 1.
    let frames = &b"\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\x04\0\0\0\x01\x88"[..];
    for (protocol, answer) in [
        (&b"http/1.1"[..], &b""[..]),
        (b"http/1.1", b"HTTP/1.1 200"),
        (b"http/1.1", head),
        (b"h2", b""),
        (b"h2", frames),
    ] {
        let url = raw_tls(&ca, protocol, answer).await;
        let mut profile = HttpProfile::new(url.parse().unwrap());
        profile.roots = ca.roots();
        let err = client(&profile)
            .send_collected(Leg::Token, get(&url))
            .await
            .unwrap_err();
        let text = chain(&err);
        assert!(err.is_transient(), "{err:?}");
        assert!(
            text.ends_with(": the connection was cut before the answer was complete"),
            "{text}"
        );
        assert!(
            !text.contains("docs.rs") && !text.contains("notify"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_refused_connection_is_transient_and_says_so() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!(
        "http://127.0.0.1:{}/",
        listener.local_addr().unwrap().port()
    );
    drop(listener);
    let mut profile = HttpProfile::new(url.parse().unwrap());
    profile.roots = Ca::new().roots();
    let err = client(&profile)
        .send(Leg::Token, get(&url))
        .await
        .unwrap_err();
    assert!(err.is_connect() && err.is_transient(), "{err:?}");
    assert!(
        chain(&err).contains("could not connect: Connection refused"),
        "{}",
        chain(&err)
    );
}

#[tokio::test]
async fn a_name_that_is_not_found_is_transient_and_says_so() {
    let mut profile = HttpProfile::default();
    profile.roots = Ca::new().roots();
    let err = client(&profile)
        .send(Leg::Token, get("https://as.example/"))
        .await
        .unwrap_err();
    assert!(err.is_connect() && err.is_transient(), "{err:?}");
    assert!(
        chain(&err).ends_with("could not connect: no such name"),
        "{}",
        chain(&err)
    );
}

#[tokio::test]
async fn a_body_in_hand_is_replayed_and_a_stream_is_not() {
    let body = Body::from("again");
    let copy = body.try_clone().unwrap();
    assert_eq!(
        body.collect_limited(5).await.unwrap(),
        copy.collect_limited(5).await.unwrap()
    );
    assert!(chunks(1, 1).try_clone().is_none());
    let err = Body::from("again").collect_limited(4).await.unwrap_err();
    assert!(matches!(err, BodyError::TooLarge { limit: 4 }), "{err:?}");
}

#[tokio::test]
async fn a_body_in_any_pieces_is_read_up_to_its_limit_and_one_piece_is_not_copied() {
    let body = |pieces: &[&Bytes]| {
        let frames: Vec<_> = pieces
            .iter()
            .map(|&piece| Frame::data(piece.clone()))
            .collect();
        let trailers = std::iter::once(Frame::trailers(http::HeaderMap::new()));
        let frames = frames.into_iter().chain(trailers).map(Ok::<_, Infallible>);
        Body::new(StreamBody::new(stream::iter(frames)))
    };
    let (none, one, two) = (Bytes::new(), Bytes::from("first"), Bytes::from("second"));
    for (pieces, length) in [
        (&[][..], 0),
        (&[&none, &none][..], 0),
        (&[&one][..], 5),
        (&[&none, &one, &none, &none][..], 5),
        (&[&one, &two][..], 11),
        (&[&one, &none, &two, &none, &one][..], 16),
    ] {
        let read = body(pieces).collect_limited(length).await.unwrap();
        let whole: Vec<u8> = pieces.iter().flat_map(|piece| piece.to_vec()).collect();
        assert_eq!(read, whole);
        if let Some(less) = length.checked_sub(1) {
            let err = body(pieces).collect_limited(less).await.unwrap_err();
            assert!(matches!(err, BodyError::TooLarge { limit } if limit == less));
        }
        if length == 5 {
            assert_eq!(read.as_ptr(), one.as_ptr(), "a copy");
        }
    }
}

#[tokio::test]
async fn a_streamed_request_arrives_whole() {
    let ca = Ca::new();
    let server = Server::ok(Some(ca.server(&["mcp.test"], None))).await;
    let client = client(&profile(&server, ca.roots()));
    let request = http::Request::post(server.url("mcp.test", "/"))
        .body(chunks(3, 7))
        .unwrap();
    let sent = client.send(Leg::Resource, request);
    tokio::time::timeout(Duration::from_secs(20), sent)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(server.only().body.len(), 21);
}
