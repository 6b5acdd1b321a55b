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
        .listen(&hints)
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
        (CallbackVerdict::Ignored, "400", "Not this login"),
        (
            CallbackVerdict::Refused {
                message: "<b>denied</b>".to_owned(),
            },
            "400",
            "&lt;b&gt;denied",
        ),
        (CallbackVerdict::Accepted, "200", "Signed in"),
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
            "content-security-policy: default-src 'none'; style-src 'unsafe-inline'",
            "connection: close",
        ] {
            assert!(lower.contains(header), "{header} in {page}");
        }
    }
}

#[tokio::test]
async fn everything_but_a_get_of_the_exact_path_for_this_host_is_not_found() {
    let mut channel = channel(CallbackSettings::default(), &[]).await;
    let port = port_of(&channel);
    let right = format!("127.0.0.1:{port}");
    let table = [
        format!("POST /callback?code=x HTTP/1.1\r\nHost: {right}\r\nContent-Length: 0\r\n\r\n"),
        format!("HEAD /callback?code=x HTTP/1.1\r\nHost: {right}\r\n\r\n"),
        format!("OPTIONS /callback HTTP/1.1\r\nHost: {right}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {right}\r\n\r\n"),
        format!("GET /callback/?code=x HTTP/1.1\r\nHost: {right}\r\n\r\n"),
        format!("GET /callback%2f?code=x HTTP/1.1\r\nHost: {right}\r\n\r\n"),
        format!("GET /Callback?code=x HTTP/1.1\r\nHost: {right}\r\n\r\n"),
        format!("GET /callback?code=x HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"),
        format!("GET /callback?code=x HTTP/1.1\r\nHost: evil.example:{port}\r\n\r\n"),
        "GET /callback?code=x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_owned(),
        format!("GET /callback?code=x HTTP/1.1\r\nHost: {right}\r\nHost: evil.example\r\n\r\n"),
        format!("GET http://{right}/callback?code=x HTTP/1.1\r\nHost: {right}\r\n\r\n"),
        "GET /callback?code=x HTTP/1.1\r\n\r\n".to_owned(),
        "GET /callback?code=x HTTP/1.0\r\n\r\n".to_owned(),
    ];
    for request in table {
        let answer = raw(port, request.as_bytes()).await;
        let refused = answer.contains(" 404 ") || answer.contains(" 400 ");
        assert!(refused, "{request}\n{answer}");
    }
    let nothing = tokio::time::timeout(Duration::from_millis(100), channel.next()).await;
    assert!(nothing.is_err(), "one of them reached the login");
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

#[tokio::test]
async fn clients_that_say_nothing_do_not_keep_the_callback_out() {
    let mut channel = channel(CallbackSettings::default(), &[]).await;
    let port = port_of(&channel);
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(b"GET /call").await.expect("a start");
        silent.push(stream);
    }
    let host = format!("127.0.0.1:{port}");
    let page = tokio::spawn(async move { get(port, "/callback?code=x", &host).await });
    let callback = tokio::time::timeout(LIMIT, channel.next())
        .await
        .expect("in time")
        .expect("one");
    callback.answer(CallbackVerdict::Accepted);
    assert!(page.await.expect("a page").contains(" 200 "));
    drop(silent);
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
    let free = port_of(&channel(CallbackSettings::default(), &[]).await);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let url = |text: String| Some(Url::parse(&text).expect("a URL"));
    let fixed = channel(
        CallbackSettings::new(Some(free), None),
        &["http://127.0.0.1:1/x"],
    )
    .await;
    assert_eq!(
        fixed.redirect_uri(),
        format!("http://127.0.0.1:{free}/callback")
    );
    drop(fixed);

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
    let none = address::bind(&CallbackSettings::new(None, hosted.clone()), &[]).await;
    assert!(
        matches!(none, Err(LoopbackError::NoPort { .. })),
        "{none:?}"
    );
    let spare = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = spare.local_addr().expect("an address").port();
    drop(spare);
    let forwarded = channel(CallbackSettings::new(Some(port), hosted), &[]).await;
    assert_eq!(forwarded.redirect_uri(), "https://hosted.example/cb");
}

#[tokio::test]
async fn a_busy_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let error = address::bind(&CallbackSettings::new(Some(port), None), &[])
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
        let mut channel = interaction.listen(&[]).await.expect("a listener");
        channel.show(Url::parse("https://as.example/authorize?x=1").expect("a URL"));
        let next = tokio::time::timeout(Duration::from_millis(500), channel.next()).await;
        if unattended {
            let error = next.expect("in time").expect_err("nobody is there");
            let InteractionError::Other(cause) = error else {
                panic!("{error:?}")
            };
            assert!(
                cause
                    .to_string()
                    .contains("https://as.example/authorize?x=1"),
                "{cause}"
            );
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
    let mut channel = interaction.listen(&[]).await.expect("a listener");
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
async fn a_page_that_may_not_be_opened_ends_the_login() {
    let mut channel = channel(CallbackSettings::default(), &[]).await;
    channel.show(Url::parse("javascript:alert(1)").expect("a URL"));
    let next = tokio::time::timeout(LIMIT, channel.next())
        .await
        .expect("in time");
    assert!(next.is_err());
}
