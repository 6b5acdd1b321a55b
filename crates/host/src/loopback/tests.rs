use std::net::SocketAddr;

use doorkey_oauth::CallbackVerdict;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::browser::PlatformBrowser;
use crate::progress::Silent;

const LIMIT: Duration = Duration::from_secs(20);

async fn channel(settings: CallbackSettings, hints: &[&str]) -> LoopbackChannel {
    let hints: Vec<_> = hints.iter().map(|hint| (*hint).to_owned()).collect();
    LoopbackInteraction::new(Browser::Manual, Arc::new(Silent))
        .with_callback(settings)
        .listen(&hints, None, None)
        .await
        .expect("a listener")
}

fn port_of(channel: &LoopbackChannel) -> u16 {
    Url::parse(&channel.redirect_uri)
        .expect("a URL")
        .port()
        .expect("a port")
}

/// Sends raw bytes and reads to the end.
async fn raw(port: u16, bytes: &[u8]) -> String {
    let exchange = async {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        // A listener that has read enough may close while we still write.
        let _written = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _read = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::time::timeout(LIMIT, exchange)
        .await
        .expect("an answer in time")
}

async fn get(port: u16, target: &str, host: &str) -> String {
    raw(
        port,
        format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes(),
    )
    .await
}

#[tokio::test]
async fn a_callback_reaches_the_login_and_its_verdict_the_page() {
    let mut channel = channel(CallbackSettings::default(), &[]).await;
    let port = port_of(&channel);
    assert_eq!(
        channel.redirect_uri(),
        format!("http://127.0.0.1:{port}/callback")
    );
    for (verdict, status, text) in [
        (CallbackVerdict::Ignored, "400", "Not this sign-in"),
        (
            CallbackVerdict::Refused {
                message: "<b>denied</b>".to_owned(),
            },
            "200",
            "&lt;b&gt;denied",
        ),
        (CallbackVerdict::Accepted, "200", "Approved"),
    ] {
        let host = format!("127.0.0.1:{port}");
        let page =
            tokio::spawn(async move { get(port, "/callback?code=c0de&state=s", &host).await });
        let callback = tokio::time::timeout(LIMIT, channel.next())
            .await
            .expect("in time")
            .expect("one");
        assert_eq!(callback.query(), "code=c0de&state=s");
        callback.answer(verdict);
        let page = page.await.expect("a page");
        assert!(page.starts_with(&format!("HTTP/1.1 {status}")), "{page}");
        assert!(page.contains(text), "{page}");
        assert!(
            !page.contains("c0de"),
            "the page repeats the request: {page}"
        );
        let lower = page.to_ascii_lowercase();
        for header in [
            "cache-control: no-store",
            "referrer-policy: no-referrer",
            "content-security-policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "cross-origin-opener-policy: same-origin",
            "cross-origin-resource-policy: same-origin",
            "connection: close",
        ] {
            assert!(lower.contains(header), "{header} in {page}");
        }
    }
}

#[tokio::test]
async fn once_a_login_is_over_its_port_is_free_for_the_next_one() {
    let mut is_free = false;
    // Somebody else on this machine may get it in between.
    for _ in 0..3 {
        let before = channel(CallbackSettings::default(), &[]).await;
        let redirect_uri = before.redirect_uri.clone();
        // It waits for a connection.
        tokio::task::yield_now().await;
        drop(before);
        let after = channel(CallbackSettings::default(), &[&redirect_uri]).await;
        is_free |= after.redirect_uri == redirect_uri;
    }
    assert!(is_free);
}

/// Requests that are no callback, `~` for the right host: the line, what follows it, the status of the answer.
const REFUSED: &[(&str, &str, u16)] = &[
    ("GET / HTTP/1.1", "Host: ~\r\n\r\n", 404),
    ("GET /favicon.ico HTTP/1.1", "Host: ~\r\n\r\n", 404),
    ("GET /callback/?code=x HTTP/1.1", "Host: ~\r\n\r\n", 404),
    ("GET /callback%2f?code=x HTTP/1.1", "Host: ~\r\n\r\n", 404),
    ("GET /%63allback?code=x HTTP/1.1", "Host: ~\r\n\r\n", 404),
    ("GET //callback?code=x HTTP/1.1", "Host: ~\r\n\r\n", 404),
    ("GET /x/../callback?code=x HTTP/1.1", "Host: ~\r\n\r\n", 404),
    ("GET /Callback?code=x HTTP/1.1", "Host: ~\r\n\r\n", 404),
    (GET, "Host: ~\r\nHost: evil.example\r\n\r\n", 404),
    (GET, "Host: ~\r\nHost: ~\r\n\r\n", 404),
    (GET, "Host: localhost\r\n\r\n", 404),
    (GET, "Host: evil.example\r\n\r\n", 404),
    (GET, "Host: 127.0.0.1\r\n\r\n", 404),
    (GET, "\r\n", 404),
    ("GET /callback?code=x HTTP/1.0", "\r\n", 404),
    (
        "GET http://~/callback?code=x HTTP/1.1",
        "Host: ~\r\n\r\n",
        404,
    ),
    (
        "GET http://evil.example/callback?code=x HTTP/1.1",
        "Host: ~\r\n\r\n",
        404,
    ),
    ("CONNECT ~ HTTP/1.1", "Host: ~\r\n\r\n", 404),
    ("OPTIONS * HTTP/1.1", "Host: ~\r\n\r\n", 404),
    (GET, "Host: ~\r\nContent-Length: 3\r\n\r\na=b", 404),
    (
        GET,
        "Host: ~\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        404,
    ),
    (
        GET,
        "Host: ~\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        404,
    ),
    (
        GET,
        "Host: ~\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        400,
    ),
    (
        GET,
        "Host: ~\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n\r\n",
        404,
    ),
    (
        GET,
        "Host: ~\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n\r\n",
        404,
    ),
    (
        GET,
        "Host: ~\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n\r\n",
        400,
    ),
    (GET, "Host: ~\r\n folded: header\r\n\r\n", 400),
    (
        "POST /callback?code=x HTTP/1.1",
        "Host: ~\r\nContent-Length: 3\r\n\r\na=b",
        405,
    ),
    ("HEAD /callback?code=x HTTP/1.1", "Host: ~\r\n\r\n", 405),
    (
        "OPTIONS /callback HTTP/1.1",
        "Host: ~\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: GET\r\n\
         Access-Control-Request-Private-Network: true\r\n\r\n",
        405,
    ),
    ("GET /callback?code=x HTTP/9.9", "Host: ~\r\n\r\n", 400),
    ("\x16\x03\x01\x02", "\r\n\r\n", 400),
];

const GET: &str = "GET /callback?code=x HTTP/1.1";

#[tokio::test]
async fn everything_but_a_get_of_the_exact_path_for_this_host_is_refused() {
    let mut channel = channel(CallbackSettings::default(), &[]).await;
    let port = port_of(&channel);
    for (line, rest, status) in REFUSED {
        let request = format!("{line}\r\n{rest}").replace('~', &format!("127.0.0.1:{port}"));
        let answer = raw(port, request.as_bytes()).await;
        let version = answer
            .strip_prefix("HTTP/1.1 ")
            .or(answer.strip_prefix("HTTP/1.0 "));
        let has_status = version.is_some_and(|rest| rest.starts_with(&format!("{status} ")));
        assert!(has_status, "{request}\n{answer}");
        let answer = answer.to_ascii_lowercase();
        assert_eq!(
            answer.contains("\r\nallow: get\r\n"),
            *status == 405,
            "{request}\n{answer}"
        );
        assert!(!answer.contains("access-control-"), "{answer}");
    }
    let nothing = tokio::time::timeout(Duration::from_millis(100), channel.next()).await;
    assert!(nothing.is_err(), "one of them reached the login");
}

#[tokio::test]
async fn of_requests_sent_in_one_go_the_first_alone_is_read() {
    let mut channel = channel(CallbackSettings::default(), &[]).await;
    let port = port_of(&channel);
    let one =
        |query: &str| format!("GET /callback?{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    let both = one("code=first") + &one("code=second");
    let page = tokio::spawn(async move { raw(port, both.as_bytes()).await });
    let callback = tokio::time::timeout(LIMIT, channel.next()).await;
    let callback = callback.expect("in time").expect("one");
    assert_eq!(callback.query(), "code=first");
    callback.answer(CallbackVerdict::Ignored);
    let page = page.await.expect("a page");
    assert_eq!(page.matches("HTTP/1.1 ").count(), 1, "{page}");
    let nothing = tokio::time::timeout(Duration::from_millis(100), channel.next()).await;
    assert!(nothing.is_err(), "the second one was read as well");
}

#[tokio::test]
async fn an_oversized_request_is_refused_and_the_next_one_served() {
    let mut channel = channel(CallbackSettings::default(), &[]).await;
    let port = port_of(&channel);
    let long = "a".repeat(200 * 1024);
    let answer = get(
        port,
        &format!("/callback?code={long}"),
        &format!("127.0.0.1:{port}"),
    )
    .await;
    assert!(!answer.contains(" 200 "), "{answer}");
    let host = format!("127.0.0.1:{port}");
    let page = tokio::spawn(async move { get(port, "/callback?code=x", &host).await });
    let callback = tokio::time::timeout(LIMIT, channel.next())
        .await
        .expect("in time")
        .expect("one");
    callback.answer(CallbackVerdict::Accepted);
    assert!(page.await.expect("a page").contains(" 200 "));
}

/// Opens connections that hang: some say nothing, some stop in the middle, some drip.
async fn hang(port: u16, count: usize) -> Vec<TcpStream> {
    let mut hanging = Vec::new();
    for index in 0..count {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let start: &[u8] = [
            &b""[..],
            b"GET /call",
            b"GET /callback?code=x HTTP/1.1\r\nA: b\r\n",
        ][index % 3];
        // The listener may have dropped it again.
        let _written = stream.write_all(start).await;
        hanging.push(stream);
    }
    hanging
}

#[tokio::test]
async fn connections_that_hang_do_not_keep_the_callback_out() {
    let mut channel = channel(CallbackSettings::default(), &[]).await;
    let port = port_of(&channel);
    let silent = hang(port, 4 * connections::CONNECTIONS).await;
    let host = format!("127.0.0.1:{port}");
    let page = tokio::spawn(async move { get(port, "/callback?code=x", &host).await });
    // Less than a client has for its request, so that none of them made room by itself.
    let callback = tokio::time::timeout(Duration::from_secs(4), channel.next())
        .await
        .expect("in time")
        .expect("one");
    // Nor does a later flood take its page away.
    let more = hang(port, 2 * connections::CONNECTIONS).await;
    callback.answer(CallbackVerdict::Accepted);
    assert!(page.await.expect("a page").contains(" 200 "));
    drop((silent, more));
}

#[tokio::test]
async fn a_connection_that_never_ends_its_request_is_closed() {
    let channel = channel(CallbackSettings::default(), &[]).await;
    let port = port_of(&channel);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let stream = TcpStream::connect(address).await.expect("a connection");
    let (mut reading, mut writing) = stream.into_split();
    let dripping = tokio::spawn(async move {
        let start = format!("GET /callback?code=x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n");
        writing.write_all(start.as_bytes()).await.expect("a start");
        let mut drops = tokio::time::interval(Duration::from_millis(200));
        // Until the listener has had enough of it.
        while writing.write_all(b"A: b\r\n").await.is_ok() {
            drops.tick().await;
        }
    });
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(LIMIT, reading.read_to_end(&mut answer)).await;
    assert!(closed.is_ok(), "still open");
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        !answer.contains(" 400 "),
        "it was the words, not the time: {answer}"
    );
    dripping.abort();
    drop(channel);
}

#[tokio::test]
async fn a_drain_waits_for_a_page_and_not_for_a_silent_connection() {
    let interaction = LoopbackInteraction::new(Browser::Manual, Arc::new(Silent));
    let mut channel = interaction
        .listen(&[], None, None)
        .await
        .expect("a listener");
    let port = port_of(&channel);
    let silent = hang(port, 3).await;
    let host = format!("127.0.0.1:{port}");
    let page = tokio::spawn(async move { get(port, "/callback?code=x", &host).await });
    let callback = tokio::time::timeout(LIMIT, channel.next()).await;
    let callback = callback.expect("in time").expect("one");
    let waiting = tokio::time::timeout(Duration::from_millis(100), interaction.drain(LIMIT)).await;
    assert!(waiting.is_err(), "a page was yet to be sent");
    callback.answer(CallbackVerdict::Accepted);
    let drained = tokio::time::timeout(Duration::from_secs(4), interaction.drain(LIMIT)).await;
    assert!(drained.is_ok(), "it waits for connections that say nothing");
    assert!(page.await.expect("a page").contains("Approved"));
    drop(silent);
}

#[tokio::test]
async fn a_callback_that_comes_as_the_login_ends_is_too_late() {
    let interaction = LoopbackInteraction::new(Browser::Manual, Arc::new(Silent))
        .with_again("doorkey login <team>");
    let server = Url::parse("https://mcp.example/mcp?key=s3cret").expect("a URL");
    let mut channel = interaction
        .listen(&[], None, Some(&server))
        .await
        .expect("a listener");
    let port = port_of(&channel);
    let host = format!("127.0.0.1:{port}");
    let page = tokio::spawn(async move { get(port, "/callback?code=x", &host).await });
    let callback = tokio::time::timeout(LIMIT, channel.next()).await;
    drop((callback.expect("in time").expect("one"), channel));
    let page = page.await.expect("a page");
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    assert!(page.contains("Too late"), "{page}");
    // Nobody has looked at its `state`: it may be anybody's.
    for text in ["mcp.example", "doorkey login", "s3cret"] {
        assert!(!page.contains(text), "{text} in {page}");
    }
}

#[tokio::test]
async fn the_page_of_a_refusal_names_the_server_and_how_to_start_again_without_a_secret() {
    let interaction = LoopbackInteraction::new(Browser::Manual, Arc::new(Silent))
        .with_again("doorkey login <team>");
    let server = Url::parse("https://mcp.example/mcp?key=s3cret").expect("a URL");
    let mut channel = interaction
        .listen(&[], None, Some(&server))
        .await
        .expect("a listener");
    let port = port_of(&channel);
    let host = format!("127.0.0.1:{port}");
    let page = tokio::spawn(async move { get(port, "/callback?error=x", &host).await });
    let callback = tokio::time::timeout(LIMIT, channel.next()).await;
    let message = "denied".to_owned();
    let verdict = CallbackVerdict::Refused { message };
    callback.expect("in time").expect("one").answer(verdict);
    let page = page.await.expect("a page");
    for text in [
        "<strong>https://mcp.example/mcp</strong>",
        "doorkey login &lt;team&gt;",
    ] {
        assert!(page.contains(text), "{text} in {page}");
    }
    assert!(!page.contains("s3cret"), "{page}");
}

#[tokio::test]
async fn an_answer_inside_another_page_is_told_to_the_person_once_and_ends_nothing() {
    let told = Arc::new(Told::default());
    let progress: Arc<dyn Progress> = told.clone();
    let interaction = LoopbackInteraction::new(Browser::Manual, progress);
    let mut channel = interaction
        .listen(&[], None, None)
        .await
        .expect("a listener");
    let port = port_of(&channel);
    let request = format!(
        "{GET}\r\nHost: 127.0.0.1:{port}\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n\r\n"
    );
    for _ in 0..2 {
        let page = raw(port, request.as_bytes()).await;
        assert!(page.contains("in a tab of its own"), "{page}");
    }
    let said = told.0.lock().expect("not poisoned").join("\n");
    assert_eq!(said.matches("Embedded").count(), 1, "{said}");
    let nothing = tokio::time::timeout(Duration::from_millis(100), channel.next()).await;
    assert!(nothing.is_err(), "it reached the login");
}

#[tokio::test]
async fn the_listener_is_gone_with_the_channel() {
    let channel = channel(CallbackSettings::default(), &[]).await;
    let address = SocketAddr::from(([127, 0, 0, 1], port_of(&channel)));
    drop(channel);
    let gone = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, gone)
        .await
        .expect("the port is closed");
}

