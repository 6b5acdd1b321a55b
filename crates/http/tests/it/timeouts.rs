//! No wait without a limit (SEC-12).

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use doorkey_http::{Body, BodyError, Error, HttpClient, HttpProfile, Leg, Phase, Timeouts};
use futures_util::{StreamExt, stream};
use http::Response;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::ca::Ca;
use crate::server::{Server, chain, get};
use crate::tls::{client, profile};

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(60);

/// A body that sends one piece at once and one more after each `gap`.
fn drip(gap: Duration) -> Body {
    let pieces = stream::iter(0..).then(move |piece| async move {
        if piece > 0 {
            tokio::time::sleep(gap).await;
        }
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"piece")))
    });
    Body::new(StreamBody::new(pieces))
}

async fn server(ca: &Ca) -> Server {
    Server::start(
        Some(ca.server(&["mcp.test"], None)),
        async |seen| match seen.path.as_str() {
            "/silent" => std::future::pending().await,
            "/stalls" => Response::new(drip(LONG)),
            _ => Response::new(drip(Duration::from_millis(20))),
        },
    )
    .await
}

fn with(profile: &HttpProfile, timeouts: Timeouts) -> HttpProfile {
    let mut profile = profile.clone();
    profile.timeouts = timeouts;
    profile
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_a_connection_time_out() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!(
        "https://127.0.0.1:{}/",
        listener.local_addr().unwrap().port()
    );
    let mut profile = HttpProfile::new(url.parse().unwrap());
    profile.roots = Ca::new().roots();
    profile.timeouts = Timeouts::new(SHORT, LONG, LONG);
    let err = client(&profile)
        .send(Leg::Resource, get(&url))
        .await
        .unwrap_err();
    assert!(
        matches!(
            err,
            Error::Timeout {
                phase: Phase::Connect,
                limit: SHORT,
                ..
            }
        ),
        "{err:?}"
    );
    assert!(err.is_connect() && err.is_timeout() && err.is_transient());
    assert!(chain(&err).contains("timeouts.connect"), "{}", chain(&err));
}

#[tokio::test]
async fn response_headers_that_never_come_end_every_leg() {
    let ca = Ca::new();
    let server = server(&ca).await;
    let client = client(&with(
        &profile(&server, ca.roots()),
        Timeouts::new(LONG, LONG, SHORT),
    ));
    for leg in Leg::ALL {
        let err = client
            .send(leg, get(&server.url("mcp.test", "/silent")))
            .await
            .unwrap_err();
        assert!(
            matches!(
                err,
                Error::Timeout {
                    phase: Phase::Response,
                    ..
                }
            ),
            "{leg}: {err:?}"
        );
        assert!(err.is_timeout() && err.is_transient() && !err.is_connect());
        assert!(chain(&err).contains("timeouts.total"), "{}", chain(&err));
    }
}

#[tokio::test]
async fn a_gap_in_a_body_ends_it_on_every_leg() {
    let ca = Ca::new();
    let server = server(&ca).await;
    let client = client(&with(
        &profile(&server, ca.roots()),
        Timeouts::new(LONG, SHORT, LONG),
    ));
    for leg in Leg::ALL {
        let url = server.url("mcp.test", "/stalls");
        let err = client.send_collected(leg, get(&url)).await.unwrap_err();
        assert!(
            matches!(
                err,
                Error::Timeout {
                    phase: Phase::Read,
                    ..
                }
            ),
            "{leg}: {err:?}"
        );
    }
}

#[tokio::test]
async fn an_endless_body_ends_with_the_total_but_for_the_resource_leg() {
    let ca = Ca::new();
    let server = server(&ca).await;
    let total = Duration::from_secs(1);
    let client = client(&with(
        &profile(&server, ca.roots()),
        Timeouts::new(LONG, LONG, total),
    ));
    let url = server.url("mcp.test", "/endless");
    // More pieces than fit into the total.
    let body = client
        .send(Leg::Resource, get(&url))
        .await
        .unwrap()
        .into_body();
    let pieces: Vec<_> = body_pieces(body).take(60).collect().await;
    assert!(
        pieces.iter().all(Result::is_ok) && pieces.len() == 60,
        "{pieces:?}"
    );
    let err = client
        .send_collected(Leg::Token, get(&url))
        .await
        .unwrap_err();
    assert!(
        matches!(
            err,
            Error::Timeout {
                phase: Phase::Body,
                ..
            }
        ),
        "{err:?}"
    );
    assert!(
        chain(&err).contains("reading the body took longer than 1 s"),
        "{}",
        chain(&err)
    );
}

fn body_pieces(body: Body) -> impl StreamExt<Item = Result<(), BodyError>> {
    http_body_util::BodyStream::new(body)
        .map(|frame| frame.map(drop))
        .boxed()
}

#[tokio::test]
async fn a_request_may_carry_time_outs_of_its_own() {
    let ca = Ca::new();
    let server = server(&ca).await;
    let client = client(&profile(&server, ca.roots()));
    let mut request = get(&server.url("mcp.test", "/silent"));
    request
        .extensions_mut()
        .insert(Timeouts::new(LONG, LONG, SHORT));
    let err = client.send(Leg::Resource, request).await.unwrap_err();
    assert!(err.is_timeout(), "{err:?}");
}

#[tokio::test]
async fn interim_answers_without_end_are_ended_by_the_clock() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let flood = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // What comes before the request is no answer to it.
        let _: usize = stream.read(&mut [0; 4096]).await.unwrap();
        let hints = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(100);
        let mut floods = 0_usize;
        while stream.write_all(&hints).await.is_ok() {
            floods += 1;
        }
        floods
    });
    let mut profile = HttpProfile::new(url.parse().unwrap());
    profile.timeouts.total = Duration::from_millis(300);
    let client = HttpClient::new(&profile).unwrap();
    let err = client.send(Leg::Resource, get(&url)).await.unwrap_err();
    let phase = Phase::Response;
    assert!(
        matches!(err, Error::Timeout { phase: found, .. } if found == phase),
        "{}",
        chain(&err)
    );
    // The connection is closed with the request.
    assert!(flood.await.unwrap() > 0);
}
