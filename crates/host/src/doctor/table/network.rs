//! What can be wrong between here and a server.

use super::rows;
use crate::doctor::fault::Class::{Configuration, Server, Temporary};
use crate::doctor::fault::{Fault, Step};

rows! {
    DNS_FAILED = Fault::new("dns-failed", Step::Address, Temporary, "the name of the server has no address")
        .means("The name {value} could not be looked up: it is misspelt, known only in another network, or DNS is out of order.")
        .by("ERR-10", "")
        .code("connection-failed")
        .mend("Check the spelling, the network and the VPN.")
        .run("doorkey get {name}");
    ADDRESS_REFUSED = Fault::new("address-refused", Step::Address, Configuration, "the address is one that a server may not lead to")
        .means("{value}. So a server out there cannot make this machine talk to its own network.")
        .by("SEC-03", "MCP Security Best Practices: SSRF")
        .code("address-refused")
        .mend("If that address is meant, allow its network or its origin.")
        .set("[mcp_servers.{name}.network]\nallow_origins = [\"{origin}\"]");
    CONNECTION_REFUSED = Fault::new("connection-refused", Step::Connection, Temporary, "there is no connection to the server")
        .means("{value}. The server is down, the port in the URL is another, or there is no way there from this network.")
        .by("ERR-10", "")
        .code("connection-failed")
        .mend("Start the server or correct the port, then try again.")
        .run("doorkey doctor {login}");
    CONNECTION_TIMEOUT = Fault::new("connection-timeout", Step::Connection, Temporary, "the server does not answer the connection")
        .means("No connection within the limit: {value}. A firewall swallows it, a VPN is off, or the machine is gone.")
        .by("ERR-13", "")
        .code("timed-out")
        .mend("Check the VPN and firewall. Only for a line that really is that slow: raise the limit.")
        .set("[network]\nconnect_timeout_sec = 30");
    PROXY_UNREACHABLE = Fault::new("proxy-unreachable", Step::Connection, Temporary, "the proxy cannot be reached")
        .means("Requests to this server go through a proxy, and there is no connection to it: {value}.")
        .by("SEC-15", "")
        .code("connection-failed")
        .mend("Check the proxy's address, or leave it out for this server.")
        .set("[mcp_servers.{name}.network]\nproxy = \"none\"");
    PROXY_REFUSED = Fault::new("proxy-refused", Step::Connection, Configuration, "the proxy does not let the request through")
        .means("The proxy answered, and made no connection to the server: {value}. With 407 it wants a user and password.")
        .by("SEC-15", "RFC 9110 §9.3.6")
        .code("connection-failed")
        .mend("Give the proxy its credentials, or have it allow the host.")
        .set("[network]\nproxy = \"http://USER:PASSWORD@proxy.example:3128\"");
    TLS_UNKNOWN_AUTHORITY = Fault::new("tls-unknown-authority", Step::Tls, Configuration, "the certificate comes from an authority that is not trusted here")
        .means("The server showed a certificate that nobody vouches for whom this machine trusts: usually that of a company or a proxy that looks into TLS.")
        .by("SEC-08", "RFC 8446 §4.4.2")
        .code("certificate-untrusted")
        .mend("Name the PEM file of the authority; verification is never switched off.")
        .set("[network]\nca_certificates = [\"/path/to/ca.pem\"]");
    TLS_EXPIRED = Fault::new("tls-expired", Step::Tls, Server, "the certificate of the server has expired")
        .means("By the clock of this machine it is no longer valid: {value}.")
        .by("SEC-01", "RFC 5280 §4.1.2.5")
        .code("certificate-invalid")
        .mend("If the date of this machine is wrong, set it; else the operator has to renew the certificate.")
        .tell("The TLS certificate of {origin} has expired. Clients refuse to connect until it is renewed.");
    TLS_NOT_YET_VALID = Fault::new("tls-not-yet-valid", Step::Tls, Server, "the certificate of the server is not valid yet")
        .means("It begins to be valid later than this machine's clock says: {value}. Mostly that clock is wrong.")
        .by("SEC-01", "RFC 5280 §4.1.2.5")
        .code("certificate-invalid")
        .mend("Set the clock of this machine; else the operator has to show a valid certificate.")
        .tell("The TLS certificate of {origin} is not valid yet. Clients refuse to connect.");
    TLS_OTHER_NAME = Fault::new("tls-other-name", Step::Tls, Server, "the certificate is for another name")
        .means("Whoever answers at {origin} has a certificate, and not for this name: the URL is wrong, or the request ended at another machine.")
        .by("SEC-01", "RFC 9110 §4.3.4")
        .code("certificate-invalid")
        .mend("Use the name that the certificate is for; else the operator has to add this one.")
        .tell("The TLS certificate at {origin} does not cover that name. Clients refuse to connect until it does.");
    TLS_CERTIFICATE_BAD = Fault::new("tls-certificate-bad", Step::Tls, Server, "the certificate of the server is not acceptable")
        .means("Its chain is broken, revoked or made for another use: {value}.")
        .by("SEC-01", "RFC 5280 §6")
        .code("certificate-invalid")
        .mend("The operator has to show a valid certificate.")
        .tell("The TLS certificate of {origin} cannot be verified: {value}.");
    TLS_CLIENT_CERTIFICATE = Fault::new("tls-client-certificate", Step::Tls, Configuration, "the server wants a client certificate, or another one")
        .means("The server ended the connection because of the certificate that this client showed, or did not show.")
        .by("SEC-08", "RFC 8446 §4.4.2.4")
        .code("client-certificate-refused")
        .mend("Name the certificate and key that the operator gave you.")
        .set("[mcp_servers.{name}.network]\nclient_certificate = \"/path/to/chain.pem\"\nclient_key = \"/path/to/key.pem\"");
    TLS_NOT_TLS = Fault::new("tls-not-tls", Step::Tls, Server, "what answers there does not speak TLS")
        .means("The URL says https, and the port answered in another way: it is a plain http port, or not a web server at all.")
        .by("SEC-01", "RFC 9110 §4.2.2")
        .code("tls-failed")
        .mend("Correct the port in the URL; the operator has to serve TLS there.")
        .tell("{origin} does not answer TLS handshakes. MCP servers have to be served over https.");
    TLS_BROKEN_OFF = Fault::new("tls-broken-off", Step::Tls, Temporary, "the TLS handshake is not brought to its end")
        .means("The connection stands, and the server said nothing more or cut it: {value}. It is overloaded, or something on the way lets no TLS through.")
        .by("ERR-13", "RFC 8446 §6.2")
        .code("tls-failed")
        .mend("Try again; if it stays so, try another network, then tell the operator.")
        .run("doorkey doctor {login}")
        .tell("TLS handshakes with {origin} are not brought to their end ({value}).");
    TLS_HANDSHAKE = Fault::new("tls-handshake", Step::Tls, Server, "the TLS handshake fails")
        .means("Both sides found no common version or cipher, or one ended it for another reason: {value}. TLS 1.2 is the oldest that is spoken here.")
        .by("SEC-01", "RFC 9325 §3.1")
        .code("tls-failed")
        .mend("The operator has to offer TLS 1.2 or 1.3.")
        .tell("TLS handshakes with {origin} fail ({value}). Please offer TLS 1.2 or 1.3 with current ciphers.");
}
