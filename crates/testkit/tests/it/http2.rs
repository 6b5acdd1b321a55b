//! HTTP/2, whose connections and faults differ from those of HTTP/1.1.

use bytes::Bytes;
use doorkey_testkit::{AuthorizationServer, Fault, FaultRule, Leg, Listen, Recorder};
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

async fn connect(auth: &AuthorizationServer) -> SendRequest<Empty<Bytes>> {
    let stream = TcpStream::connect(auth.addr()).await.unwrap();
    let io = TokioIo::new(stream);
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    drop(tokio::spawn(connection));
    sender
}

async fn get(
    sender: &mut SendRequest<Empty<Bytes>>,
    auth: &AuthorizationServer,
) -> Result<Bytes, hyper::Error> {
    let url = format!("{}/.well-known/oauth-authorization-server", auth.url());
    let request = Request::get(url).body(Empty::new()).unwrap();
    let reply = sender.send_request(request).await?;
    Ok(reply.into_body().collect().await?.to_bytes())
}

#[tokio::test]
async fn requests_share_a_connection_and_are_recorded_with_their_authority() {
    let recorder = Recorder::new();
    let auth = AuthorizationServer::builder().recorder(&recorder);
    let auth = auth.start().await.unwrap();
    let mut sender = connect(&auth).await;
    for _ in 0..3 {
        assert!(get(&mut sender, &auth).await.unwrap().starts_with(b"{"));
    }
    assert_eq!(recorder.count(Leg::AuthorizationServerMetadata), 3);
    assert!(recorder.requests()[0].url.starts_with(auth.url()));
}

#[tokio::test]
async fn cut_and_truncated_answers_are_errors_here_too() {
    let auth = AuthorizationServer::builder().start().await.unwrap();
    for fault in [Fault::Truncated, Fault::Refuse, Fault::AnswerLost] {
        let rule = FaultRule::on(Leg::AuthorizationServerMetadata).times(1);
        auth.fault(rule.respond(fault.clone()));
        let mut sender = connect(&auth).await;
        assert!(get(&mut sender, &auth).await.is_err(), "{fault:?}");
    }
    let mut sender = connect(&auth).await;
    assert!(get(&mut sender, &auth).await.is_ok());
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let listen = Listen::new().http1_only();
    let auth = AuthorizationServer::builder().listen(listen);
    let auth = auth.start().await.unwrap();
    let mut sender = connect(&auth).await;
    assert!(get(&mut sender, &auth).await.is_err());
}
