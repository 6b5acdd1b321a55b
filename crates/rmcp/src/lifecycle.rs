//! The messages that open, prove and close a connection before rmcp's own lifecycle runs.

use std::collections::HashMap;

use http::{HeaderName, HeaderValue};
use rmcp::model::{
    ClientConfig, ClientJsonRpcMessage, ClientNotification, ClientRequest, DiscoverRequest,
    DiscoverRequestParams, GetMeta, InitializeRequest, InitializedNotification, JsonRpcMessage,
    ListToolsRequest, ProtocolVersion, RequestId, RequestMetaObject, ServerJsonRpcMessage,
    ServerResult,
};

use crate::Wire;

/// The id of the one message that settles the wire.
///
/// rmcp numbers its requests from 0 and its first request is answered from what was settled, so
/// this id is used once on the wire.
pub(crate) const SETTLING_ID: RequestId = RequestId::Number(0);

/// `server/discover` of 2026-07-28, with the metadata every request of that revision carries.
pub(crate) fn discover(info: &ClientConfig, id: RequestId) -> ClientJsonRpcMessage {
    let mut request = DiscoverRequest::new(DiscoverRequestParams {});
    request.extensions.insert(request_metadata(info));
    ClientJsonRpcMessage::request(ClientRequest::DiscoverRequest(request), id)
}

/// `initialize` at the newest revision that has a handshake.
pub(crate) fn initialize(info: &ClientConfig, id: RequestId) -> ClientJsonRpcMessage {
    let mut info = info.clone();
    offer_handshake(&mut info);
    let request = InitializeRequest::new(info);
    ClientJsonRpcMessage::request(ClientRequest::InitializeRequest(request), id)
}

/// Makes an `initialize` offer a revision that has a handshake: rmcp's default client does not.
pub(crate) fn offer_handshake(info: &mut ClientConfig) {
    if !info.protocol_version.has_initialize() {
        info.protocol_version = ProtocolVersion::LATEST_WITH_INITIALIZE;
    }
}

/// `notifications/initialized`, which ends the handshake.
pub(crate) fn initialized() -> ClientJsonRpcMessage {
    ClientJsonRpcMessage::notification(ClientNotification::InitializedNotification(
        InitializedNotification {
            method: Default::default(),
            extensions: Default::default(),
        },
    ))
}

/// `tools/list`, as it is sent over `wire`.
pub(crate) fn list_tools(info: &ClientConfig, wire: Wire, id: RequestId) -> ClientJsonRpcMessage {
    let mut request = ListToolsRequest::default();
    if wire == Wire::Stateless {
        request.extensions.insert(request_metadata(info));
    }
    ClientJsonRpcMessage::request(ClientRequest::ListToolsRequest(request), id)
}

/// The revision a settled answer speaks, as later requests name it.
pub(crate) fn negotiated(answer: &ServerJsonRpcMessage, wire: Wire) -> String {
    if let JsonRpcMessage::Response(response) = answer
        && let ServerResult::InitializeResult(result) = &response.result
    {
        return result.protocol_version.to_string();
    }
    wire.as_str().to_owned()
}

/// The headers that belong to `message` on a wire settled at `version`; `initialize` has none.
///
/// Covers the messages of this module alone: those have neither names nor annotated parameters.
pub(crate) fn headers(
    message: &ClientJsonRpcMessage,
    version: Option<&str>,
) -> HashMap<HeaderName, HeaderValue> {
    let mut headers = HashMap::new();
    let Some(version) = version else {
        return headers;
    };
    if let Ok(value) = HeaderValue::from_str(version) {
        headers.insert(PROTOCOL_VERSION, value);
    }
    if let ClientJsonRpcMessage::Request(request) = message
        && request.request.get_meta().protocol_version().is_some()
        && let Ok(value) = HeaderValue::from_str(request.request.method())
    {
        headers.insert(METHOD, value);
    }
    headers
}

fn request_metadata(info: &ClientConfig) -> RequestMetaObject {
    RequestMetaObject::with_client_context(
        Wire::Stateless.version(),
        info.client_info.clone(),
        info.capabilities.clone(),
    )
}

const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");

#[cfg(test)]
mod tests {
    use rmcp::model::{ClientCapabilities, Implementation};
    use serde_json::{Value, json};

    use super::*;

    fn info() -> ClientConfig {
        ClientConfig::new(
            ClientCapabilities::default(),
            Implementation::new("tester", "1.0"),
        )
    }

    #[test]
    fn a_stateless_request_carries_version_client_and_capabilities() {
        for message in [
            discover(&info(), SETTLING_ID),
            list_tools(&info(), Wire::Stateless, RequestId::Number(1)),
        ] {
            let body = serde_json::to_value(&message).unwrap();
            let meta = &body["params"]["_meta"];
            assert_eq!(
                meta["io.modelcontextprotocol/protocolVersion"],
                "2026-07-28"
            );
            assert_eq!(meta["io.modelcontextprotocol/clientInfo"]["name"], "tester");
            assert!(meta["io.modelcontextprotocol/clientCapabilities"].is_object());
            let headers = headers(&message, Some("2026-07-28"));
            assert_eq!(headers[&PROTOCOL_VERSION], "2026-07-28");
            assert_eq!(headers[&METHOD], body["method"].as_str().unwrap());
        }
    }

    #[test]
    fn initialize_offers_a_revision_that_has_a_handshake() {
        let message = initialize(&info(), SETTLING_ID);
        let body = serde_json::to_value(&message).unwrap();
        assert_eq!(body["params"]["protocolVersion"], "2025-11-25");
        assert_eq!(body["id"], json!(0));
        assert!(headers(&message, None).is_empty());
    }

    #[test]
    fn an_older_revision_asked_for_by_the_host_is_kept() {
        let older = info().with_protocol_version(ProtocolVersion::V_2025_06_18);
        let body = serde_json::to_value(initialize(&older, SETTLING_ID)).unwrap();
        assert_eq!(body["params"]["protocolVersion"], "2025-06-18");
    }

    #[test]
    fn a_stateful_request_has_no_metadata_and_no_method_header() {
        let message = list_tools(&info(), Wire::Stateful, RequestId::Number(1));
        let body = serde_json::to_value(&message).unwrap();
        assert_eq!(body["params"].get("_meta"), None::<&Value>);
        assert_eq!(headers(&message, Some("2025-11-25")).len(), 1);
    }
}
