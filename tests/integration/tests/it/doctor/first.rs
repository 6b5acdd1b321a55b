//! The first answer, and the challenge in it.

use doorkey_testkit::{Fault, FaultRule, Leg};

use super::bench::Bench;

cases! {
    not_found: Some("resource"), async || {
        let bench = Bench::new().await;
        bench.world.mcp.fault(FaultRule::on(Leg::Resource).respond(Fault::status(404)));
        bench
    };
    server_error: Some("resource"), async || {
        let bench = Bench::new().await;
        bench.world.mcp.fault(FaultRule::on(Leg::Resource).respond(Fault::status(503)));
        bench
    };
    retired_transport: Some("resource"), async || {
        Bench::socket(|head| match head.starts_with("GET ") {
            true => b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n\
                      event: endpoint\ndata: /messages?session=1\n\n".to_vec(),
            false => b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec(),
        })
        .await
    };
}
