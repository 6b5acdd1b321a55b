//! The MCP extensions in use, told to the server in the capabilities of the client (CC-10, EMA-15).
//!
//! A host declares what it can do itself in its handler. How its tokens are obtained is known to the token source alone.

use std::borrow::Cow;

use doorkey_oauth::{AuthorizationConfig, DpopChoice, TokenSource};
use rmcp::model::{
    ClientCapabilities, ClientJsonRpcMessage, ClientRequest, GetMeta, JsonRpcMessage,
};

/// The message as it is sent: with the extensions that its sender uses right now, if it tells of capabilities at all.
pub(crate) async fn declaring<'a>(
    message: &'a ClientJsonRpcMessage,
    tokens: Option<&TokenSource>,
) -> Cow<'a, ClientJsonRpcMessage> {
    let extensions = match tokens {
        Some(tokens) => in_use(tokens).await,
        None => Vec::new(),
    };
    if extensions.is_empty() {
        return Cow::Borrowed(message);
    }
    let Some(mut capabilities) = told_by(message) else {
        return Cow::Borrowed(message);
    };
    let declared = capabilities.extensions.get_or_insert_default();
    for name in extensions {
        declared.entry(name.to_owned()).or_default();
    }
    Cow::Owned(telling(message.clone(), capabilities))
}

/// Nothing, for most servers: then the message goes as it is.
async fn in_use(tokens: &TokenSource) -> Vec<&'static str> {
    let Some(config) = tokens.config() else {
        return Vec::new();
    };
    let flow = config.flow.extension();
    let dpop = uses_dpop(tokens, config).await.then_some(DPOP);
    flow.into_iter().chain(dpop).collect()
}

async fn uses_dpop(tokens: &TokenSource, config: &AuthorizationConfig) -> bool {
    match config.dpop {
        DpopChoice::Off => false,
        DpopChoice::Prefer | DpopChoice::Require => true,
        _ => tokens.is_bound().await,
    }
}

/// The capabilities that a message tells: `initialize` of the stateful wire, and every request of the stateless one.
fn told_by(message: &ClientJsonRpcMessage) -> Option<ClientCapabilities> {
    let JsonRpcMessage::Request(request) = message else {
        return None;
    };
    match &request.request {
        ClientRequest::InitializeRequest(initialize) => {
            Some(initialize.params.capabilities.clone())
        }
        other => other.get_meta().client_capabilities(),
    }
}

fn telling(
    mut message: ClientJsonRpcMessage,
    capabilities: ClientCapabilities,
) -> ClientJsonRpcMessage {
    if let JsonRpcMessage::Request(request) = &mut message {
        match &mut request.request {
            ClientRequest::InitializeRequest(initialize) => {
                initialize.params.capabilities = capabilities;
            }
            other => other.get_meta_mut().set_client_capabilities(capabilities),
        }
    }
    message
}

const DPOP: &str = "io.modelcontextprotocol/auth/dpop";
