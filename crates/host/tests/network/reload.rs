//! Files that are replaced while a host lives on.

use doorkey_testkit::{CertificateAuthority, Leg, McpServer, McpServerBuilder, Recorder};

use crate::world::{World, close, in_time, told, works};

async fn open(server: McpServerBuilder, authority: &CertificateAuthority) -> McpServer {
    server.tls(authority).open().start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_bundle_is_trusted_by_the_next_connection_and_the_old_one_no_more() {
    let world = World::new();
    let [old, new] = [(); 2].map(|()| CertificateAuthority::new().unwrap());
    let one = open(McpServer::builder(), &old).await;
    let two = open(McpServer::builder(), &new).await;
    world.write("ca.pem", &old.pem());
    let host = world.host(&format!(
        "[network]\nca_certificates = [\"ca.pem\"]\nsystem_roots = false\n\
         [mcp_servers.one]\nurl = \"{}\"\n[mcp_servers.two]\nurl = \"{}\"\n",
        one.url(),
        two.url()
    ));
    let connection = host.connect("one").await.unwrap();
    connection.list_tools().await.unwrap();
    let error = works(&host, "two").await.unwrap_err();
    assert!(told(&error).contains("ertificate"), "{}", told(&error));

    world.write("ca.pem", &new.pem());
    in_time(async || works(&host, "two").await).await;

    // Every server has a client of its own, which looks at the file before it sends something.
    in_time(async || match connection.list_tools().await {
        Err(_) => Ok(()),
        Ok(_) => not_yet(),
    })
    .await;
    world.write("ca.pem", &format!("{}{}", old.pem(), new.pem()));
    in_time(async || works(&host, "one").await).await;
    connection.list_tools().await.unwrap();
    close(connection).await;
}

/// Any error: what is waited for has not come.
fn not_yet() -> Result<(), doorkey::Error> {
    Err(doorkey::Error::NoHome)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_client_certificate_is_shown_by_the_next_connection() {
    let world = World::new();
    let authority = CertificateAuthority::new().unwrap();
    let [old, new] = [(); 2].map(|()| CertificateAuthority::new().unwrap());
    let recorder = Recorder::new();
    let server = McpServer::builder()
        .require_client_certificate(&new)
        .recorder(&recorder);
    let one = open(server, &authority).await;
    world.write("ca.pem", &authority.pem());
    let show = |identity: doorkey_testkit::Identity| {
        world.write("me.pem", identity.certificate_pem());
        world.write("me-key.pem", identity.key_pem());
    };
    show(old.issue_client("me").unwrap());
    let host = world.host(&format!(
        "[network]\nca_certificates = [\"ca.pem\"]\nclient_certificate = \"me.pem\"\n\
         client_key = \"me-key.pem\"\n[mcp_servers.one]\nurl = \"{}\"\n",
        one.url()
    ));
    works(&host, "one").await.unwrap_err();
    assert!(
        recorder.is_empty(),
        "nobody is let in without a certificate"
    );
    show(new.issue_client("me").unwrap());
    in_time(async || works(&host, "one").await).await;
    let seen = recorder.of(Leg::Resource);
    assert!(!seen.is_empty() && seen.iter().all(|request| request.client_certificate));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_from_a_file_is_sent_as_the_file_has_it_now() {
    let world = World::new();
    let authority = CertificateAuthority::new().unwrap();
    let recorder = Recorder::new();
    let one = open(McpServer::builder().recorder(&recorder), &authority).await;
    world.write("ca.pem", &authority.pem());
    world.write("key", "first\n");
    let host = world.host(&format!(
        "[network]\nca_certificates = [\"ca.pem\"]\n[mcp_servers.one]\nurl = \"{}\"\n\
         http_headers = {{ X-Key = {{ file = \"key\" }} }}\n",
        one.url()
    ));
    let connection = host.connect("one").await.unwrap();
    let last = || {
        let seen = recorder.of(Leg::Resource);
        seen.last()
            .and_then(|request| request.header("x-key").map(str::to_owned))
    };
    assert_eq!(last().as_deref(), Some("first"));
    world.write("key", "second\n");
    in_time(async || {
        connection.list_tools().await?;
        match last().as_deref() {
            Some("second") => Ok(()),
            _ => not_yet(),
        }
    })
    .await;
    close(connection).await;
}
