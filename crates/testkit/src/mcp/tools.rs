//! The tools, which are the same on both wires.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::rpc::{self, INVALID_PARAMS};
use crate::TokenFacts;

/// `tools/list`: the built-in tools and those that a test added with a scope.
pub(super) fn list(scoped: &BTreeMap<String, String>) -> Value {
    let nothing = json!({ "type": "object", "properties": {} });
    let text = json!({
        "type": "object",
        "properties": { "text": { "type": "string" } },
        "required": ["text"],
    });
    let mut tools = vec![
        tool("echo", "Answers its argument.", &text),
        tool("whoami", "Answers what the token says.", &nothing),
        tool("fail", "Answers that it failed.", &nothing),
    ];
    for (name, scope) in scoped {
        if !BUILT_IN.contains(&name.as_str()) {
            let description = format!("Needs the scope {scope}.");
            tools.push(tool(name, &description, &nothing));
        }
    }
    json!({ "tools": tools })
}

/// `tools/call`: a result, or a JSON-RPC error answer.
pub(super) fn call(
    id: &Value,
    params: &Value,
    scoped: &BTreeMap<String, String>,
    caller: Option<&TokenFacts>,
) -> Result<Value, Value> {
    let invalid = |why: &str| rpc::error(id, INVALID_PARAMS, why);
    let name = params["name"]
        .as_str()
        .ok_or_else(|| invalid("params.name is missing"))?;
    match name {
        "echo" => match params["arguments"]["text"].as_str() {
            Some(text) => Ok(content(text, false)),
            None => Ok(content("the argument text is missing", true)),
        },
        "whoami" => Ok(whoami(caller)),
        "fail" => Ok(content("failed, as it always does", true)),
        _ if scoped.contains_key(name) => Ok(content("done", false)),
        _ => Err(invalid(&format!("Unknown tool: {name}"))),
    }
}

fn whoami(caller: Option<&TokenFacts>) -> Value {
    let facts = match caller {
        None => json!({ "anonymous": true }),
        Some(token) => json!({
            "anonymous": false,
            "subject": token.subject,
            "client_id": token.client_id,
            "scopes": token.scopes,
            "audience": token.audience,
        }),
    };
    let mut result = content(&facts.to_string(), false);
    result["structuredContent"] = facts;
    result
}

fn content(text: &str, is_error: bool) -> Value {
    json!({ "content": [{ "type": "text", "text": text }], "isError": is_error })
}

fn tool(name: &str, description: &str, input: &Value) -> Value {
    json!({ "name": name, "description": description, "inputSchema": input })
}

const BUILT_IN: [&str; 3] = ["echo", "whoami", "fail"];