#[tokio::test]
async fn a_registered_redirect_uri_is_used_again_while_its_port_is_free() {
    let port = port_of(&channel(CallbackSettings::default(), &[]).await);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let registered = format!("http://127.0.0.1:{port}/cb");
    let hints = [
        "https://hosted.example/cb",
        "http://10.0.0.1:80/cb",
        registered.as_str(),
    ];
    let first = channel(CallbackSettings::default(), &hints).await;
    assert_eq!(first.redirect_uri(), registered);
    let second = channel(CallbackSettings::default(), &hints).await;
    assert_ne!(second.redirect_uri(), registered);
    assert!(second.redirect_uri().starts_with("http://127.0.0.1:"));
}

#[tokio::test]
async fn configured_callbacks_are_taken_as_they_are() {
    let url = |text: String| Some(Url::parse(&text).expect("a URL"));
    let (bound, free) = on_a_free_port(None, &["http://127.0.0.1:1/x"]).await;
    assert_eq!(
        bound.redirect_uri,
        format!("http://127.0.0.1:{free}/callback")
    );
    drop(bound);

    let named = CallbackSettings::new(None, url("http://localhost/oauth/cb".to_owned()));
    let mut named = channel(named, &[]).await;
    let port = port_of(&named);
    assert_eq!(
        named.redirect_uri(),
        format!("http://localhost:{port}/oauth/cb")
    );
    let host = format!("localhost:{port}");
    let page = tokio::spawn(async move { get(port, "/oauth/cb?code=x", &host).await });
    let callback = tokio::time::timeout(LIMIT, named.next())
        .await
        .expect("in time")
        .expect("one");
    callback.answer(CallbackVerdict::Accepted);
    assert!(page.await.expect("a page").contains(" 200 "));

    let hosted = url("https://hosted.example/cb".to_owned());
    let none = address::bind(&CallbackSettings::new(None, hosted.clone()), &[], false).await;
    assert!(
        matches!(none, Err(LoopbackError::NoPort { .. })),
        "{none:?}"
    );
    let (forwarded, _) = on_a_free_port(hosted, &[]).await;
    assert_eq!(forwarded.redirect_uri, "https://hosted.example/cb");
}

