//! The way to the server.

use doorkey_testkit::Proxy;

use super::bench::Bench;

cases! {
    connection_refused: Some("resource"), async || {
        let bench = Bench::new().await;
        bench.world.mcp.stop().await;
        bench
    };
    tls_unknown_authority: Some("resource"), async || {
        let bench = Bench::new().await;
        let other = doorkey_testkit::CertificateAuthority::named("somebody else").expect("an authority");
        bench.home.write("ca.pem", other.pem().as_bytes());
        bench
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
}
