//! The way to the server.

use std::net::SocketAddr;
use std::time::Duration;

use doorkey_testkit::{CertificateAuthority, Identity, Listen, McpServer, Proxy};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use super::bench::{Bench, ids};

/// An MCP server that shows the certificate that `issue` makes.
async fn showing(issue: impl FnOnce(&CertificateAuthority) -> Identity) -> Bench {
    let bench = Bench::new().await;
    let identity = issue(&bench.world.ca);
    let mcp = McpServer::builder().listen(Listen::new().identity(identity));
    let mcp = mcp
        .authorization(&bench.world.auth)
        .start()
        .await
        .expect("a port");
    let table = format!("[mcp_servers.it]\nurl = {:?}\n", mcp.url());
    bench.config(&table).keeping(mcp)
}

fn elsewhere(url: &str) -> String {
    format!("[mcp_servers.it]\nurl = {url:?}\n")
}

/// A port whose queue is full, so that connections to it are neither taken nor refused.
async fn full() -> (u16, Vec<TcpStream>, TcpListener) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a port");
    let listener = socket.listen(0).expect("a queue");
    let address = listener.local_addr().expect("an address");
    let mut waiting = Vec::new();
    while let Ok(stream) =
        tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
    {
        waiting.push(stream.expect("a connection"));
    }
    (address.port(), waiting, listener)
}

/// A port that begins a TLS record and goes on with it byte by byte, so that each read is quick and none is the last.
async fn dripping() -> (SocketAddr, AbortOnDrop) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                // A handshake record of 16 KiB.
                let bytes = [0x16, 3, 3, 0x40, 0]
                    .into_iter()
                    .chain(std::iter::repeat(2));
                for byte in bytes {
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            });
        }
    });
    (address, AbortOnDrop(serving))
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The report of a step.
fn step<'a>(diagnosis: &'a Value, step: &str) -> &'a Value {
    let mut steps = diagnosis["steps"].as_array().expect("steps").iter();
    steps.find(|it| it["step"] == step).expect("the step")
}

#[tokio::test]
async fn a_step_has_its_own_time_and_a_handshake_ends_at_its_limit_whatever_drips() {
    let (address, dripping) = dripping().await;
    let table = elsewhere(&format!("https://{address}/mcp"));
    let table = format!("{table}network = {{ connect_timeout_sec = 1 }}\n");
    let bench = Bench::new().await.config(&table).keeping(dripping);
    let run = bench.run(&["--json"]).await.ended_with(6);
    let diagnosis = run.json();
    let took = |name| step(&diagnosis, name)["took_ms"].as_u64().expect("a time");
    assert!((900..5000).contains(&took("tls")), "{run}");
    assert!(took("address") < 900 && took("connection") < 900, "{run}");
    assert!(diagnosis["took_ms"].as_u64() < Some(8000), "{run}");
}

#[tokio::test]
async fn a_handshake_that_is_cut_is_a_trouble_of_the_moment() {
    let bench = Bench::socket(|_| Vec::new()).await;
    let url = format!("https://{}/mcp", bench.address());
    let run = bench.config(&elsewhere(&url)).run(&["--json"]).await;
    let run = run.ended_with(6);
    assert_eq!(ids(&run.json()), ["tls-broken-off"], "{run}");
}

#[tokio::test]
async fn the_dates_of_a_certificate_are_told_beside_the_clock() {
    let bench = showing(|ca| {
        ca.issue_expired_server(&["127.0.0.1"])
            .expect("a certificate")
    })
    .await;
    let run = bench.run(&["--json"]).await.ended_with(1);
    let means = run.json()["findings"][0]["means"].to_string();
    assert!(
        means.contains("it was valid until ") && means.contains("Z, and here it is 2"),
        "{run}"
    );
    assert!(!means.contains("UNIX"), "{run}");
}

