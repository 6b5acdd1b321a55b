//! What can rule out a login at an authorization server that was found, and how this client gets an id there.

use super::rows;
use crate::doctor::fault::Class::{Configuration, Login, Server};
use crate::doctor::fault::{Fault, Step};

rows! {
    NO_PKCE = Fault::new("no-pkce", Step::Capabilities, Server, "the authorization server does not promise PKCE with S256")
        .means("`code_challenge_methods_supported` of {value} lists no S256, so a code could be stolen on its way back.")
        .by("AS-20", "MCP 2025-11-25, Authorization: Code Protection; RFC 7636")
        .code("pkce-unsupported")
        .mend("The operator has to support S256 and say so. If it is supported and only not said, name the endpoints yourself.")
        .set("[mcp_servers.{name}.oauth]\nissuer = \"{value}\"\nendpoints = { authorization_endpoint = \"…\", token_endpoint = \"…\" }")
        .tell("The metadata of {value} lack `code_challenge_methods_supported: [\"S256\"]`. MCP clients must refuse to sign in without it.");
    NO_CODE = Fault::new("no-code", Step::Capabilities, Server, "the authorization server signs nobody in through a browser")
        .means("`response_types_supported` of {value} lists no `code`.")
        .by("AS-16", "OAuth 2.1 §4.1")
        .code("authorization-server-unsupported")
        .mend("If it serves programs without a person, configure that flow.")
        .set("[mcp_servers.{name}.oauth]\nflow = \"client_credentials\"\nclient_id = \"…\"\nclient_secret_env = \"VARIABLE\"\nissuer = \"{value}\"")
        .tell("`response_types_supported` of {value} lacks `code`.");
    GRANT_NOT_OFFERED = Fault::new("grant-not-offered", Step::Capabilities, Server, "the authorization server does not offer this way to sign in")
        .means("`grant_types_supported`: {value}.")
        .by("AS-16", "RFC 8414 §2")
        .code("authorization-server-unsupported")
        .mend("Set `flow` to one that it offers, or have the operator offer this one.")
        .tell("The metadata of your authorization server: `grant_types_supported` {value}.");
    SIGNED_REQUESTS = Fault::new("signed-requests", Step::Capabilities, Server, "the authorization server wants requests that this client does not make")
        .means("Its metadata: {value}.")
        .by("AS-22", "RFC 9101 §10.5; RFC 9126 §5")
        .code("authorization-server-unsupported")
        .mend("The operator has to accept requests as MCP has them.")
        .tell("The metadata of your authorization server rule out MCP clients: {value}.");
    ENDPOINT_MISSING = Fault::new("endpoint-missing", Step::Capabilities, Server, "the authorization server lacks an endpoint that the login needs")
        .means("Its metadata: {value}.")
        .by("AS-12", "RFC 8414 §2")
        .code("authorization-server-unsupported")
        .mend("The operator has to publish it; if they tell you, name the endpoints yourself.")
        .set("[mcp_servers.{name}.oauth]\nissuer = \"…\"\nendpoints = { authorization_endpoint = \"…\", token_endpoint = \"…\" }")
        .tell("The metadata of your authorization server: {value}.");
    PAGE_REFUSED = Fault::new("page-refused", Step::Capabilities, Server, "the sign-in page is at an address that a server may not lead to")
        .means("{value}.")
        .by("SEC-07", "MCP Security Best Practices: SSRF")
        .code("page-refused")
        .mend("If that address is meant, allow its origin.")
        .set("[mcp_servers.{name}.network]\nallow_origins = [\"{page}\"]");
    NO_REGISTRATION = Fault::new("no-registration", Step::Registration, Configuration, "there is no way to a client id")
        .means("{value} registers no clients by itself and takes no metadata document, and no client is configured.")
        .by("REG-02", "MCP 2025-11-25, Authorization: Client Registration Approaches")
        .code("client-id-needed")
        .mend("Register a client with that server by hand, with the redirect URI http://127.0.0.1:3118/callback, and configure its id and that port.")
        .set("[mcp_servers.{name}.oauth]\nclient_id = \"…\"\nissuer = \"{value}\"\ncallback_port = 3118");
    OTHER_ISSUER_CONFIGURED = Fault::new("other-issuer-configured", Step::Registration, Configuration, "the configured client belongs to another authorization server")
        .means("{value}. An id and a secret never go to a server they are not meant for.")
        .by("REG-05", "MCP 2025-11-25, Authorization: Client Registration Approaches")
        .code("client-of-other-issuer")
        .mend("If the server has moved there, configure the client it has at the new one.")
        .set("[mcp_servers.{name}.oauth]\nclient_id = \"…\"\nissuer = \"{issuer}\"");
    CREDENTIALS_UNBOUND = Fault::new("credentials-unbound", Step::Registration, Configuration, "the configured credentials do not say whose they are")
        .means("They name no issuer, so they are not sent to {value}, which only the MCP server names.")
        .by("CC-07", "OAuth Client Credentials extension")
        .code("issuer-not-named")
        .mend("If that is the right one, say so.")
        .set("[mcp_servers.{name}.oauth]\nissuer = \"{value}\"");
    CLIENT_GONE = Fault::new("client-gone", Step::Registration, Login, "the authorization server no longer knows the client")
        .means("This client registered itself, and the server has forgotten it: {at} answered {status}. Refreshes will fail.")
        .by("REG-23", "RFC 7592 §2.1")
        .mend("Sign in again; a new client is registered by itself.")
        .run("doorkey login {login}");
    CLIENT_SECRET_EXPIRED = Fault::new("client-secret-expired", Step::Registration, Login, "the secret of the client has expired")
        .means("The server gave this client a secret with an end, and that has passed: {value}.")
        .by("REG-19", "RFC 7591 §3.2.1")
        .mend("Sign in again; a new client is registered by itself.")
        .run("doorkey login {login}");
}
