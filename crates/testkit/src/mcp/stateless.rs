//! The wire of 2026-07-28: every request stands alone and says so in header and body.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    builder::{Caching, Wire},
    handler::Handler,
    rpc::{self, Kind, Message},
    stateful::{self, not_allowed, server_info},
};
use crate::{
    TokenFacts,
    reply::{self, Reply},
    request::Received,
};

pub(super) fn answer(
    handler: &Handler,
    request: &Received,
    message: &Message,
    caller: Option<&TokenFacts>,
) -> Reply {
    let outcome = check_version(handler, request, message)
        .and_then(|()| check_method(request, message))
        .and_then(|()| check_name(request, message))
        .and_then(|()| check_meta(request, message));
    if let Err(error) = outcome {
        return handler.answer_with(StatusCode::BAD_REQUEST, &error);
    }
    let Kind::Request { id, method } = &message.kind else {
        return reply::empty(StatusCode::ACCEPTED);
    };
    let outcome = match handler.common(message, caller) {
        Some(Ok(result)) if method == "tools/list" => Ok(cacheable(result, Caching::Never)),
        Some(outcome) => outcome,
        None if method == "server/discover" => Ok(discover(handler)),
        None if method == "ping" => Ok(json!({})),
        None => Err(rpc::error(id, rpc::METHOD_NOT_FOUND, "Method not found")),
    };
    match outcome {
        Ok(result) => handler.answer_with(StatusCode::OK, &rpc::result(id, &complete(result))),
        Err(error) => {
            let status = match rpc::error_code(&error) {
                Some(rpc::METHOD_NOT_FOUND) => StatusCode::NOT_FOUND,
                _ => StatusCode::OK,
            };
            handler.answer_with(status, &error)
        }
    }
}

fn discover(handler: &Handler) -> Value {
    let answer = json!({
        "supportedVersions": versions(handler),
        "capabilities": { "tools": {} },
        "_meta": { "io.modelcontextprotocol/serverInfo": server_info() },
    });
    cacheable(answer, handler.config.caching)
}

/// The revisions that the server speaks, newest first.
fn versions(handler: &Handler) -> Vec<&'static str> {
    let mut versions = vec![VERSION];
    if handler.config.wire == Wire::Both {
        versions.extend(stateful::VERSIONS);
    }
    versions
}

fn check_version(handler: &Handler, request: &Received, message: &Message) -> Result<(), Value> {
    match request.header(VERSION_HEADER) {
        Some(VERSION) => Ok(()),
        Some(other) => {
            let why = "Unsupported protocol version";
            let mut error = rpc::error(message.id(), rpc::UNSUPPORTED_VERSION, why);
            error["error"]["data"] = json!({
                "requested": other,
                "supported": versions(handler),
            });
            Err(error)
        }
        None => Err(mismatch(message, "MCP-Protocol-Version is missing")),
    }
}

/// `Mcp-Method` says what the body says.
fn check_method(request: &Received, message: &Message) -> Result<(), Value> {
    let Some(method) = message.method() else {
        return Ok(());
    };
    if request.header("mcp-method") == Some(method) {
        return Ok(());
    }
    Err(mismatch(
        message,
        "Mcp-Method is not the method of the body",
    ))
}

/// `Mcp-Name` says what the body says, for the methods that have a name.
fn check_name(request: &Received, message: &Message) -> Result<(), Value> {
    let key = match message.method() {
        Some("tools/call" | "prompts/get") => "name",
        Some("resources/read") => "uri",
        _ => return Ok(()),
    };
    let name = request.header("mcp-name").and_then(decoded);
    if name.as_deref() == message.params[key].as_str() {
        return Ok(());
    }
    let why = format!("Mcp-Name is not params.{key} of the body");
    Err(mismatch(message, &why))
}

/// `params._meta` of a request: the version again, and the client's capabilities.
fn check_meta(request: &Received, message: &Message) -> Result<(), Value> {
    if !matches!(message.kind, Kind::Request { .. }) {
        return Ok(());
    }
    let meta = &message.params["_meta"];
    let Some(version) = meta[META_VERSION].as_str() else {
        let why = format!("_meta has no {META_VERSION}");
        return Err(rpc::error(message.id(), rpc::INVALID_PARAMS, &why));
    };
    if !meta[META_CAPABILITIES].is_object() {
        let why = format!("_meta has no {META_CAPABILITIES}");
        return Err(rpc::error(message.id(), rpc::INVALID_PARAMS, &why));
    }
    if request.header(VERSION_HEADER) != Some(version) {
        let why = "MCP-Protocol-Version is not the version in _meta";
        return Err(mismatch(message, why));
    }
    Ok(())
}

fn mismatch(message: &Message, why: &str) -> Value {
    rpc::error(message.id(), rpc::HEADER_MISMATCH, why)
}

/// A header value, which is Base64 between `=?base64?` and `?=` if it is not plain text.
fn decoded(value: &str) -> Option<String> {
    let wrapped = value
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="));
    match wrapped {
        None => Some(value.to_owned()),
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok(),
    }
}

fn complete(mut result: Value) -> Value {
    result["resultType"] = json!("complete");
    result
}

/// Says how long the result may be kept, and by whom.
fn cacheable(mut result: Value, caching: Caching) -> Value {
    let (milliseconds, scope) = match caching {
        Caching::Never => (0, "private"),
        Caching::Private(milliseconds) => (milliseconds, "private"),
        Caching::Public(milliseconds) => (milliseconds, "public"),
    };
    result["ttlMs"] = json!(milliseconds);
    result["cacheScope"] = json!(scope);
    result
}

/// GET and DELETE do not exist on this wire.
pub(super) fn post_only() -> Reply {
    not_allowed("POST")
}

pub(super) const VERSION: &str = "2026-07-28";
pub(super) const VERSION_HEADER: &str = "mcp-protocol-version";
pub(super) const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