#[tokio::test]
async fn through_a_proxy_the_page_says_what_was_tried_and_by_whom() {
    let proxy = Proxy::builder().start().await.expect("a proxy");
    let settings = format!("network = {{ proxy = {:?} }}", proxy.url());
    let bench = Bench::signed_in().await.settings(&settings);
    let run = bench.run(&["--json"]).await.succeeded();
    let diagnosis = run.json();
    assert_eq!(ids(&diagnosis), [""; 0], "{run}");
    let connection = step(&diagnosis, "connection");
    assert_eq!(connection["status"], "ok", "{run}");
    let expected = format!("to {}, the proxy", proxy.addr());
    let detail = connection["detail"].as_str().unwrap_or_default();
    assert!(detail.starts_with(&expected), "{run}");
    let tls = step(&diagnosis, "tls")["detail"].to_string();
    assert!(tls.contains("end to end through the proxy"), "{run}");
    assert!(!proxy.hosts().is_empty(), "the requests went through it");
}

cases! {
    dns_failed: Some("resource"), async || Bench::new().await.config(&elsewhere("https://nowhere.invalid/mcp"));
    address_refused: Some("resource"), async || {
        Bench::new().await.config(&elsewhere("https://169.254.169.254/mcp"))
    };
    connection_refused: Some("resource"), async || {
        let bench = Bench::new().await;
        bench.world.mcp.stop().await;
        bench
    };
    connection_timeout: Some("resource"), async || {
        let (port, waiting, listener) = full().await;
        let table = elsewhere(&format!("https://127.0.0.1:{port}/mcp"));
        let table = format!("{table}network = {{ connect_timeout_sec = 1 }}\n");
        Bench::new().await.config(&table).keeping((waiting, listener))
    };
    proxy_unreachable: Some("resource"), async || {
        Bench::new().await.settings("network = { proxy = \"http://127.0.0.1:1\" }")
    };
    proxy_refused: Some("resource"), async || {
        let proxy = Proxy::builder().credentials("ada", "secret").start().await;
        let proxy = proxy.expect("a proxy");
        let settings = format!("network = {{ proxy = {:?} }}", proxy.url());
        Bench::new().await.settings(&settings).keeping(proxy)
    };
    tls_unknown_authority: Some("resource"), async || {
        let bench = Bench::new().await;
        let other = CertificateAuthority::named("somebody else").expect("an authority");
        bench.home.write("ca.pem", other.pem().as_bytes());
        bench
    };
    tls_expired: Some("resource"), async || {
        showing(|ca| ca.issue_expired_server(&["127.0.0.1"]).expect("a certificate")).await
    };
    tls_not_yet_valid: Some("resource"), async || {
        showing(|ca| ca.issue_future_server(&["127.0.0.1"]).expect("a certificate")).await
    };
    tls_other_name: Some("resource"), async || {
        showing(|ca| ca.issue_server(&["other.example"]).expect("a certificate")).await
    };
    tls_certificate_bad: Some("resource"), async || {
        // Of the same name and another key: its signature is not one of the authority that is trusted.
        let bench = Bench::new().await;
        let other = CertificateAuthority::new().expect("an authority");
        bench.home.write("ca.pem", other.pem().as_bytes());
        bench
    };
    tls_client_certificate: Some("resource"), async || {
        let clients = CertificateAuthority::named("clients").expect("an authority");
        Bench::with(|auth| auth, |mcp| mcp.require_client_certificate(&clients)).await
    };
    tls_not_tls: Some("resource"), async || {
        let bench = Bench::socket(|_| b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()).await;
        let url = format!("https://{}/mcp", bench.address());
        bench.config(&elsewhere(&url))
    };
    tls_broken_off: Some("resource"), async || {
        let (address, dripping) = dripping().await;
        let table = elsewhere(&format!("https://{address}/mcp"));
        let table = format!("{table}network = {{ connect_timeout_sec = 1 }}\n");
        Bench::new().await.config(&table).keeping(dripping)
    };
    tls_handshake: Some("resource"), async || {
        // The alert `handshake_failure` (RFC 8446 section 6).
        let bench = Bench::socket(|_| vec![0x15, 3, 3, 0, 2, 2, 40]).await;
        let url = format!("https://{}/mcp", bench.address());
        bench.config(&elsewhere(&url))
    };
}
