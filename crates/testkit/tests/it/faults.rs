//! Faults on cue, and servers that go down and come back.

use std::time::{Duration, Instant};

use doorkey_testkit::{
    AuthorizationServer, CertificateAuthority, Client, Edit, Error, Fault, FaultRule, FaultTarget,
    Leg, Listen, McpServer, Raw, Reply,
};
use http::Method;
use serde_json::json;

use crate::support::{World, stateless, text};

const METADATA: &str = "/.well-known/oauth-authorization-server";

async fn metadata(world: &World) -> Result<Reply, Error> {
    let url = format!("{}{METADATA}", world.auth.url());
    world.client.get(&url).await
}

/// Scripts one fault for the metadata and asks for it.
async fn with(fault: Fault) -> Result<Reply, Error> {
    let world = World::new().await;
    let rule = FaultRule::on(Leg::AuthorizationServerMetadata).respond(fault);
    world.auth.fault(rule);
    metadata(&world).await
}

#[tokio::test]
async fn a_scripted_status_carries_its_fields_and_body() {
    let fields = vec![("retry-after".to_owned(), "7".to_owned())];
    let reply = with(Fault::Status(503, fields, "later".into()))
        .await
        .unwrap();
    assert_eq!(reply.status, 503);
    assert_eq!(reply.header("retry-after"), Some("7"));
    assert_eq!(reply.text(), "later");
    let reply = with(Fault::oauth_error(400, "invalid_grant", "no"))
        .await
        .unwrap();
    assert_eq!(reply.json()["error"], "invalid_grant");
    let reply = with(Fault::Redirect("https://evil.example/".into()))
        .await
        .unwrap();
    assert_eq!(reply.status, 307);
    assert_eq!(reply.header("location"), Some("https://evil.example/"));
}

#[tokio::test]
async fn bodies_can_be_empty_html_of_the_wrong_type_truncated_and_oversized() {
    let empty = with(Fault::Empty).await.unwrap();
    assert_eq!((empty.status.as_u16(), empty.body.len()), (200, 0));
    let html = with(Fault::Html).await.unwrap();
    assert!(html.text().starts_with("<!doctype html>"));
    let typed = with(Fault::WrongContentType).await.unwrap();
    assert_eq!(typed.header("content-type"), Some("text/plain"));
    assert!(typed.json()["issuer"].is_string());
    let truncated = with(Fault::Truncated).await.unwrap_err();
    assert!(matches!(truncated, Error::Exchange { .. }), "{truncated}");
    let large = with(Fault::Oversized(1_000_000)).await.unwrap();
    assert!(large.body.len() > 1_000_000);
    assert!(large.json()["padding"].is_string());
    let huge = with(Fault::Oversized(u64::MAX)).await.unwrap_err();
    assert!(matches!(huge, Error::TooLarge { .. }), "{huge}");
}

