//! The stream of events that an MCP server sends.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use doorkey_http::{Body, HttpClient, HttpProfile};
use doorkey_oauth::TokenSource;
use doorkey_rmcp::rmcp::model::JsonRpcError;
use doorkey_rmcp::rmcp::transport::streamable_http_client::StreamableHttpClient as _;
use doorkey_rmcp::{AuthorizedClient, ClientOptions};
use futures_util::{StreamExt as _, stream};
use http::{Request, Response};
use http_body_util::StreamBody;
use url::Url;

use crate::servers::{SERVER, run};
use crate::shown::SECRET;

/// However the bytes arrive, the events are the same; none is longer than the limit, and no error in one repeats the token.
pub fn sse_events(data: &[u8]) {
    let whole = run(events(data, usize::MAX));
    for size in [1, 7] {
        assert_eq!(run(events(data, size)), whole, "in pieces of {size}");
    }
}

/// The events as text, and how the stream ended.
async fn events(data: &[u8], size: usize) -> (Vec<String>, bool) {
    let client = client(data, size);
    let opened = client
        .get_stream_with_max_sse_event_size(
            Arc::from(SERVER),
            None,
            None,
            None,
            HashMap::new(),
            LIMIT,
        )
        .await;
    let Ok(mut opened) = opened else {
        panic!("an event stream was answered");
    };
    let mut seen = Vec::new();
    while let Some(next) = opened.next().await {
        let Ok(event) = next else {
            assert!(
                opened.next().await.is_none(),
                "nothing comes after an error"
            );
            return (seen, false);
        };
        let data = event.data.as_deref().unwrap_or_default();
        if serde_json::from_str::<JsonRpcError>(data).is_ok() {
            assert!(!data.contains(SECRET), "{data}");
        } else {
            assert!(data.len() <= LIMIT, "{} bytes", data.len());
        }
        seen.push(format!("{event:?}"));
    }
    (seen, true)
}

/// A client whose server answers with an event stream of these bytes, in pieces of that size.
fn client(data: &[u8], size: usize) -> AuthorizedClient {
    let size = size.min(data.len()).max(1);
    let pieces: Vec<_> = data.chunks(size).map(Bytes::copy_from_slice).collect();
    let service = tower::service_fn(move |request: Request<Body>| {
        let sent = request.headers()["authorization"].to_str();
        assert_eq!(sent.ok(), Some(format!("Bearer {SECRET}").as_str()));
        let pieces = pieces.clone();
        async move {
            let frames = pieces.into_iter().map(http_body::Frame::data);
            let frames = stream::iter(frames.map(Ok::<_, Infallible>));
            let response = Response::builder().header("content-type", "text/event-stream");
            response.body(Body::new(StreamBody::new(frames)))
        }
    });
    let server = Url::parse(SERVER).expect("a URL");
    let profile = HttpProfile::new(server.clone());
    let http = HttpClient::with_service(&profile, service).expect("a client");
    let tokens = TokenSource::fixed(server, SECRET.into());
    AuthorizedClient::new(http, tokens, ClientOptions::default())
}

const LIMIT: usize = 256;
