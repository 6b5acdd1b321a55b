//! TLS with the roots that the host passes, and no others.

use std::sync::Arc;

use doorkey_store::Backend as _;
use doorkey_testkit::CertificateAuthority;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use services::Postgres;

use super::{chain, connect, options_of};
use crate::conformance::{grant, json};

#[tokio::test]
async fn the_users_roots_are_trusted_and_no_others() {
    let authority = CertificateAuthority::new().unwrap();
    let identity = authority.issue_server(&["localhost", "127.0.0.1"]).unwrap();
    let server = Postgres::start_with_tls(&identity);
    let database = server.database();
    for host in ["localhost", "127.0.0.1"] {
        let tls = options_of(database.tls_connection_string(host)).tls(trusting(&authority));
        let store = connect(tls.schema(host.replace('.', "_").replace("127", "_")))
            .await
            .unwrap();
        store.save(&grant("a"), json(1), None).await.unwrap();
        assert!(store.load(&grant("a")).await.unwrap().is_some());
        let encrypted = database.sql(
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
             WHERE application_name = 'doorkey'",
        );
        assert_eq!(encrypted, "t");
    }

    let stranger = CertificateAuthority::new().unwrap();
    let untrusted =
        options_of(database.tls_connection_string("localhost")).tls(trusting(&stranger));
    let error = connect(untrusted).await.unwrap_err();
    let said = chain(&error);
    assert!(!error.is_transient(), "{said}");
    assert!(said.contains("certificate"), "{said}");
}

#[tokio::test]
async fn a_certificate_for_another_name_and_a_server_without_tls_are_refused() {
    let authority = CertificateAuthority::new().unwrap();
    let identity = authority.issue_server(&["db.example"]).unwrap();
    let server = Postgres::start_with_tls(&identity);
    let database = server.database();
    let connection = database.tls_connection_string("localhost");
    let error = connect(options_of(connection.clone()).tls(trusting(&authority)))
        .await
        .unwrap_err();
    assert!(!error.is_transient(), "{}", chain(&error));
    // The name in the certificate counts, not the address.
    let named = format!(
        "{} hostaddr=127.0.0.1",
        connection.replace("localhost", "db.example")
    );
    drop(
        connect(options_of(named).tls(trusting(&authority)))
            .await
            .unwrap(),
    );
    // The server takes TLS alone, and says so.
    let error = connect(options_of(connection)).await.unwrap_err();
    let said = chain(&error);
    assert!(!error.is_transient() && said.contains("28000"), "{said}");
}

fn trusting(authority: &CertificateAuthority) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let pem = authority.pem();
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    // As a client for HTTP is made: the store offers the database's own protocol all the same.
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}
