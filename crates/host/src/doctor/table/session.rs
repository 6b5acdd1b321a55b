//! What can be wrong with requests that carry the token, and with the clock.

use super::rows;
use crate::doctor::fault::Class::{Configuration, Forbidden, Login, Mcp, Server, Temporary};
use crate::doctor::fault::{Fault, Step};

rows! {
    TOKEN_REJECTED = Fault::new("token-rejected", Step::Initialize, Login, "the server rejects a token that is not expired")
        .means("The authorization server issued it, and the MCP server answers 401{value}. Mostly its audience is not this server, or it was revoked.")
        .by("CH-02", "RFC 6750 §3.1; RFC 8707 §2")
        .code("token-rejected")
        .mend("Sign in again. If a fresh one is rejected too, the operator has to say which audience the server expects.")
        .run("doorkey login {login}")
        .tell("{at} answers 401 to a token that {issuer} issued for it. Please check which audience it accepts.");
    BEARER_REJECTED = Fault::new("bearer-rejected", Step::Initialize, Configuration, "the server rejects the token from the configuration")
        .means("{value} of [mcp_servers.{name}] names it; it is expired, revoked or for another server.")
        .by("USE-09", "RFC 6750 §3.1")
        .code("bearer-rejected")
        .mend("Put a valid token where the configuration takes it from, or take the key out and sign in.")
        .run("doorkey get {name}");
    SCOPE_MISSING = Fault::new("scope-missing", Step::Initialize, Forbidden, "the token lacks a scope")
        .means("The server wants {value}, and the login was not given it.")
        .by("UP-01", "RFC 6750 §3.1")
        .code("insufficient-scope")
        .mend("Ask for it and sign in again, with an account that may have it.")
        .set("[mcp_servers.{name}]\nscopes = [{list}]")
        .run("doorkey login {login}");
    FORBIDDEN_WITH_TOKEN = Fault::new("forbidden-with-token", Step::Initialize, Forbidden, "the server forbids it to this account")
        .means("The token was taken, and the answer is {status}: signing in again will not change that.")
        .by("CH-07", "RFC 6750 §3.1")
        .mend("Ask the operator for access, or use another account.")
        .run("doorkey login {name} --account OTHER");
    DPOP_REJECTED = Fault::new("dpop-rejected", Step::Initialize, Server, "the server refuses the proof that goes with the token")
        .means("Tokens are bound to a key here, and the proof was not taken{value}. Often a clock is wrong.")
        .by("DP-17", "RFC 9449 §7.1")
        .code("dpop-proof-rejected")
        .mend("Set the clock of this machine if it is wrong. If a bearer token will do, say so and sign in again.")
        .set("[mcp_servers.{name}.oauth]\ndpop = \"off\"");
    DPOP_WANTED = Fault::new("dpop-wanted", Step::Initialize, Login, "the server wants a token that is bound to a key")
        .means("Its challenge is DPoP, and the stored token is a bearer token.")
        .by("DP-01", "RFC 9449 §7.1")
        .mend("Ask for bound tokens and sign in again.")
        .set("[mcp_servers.{name}.oauth]\ndpop = \"require\"")
        .run("doorkey login {login}");
    SESSION_REFUSED = Fault::new("session-refused", Step::Initialize, Mcp, "the server answers the opening of a session with an error")
        .means("The token was taken, and the MCP server says: {value}.")
        .by("ERR-04", "MCP 2025-11-25, Lifecycle")
        .code("mcp-error")
        .mend("The message is the server's own; its operator knows what it means.")
        .tell("{at} answers `initialize` with the error: {value}.");
    VERSION_UNSUPPORTED = Fault::new("version-unsupported", Step::Initialize, Mcp, "both sides speak no common revision of MCP")
        .means("{value}.")
        .by("ERR-04", "MCP 2025-11-25, Lifecycle: Version Negotiation")
        .mend("Let doorkey choose the revision, if one is configured; else the server has to speak 2025-11-25 or later.")
        .set("[mcp_servers.{name}]\nprotocol = \"auto\"")
        .tell("{at} speaks no revision of MCP that clients of today know: {value}.");
    SESSION_BROKEN = Fault::new("session-broken", Step::Initialize, Temporary, "the server fails at the opening of a session")
        .means("It took the token, and then: {value}.")
        .by("ERR-09", "MCP 2025-11-25, Streamable HTTP")
        .mend("Try again in a while; if it stays so, tell the operator.")
        .run("doorkey doctor {login}")
        .tell("{at}, asked to `initialize` with a valid token: {value}.");
    TOOLS_FAILED = Fault::new("tools-failed", Step::Tools, Mcp, "the session opens, and the list of tools cannot be had")
        .means("{value}.")
        .by("ERR-01", "MCP 2025-11-25, Tools")
        .code("mcp-error")
        .mend("Try again; if it stays so, the operator has to look at the server.")
        .run("doorkey tools {login}")
        .tell("{at} opens a session and fails at `tools/list`: {value}.");
    CLOCK_WRONG = Fault::new("clock-wrong", Step::Clock, Configuration, "the clock of this machine and that of the server differ")
        .means("By {value}. Expiry times, certificates and proofs are judged by clocks.")
        .by("DP-17", "RFC 9110 §6.6.1")
        .mend("Switch on that the system sets its clock by the network, or set it by hand; then look again.")
        .run("doorkey doctor {login}")
        .warning();
    TIME_OVER = Fault::new("time-over", Step::FirstRequest, Temporary, "the servers take longer than the doctor waits")
        .means("After {value} the steps that were left were given up.")
        .by("ERR-13", "")
        .mend("Try again when the servers are quicker.")
        .run("doorkey doctor {login}");
}
