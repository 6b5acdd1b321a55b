//! The way to the server.

use doorkey_testkit::{CertificateAuthority, Identity, Listen, McpServer, Proxy};
use tokio::net::{TcpSocket, TcpStream};

use super::bench::Bench;

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
async fn full() -> (u16, Vec<TcpStream>, tokio::net::TcpListener) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a port");
    let listener = socket.listen(0).expect("a queue");
    let address = listener.local_addr().expect("an address");
    let mut waiting = Vec::new();
    while let Ok(stream) = tokio::time::timeout(
        std::time::Duration::from_millis(300),
        TcpStream::connect(address),
    )
    .await
    {
        waiting.push(stream.expect("a connection"));
    }
    (address.port(), waiting, listener)
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
    tls_handshake: Some("resource"), async || {
        // The alert `handshake_failure` (RFC 8446 section 6).
        let bench = Bench::socket(|_| vec![0x15, 3, 3, 0, 2, 2, 40]).await;
        let url = format!("https://{}/mcp", bench.address());
        bench.config(&elsewhere(&url))
    };
}
