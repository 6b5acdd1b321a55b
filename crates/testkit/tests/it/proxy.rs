//! The forward proxy, spoken to by hand.

use base64::{Engine, engine::general_purpose::STANDARD};
use doorkey_testkit::{AuthorizationServer, CertificateAuthority, Client, Proxy, ProxyRequest};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Sends `head` and reads until the other side closes or an empty line ends a bare answer.
async fn say(stream: &mut TcpStream, head: &str) -> String {
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while !answer.windows(4).any(|w| w == b"\r\n\r\n") {
        let read = stream.read(&mut piece).await.unwrap();
        if read == 0 {
            break;
        }
        answer.extend_from_slice(&piece[..read]);
    }
    String::from_utf8(answer).unwrap()
}

fn get(target: &str, extra: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: x\r\n{extra}connection: close\r\n\r\n")
}

fn summary(proxy: &Proxy) -> Vec<(String, String, u16)> {
    let line = |r: &ProxyRequest| (r.method.to_string(), r.authority.clone(), r.status);
    proxy.requests().iter().map(line).collect()
}

#[tokio::test]
async fn plain_requests_and_tunnels_reach_the_server() {
    let auth = AuthorizationServer::builder().start().await.unwrap();
    let proxy = Proxy::start().await.unwrap();
    let metadata = "/.well-known/oauth-authorization-server";

    let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
    let answer = say(&mut stream, &get(&format!("{}{metadata}", auth.url()), "")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
    let authority = auth.addr().to_string();
    let connect = format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n\r\n");
    let answer = say(&mut stream, &connect).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = say(&mut stream, &get(metadata, "")).await;
    assert!(
        answer.starts_with("HTTP/1.1 200"),
        "through the tunnel: {answer}"
    );

    let expected = [
        ("GET".to_owned(), authority.clone(), 200),
        ("CONNECT".to_owned(), authority, 200),
    ];
    assert_eq!(summary(&proxy), expected);
}

#[tokio::test]
async fn names_are_reached_by_route_and_nothing_beyond_loopback_is() {
    let auth = AuthorizationServer::builder().start().await.unwrap();
    let proxy = Proxy::builder()
        .route("auth.example:80", auth.addr())
        .start()
        .await
        .unwrap();
    let table = [
        ("http://auth.example/authorize", "400"),
        ("http://other.example/authorize", "403"),
        ("http://192.0.2.1:80/", "403"),
        ("http://127.0.0.1:1/", "502"),
        ("/no-authority", "400"),
    ];
    for (target, status) in table {
        let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
        let answer = say(&mut stream, &get(target, "")).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{target}: {answer}"
        );
    }
    assert_eq!(proxy.hosts()[0], "auth.example:80");
    proxy.clear();
    assert!(proxy.hosts().is_empty());
}

#[tokio::test]
async fn credentials_are_demanded_and_not_passed_on() {
    let recorder = doorkey_testkit::Recorder::new();
    let auth = AuthorizationServer::builder()
        .recorder(&recorder)
        .start()
        .await
        .unwrap();
    let proxy = Proxy::builder()
        .credentials("me", "secret")
        .start()
        .await
        .unwrap();
    let url = format!("{}/authorize", auth.url());
    let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
    let answer = say(&mut stream, &get(&url, "")).await;
    assert!(answer.starts_with("HTTP/1.1 407"), "{answer}");
    assert!(answer.to_lowercase().contains("proxy-authenticate: basic"));

    let header = format!(
        "proxy-authorization: Basic {}\r\n",
        STANDARD.encode("me:secret")
    );
    let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
    let answer = say(&mut stream, &get(&url, &header)).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(recorder.len(), 1);
    assert_eq!(recorder.requests()[0].header("proxy-authorization"), None);
}

#[tokio::test]
async fn a_dropped_proxy_refuses_connections() {
    let proxy = Proxy::start().await.unwrap();
    let address = proxy.addr();
    drop(proxy);
    for _ in 0..100 {
        if TcpStream::connect(address).await.is_err() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the port is still open");
}

#[tokio::test]
async fn a_proxy_over_tls_answers_nobody_who_does_not_trust_it_or_speaks_in_the_clear() {
    let ca = CertificateAuthority::new().unwrap();
    let proxy = Proxy::builder().tls(&ca).start().await.unwrap();
    assert!(proxy.url().starts_with("https://127.0.0.1:"), "{proxy:?}");

    // A request that names no host behind the proxy is the proxy's own to refuse.
    let answer = Client::new().trusting(&ca).get(&proxy.url()).await.unwrap();
    assert_eq!(answer.status, 400);
    Client::new().get(&proxy.url()).await.unwrap_err();

    let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
    let head = get("http://127.0.0.1:1/", "");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // An alert and an end, or an end alone.
    drop(stream.read_to_end(&mut answer).await);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert_eq!(summary(&proxy).len(), 1);
}
