//! The way to the server.

use super::bench::Bench;

cases! {
    connection_refused: Some("resource"), async || {
        let bench = Bench::new().await;
        bench.world.mcp.stop().await;
        bench
    };
    tls_unknown_authority: Some("resource"), async || {
        let bench = Bench::new().await;
        let other = doorkey_testkit::CertificateAuthority::new().expect("an authority");
        bench.home.write("ca.pem", other.pem().as_bytes());
        bench
    };
}
