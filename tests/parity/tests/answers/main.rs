//! The same answers, read by rmcp's own client and by ours.
#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at whatever it did not expect"
)]

mod cases;
mod class;
mod differences;

use std::{collections::BTreeSet, sync::Arc};

use cases::{Case, Exchange};
use class::Class;
use differences::DIFFERENCES;
use doorkey_http::{HttpClient, HttpProfile};
use doorkey_oauth::TokenSource;
use doorkey_rmcp::{AuthorizedClient, ClientOptions};
use futures_util::{StreamExt, stream};
use rmcp::transport::streamable_http_client::StreamableHttpClient;
use url::Url;
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};

/// Answers the path `/n` as case `n` says.
async fn serve(cases: Arc<Vec<Case>>) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(move |request: &Request| {
            let number = request.url.path().trim_start_matches('/').parse::<usize>();
            match number.ok().and_then(|number| cases.get(number)) {
                Some(case) => case.response(),
                None => ResponseTemplate::new(599),
            }
        })
        .mount(&server)
        .await;
    server
}

/// Makes clients over one pool of connections: what one learned of a stream is of no concern to the next case.
fn ours(server: &MockServer) -> impl Fn() -> AuthorizedClient {
    let url = Url::parse(&server.uri()).unwrap();
    let mut profile = HttpProfile::default();
    profile.resource = Some(url.clone());
    let http = HttpClient::new(&profile).unwrap();
    let tokens = TokenSource::fixed(url, "fixed-token".into());
    move || AuthorizedClient::new(http.clone(), tokens.clone(), ClientOptions::default())
}

fn theirs() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

async fn read<C: StreamableHttpClient>(
    client: &C,
    uri: Arc<str>,
    case: &Case,
    token: Option<&str>,
) -> Class {
    let token = token.map(str::to_owned);
    let session = case.exchange.session();
    let headers = Case::request_headers();
    match case.exchange.message() {
        Some(message) => {
            let posted = client
                .post_message_with_response_limits(
                    uri,
                    message,
                    session,
                    token,
                    headers,
                    cases::limits(),
                )
                .await;
            class::of_post(posted).await
        }
        None if case.exchange == Exchange::Delete => {
            let session = session.unwrap_or_default();
            class::of_delete(client.delete_session(uri, session, token, headers).await)
        }
        None => {
            let last_event_id = case.exchange.last_event_id();
            let limit = cases::limits().max_sse_event_size;
            let opened = client
                .get_stream_with_max_sse_event_size(
                    uri,
                    session,
                    last_event_id,
                    token,
                    headers,
                    limit,
                )
                .await;
            class::of_stream(opened).await
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_clients_read_every_answer_alike_but_for_the_named_differences() {
    let cases = Arc::new(cases::all());
    assert!(cases.len() > 1000, "the table shrank to {}", cases.len());
    let server = serve(Arc::clone(&cases)).await;
    let (ours, theirs) = (ours(&server), theirs());
    let base = server.uri();
    let read_by_both = |number: usize| {
        let (ours, theirs, cases, base) = (&ours, &theirs, &cases, &base);
        async move {
            let case = &cases[number];
            let uri: Arc<str> = format!("{base}/{number}").into();
            let ours = read(&ours(), Arc::clone(&uri), case, None).await;
            let theirs = read(theirs, uri, case, Some("fixed-token")).await;
            (case, theirs, ours)
        }
    };
    let mut unexplained = Vec::new();
    let mut used = BTreeSet::new();
    let mut answers = stream::iter(0..cases.len())
        .map(read_by_both)
        .buffer_unordered(8);
    while let Some((case, theirs, ours)) = answers.next().await {
        if theirs == ours {
            continue;
        }
        let reasons: Vec<_> = DIFFERENCES
            .iter()
            .filter(|difference| (difference.covers)(case, &theirs, &ours))
            .map(|difference| difference.name)
            .collect();
        match reasons[..] {
            [name] => drop(used.insert(name)),
            _ => unexplained.push(format!(
                "{case}\n  rmcp: {theirs:?}\n  ours: {ours:?}\n  named: {reasons:?}"
            )),
        }
    }
    assert!(
        unexplained.is_empty(),
        "{} answers are read differently and not for one named reason:\n{}",
        unexplained.len(),
        unexplained
            .iter()
            .take(12)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n"),
    );
    let stale: Vec<_> = DIFFERENCES
        .iter()
        .filter(|difference| !used.contains(difference.name))
        .map(|difference| format!("{}: {}", difference.name, difference.reason))
        .collect();
    assert!(
        stale.is_empty(),
        "no answer is read differently for these reasons any more: {stale:#?}"
    );
}

#[tokio::test]
async fn both_clients_refuse_the_same_headers_of_a_configuration() {
    let cases = Arc::new(vec![Case::plain(Exchange::Request { in_session: false })]);
    let server = serve(Arc::clone(&cases)).await;
    let uri: Arc<str> = format!("{}/0", server.uri()).into();
    for name in ["accept", "mcp-session-id", "last-event-id"] {
        let mut refusals = Vec::new();
        let headers = Case::headers_with(name);
        let message = cases[0].exchange.message().unwrap();
        let posted = theirs()
            .post_message(
                Arc::clone(&uri),
                message.clone(),
                None,
                None,
                headers.clone(),
            )
            .await;
        refusals.push(class::of_post(posted).await);
        let posted = ours(&server)()
            .post_message(Arc::clone(&uri), message, None, None, headers)
            .await;
        refusals.push(class::of_post(posted).await);
        assert_eq!(refusals[0], Class::Reserved(name.to_owned()));
        assert_eq!(refusals[1], refusals[0]);
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_requests_themselves_are_alike() {
    let cases = Arc::new(cases::one_of_each_exchange());
    let server = serve(Arc::clone(&cases)).await;
    let (ours, theirs) = (ours(&server), theirs());
    for (number, case) in cases.iter().enumerate() {
        let uri: Arc<str> = format!("{}/{number}", server.uri()).into();
        read(&ours(), Arc::clone(&uri), case, None).await;
        read(&theirs, uri, case, Some("fixed-token")).await;
    }
    let received = server.received_requests().await.unwrap();
    assert_eq!(received.len(), 2 * cases.len());
    for (pair, case) in received.chunks(2).zip(cases.iter()) {
        let [ours, theirs] = pair else { unreachable!() };
        assert_eq!(ours.method, theirs.method, "{case}");
        assert_eq!(ours.body, theirs.body, "{case}");
        for name in [
            "accept",
            "content-type",
            "authorization",
            "mcp-session-id",
            "last-event-id",
            "mcp-protocol-version",
            "x-verbatim",
        ] {
            let value = |request: &Request| {
                let values: Vec<_> = request.headers.get_all(name).iter().cloned().collect();
                values
            };
            assert_eq!(value(ours), value(theirs), "{case}: {name}");
        }
    }
}