/// Binds a configured port that is free. Between looking and binding another process may take it: then another one.
async fn on_a_free_port(url: Option<Url>, hints: &[&str]) -> (address::Bound, u16) {
    let hints: Vec<_> = hints.iter().map(|hint| (*hint).to_owned()).collect();
    let mut last = None;
    for _ in 0..20 {
        let spare = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = spare.local_addr().expect("an address").port();
        drop(spare);
        match address::bind(
            &CallbackSettings::new(Some(port.into()), url.clone()),
            &hints,
            true,
        )
        .await
        {
            Ok(bound) => return (bound, port),
            Err(error @ LoopbackError::PortInUse { .. }) => last = Some(error),
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("each of them was taken: {last:?}")
}

#[tokio::test]
async fn a_busy_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let error = address::bind(&CallbackSettings::new(Some(port.into()), None), &[], true)
        .await
        .expect_err("the port is taken");
    assert!(
        matches!(error, LoopbackError::PortInUse { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}

/// Collects what a person would be told.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<String>>);

impl Progress for Told {
    fn report(&self, step: &LoginStep) {
        self.0
            .lock()
            .expect("not poisoned")
            .push(format!("{step:?}"));
    }
}

#[tokio::test]
async fn a_browser_that_fails_is_told_to_a_person_and_ends_an_unattended_login() {
    for unattended in [false, true] {
        let told = Arc::new(Told::default());
        let progress: Arc<dyn Progress> = told.clone();
        let broken = PlatformBrowser::new(|_| Err(std::io::Error::other("no display")));
        let interaction =
            LoopbackInteraction::new(Browser::Platform(broken), progress).unattended(unattended);
        let mut channel = interaction
            .listen(&[], None, None)
            .await
            .expect("a listener");
        channel.show(Url::parse("https://as.example/authorize?x=1").expect("a URL"));
        let next = tokio::time::timeout(Duration::from_millis(500), channel.next()).await;
        if unattended {
            let error = next.expect("in time").expect_err("nobody is there");
            let InteractionError::Other(cause) = error else {
                panic!("{error:?}")
            };
            assert!(cause.is::<Unattended>(), "{cause}");
            // Nobody listens any more where that page ends.
            assert!(!cause.to_string().contains("as.example"), "{cause}");
        } else {
            assert!(next.is_err(), "the login goes on waiting");
            let told = told.0.lock().expect("not poisoned").join("\n");
            assert!(told.contains("NoBrowser"), "{told}");
        }
    }
}

#[tokio::test]
async fn a_pasted_address_is_a_callback_and_anything_else_is_told() {
    let (sender, lines) = mpsc::channel(4);
    let told = Arc::new(Told::default());
    let progress: Arc<dyn Progress> = told.clone();
    let interaction = LoopbackInteraction::new(Browser::Manual, progress).with_pasted(lines);
    let mut channel = interaction
        .listen(&[], None, None)
        .await
        .expect("a listener");
    let pasted = format!("{}?code=c&state=s\n", channel.redirect_uri());
    for line in ["", "what?", pasted.as_str()] {
        sender.send(line.to_owned()).await.expect("sent");
    }
    drop(sender);
    let next = tokio::time::timeout(LIMIT, channel.next()).await;
    let callback = next.expect("in time").expect("one");
    assert_eq!(callback.query(), "code=c&state=s");
    let said = told.0.lock().expect("not poisoned").join("\n");
    assert!(said.contains("NotTheAddress"), "{said}");
    callback.answer(CallbackVerdict::Ignored);
    let nothing = tokio::time::timeout(Duration::from_millis(200), channel.next()).await;
    assert!(nothing.is_err(), "the login goes on waiting");
    let said = told.0.lock().expect("not poisoned").join("\n");
    assert!(said.contains("OtherLogin"), "{said}");
}

#[tokio::test]
async fn a_page_that_may_not_be_opened_ends_the_login_and_is_not_shown_either() {
    let issuer = doorkey_oauth::Issuer::new("https://as.example");
    let server = Url::parse("https://mcp.example/mcp").expect("a URL");
    for page in [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://as.example/authorize",
        "https://user:pass@as.example/authorize",
        "https://as.example/authorize#fragment",
    ] {
        let told = Arc::new(Told::default());
        let progress: Arc<dyn Progress> = told.clone();
        let opened = PlatformBrowser::new(|url| panic!("{url} was opened"));
        let interaction = LoopbackInteraction::new(Browser::Platform(opened), progress);
        let mut channel = interaction
            .listen(&[], None, None)
            .await
            .expect("a listener");
        let page = Url::parse(page).expect("a URL");
        let prompt = Prompt::new(page.clone(), issuer.clone(), server.clone());
        let presented = channel.present(&prompt).await;
        let Err(InteractionError::Other(cause)) = presented else {
            panic!("{page}: {presented:?}")
        };
        assert!(cause.is::<BrowserError>(), "{cause:?}");
        let told = told.0.lock().expect("not poisoned").join("\n");
        assert!(
            told.starts_with("Listening") && !told.contains("Prompt"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn nobody_is_offered_a_code_where_nobody_reads_it_az_24() {
    for (unattended, prefers) in [(false, true), (true, false)] {
        let interaction = LoopbackInteraction::new(Browser::Manual, Arc::new(Silent));
        let interaction = interaction.preferring_codes(true).unattended(unattended);
        assert_eq!(interaction.prefers_codes(), prefers);
    }
}
