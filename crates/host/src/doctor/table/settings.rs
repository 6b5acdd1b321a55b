//! What can be wrong with what the user wrote, and with the store.

use super::rows;
use crate::doctor::fault::Class::Configuration;
use crate::doctor::fault::{Fault, Step};

rows! {
    CONFIGURATION_WRONG = Fault::new("configuration-wrong", Step::Configuration, Configuration, "config.toml cannot be used")
        .means("The file is there and cannot be read, is no TOML, or has a value that does not fit its key: {value}.")
        .by("ERR-09", "")
        .mend("Correct that line; the list says whether the file can be used.")
        .run("doorkey list");
    SERVER_UNKNOWN = Fault::new("server-unknown", Step::Configuration, Configuration, "no server of that name is configured")
        .means("config.toml has no table [mcp_servers.{name}]: {value}.")
        .by("ERR-09", "")
        .code("server-unknown")
        .mend("Look at the names there are, add the server, or give its URL in place of a name.")
        .run("doorkey add {name} --url https://HOST/PATH");
    URL_WITHOUT_SCHEME = Fault::new("url-without-scheme", Step::Configuration, Configuration, "that is no server of config.toml, and no whole URL")
        .means("A name has no such characters, and a URL begins with https://: {value}.")
        .by("ERR-09", "")
        .code("server-unknown")
        .mend("Put https:// before it, or give the name of a server that is configured.")
        .run("doorkey doctor https://{name}");
    SERVER_LOCAL = Fault::new("server-local", Step::Configuration, Configuration, "that entry starts a program on this machine")
        .means("[mcp_servers.{name}] has `command` and no `url`. Such a server is not signed in to over HTTP; it gets its credentials from its environment.")
        .by("DISC-30", "MCP 2025-11-25, Authorization: Protocol Requirements")
        .code("server-not-remote")
        .mend("Put what it needs into its `env`, or name the URL of a remote server.")
        .set("[mcp_servers.{name}]\nurl = \"https://…\"");
    SERVER_DISABLED = Fault::new("server-disabled", Step::Configuration, Configuration, "the server is switched off in config.toml")
        .means("[mcp_servers.{name}] has `enabled = false`: nothing connects to it.")
        .by("ERR-09", "")
        .code("server-disabled")
        .mend("Switch it on, unless that is meant.")
        .set("[mcp_servers.{name}]\nenabled = true");
    URL_REFUSED = Fault::new("url-refused", Step::Configuration, Configuration, "that URL is not one that may be asked")
        .means("An MCP server is asked over https, or over http on this machine only: {value}.")
        .by("SEC-01", "MCP 2025-11-25, Authorization: Communication Security")
        .code("url-refused")
        .mend("Give the https URL of the server.")
        .run("doorkey doctor https://HOST/PATH");
    VARIABLE_UNSET = Fault::new("variable-unset", Step::Configuration, Configuration, "a variable that config.toml names is not set")
        .means("The configuration takes a value from the environment, and it is not there: {value}.")
        .by("ERR-09", "")
        .code("variable-missing")
        .mend("Set the variable in the shell that starts doorkey, then try again.")
        .run("export {variable}=…");
    CERTIFICATES_UNREADABLE = Fault::new("certificates-unreadable", Step::Network, Configuration, "the certificates to trust cannot be read")
        .means("A file or folder of certificate authorities is named, and is missing, empty or no PEM: {value}.")
        .by("SEC-08", "")
        .code("trusted-certificates-unusable")
        .mend("Correct the path, or take the setting out to trust what the system trusts.")
        .set("[network]\nca_certificates = [\"/path/to/ca.pem\"]");
    CLIENT_CERTIFICATE_UNUSABLE = Fault::new("client-certificate-unusable", Step::Network, Configuration, "the client certificate cannot be used")
        .means("The certificate or its key is missing, is no PEM, or they do not belong together: {value}.")
        .by("SEC-08", "")
        .code("client-certificate-unusable")
        .mend("Name a PEM file with the chain and one with its key, not encrypted.")
        .set("[network]\nclient_certificate = \"/path/to/chain.pem\"\nclient_key = \"/path/to/key.pem\"");
    PROXY_SETTING_WRONG = Fault::new("proxy-setting-wrong", Step::Network, Configuration, "the proxy setting is no URL of a proxy")
        .means("A variable or key names a proxy in a way that cannot be understood: {value}.")
        .by("SEC-15", "")
        .code("proxy-unusable")
        .mend("Name it with its scheme, host and port, or take the setting out.")
        .set("[network]\nproxy = \"http://proxy.example:3128\"");
    HEADER_UNUSABLE = Fault::new("header-unusable", Step::Network, Configuration, "the value of a configured header cannot be had")
        .means("A header comes from a variable, a file or a program, and there is no usable value: {value}.")
        .by("SEC-09", "")
        .code("header-value-missing")
        .mend("See to where the value comes from.")
        .run("doorkey get {name}");
    SETTING_WRONG = Fault::new("setting-wrong", Step::Configuration, Configuration, "a setting of the server cannot be right")
        .means("What the configuration says of the login cannot be used: {value}.")
        .by("ERR-09", "")
        .mend("Correct the setting.")
        .run("doorkey get {name}");
    STORE_UNUSABLE = Fault::new("store-unusable", Step::Configuration, Configuration, "the store of logins cannot be used")
        .means("Logins are kept in a place that cannot be opened, read, locked or trusted: {value}.")
        .by("ST-07", "")
        .mend("Look at where the logins are and what is wrong there.")
        .run("doorkey store show");
}
