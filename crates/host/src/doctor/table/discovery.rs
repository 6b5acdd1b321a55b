//! What can be wrong with the metadata of the resource and of authorization servers.

use super::rows;
use crate::doctor::fault::Class::{Configuration, Server, Temporary};
use crate::doctor::fault::{Fault, Step};

rows! {
    RESOURCE_METADATA_UNREACHABLE = Fault::new("resource-metadata-unreachable", Step::ResourceMetadata, Temporary, "the resource metadata cannot be fetched")
        .means("The place where it should be gives no answer: {value}.")
        .by("DISC-17", "RFC 9728 §3.1")
        .code("metadata-unavailable")
        .mend("Try again; if it stays so, tell the operator.")
        .run("doorkey doctor {login}")
        .tell("{at} gives no answer ({value}). Clients need it to sign in.");
    RESOURCE_METADATA_ERROR = Fault::new("resource-metadata-error", Step::ResourceMetadata, Temporary, "the server fails where its metadata should be")
        .means("{at} answered {status}, so nobody knows whether the document exists.")
        .by("DISC-17", "RFC 9728 §3.1")
        .code("metadata-unavailable")
        .mend("Try again in a while; if it stays so, tell the operator.")
        .run("doorkey doctor {login}")
        .tell("{at} answers {status}. Clients need it to sign in.");
    RESOURCE_METADATA_FORBIDDEN = Fault::new("resource-metadata-forbidden", Step::ResourceMetadata, Server, "the resource metadata is not given to anybody")
        .means("{at} answered {status}: a public document stands behind a login or a firewall.")
        .by("DISC-05", "RFC 9728 §3")
        .mend("The operator has to make it public.")
        .tell("{at} answers {status}. Protected resource metadata has to be readable without a login.");
    RESOURCE_METADATA_MISSING = Fault::new("resource-metadata-missing", Step::ResourceMetadata, Server, "the resource metadata is not where it should be")
        .means("{at} answered {status}, and no other place has it either.")
        .by("DISC-02", "RFC 9728 §3.1")
        .code("resource-metadata-missing")
        .mend("If you know the authorization server, name it; else the operator has to publish the document.")
        .set("[mcp_servers.{name}.oauth]\nissuer = \"https://…\"")
        .tell("{at} answers {status}. RFC 9728 wants protected resource metadata there.");
    RESOURCE_METADATA_PAGE = Fault::new("resource-metadata-page", Step::ResourceMetadata, Server, "a web page stands where the resource metadata should be")
        .means("{at} answered {status} with HTML.")
        .by("DISC-17", "RFC 9728 §3.2")
        .code("resource-metadata-missing")
        .mend("The operator has to serve the document as JSON there.")
        .tell("{at} answers with a web page. RFC 9728 wants a JSON document there.");
    RESOURCE_METADATA_UNREADABLE = Fault::new("resource-metadata-unreadable", Step::ResourceMetadata, Server, "the resource metadata is no JSON object")
        .means("{at} answered {status}, and the body cannot be used: {value}.")
        .by("DISC-05", "RFC 9728 §3.2")
        .code("resource-metadata-missing")
        .mend("The operator has to correct the document.")
        .tell("The document at {at} is not a JSON object: {value}.");
    RESOURCE_MISSING = Fault::new("resource-missing", Step::ResourceMetadata, Server, "the resource metadata does not say what it is about")
        .means("The document at {at} has no string `resource`, which every such document needs.")
        .by("DISC-05", "RFC 9728 §2")
        .mend("The operator has to add the member.")
        .tell("The document at {at} has no `resource`. It has to be the URL of the MCP server, exactly: {url}");
    RESOURCE_OTHER = Fault::new("resource-other", Step::ResourceMetadata, Server, "the resource metadata is about another server")
        .means("{value}. A token for that one would be handed to somebody else, so the document is not used.")
        .by("DISC-11", "RFC 9728 §3.3")
        .code("resource-mismatch")
        .mend("If that is the server's proper URL, configure it; else the operator has to correct `resource`.")
        .set("[mcp_servers.{name}]\nurl = \"…\"")
        .tell("The document at {at} is not about the server it was asked for: {value}. `resource` has to be {url}");
    RESOURCE_METADATA_INVALID = Fault::new("resource-metadata-invalid", Step::ResourceMetadata, Server, "a member of the resource metadata cannot be used")
        .means("In the document at {at}: {value}.")
        .by("DISC-13", "RFC 9728 §2")
        .code("metadata-invalid")
        .mend("The operator has to correct the document.")
        .tell("In the document at {at}: {value}.");
    NO_AUTHORIZATION_SERVER = Fault::new("no-authorization-server", Step::ResourceMetadata, Server, "the resource metadata names no authorization server")
        .means("`authorization_servers` of {at} is missing or empty, so nobody knows where to sign in.")
        .by("DISC-13", "RFC 9728 §2")
        .code("no-authorization-server")
        .mend("If the operator tells you the issuer, name it.")
        .set("[mcp_servers.{name}.oauth]\nissuer = \"https://…\"")
        .tell("The document at {at} has no `authorization_servers`. MCP wants one at least.");
    SERVER_NOT_ALLOWED = Fault::new("server-not-allowed", Step::ResourceMetadata, Configuration, "the configuration allows none of the authorization servers that are named")
        .means("The document at {at} names {value}, and the credentials of the configuration belong to another.")
        .by("WIF-08", "")
        .code("authorization-server-not-allowed")
        .mend("If that is the right one, say that the credentials are for it.")
        .set("[mcp_servers.{name}.oauth]\nissuer = \"…\"");
    HEADER_NOT_ACCEPTED = Fault::new("header-not-accepted", Step::ResourceMetadata, Server, "the server takes tokens in no header")
        .means("`bearer_methods_supported` of {at} lists no `header`, the only way that is safe and is used here.")
        .by("DISC-22", "RFC 9728 §2")
        .code("header-not-accepted")
        .mend("The operator has to accept the Authorization header.")
        .tell("`bearer_methods_supported` at {at} lacks `header`. MCP clients send tokens in no other way.");
    ISSUER_UNREACHABLE = Fault::new("issuer-unreachable", Step::AuthorizationServer, Temporary, "the authorization server cannot be reached")
        .means("The MCP server names it, and it gives no answer: {value}.")
        .by("AS-11", "RFC 8414 §3")
        .code("metadata-unavailable")
        .mend("Check the network and the VPN; else tell the operator.")
        .run("doorkey doctor {login}")
        .tell("{origin} gives no answer ({value}), so nobody can sign in.");
    ISSUER_ERROR = Fault::new("issuer-error", Step::AuthorizationServer, Temporary, "the authorization server is out of order")
        .means("{at} answered {status}.")
        .by("AS-11", "RFC 8414 §3")
        .code("metadata-unavailable")
        .mend("Try again in a while; if it stays so, tell the operator.")
        .run("doorkey doctor {login}")
        .tell("{at} answers {status}, so nobody can sign in.");
    ISSUER_FORBIDDEN = Fault::new("issuer-forbidden", Step::AuthorizationServer, Server, "the authorization server does not give its metadata to anybody")
        .means("{at} answered {status}: a public document stands behind a login or a firewall.")
        .by("AS-10", "RFC 8414 §3")
        .mend("The operator has to make it public.")
        .tell("{at} answers {status}. Authorization server metadata has to be readable without a login.");
    ISSUER_METADATA_MISSING = Fault::new("issuer-metadata-missing", Step::AuthorizationServer, Server, "the authorization server publishes no metadata")
        .means("Every place that RFC 8414 and OpenID Connect know was asked; the first answered {status}.")
        .by("AS-02", "RFC 8414 §3.1")
        .code("server-metadata-missing")
        .mend("If the operator tells you the endpoints, name them.")
        .set("[mcp_servers.{name}.oauth]\nissuer = \"https://…\"\nendpoints = { authorization_endpoint = \"https://…/authorize\", token_endpoint = \"https://…/token\" }")
        .tell("There is no metadata at {at} nor at the other places of RFC 8414 §3.1.");
    ISSUER_METADATA_PAGE = Fault::new("issuer-metadata-page", Step::AuthorizationServer, Server, "a web page stands where the metadata of the authorization server should be")
        .means("{at} answered {status} with HTML, and the other places have no document either.")
        .by("AS-10", "RFC 8414 §3.2")
        .code("server-metadata-missing")
        .mend("The operator has to serve the document as JSON there.")
        .tell("{at} answers with a web page. RFC 8414 wants a JSON document there.");
    ISSUER_METADATA_UNREADABLE = Fault::new("issuer-metadata-unreadable", Step::AuthorizationServer, Server, "the metadata of the authorization server is no JSON object")
        .means("{at} answered {status}, and the body cannot be used: {value}.")
        .by("AS-10", "RFC 8414 §3.2")
        .code("server-metadata-missing")
        .mend("The operator has to correct the document.")
        .tell("The document at {at} is not a JSON object: {value}.");
    ISSUER_MISMATCH = Fault::new("issuer-mismatch", Step::AuthorizationServer, Server, "the authorization server calls itself by another name")
        .means("{value}. Nothing of such a document is used, since anybody could publish it.")
        .by("AS-07", "RFC 8414 §3.3")
        .code("issuer-mismatch")
        .mend("If the operator confirms that name, trust it for this server alone.")
        .set("[mcp_servers.{name}]\ntrusted_issuer = \"{issuer}\"")
        .tell("The metadata at {at} declares another issuer than the MCP server names: {value}. Both have to be the same string.");
    SERVER_PASSED_OVER = Fault::new("server-passed-over", Step::AuthorizationServer, Server, "an authorization server that is named gives no metadata")
        .means("The MCP server names it as well, and it was asked in vain: {value}. {issuer} is used in its place.")
        .by("AS-11", "RFC 9728 §2")
        .mend("Nothing to do here if the login works; the operator should take it off the list, or mend it.")
        .tell("`authorization_servers` names {value}, and there is no usable metadata at {at} ({status}).")
        .warning();
    ENDPOINT_INSECURE = Fault::new("endpoint-insecure", Step::AuthorizationServer, Server, "an endpoint of the authorization server is not https")
        .means("In the document at {at}: {value}. Tokens and secrets would cross the network in the clear.")
        .by("AS-14", "OAuth 2.1 §1.5")
        .code("metadata-invalid")
        .mend("The operator has to publish https URLs.")
        .tell("In the metadata at {at}: {value}. Every endpoint has to be https.");
    ISSUER_METADATA_INVALID = Fault::new("issuer-metadata-invalid", Step::AuthorizationServer, Server, "a member of the authorization server's metadata cannot be used")
        .means("In the document at {at}: {value}.")
        .by("AS-12", "RFC 8414 §2")
        .code("metadata-invalid")
        .mend("The operator has to correct the document.")
        .tell("In the metadata at {at}: {value}.");
}
