//! A third party's client, the MCP SDK's own, gets along with the server on both wires.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use doorkey_testkit::{Answer, Client, Leg, McpServer, Wire};
use futures_util::{StreamExt, stream::BoxStream};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use rmcp::{
    ClientLifecycleMode, ClientServiceExt, RoleClient, ServiceError,
    model::{
        CallToolRequestParams, ClientConfig, ClientJsonRpcMessage, ErrorCode, ProtocolVersion,
    },
    service::RunningService,
    transport::streamable_http_client::{
        StreamableHttpClient, StreamableHttpClientTransport, StreamableHttpClientTransportConfig,
        StreamableHttpError, StreamableHttpPostResponse,
    },
};
use serde_json::json;
use sse_stream::{Error as SseError, Sse, SseStream};

use crate::support::{World, world_with_token};

type Failure = StreamableHttpError<doorkey_testkit::Error>;
type Headers = HashMap<HeaderName, HeaderValue>;

/// The SDK's HTTP seam over the kit's plain client.
#[derive(Clone)]
struct Seam {
    client: Client,
    token: String,
}

impl Seam {
    async fn send(
        &self,
        method: Method,
        uri: &str,
        session: Option<&str>,
        headers: Headers,
        body: String,
    ) -> Result<Response<Incoming>, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(Bytes::from(body))
            .unwrap();
        request.headers_mut().extend(headers);
        if let Some(session) = session {
            let session = HeaderValue::from_str(session).unwrap();
            request.headers_mut().insert("mcp-session-id", session);
        }
        let reply = self.client.stream(request).await;
        reply.map_err(StreamableHttpError::Client)
    }
}

impl StreamableHttpClient for Seam {
    type Error = doorkey_testkit::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        _auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let body = serde_json::to_string(&message)?;
        let session = session_id.as_deref();
        let reply = self.send(Method::POST, &uri, session, custom_headers, body);
        let reply = reply.await?;
        if reply.status() == StatusCode::ACCEPTED {
            return Ok(StreamableHttpPostResponse::Accepted);
        }
        let text = |name: &str| {
            let value = reply.headers().get(name)?;
            Some(value.to_str().unwrap().to_owned())
        };
        let session = text("mcp-session-id");
        if text("content-type").as_deref() == Some("text/event-stream") {
            return Ok(StreamableHttpPostResponse::Sse(events(reply), session));
        }
        let status = reply.status();
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        match serde_json::from_slice(&body) {
            Ok(message) => Ok(StreamableHttpPostResponse::Json(message, session)),
            Err(_) => {
                let why = format!("status {status}");
                Err(StreamableHttpError::UnexpectedServerResponse(why.into()))
            }
        }
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        _auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<(), Failure> {
        let session = Some(&*session_id);
        let reply = self.send(Method::DELETE, &uri, session, custom_headers, String::new());
        assert_eq!(reply.await?.status(), 204);
        Ok(())
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        _last_event_id: Option<String>,
        _auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failure> {
        let session = session_id.as_deref();
        let reply = self.send(Method::GET, &uri, session, custom_headers, String::new());
        let reply = reply.await?;
        if reply.status() == StatusCode::METHOD_NOT_ALLOWED {
            return Err(StreamableHttpError::ServerDoesNotSupportSse);
        }
        assert_eq!(reply.status(), 200);
        Ok(events(reply))
    }
}

fn events(reply: Response<Incoming>) -> BoxStream<'static, Result<Sse, SseError>> {
    let body = reply.into_body().into_data_stream();
    SseStream::from_bytes_stream(body).boxed()
}

async fn connect(
    world: &World,
    token: &str,
    lifecycle: ClientLifecycleMode,
) -> RunningService<RoleClient, ClientConfig> {
    let seam = Seam {
        client: world.client.clone(),
        token: token.to_owned(),
    };
    let config = StreamableHttpClientTransportConfig::with_uri(world.mcp.url());
    let transport = StreamableHttpClientTransport::with_client(seam, config);
    let client = ClientConfig::default();
    client
        .serve_with_lifecycle(transport, lifecycle)
        .await
        .unwrap_or_else(|error| {
            let refusals = world.mcp.refusals();
            unreachable!("{error}; the server refused: {refusals:?}")
        })
}

fn discover() -> ClientLifecycleMode {
    ClientLifecycleMode::Discover {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
    }
}

/// Lists, calls, and asks for what is not there; the server has nothing to complain about.
async fn exercise(world: &World, service: RunningService<RoleClient, ClientConfig>) {
    let tools = service.list_all_tools().await.unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    assert_eq!(names, ["echo", "whoami", "fail"]);
    let arguments = json!({ "text": "naïve" }).as_object().cloned().unwrap();
    let call = CallToolRequestParams::new("echo").with_arguments(arguments);
    let echo = service.call_tool(call).await.unwrap();
    let text = serde_json::to_value(&echo).unwrap();
    assert_eq!(text["content"][0]["text"], "naïve");
    let whoami = CallToolRequestParams::new("whoami");
    let whoami = service.call_tool(whoami).await.unwrap();
    let facts = whoami.structured_content.unwrap();
    assert_eq!(facts["audience"], world.mcp.resource());
    let fail = CallToolRequestParams::new("fail");
    assert_eq!(service.call_tool(fail).await.unwrap().is_error, Some(true));
    let missing = service.list_all_resources().await.unwrap_err();
    let ServiceError::McpError(missing) = missing else {
        unreachable!("{missing}");
    };
    assert_eq!(missing.code, ErrorCode::METHOD_NOT_FOUND);
    service.cancel().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sdk_works_on_the_stateful_wire() {
    for wire in [Wire::Stateful2025_11_25, Wire::Both] {
        for answer in [Answer::Json, Answer::Sse] {
            let mcp = McpServer::builder().wire(wire).answer_with(answer);
            let (world, token) = world_with_token(mcp).await;
            let service = connect(&world, &token, ClientLifecycleMode::Initialize).await;
            assert_eq!(world.mcp.sessions(), 1);
            exercise(&world, service).await;
            assert_eq!(world.mcp.sessions(), 0, "the SDK ends its session");
            assert_eq!(
                world.mcp.refusals(),
                Vec::<String>::new(),
                "{wire:?} {answer:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sdk_works_on_the_stateless_wire() {
    for wire in [Wire::Stateless2026_07_28, Wire::Both] {
        for answer in [Answer::Json, Answer::Sse] {
            let mcp = McpServer::builder().wire(wire).answer_with(answer);
            let (world, token) = world_with_token(mcp).await;
            let service = connect(&world, &token, discover()).await;
            exercise(&world, service).await;
            let refusals = world.mcp.refusals();
            assert_eq!(refusals.len(), 1, "resources/list only: {refusals:?}");
            let methods: Vec<_> = world
                .recorder
                .of(Leg::Resource)
                .into_iter()
                .map(|request| request.method)
                .collect();
            assert!(methods.iter().all(|method| *method == Method::POST));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sdk_falls_back_where_only_the_stateful_wire_is_spoken() {
    let mcp = McpServer::builder().wire(Wire::Stateful2025_11_25);
    let (world, token) = world_with_token(mcp).await;
    let lifecycle = ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: None,
    };
    let service = connect(&world, &token, lifecycle).await;
    exercise(&world, service).await;
    let refusals = world.mcp.refusals();
    assert_eq!(refusals.len(), 1, "the probe only: {refusals:?}");
}
