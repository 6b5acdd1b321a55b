//! Reads an answer into rmcp's message.
//!
//! rmcp tells its messages and results apart by trying one after the other on a copy of the text. What answers a tool call
//! is a tool's result nearly always, so that is tried first, directly, and only if it has the members of one and no others:
//! what is read is then the same in either way.

use rmcp::model::{
    CallToolResult, ClientJsonRpcMessage, ClientRequest, ContentBlock, JsonRpcMessage,
    JsonRpcVersion2_0, MetaObject, RequestId, ResultType, ServerJsonRpcMessage, ServerResult,
};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The message that `body` is, in answer to `asked`.
///
/// # Errors
///
/// As the parser: it is no JSON, or no message.
pub(crate) fn message(
    asked: &ClientJsonRpcMessage,
    body: &[u8],
) -> serde_json::Result<ServerJsonRpcMessage> {
    match tool_result(asked, body) {
        Some(message) => Ok(message),
        None => serde_json::from_slice(body),
    }
}

fn tool_result(asked: &ClientJsonRpcMessage, body: &[u8]) -> Option<ServerJsonRpcMessage> {
    match asked {
        JsonRpcMessage::Request(request)
            if matches!(request.request, ClientRequest::CallToolRequest(_)) => {}
        _ => return None,
    }
    let Answered { id, result, .. } = serde_json::from_slice(body).ok()?;
    let is_complete = result
        .result_type
        .as_ref()
        .is_none_or(ResultType::is_complete);
    let is_known = result.content.is_some()
        || result.structured_content.is_some()
        || result.is_error.is_some();
    if !is_complete || !is_known {
        return None;
    }
    let mut called = CallToolResult::default();
    called.result_type = result.result_type;
    called.content = result.content.unwrap_or_default();
    called.structured_content = result.structured_content;
    called.is_error = result.is_error;
    called.meta = result.meta;
    Some(JsonRpcMessage::response(
        ServerResult::CallToolResult(called),
        id,
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered {
    #[serde(rename = "jsonrpc")]
    _version: JsonRpcVersion2_0,
    id: RequestId,
    result: Called,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Called {
    #[serde(default)]
    result_type: Option<ResultType>,
    #[serde(default)]
    content: Option<Vec<ContentBlock>>,
    /// `null` is a value.
    #[serde(default, deserialize_with = "present")]
    structured_content: Option<Value>,
    #[serde(default)]
    is_error: Option<bool>,
    #[serde(default, rename = "_meta")]
    meta: Option<MetaObject>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use rmcp::model::{CallToolRequest, CallToolRequestParams};

    use super::*;

    /// Not every message of rmcp can be compared; all can be shown.
    fn read(asked: &ClientJsonRpcMessage, body: &str) -> String {
        format!("{:?}", message(asked, body.as_bytes()).ok())
    }

    fn theirs(body: &str) -> String {
        let message = serde_json::from_str::<ServerJsonRpcMessage>(body);
        format!("{:?}", message.ok())
    }

    fn call() -> ClientJsonRpcMessage {
        let call = CallToolRequest::new(CallToolRequestParams::new("t"));
        ClientJsonRpcMessage::request(call.into(), RequestId::Number(1))
    }

    /// Results, and whether each is read without rmcp's parser.
    const RESULTS: &[(&str, bool)] = &[
        (r#"{"content":[]}"#, true),
        (
            r#"{"content":[{"type":"text","text":"a\n\u00e9"}],"isError":false}"#,
            true,
        ),
        (
            r#"{"content":[{"type":"image","data":"aGk=","mimeType":"image/png"}]}"#,
            true,
        ),
        (
            r#"{"content":[{"type":"text","text":"a","annotations":{"priority":0.5}}]}"#,
            true,
        ),
        (
            r#"{"structuredContent":{"a":[1,2.5,null]},"_meta":{"k":"v"}}"#,
            true,
        ),
        (r#"{"structuredContent":null}"#, true),
        (
            r#"{"resultType":"complete","content":[{"type":"text","text":"a"}]}"#,
            true,
        ),
        (r#"{"isError":true}"#, true),
        (r#"{"content":null}"#, false),
        (r#"{}"#, false),
        (r#"{"content":[],"tools":[]}"#, false),
        (r#"{"content":[],"action":"accept"}"#, false),
        (r#"{"content":[],"other":1}"#, false),
        (r#"{"content":[{"type":"unheard-of"}]}"#, false),
        (
            r#"{"resultType":"input_required","inputRequests":{}}"#,
            false,
        ),
        (
            r#"{"resultType":"task","taskId":"1","status":"working"}"#,
            false,
        ),
    ];

    #[test]
    fn an_answer_to_a_tool_call_reads_as_rmcp_reads_it() {
        let call = call();
        for (result, is_direct) in RESULTS {
            for body in [
                format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#),
                format!(r#" {{ "result":{result}, "id":"1", "jsonrpc":"2.0" }} "#),
            ] {
                let direct = tool_result(&call, body.as_bytes());
                assert_eq!(direct.is_some(), *is_direct, "{body}");
                assert_eq!(read(&call, &body), theirs(&body), "{body}");
            }
        }
    }

    #[test]
    fn whatever_else_is_said_is_read_by_rmcp() {
        let call = call();
        for body in [
            r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]},"error":{"code":1,"message":"m"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]},"method":"m"}"#,
            r#"{"jsonrpc":"1.0","id":1,"result":{"content":[]}}"#,
            r#"{"id":1,"result":{"content":[]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}} more"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"}}"#,
            r#"{"jsonrpc":"2.0","id":null,"result":{"content":[]}}"#,
            "",
            "[]",
        ] {
            assert!(tool_result(&call, body.as_bytes()).is_none(), "{body}");
            assert_eq!(read(&call, body), theirs(body), "{body}");
        }
    }
}