#[tokio::test]
async fn a_proper_answer_can_be_changed_in_every_part() {
    let reply = with(Fault::Edited(vec![
        Edit::Status(203),
        Edit::FirstMembers(r#""issuer":"first""#.into()),
        Edit::LastMembers(r#""issuer":"last""#.into()),
        Edit::Before("\u{feff}".into()),
        Edit::After("\n".into()),
        Edit::Header("content-type".into(), "text/plain".into()),
        Edit::AnotherHeader("content-type".into(), "text/html".into()),
    ]))
    .await
    .unwrap();
    assert_eq!(reply.status, 203);
    let types: Vec<_> = reply.headers.get_all("content-type").iter().collect();
    assert_eq!(types, ["text/plain", "text/html"]);
    let text = reply.text();
    assert!(text.starts_with("\u{feff}{\"issuer\":\"first\","), "{text}");
    assert!(text.ends_with(",\"issuer\":\"last\"}\n"), "{text}");
    let wide = with(Fault::Edited(vec![Edit::Utf16])).await.unwrap();
    assert_eq!(wide.body[..4], [0xfe, 0xff, 0, b'{']);
}

#[tokio::test]
async fn a_body_can_be_any_bytes_and_need_not_end() {
    let html = || vec![("content-type".to_owned(), "text/html".to_owned())];
    let bytes = with(Fault::Bytes(404, html(), vec![0xff, 0].into()))
        .await
        .unwrap();
    assert_eq!(
        (bytes.status.as_u16(), &bytes.body[..]),
        (404, &[0xff, 0][..])
    );
    assert_eq!(bytes.header("content-type"), Some("text/html"));
    let endless = Fault::Endless(html(), "data: ".into(), vec![b'x'; 4096].into());
    let endless = with(endless).await.unwrap_err();
    assert!(matches!(endless, Error::TooLarge { .. }), "{endless}");
}

#[tokio::test]
async fn raw_bytes_reach_the_client_with_and_without_tls() {
    let ca = CertificateAuthority::new().unwrap();
    for listen in [Listen::new(), Listen::new().tls(&ca)] {
        let auth = AuthorizationServer::builder().listen(listen.http1_only());
        let auth = auth.start().await.unwrap();
        let client = Client::new().trusting(&ca);
        let url = format!("{}{METADATA}", auth.url());
        let told = Raw::new("HTTP/1.1 299 Odd\r\ncontent-le");
        let told = told
            .and_slowly("ngth: 2\r\n\r\nab", Duration::from_millis(1))
            .and_hold(Duration::from_millis(1));
        let rule = FaultRule::on(METADATA).times(1);
        auth.fault(rule.clone().respond(Fault::Raw(told)));
        let reply = client.get(&url).await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.text().as_str()), (299, "ab"));
        auth.fault(rule.respond(Fault::Raw(Raw::new("no HTTP at all\r\n\r\n"))));
        assert!(client.get(&url).await.is_err());
        assert_eq!(client.get(&url).await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn answers_can_be_late() {
    let pause = Duration::from_millis(300);
    for fault in [Fault::Slow(pause), Fault::Stalled(pause)] {
        let started = Instant::now();
        let reply = with(fault.clone()).await.unwrap();
        assert!(reply.json()["issuer"].is_string(), "{fault:?}");
        assert!(started.elapsed() >= pause, "{fault:?}");
    }
}

#[tokio::test]
async fn a_cut_connection_gives_no_answer_with_and_without_tls() {
    assert!(matches!(
        with(Fault::Refuse).await,
        Err(Error::Exchange { .. })
    ));
    let ca = CertificateAuthority::new().unwrap();
    let auth = AuthorizationServer::builder()
        .tls(&ca)
        .start()
        .await
        .unwrap();
    auth.fault(FaultRule::on(METADATA).times(1).respond(Fault::Refuse));
    let client = Client::new().trusting(&ca);
    let url = format!("{}{METADATA}", auth.url());
    assert!(client.get(&url).await.is_err());
    assert_eq!(client.get(&url).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_lost_answer_has_been_handled() {
    let world = World::new().await;
    let (id, tokens) = world.log_in(&[]).await;
    let token = text(&tokens, "refresh_token");
    world.auth.fault(
        FaultRule::on(Leg::Token)
            .grant("refresh_token")
            .respond(Fault::AnswerLost),
    );
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", id.as_str()),
        ("refresh_token", token),
        ("resource", world.mcp.resource()),
    ];
    let lost = world.client.post_form(&world.at("token"), &fields).await;
    assert!(matches!(lost, Err(Error::Exchange { .. })));
    assert_eq!(world.auth.refreshes(), 1);
    world.auth.clear_faults();
    // The token is spent although nobody saw the answer.
    assert_eq!(world.refresh(&id, token, &[]).await.status, 400);
    assert_eq!(world.auth.counters().reuses, 1);
    let recorded = world.recorder.of(Leg::Token);
    assert_eq!(recorded[1].status, None);
}

#[tokio::test]
async fn a_rule_hits_what_it_names_as_often_as_it_says() {
    let world = World::new().await;
    let (id, tokens) = world.log_in(&[]).await;
    let access = text(&tokens, "access_token");
    let rule = FaultRule::on("/token")
        .method(Method::POST)
        .after(1)
        .times(2);
    world.auth.fault(rule.respond(Fault::status(503)));
    let mut refresh = text(&tokens, "refresh_token").to_owned();
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let reply = world.refresh(&id, &refresh, &[]).await;
        statuses.push(reply.status.as_u16());
        if reply.status == 200 {
            refresh = text(&reply.json(), "refresh_token").to_owned();
        }
    }
    assert_eq!(statuses, [200, 503, 503, 200]);
    assert_eq!(world.auth.fault_hits(), [2]);

    let rule = FaultRule::on(Leg::Resource).rpc("tools/list").times(1);
    world.mcp.fault(rule.respond(Fault::status(502)));
    assert_eq!(world.ping(access).await.status, 200);
    let list = stateless("tools/list", json!({}));
    let url = world.mcp.url();
    assert_eq!(world.post(&url, Some(access), &list).await.status, 502);
    assert_eq!(world.post(&url, Some(access), &list).await.status, 200);

    let everything = FaultRule::on(FaultTarget::Everything).respond(Fault::Html);
    world.mcp.fault(everything);
    assert!(world.ping(access).await.text().contains("<h1>"));
    assert_eq!(world.mcp.fault_hits(), [1, 1]);
    world.mcp.clear_faults();
    assert!(world.mcp.fault_hits().is_empty());
    assert_eq!(world.ping(access).await.status, 200);
}

#[tokio::test]
async fn a_stopped_server_refuses_connections_and_remembers_when_it_is_back() {
    let world = World::new().await;
    let (id, tokens) = world.log_in(&[]).await;
    world.auth.stop().await;
    world.mcp.stop().await;
    for result in [
        metadata(&world).await,
        world.client.get(&world.mcp.url()).await,
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Connect { .. }), "{error}");
        assert!(error.is_transient());
    }
    world.auth.restart().await.unwrap();
    world.mcp.restart().await.unwrap();
    assert_eq!(world.ping(text(&tokens, "access_token")).await.status, 200);
    let renewed = world
        .refresh(&id, text(&tokens, "refresh_token"), &[])
        .await;
    assert_eq!(renewed.status, 200);
}

#[tokio::test]
async fn a_dropped_server_refuses_connections() {
    let mcp = McpServer::builder().start().await.unwrap();
    let url = mcp.url();
    drop(mcp);
    for _ in 0..100 {
        if Client::new().get(&url).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the port is still open");
}
