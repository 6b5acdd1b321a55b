//! What can be wrong with what the store has of a login, and with its refresh.

use super::rows;
use crate::doctor::fault::Class::{Configuration, Login, Server, Temporary};
use crate::doctor::fault::{Fault, Step};

rows! {
    NOT_SIGNED_IN = Fault::new("not-signed-in", Step::Token, Login, "nobody has signed in yet")
        .means("The server wants a login, everything on the way to it is in order, and the store has none for this account.")
        .by("CH-01", "MCP 2025-11-25, Authorization Flow Steps")
        .code("login-required")
        .mend("Sign in.")
        .run("doorkey login {login}");
    LOGIN_WAITING = Fault::new("login-waiting", Step::Token, Login, "a login was started and waits to be finished")
        .means("Somebody opened a page with `--start` and has not come back with its answer; it can be finished until {value}.")
        .by("RSP-16", "")
        .mend("Paste the address at which the browser ended, or begin anew.")
        .run("doorkey login {login} --finish");
    TOKEN_EXPIRED = Fault::new("token-expired", Step::Token, Login, "the token has expired, and there is no refresh token")
        .means("The authorization server gave no refresh token, so a person has to sign in each time.")
        .by("TOK-16", "RFC 6749 §5.1")
        .code("login-required")
        .mend("Sign in again. To be given a refresh token some servers want a scope for it, or a parameter.")
        .run("doorkey login {login}")
        .set("[mcp_servers.{name}]\nscopes = [\"offline_access\"]");
    TOKEN_REJECTED_BEFORE = Fault::new("token-rejected-before", Step::Token, Login, "the server has rejected the stored token")
        .means("An earlier request with it was answered with 401{value}. It is not sent again.")
        .by("CH-05", "RFC 6750 §3.1")
        .code("login-required")
        .mend("Sign in again.")
        .run("doorkey login {login}");
    TOKEN_OTHER_ISSUER = Fault::new("token-other-issuer", Step::Token, Login, "the server has moved to another authorization server")
        .means("{value}. Tokens of the old one are not shown to anybody.")
        .by("ST-02", "MCP 2025-11-25, Authorization: Authorization Server Binding")
        .code("login-required")
        .mend("Sign in again, at the new one.")
        .run("doorkey login {login}");
    TOKEN_OTHER_RESOURCE = Fault::new("token-other-resource", Step::Token, Login, "the token was asked for another resource than is published now")
        .means("{value}. The server will most likely reject it for its audience.")
        .by("REF-02", "RFC 8707 §2")
        .code("login-required")
        .mend("Sign in again, so that the token is for what the server calls itself now.")
        .run("doorkey login {login}");
    LOGIN_OTHER_SETTINGS = Fault::new("login-other-settings", Step::Token, Login, "the stored login was made with other settings")
        .means("{value}, so it is not used.")
        .by("ST-02", "")
        .code("login-required")
        .mend("Sign in again, or put the settings back.")
        .run("doorkey login {login}");
    RECORD_UNREADABLE = Fault::new("record-unreadable", Step::Token, Configuration, "the stored login cannot be read")
        .means("The store is there, and the record of this login is not usable: {value}.")
        .by("ST-07", "")
        .mend("See what is wrong with the file; signing in again replaces it.")
        .run("doorkey login {login}");
    CLIENT_REFUSED = Fault::new("client-refused", Step::Refresh, Configuration, "the authorization server refuses the configured client")
        .means("A first token was asked for, and the answer is: {value}. The client id, its secret or key, or the way to authenticate is wrong.")
        .by("CC-03", "RFC 6749 §5.2")
        .code("client-refused")
        .mend("Compare the client id and its secret or key with what the authorization server has; they may have been replaced there.")
        .run("doorkey get {name}")
        .set("[mcp_servers.{name}.oauth]\nclient_id = \"…\"\nclient_secret_env = \"…\"");
    ASSERTION_MISSING = Fault::new("assertion-missing", Step::Refresh, Configuration, "the proof of who this program is cannot be had")
        .means("A first token is asked for with the identity of this workload, or of its user, and there is none to show: {value}.")
        .by("WIF-06", "RFC 7523 §2.1")
        .code("assertion-missing")
        .mend("Look at the place that the configuration takes it from.")
        .run("doorkey get {name}");
    TOKEN_REFUSED = Fault::new("token-refused", Step::Refresh, Server, "the authorization server gives no token to this client")
        .means("A first token was asked for, and it came to this: {value}.")
        .by("TOK-17", "RFC 6749 §5.2")
        .mend("The operator has to allow this client the flow, the scopes and the resource that are configured.")
        .run("doorkey get {name}")
        .tell("{issuer} gives no token to a client that asks for one by itself: {value}.");
    TOKEN_UNOBTAINABLE = Fault::new("token-unobtainable", Step::Refresh, Temporary, "a first token cannot be had for now")
        .means("It was asked for, and it came to this: {value}.")
        .by("REF-08", "RFC 6749 §5.2")
        .mend("Try again in a while.")
        .run("doorkey doctor {login}");
    BRAKE_ON = Fault::new("brake-on", Step::Refresh, Temporary, "the authorization server asked to be left alone for a while")
        .means("{value}. All processes obey that.")
        .by("REF-08", "RFC 9110 §10.2.3")
        .code("refresh-delayed")
        .mend("Wait, then try again.")
        .run("doorkey doctor {login}");
    REFRESH_TOKEN_REFUSED = Fault::new("refresh-token-refused", Step::Refresh, Login, "the authorization server no longer takes the refresh token")
        .means("It was revoked, used twice, or is too old: {value}.")
        .by("REF-07", "RFC 6749 §5.2")
        .code("login-required")
        .mend("Sign in again.")
        .run("doorkey login {login}");
    REFRESH_CLIENT_REFUSED = Fault::new("refresh-client-refused", Step::Refresh, Login, "the authorization server refuses this client")
        .means("Its registration is gone, or its secret or way to authenticate is wrong: {value}.")
        .by("REG-23", "RFC 6749 §5.2")
        .code("client-refused")
        .mend("Sign in again; for a client that you registered by hand correct its id, secret and method first.")
        .run("doorkey login {login}")
        .set("[mcp_servers.{name}.oauth]\nclient_id = \"…\"\nclient_secret_env = \"…\"\ntoken_endpoint_auth_method = \"client_secret_post\"");
    REFRESH_REQUEST_REFUSED = Fault::new("refresh-request-refused", Step::Refresh, Login, "the authorization server refuses what the refresh asks for")
        .means("The scopes or the resource are not what it gives to this client: {value}.")
        .by("REF-15", "RFC 6749 §5.2; RFC 8707 §2")
        .mend("Sign in again; if it comes back, change or leave out the resource.")
        .run("doorkey login {login}")
        .set("[mcp_servers.{name}]\noauth_resource = \"omit\"");
    ENTRA_RESOURCE = Fault::new("entra-resource", Step::Refresh, Configuration, "Microsoft Entra refuses the resource beside these scopes")
        .means("Entra takes `resource` only where it matches the scopes: {value}.")
        .by("AZ-04", "RFC 8707 §2")
        .mend("Leave the resource out for this server, and sign in again.")
        .set("[mcp_servers.{name}]\noauth_resource = \"omit\"");
    ENTRA_SCOPE = Fault::new("entra-scope", Step::Refresh, Configuration, "Microsoft Entra refuses the scopes")
        .means("Entra wants the scopes of one resource, spelt in full: {value}.")
        .by("AZ-10", "RFC 6749 §3.3")
        .mend("Name the scope that the operator gives you, and sign in again.")
        .set("[mcp_servers.{name}]\nscopes = [\"api://APPLICATION/SCOPE\", \"offline_access\"]");
    REFRESH_SERVER_ERROR = Fault::new("refresh-server-error", Step::Refresh, Temporary, "the authorization server fails at the refresh")
        .means("{at} answered {status}. The login is kept.")
        .by("REF-08", "RFC 9110 §15.6")
        .code("refresh-failed")
        .mend("Try again in a while; if it stays so, tell the operator.")
        .run("doorkey doctor {login}")
        .tell("{at} answers refreshes with {status}.");
    REFRESH_UNREACHABLE = Fault::new("refresh-unreachable", Step::Refresh, Temporary, "the token endpoint cannot be reached")
        .means("{value}. The login is kept.")
        .by("REF-08", "")
        .code("connection-failed")
        .mend("Check the network and the VPN, then try again.")
        .run("doorkey doctor {login}");
    REFRESH_UNREADABLE = Fault::new("refresh-unreadable", Step::Refresh, Server, "the token endpoint answers with something that is no token response")
        .means("{at} answered {status}: {value}. The login is kept.")
        .by("TOK-18", "RFC 6749 §5.1")
        .code("refresh-failed")
        .mend("Try again; if it stays so, the operator has to look at the endpoint or what stands in front of it.")
        .tell("{at} answers refreshes with {status} and a body that is no JSON token response: {value}.");
    REFRESH_ERROR_OTHER = Fault::new("refresh-error-other", Step::Refresh, Server, "the authorization server answers the refresh with an error")
        .means("{value}. The login is kept.")
        .by("TOK-17", "RFC 6749 §5.2")
        .mend("Try again; signing in again may help.")
        .run("doorkey login {login}")
        .tell("{at} answers refreshes with: {value}.");
}
