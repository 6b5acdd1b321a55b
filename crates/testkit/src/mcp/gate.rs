//! Who gets in: bearer tokens (RFC 6750), challenges (RFC 9728 §5.1), scopes.

use std::sync::Arc;

use http::{StatusCode, header};

use super::{
    builder::{Prm, Protect},
    handler::Handler,
    rpc::{Kind, Message},
};
use crate::{
    TokenFacts, authorization,
    reply::{self, Reply},
    request::Received,
};

/// The facts of the caller's token, `None` if it needs none and has none, or the refusal.
///
/// `message` is `None` for GET, DELETE and bodies that are no message.
pub(super) fn admit(
    handler: &Handler,
    request: &Received,
    message: Option<&Message>,
) -> Result<Option<TokenFacts>, Box<Reply>> {
    if !request.query_parameters().all("access_token").is_empty() {
        return Err(invalid_request(handler, "a token has no business in a URL"));
    }
    let Some(core) = handler.state().authorization.clone() else {
        return Ok(None);
    };
    let given = request.headers.get_all(header::AUTHORIZATION);
    let needed = needs_token(handler, request, message);
    match given.iter().count() {
        0 if needed => return Err(unauthorized(handler, None)),
        0 => return Ok(None),
        1 => {}
        _ => {
            return Err(invalid_request(
                handler,
                "there is more than one Authorization field",
            ));
        }
    }
    let facts =
        check_token(handler, request, &core).map_err(|why| unauthorized(handler, Some(why)))?;
    if needed {
        check_scopes(handler, &facts, message)?;
    }
    Ok(Some(facts))
}

fn needs_token(handler: &Handler, request: &Received, message: Option<&Message>) -> bool {
    let is_post = request.method == http::Method::POST;
    match handler.config.protect {
        Protect::Everything => true,
        Protect::FromToolsList => {
            let free = |message: &Message| match &message.kind {
                Kind::Request { method, .. } => FREE.contains(&method.as_str()),
                Kind::Notification { .. } | Kind::Response => true,
            };
            is_post && !message.is_some_and(free)
        }
        Protect::ToolCallsOnly => message.and_then(Message::method) == Some("tools/call"),
    }
}

fn check_token(
    handler: &Handler,
    request: &Received,
    core: &Arc<authorization::Core>,
) -> Result<TokenFacts, &'static str> {
    let value = request.header(header::AUTHORIZATION.as_str());
    let token = value
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token)
        .ok_or("the Authorization field is no bearer token")?;
    let facts = core
        .inspect(token)
        .ok_or("the token was not issued by this server's authorization server")?;
    if handler.state().reject_tokens {
        return Err("no token is accepted at the moment");
    }
    if !facts.active {
        return Err("the token has expired or was revoked");
    }
    if facts.audience != handler.audience() {
        return Err("the token is for another resource");
    }
    Ok(facts)
}

fn check_scopes(
    handler: &Handler,
    facts: &TokenFacts,
    message: Option<&Message>,
) -> Result<(), Box<Reply>> {
    let mut needed = handler.state().required_scopes.clone();
    if let Some(message) = message
        && message.method() == Some("tools/call")
        && let Some(tool) = message.params["name"].as_str()
    {
        needed.extend(handler.config.tool_scopes.get(tool).cloned());
    }
    needed.retain(|scope| !facts.scopes.contains(scope));
    if needed.is_empty() {
        return Ok(());
    }
    let missing = needed.join(" ");
    handler.note_refusal(format!("403: insufficient scope, {missing} is missing"));
    let mut challenge = format!("Bearer scope=\"{missing}\"");
    append_metadata(handler, &mut challenge);
    challenge.push_str(", error=\"insufficient_scope\"");
    let mut reply = reply::empty(StatusCode::FORBIDDEN);
    reply::append(&mut reply, header::WWW_AUTHENTICATE, &challenge);
    Err(Box::new(reply))
}

/// 401; `why` is given if a token was sent (RFC 6750 §3.1).
fn unauthorized(handler: &Handler, why: Option<&str>) -> Box<Reply> {
    handler.note_refusal(format!("401: {}", why.unwrap_or("there is no token")));
    let mut reply = reply::empty(StatusCode::UNAUTHORIZED);
    for line in challenges(handler, why) {
        reply::append(&mut reply, header::WWW_AUTHENTICATE, &line);
    }
    Box::new(reply)
}

fn challenges(handler: &Handler, why: Option<&str>) -> Vec<String> {
    let scope = handler.state().required_scopes.join(" ");
    if let Some(lines) = &handler.config.challenges {
        let url = handler.metadata_url().unwrap_or_default();
        let fill = |line: &String| {
            line.replace("{resource_metadata}", &url)
                .replace("{scope}", &scope)
        };
        return lines.iter().map(fill).collect();
    }
    let mut challenge = "Bearer realm=\"mcp\"".to_owned();
    if let Some(why) = why {
        challenge.push_str(", error=\"invalid_token\", error_description=\"");
        challenge.push_str(why);
        challenge.push('"');
    }
    append_metadata(handler, &mut challenge);
    if handler.config.scope_in_challenge && !scope.is_empty() {
        challenge.push_str(&format!(", scope=\"{scope}\""));
    }
    vec![challenge]
}

fn append_metadata(handler: &Handler, challenge: &mut String) {
    if matches!(handler.config.prm, Prm::Challenge | Prm::Custom(_))
        && let Some(url) = handler.metadata_url()
    {
        challenge.push_str(&format!(", resource_metadata=\"{url}\""));
    }
}

fn invalid_request(handler: &Handler, why: &str) -> Box<Reply> {
    handler.note_refusal(format!("400: {why}"));
    let mut reply = reply::empty(StatusCode::BAD_REQUEST);
    let challenge = format!("Bearer error=\"invalid_request\", error_description=\"{why}\"");
    reply::append(&mut reply, header::WWW_AUTHENTICATE, &challenge);
    Box::new(reply)
}

/// What needs no token under [`Protect::FromToolsList`].
const FREE: [&str; 3] = ["initialize", "server/discover", "ping"];
