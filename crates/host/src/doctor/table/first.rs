//! What can be wrong with the answer to a first request, and with the challenge in it.

use super::rows;
use crate::doctor::fault::Class::{Configuration, Forbidden, Mcp, Server, Temporary};
use crate::doctor::fault::{Fault, Step};

rows! {
    ANSWER_TOO_SLOW = Fault::new("answer-too-slow", Step::FirstRequest, Temporary, "the server accepts the request and does not answer in time")
        .means("The connection stands, and nothing came within the limit: {value}.")
        .by("ERR-13", "")
        .code("timed-out")
        .mend("Try again later. Only if the server is known to be that slow: raise the limit.")
        .set("[mcp_servers.{name}]\nstartup_timeout_sec = 60\n[mcp_servers.{name}.network]\ntotal_timeout_sec = 60");
    ANSWER_BROKEN = Fault::new("answer-broken", Step::FirstRequest, Temporary, "the server breaks off before its answer is complete")
        .means("The connection stood, and what came was no whole HTTP answer: {value}.")
        .by("ERR-10", "RFC 9112 §8")
        .code("answer-broken-off")
        .mend("Try again; if it stays so, the operator has to look at the server or what stands in front of it.")
        .tell("{at} closes connections or answers with something that is no HTTP ({value}).");
    ANSWER_TOO_LARGE = Fault::new("answer-too-large", Step::FirstRequest, Server, "the answer is larger than is read")
        .means("Bodies and headers have limits, so that no server can fill this machine: {value}.")
        .by("SEC-12", "")
        .code("answer-too-large")
        .mend("The operator has to answer in fewer bytes.")
        .tell("The answer of {at} is larger than clients read ({value}).");
    BOT_WALL = Fault::new("bot-wall", Step::FirstRequest, Forbidden, "something in front of the server takes this client for a bot")
        .means("The answer is {status} in place of a challenge, and it is that of a firewall or CDN that never let the request through.")
        .by("CH-07", "MCP 2025-11-25, Authorization: Error Handling")
        .mend("The operator has to let clients of MCP through, or says which header opens the gate.")
        .set("[mcp_servers.{name}]\nhttp_headers = { X-Gateway-Key = \"…\" }")
        .tell("{at} answers requests of an MCP client with {status}, before they reach the server. Please exempt the MCP path and /.well-known/* from bot protection.");
    FORBIDDEN = Fault::new("forbidden", Step::FirstRequest, Forbidden, "the server forbids the request and asks for no login")
        .means("{status} without a challenge: no login changes that. It may go by the network you are in, or by a header.")
        .by("CH-07", "RFC 6750 §3.1")
        .mend("Ask the operator who may use the server; a request without a token should be answered with 401.")
        .tell("{at} answers a request without a token with {status}. MCP wants 401 and a WWW-Authenticate header there, so that clients can sign in.");
    FORBIDDEN_CHALLENGE = Fault::new("forbidden-challenge", Step::Challenge, Server, "the server asks for a login with the wrong status")
        .means("{status} came with a challenge in place of 401. It is taken for the challenge; not every client does that.")
        .by("CH-07", "RFC 6750 §3.1")
        .mend("Nothing to do here; tell the operator.")
        .tell("{at} answers a request without a token with {status} and a WWW-Authenticate header. RFC 6750 §3.1 wants 401 there.")
        .warning();
    NOT_FOUND = Fault::new("not-found", Step::FirstRequest, Configuration, "there is no MCP server at that path")
        .means("The host answers, and with {status}: the path of the URL is most likely wrong. Usual ones are /mcp and /.")
        .by("ERR-05", "MCP 2025-11-25, Streamable HTTP")
        .mend("Take the URL from the server's documentation.")
        .set("[mcp_servers.{name}]\nurl = \"{origin}/mcp\"")
        .run("doorkey get {name}");
    METHOD_REFUSED = Fault::new("method-refused", Step::FirstRequest, Configuration, "that path takes no POST")
        .means("The host answers with {status}: the URL is that of a page or of another service.")
        .by("ERR-03", "MCP 2025-11-25, Streamable HTTP")
        .mend("Take the URL of the MCP endpoint from the server's documentation.")
        .set("[mcp_servers.{name}]\nurl = \"{origin}/mcp\"")
        .run("doorkey get {name}");
    WEB_PAGE = Fault::new("web-page", Step::FirstRequest, Configuration, "a web page answers in place of an MCP server")
        .means("The answer is {status} and HTML: the URL is that of a web site, or a login page stands in front of the server.")
        .by("ERR-02", "MCP 2025-11-25, Streamable HTTP")
        .mend("Take the URL of the MCP endpoint from the server's documentation.")
        .set("[mcp_servers.{name}]\nurl = \"{origin}/mcp\"")
        .run("doorkey get {name}");
    REDIRECTED = Fault::new("redirected", Step::FirstRequest, Configuration, "the server sends requests elsewhere")
        .means("It answered {status} and sends on to {value}. A request that will carry a token is not sent on.")
        .by("USE-05", "RFC 9110 §15.4")
        .code("redirect-refused")
        .mend("If that is where the server is now, and no login page, write its final URL.")
        .set("[mcp_servers.{name}]\nurl = \"{value}\"");
    RETIRED_TRANSPORT = Fault::new("retired-transport", Step::FirstRequest, Mcp, "the server speaks the HTTP+SSE transport that was retired")
        .means("It takes no POST here, and answers a GET with a stream that names another endpoint: MCP of 2024-11-05.")
        .by("ERR-03", "MCP 2025-11-25, Streamable HTTP: Backwards Compatibility")
        .mend("See whether the server has a newer URL, often /mcp in place of /sse.")
        .set("[mcp_servers.{name}]\nurl = \"{origin}/mcp\"")
        .run("doorkey get {name}")
        .tell("{at} speaks only the HTTP+SSE transport of 2024-11-05. Please offer streamable HTTP as well.");
    SERVER_ERROR = Fault::new("server-error", Step::FirstRequest, Temporary, "the server is out of order")
        .means("It answered {status}.")
        .by("ERR-09", "RFC 9110 §15.6")
        .mend("Try again in a while; if it stays so, tell the operator.")
        .run("doorkey doctor {login}")
        .tell("{at} answers {status}.");
    TOO_MANY_REQUESTS = Fault::new("too-many-requests", Step::FirstRequest, Temporary, "the server wants fewer requests")
        .means("It answered {status}{value}.")
        .by("ERR-09", "RFC 6585 §4")
        .mend("Wait, then try again.")
        .run("doorkey doctor {login}");
    NOT_MCP = Fault::new("not-mcp", Step::FirstRequest, Mcp, "the answer is no MCP message")
        .means("The server answered {status} with something that no client of MCP understands: {value}.")
        .by("ERR-02", "MCP 2025-11-25, Streamable HTTP")
        .mend("Check the URL; if it is right, the operator has to look at the server.")
        .tell("{at} answers `initialize` with {status} and a body that is no JSON-RPC message.");
    MCP_ERROR = Fault::new("mcp-error", Step::FirstRequest, Mcp, "the server answers the opening with an error")
        .means("The request got through, and the MCP server refuses it: {value}.")
        .by("ERR-04", "MCP 2025-11-25, Lifecycle")
        .code("mcp-error")
        .mend("The message is the server's own; its operator knows what it means.")
        .tell("{at} answers `initialize` with the error: {value}.");
    REQUEST_REFUSED = Fault::new("request-refused", Step::FirstRequest, Server, "the server refuses the request")
        .means("It answered {status} to a request that MCP wants it to take or to challenge: {value}.")
        .by("CH-08", "MCP 2025-11-25, Streamable HTTP")
        .mend("Check the URL; if it is right, the operator has to look at the server.")
        .tell("{at} answers `initialize` with {status}.");
    CHALLENGE_MISSING = Fault::new("challenge-missing", Step::Challenge, Server, "the 401 says nothing about how to sign in")
        .means("There is no WWW-Authenticate header in it. The well-known places are asked instead.")
        .by("WWW-12", "RFC 9728 §5.1")
        .mend("Nothing to do here if the login works; the operator should add the header.")
        .tell("{at} answers 401 without WWW-Authenticate. Please add: WWW-Authenticate: Bearer resource_metadata=\"{origin}/.well-known/oauth-protected-resource\".")
        .warning();
    CHALLENGE_OTHER_SCHEME = Fault::new("challenge-other-scheme", Step::Challenge, Server, "the server asks for another kind of login than OAuth")
        .means("Its challenge is `{value}`, and neither Bearer nor DPoP. The well-known places are asked all the same.")
        .by("WWW-11", "RFC 6750 §3")
        .mend("If the operator gave you a fixed header for it, configure that.")
        .set("[mcp_servers.{name}]\nbearer_token_env_var = \"VARIABLE\"")
        .tell("{at} challenges with `{value}`. MCP clients need a Bearer challenge.");
    CHALLENGE_UNREADABLE = Fault::new("challenge-unreadable", Step::Challenge, Server, "the challenge cannot be read")
        .means("WWW-Authenticate is there and breaks its grammar: {value}. The well-known places are asked instead.")
        .by("WWW-12", "RFC 9110 §11.6.1")
        .mend("Nothing to do here if the login works; the operator should correct the header.")
        .tell("The WWW-Authenticate header of {at} cannot be parsed: {value}.")
        .warning();
    METADATA_URL_REFUSED = Fault::new("metadata-url-refused", Step::Challenge, Server, "the challenge names a metadata URL that must not be used")
        .means("`resource_metadata` has to be an https URL: {value}.")
        .by("WWW-14", "RFC 9728 §5.1")
        .code("challenge-unusable")
        .mend("The operator has to name a proper URL.")
        .tell("The `resource_metadata` in the challenge of {at} is not an https URL.");
}
