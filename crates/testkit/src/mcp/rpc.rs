//! JSON-RPC 2.0 messages, as far as the server needs them.

use serde_json::{Value, json};

/// One message from the client.
pub(super) struct Message {
    pub(super) kind: Kind,
    pub(super) params: Value,
}

/// What a message is.
pub(super) enum Kind {
    Request { id: Value, method: String },
    Notification { method: String },
    Response,
}

impl Message {
    /// The message in `body`, or the error answer.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Value> {
        let parsed: Value = serde_json::from_slice(body)
            .map_err(|_| error(&Value::Null, PARSE_ERROR, "the body is not JSON"))?;
        let invalid = |why| error(&Value::Null, INVALID_REQUEST, why);
        if parsed.is_array() {
            return Err(invalid("batches are not supported"));
        }
        if parsed["jsonrpc"] != "2.0" {
            return Err(invalid("the body is not a JSON-RPC 2.0 message"));
        }
        let id = parsed.get("id").cloned();
        let sound_id = id.as_ref().is_none_or(|id| id.is_string() || id.is_i64());
        let kind = match (parsed.get("method").map(Value::as_str), id) {
            _ if !sound_id => return Err(invalid("the id is neither text nor a whole number")),
            (Some(None), _) => return Err(invalid("the method is not text")),
            (Some(Some(method)), Some(id)) => Kind::Request {
                id,
                method: method.to_owned(),
            },
            (Some(Some(method)), None) => Kind::Notification {
                method: method.to_owned(),
            },
            (None, Some(_)) if parsed.get("result").is_some() || parsed.get("error").is_some() => {
                Kind::Response
            }
            (None, _) => return Err(invalid("the message has no method")),
        };
        Ok(Self {
            kind,
            params: parsed.get("params").cloned().unwrap_or_default(),
        })
    }

    pub(super) fn method(&self) -> Option<&str> {
        match &self.kind {
            Kind::Request { method, .. } | Kind::Notification { method } => Some(method),
            Kind::Response => None,
        }
    }

    pub(super) fn id(&self) -> &Value {
        match &self.kind {
            Kind::Request { id, .. } => id,
            _ => &Value::Null,
        }
    }
}

pub(super) fn result(id: &Value, result: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

pub(super) fn error(id: &Value, code: i64, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

/// The code of an error message, `None` for a result.
pub(super) fn error_code(message: &Value) -> Option<i64> {
    message["error"]["code"].as_i64()
}

pub(super) const PARSE_ERROR: i64 = -32700;
pub(super) const INVALID_REQUEST: i64 = -32600;
pub(super) const METHOD_NOT_FOUND: i64 = -32601;
pub(super) const INVALID_PARAMS: i64 = -32602;
/// A server error of no particular kind.
pub(super) const SERVER_ERROR: i64 = -32000;
/// A header field is missing or contradicts the body (MCP 2026-07-28).
pub(super) const HEADER_MISMATCH: i64 = -32020;
/// The protocol version is not spoken here (MCP 2026-07-28).
pub(super) const UNSUPPORTED_VERSION: i64 = -32022;
