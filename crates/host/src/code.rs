//! Codes of errors: what a person looks up and a script compares.

mod of;

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::config::is_similar;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $exit:literal, $advice:literal;)+) => {
        /// What kind of failure an [`Error`](crate::Error) is, under a name that stays the same when its text changes.
        ///
        /// Each has a section on the page `docs/errors.md`: what it means, where it comes from and what to type.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl ErrorCode {
            /// Every code, in the order of the page.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code as it is printed, such as `login-required`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What to do where the error itself says nothing better. In it, `{name}` stands for the server,
            /// `{origin}` for whoever answered, `{login}` and `{doctor}` for these commands.
            pub(crate) const fn advice(self) -> &'static str {
                match self {
                    $(Self::$variant => $advice,)+
                }
            }

            /// What a command ends with that fails so.
            #[must_use]
            pub const fn exit_code(self) -> u8 {
                match self {
                    $(Self::$variant => $exit,)+
                }
            }
        }
    };
}

codes! {
    /// The command line asks for what does not go together.
    Usage = "usage", 2,
        "doorkey --help";
    /// The person pressed Ctrl-C.
    Interrupted = "interrupted", 1,
        "start the command again when you like";
    /// What the command writes cannot be written.
    OutputFailed = "output-failed", 1,
        "see to where the output goes, then try again";
    /// What the command was to read cannot be read.
    InputFailed = "input-failed", 1,
        "see to where the input comes from, then try again";
    /// A mistake of this program, or a system that is out of everything.
    Internal = "internal", 1,
        "try again; if it stays so, report it with what the command prints with -vv, which holds no secret";
    /// The operating system gave no random numbers.
    NoRandomness = "no-randomness", 1,
        "try again; if it stays so, this machine has no source of random numbers";

    /// There is no folder to keep anything in.
    NoHome = "no-home", 9,
        "set DOORKEY_HOME to a folder of its own";
    /// `config.toml` cannot be read.
    ConfigUnreadable = "config-unreadable", 9,
        "see to the file and its permissions, then try again";
    /// `config.toml` cannot be written.
    ConfigNotWritable = "config-not-writable", 9,
        "see to the file and its permissions, then try again";
    /// Another program is editing `config.toml`.
    ConfigBusy = "config-busy", 9,
        "try again";
    /// `config.toml` is not TOML.
    ConfigSyntax = "config-syntax", 9,
        "correct the line that is named";
    /// A key of `config.toml` holds something else than it should.
    ConfigValue = "config-value", 9,
        "correct the line that is named";
    /// There is no server of that name.
    ServerUnknown = "server-unknown", 9,
        "doorkey list, or doorkey add {name} --url URL";
    /// A server of that name is there already.
    ServerExists = "server-exists", 9,
        "doorkey get {name}; to replace it: doorkey remove {name}";
    /// The server of that name is a program on this machine.
    ServerNotRemote = "server-not-remote", 9,
        "doorkey list";
    /// That cannot be the name of a server.
    ServerNameInvalid = "server-name-invalid", 9,
        "choose a name of 1 to 64 letters, digits, `-` and `_`";
    /// The server is switched off in the configuration.
    ServerDisabled = "server-disabled", 9,
        "doorkey enable {name}";
    /// The server is used with a token of the configuration, so there is no login.
    BearerConfigured = "bearer-configured", 9,
        "doorkey tools {name}; to sign in instead take the token out of [mcp_servers.{name}]";
    /// That cannot be the name of an account.
    AccountNameInvalid = "account-name-invalid", 2,
        "choose a name of 1 to 64 letters, digits and `-_.@+`, not beginning with `-`";
    /// A setting for the login cannot be right.
    SettingUnusable = "setting-unusable", 9,
        "correct the setting in [mcp_servers.{name}]";
    /// A configured key cannot sign.
    KeyUnusable = "key-unusable", 9,
        "put a private key there that can sign, or correct the setting in [mcp_servers.{name}.oauth]";

    /// An environment variable that the configuration names is not set.
    VariableMissing = "variable-missing", 9,
        "set the environment variable, or correct the key that names it";
    /// An environment variable is not text.
    VariableNotText = "variable-not-text", 9,
        "set the environment variable to text";
    /// The certificates to trust cannot be used.
    RootsUnusable = "trusted-certificates-unusable", 9,
        "put PEM certificates where the setting says, or take it away";
    /// The client certificate or its key cannot be used.
    ClientCertificateUnusable = "client-certificate-unusable", 9,
        "correct client_certificate and client_key in [network]";
    /// What should name a proxy does not.
    ProxyUnusable = "proxy-unusable", 9,
        "set it to something like http://proxy.example:3128, or take it away";
    /// The value of a header cannot be sent.
    HeaderValueUnusable = "header-value-unusable", 9,
        "let the value be one line of visible characters";
    /// The value of a header cannot be had.
    HeaderValueMissing = "header-value-missing", 9,
        "see to where the configuration takes the value from, then try again";
    /// The program that prints the value of a header took too long.
    HeaderValueLate = "header-value-late", 6,
        "see why the program takes so long, then try again";
    /// A header would be sent to every server and must not.
    HeaderForEveryone = "header-for-everyone", 9,
        "move the header to http_headers of [mcp_servers.{name}], or to [network.origin_headers.\"https://gateway.example\"]";
    /// A setting of the HTTP client cannot be used.
    HttpSettingUnusable = "http-setting-unusable", 9,
        "correct [network] and the files that it names";
    /// The network settings do not go together.
    NetworkSettingsUnusable = "network-settings-unusable", 9,
        "correct [network] and the files that it names";

    /// No connection: name, network, proxy.
    ConnectionFailed = "connection-failed", 6,
        "see whether {origin} is the right address and can be reached from here, then try again";
    /// Something took longer than it may.
    TimedOut = "timed-out", 6,
        "try again";
    /// An answer broke off.
    AnswerBrokenOff = "answer-broken-off", 6,
        "try again";
    /// An answer is too large to be read.
    AnswerTooLarge = "answer-too-large", 1,
        "tell the operator of {origin}: its answer is larger than anything that is read; to see the exchange: {doctor}";
    /// The server's certificate comes from an authority that is not trusted.
    CertificateUntrusted = "certificate-untrusted", 9,
        "if a private certificate authority signed it, name its PEM file in DOORKEY_CA_CERTIFICATE, or in ca_certificates of [network]";
    /// The server's certificate is not valid.
    CertificateInvalid = "certificate-invalid", 1,
        "tell the operator of {origin}: its certificate is not valid, unless the clock of this machine is wrong; to see the exchange: {doctor}";
    /// The server wants a client certificate, or another one.
    ClientCertificateRefused = "client-certificate-refused", 1,
        "name your certificate and its key in client_certificate and client_key of [network]; {origin} says which it wants";
    /// There is no secure connection for another reason.
    TlsFailed = "tls-failed", 1,
        "tell the operator of {origin}: no secure connection can be made to it; to see the exchange: {doctor}";
    /// The address of a server is not one that may be contacted.
    AddressRefused = "address-refused", 1,
        "see whether the name leads where it should; only if this is meant, write allow_origins = [\"{origin}\"] in [mcp_servers.{name}.network]";
    /// A URL is not one that may be asked.
    UrlRefused = "url-refused", 1,
        "correct the URL in the configuration, or tell the operator of {origin} to publish https addresses";
    /// That is no URL.
    UrlInvalid = "url-invalid", 1,
        "correct the URL in the configuration; to see where it comes from: {doctor}";
    /// A server redirects where it must not be followed.
    RedirectRefused = "redirect-refused", 1,
        "tell the operator of {origin}: it redirects a request that must not be redirected, so it has to publish the final address; to see the exchange: {doctor}";
    /// A request would have to be sent again and cannot be.
    RequestNotRepeatable = "request-not-repeatable", 1,
        "try again";

    /// The challenge of the server cannot be used.
    ChallengeUnusable = "challenge-unusable", 1,
        "tell the operator of {origin}: the `WWW-Authenticate` header of its 401 answer cannot be used; to see the exchange: {doctor}";
    /// The server publishes no resource metadata.
    ResourceMetadataMissing = "resource-metadata-missing", 1,
        "tell the operator of {origin}: it asks for a login and publishes no resource metadata (RFC 9728); to see the exchange: {doctor}";
    /// The authorization server publishes no metadata.
    ServerMetadataMissing = "server-metadata-missing", 1,
        "tell the operator of {origin}: it publishes no authorization server metadata (RFC 8414); if you know its endpoints, write them in [mcp_servers.{name}.oauth.endpoints]; to see the exchange: {doctor}";
    /// Metadata could not be fetched for now.
    MetadataUnavailable = "metadata-unavailable", 6,
        "try again";
    /// No place for metadata gave an answer that can be used.
    MetadataUnusable = "metadata-unusable", 1,
        "tell the operator of {origin}: its metadata cannot be fetched; to see the exchange: {doctor}";
    /// A metadata document is wrong.
    MetadataInvalid = "metadata-invalid", 1,
        "tell the operator of {origin}: its metadata document is wrong; to see the exchange: {doctor}";
    /// The resource metadata is about another server.
    ResourceMismatch = "resource-mismatch", 1,
        "tell the operator of {origin}: its resource metadata names another resource than this server; to see the exchange: {doctor}";
    /// The metadata is that of another authorization server.
    IssuerMismatch = "issuer-mismatch", 1,
        "tell the operator of {origin}: its metadata declares another issuer than the one it was found under; if you know that to be right, write trusted_issuer = \"URL\" in [mcp_servers.{name}]; to see the exchange: {doctor}";
    /// The resource metadata names no authorization server.
    NoAuthorizationServer = "no-authorization-server", 1,
        "if the operator names one, write issuer = \"URL\" in [mcp_servers.{name}.oauth]; to see the exchange: {doctor}";
    /// Every authorization server that is named is one that the configuration rules out.
    AuthorizationServerNotAllowed = "authorization-server-not-allowed", 1,
        "correct issuer in [mcp_servers.{name}.oauth], if one of those that are named is the right one";
    /// The server takes no token in a header.
    HeaderNotAccepted = "header-not-accepted", 1,
        "tell the operator of {origin}: it takes no token in the Authorization header; to see the exchange: {doctor}";
    /// The authorization server does not promise PKCE with S256.
    PkceUnsupported = "pkce-unsupported", 1,
        "tell the operator of {origin}: its metadata does not list S256 in code_challenge_methods_supported; to see the exchange: {doctor}";
    /// The authorization server cannot do what is needed.
    AuthorizationServerUnsupported = "authorization-server-unsupported", 1,
        "tell the operator of {origin}: its metadata rules out this kind of login; to see the exchange: {doctor}";
    /// The authorization server has trouble of its own.
    AuthorizationServerUnavailable = "authorization-server-unavailable", 6,
        "try again";
    /// An authorization server answered with something that nobody can read.
    AnswerUnreadable = "answer-unreadable", 1,
        "tell the operator of {origin}: its answer is not what the protocol says; to see the exchange: {doctor}";

    /// A client has to be registered by hand.
    ClientIdNeeded = "client-id-needed", 9,
        "register a client with the authorization server and set client_id in [mcp_servers.{name}.oauth], then {login}";
    /// The authorization server does not register this client.
    RegistrationRefused = "registration-refused", 9,
        "register a client with the authorization server and set client_id in [mcp_servers.{name}.oauth], then {login}";
    /// The authorization server does not delete the registration.
    DeregistrationRefused = "deregistration-refused", 1,
        "tell the operator of {origin}: it does not delete the registration of a client; to see the exchange: {doctor}";
    /// The configured client belongs to another authorization server.
    ClientOfOtherIssuer = "client-of-other-issuer", 9,
        "check client_id, client_secret and issuer in [mcp_servers.{name}.oauth], then {login}";
    /// The authorization server refuses the client.
    ClientRefused = "client-refused", 1,
        "check client_id, client_secret and token_endpoint_auth_method in [mcp_servers.{name}.oauth], then {login}";
    /// Credentials name no authorization server.
    IssuerNotNamed = "issuer-not-named", 9,
        "if that is the right one, write it as issuer in [mcp_servers.{name}.oauth]";
    /// The JWT that vouches for this program cannot be had.
    AssertionMissing = "assertion-missing", 9,
        "see to what [mcp_servers.{name}.oauth] names as its source, then try again";
    /// The JWT that vouches for this program cannot be had for now.
    AssertionUnavailable = "assertion-unavailable", 6,
        "try again";
    /// The JWT that vouches for this program has expired.
    AssertionExpired = "assertion-expired", 9,
        "see to what [mcp_servers.{name}.oauth] names as its source, then try again";
    /// A request could not be signed.
    SigningFailed = "signing-failed", 1,
        "see to the key that [mcp_servers.{name}.oauth] names, then try again";

    /// A person has to sign in.
    LoginRequired = "login-required", 3,
        "{login}";
    /// A person has to sign in, and none can be asked from here.
    NobodyToAsk = "nobody-to-ask", 3,
        "{login}, at a terminal";
    /// No login that was started waits for the answer.
    NoLoginStarted = "no-login-started", 3,
        "{login} --start";
    /// The login that was started is too old.
    LoginExpired = "login-expired", 3,
        "{login} --start";
    /// The login was started with other settings.
    LoginOutdated = "login-outdated", 1,
        "{login} --start";
    /// What was pasted is not the address at which the browser ended.
    PasteUnusable = "paste-unusable", 2,
        "{login} --finish, with the whole address at which the browser ended";
    /// Nobody signed in within the time.
    LoginTimedOut = "login-timed-out", 4,
        "{login}";
    /// The login was given up.
    LoginAbandoned = "login-abandoned", 4,
        "{login}";
    /// The person or a policy said no.
    LoginDenied = "login-denied", 4,
        "{login}, with an account that may use it";
    /// The authorization server refused the login.
    AuthorizationRefused = "authorization-refused", 4,
        "tell the operator of {origin}: it refuses the login; to see the exchange: {doctor}";
    /// The login could not be shown to a person.
    LoginNotShown = "login-not-shown", 1,
        "{login}, at a terminal";
    /// No code for another device can be shown.
    DeviceCodeNotShown = "device-code-not-shown", 1,
        "{login}, without --device";
    /// The port for the way back is taken.
    CallbackPortInUse = "callback-port-in-use", 9,
        "end the program that listens there, or choose another port in callback_port or callback_url";
    /// Nothing says to which port the way back is forwarded.
    CallbackPortMissing = "callback-port-missing", 9,
        "write callback_port = 3118, or the port that the URL is forwarded to, beside callback_url";
    /// No port for the way back could be opened.
    CallbackNotListening = "callback-not-listening", 9,
        "see whether this machine has the loopback address, or choose another port in callback_port";
    /// The redirect URI is not one that may be used.
    RedirectUriRefused = "redirect-uri-refused", 1,
        "correct callback_url in [mcp_servers.{name}.oauth]: http on loopback, or https";
    /// A page that a server names is not opened.
    PageRefused = "page-refused", 1,
        "tell the operator of {origin}: it names a page that may not be opened; to see the exchange: {doctor}";
    /// More scopes are asked for than fit into a request.
    TooManyScopes = "too-many-scopes", 1,
        "write the few that you need as scopes = [\"…\"] in [mcp_servers.{name}]";
    /// What the browser brought back breaks the protocol.
    CallbackInvalid = "callback-invalid", 1,
        "{login}; if it stays so, tell the operator of {origin}";
    /// What the browser brought back is from another authorization server.
    CallbackIssuerMismatch = "callback-issuer-mismatch", 1,
        "{login}; if it stays so, somebody or something comes between: tell the operator of {origin}";

    /// The authorization server refuses the code or the refresh token.
    GrantRefused = "grant-refused", 1,
        "{login}";
    /// The authorization server does not give these scopes.
    ScopeRefused = "scope-refused", 1,
        "correct scopes in [mcp_servers.{name}], then {login}";
    /// The authorization server gives no token for that resource.
    ResourceRefused = "resource-refused", 1,
        "see resource in doorkey get {name}, compare it with what the server expects, write oauth_resource = \"URI\" or \"omit\" in [mcp_servers.{name}], then {login}";
    /// The authorization server gives no token for another reason.
    TokenRequestRefused = "token-request-refused", 1,
        "tell the operator of {origin}: it refuses the token request; to see the exchange: {doctor}";
    /// The token cannot be used.
    TokenUnusable = "token-unusable", 1,
        "tell the operator of {origin}: the token that it gave cannot be sent in a header; to see the exchange: {doctor}";
    /// The token is not bound to the key as it was to be.
    TokenNotBound = "token-not-bound", 9,
        "if a bearer token will do, write dpop = \"prefer\" in [mcp_servers.{name}.oauth]";
    /// The token is bound to a key of this program, so that it is of no use by itself.
    TokenBound = "token-bound", 9,
        "doorkey call {name} TOOL, which makes the proof";
    /// The proof that belongs to the token is refused.
    DpopProofRejected = "dpop-proof-rejected", 9,
        "set the clock of this machine, then try again";
    /// The identity token is not valid.
    IdTokenInvalid = "id-token-invalid", 1,
        "tell the operator of {origin}: the identity token that it gave is not valid; to see the exchange: {doctor}";
    /// The token could not be refreshed for now.
    RefreshFailed = "refresh-failed", 6,
        "try again";
    /// The authorization server asked to wait.
    RefreshDelayed = "refresh-delayed", 6,
        "try again";
    /// Something goes round in circles.
    TooManyAttempts = "too-many-attempts", 6,
        "try again";
    /// The tokens could not be revoked.
    RevocationRefused = "revocation-refused", 1,
        "tell the operator of {origin}: it does not revoke a token; to see the exchange: {doctor}";

    /// The server does not accept a token that was just issued for it.
    TokenRejected = "token-rejected", 3,
        "see resource in doorkey get {name}, compare it with what the server expects, write oauth_resource = \"URI\" or \"omit\" in [mcp_servers.{name}], then {login}";
    /// The server does not accept the token of the configuration.
    BearerRejected = "bearer-rejected", 3,
        "put a valid token where [mcp_servers.{name}] says";
    /// The token may do less than the request needs.
    InsufficientScope = "insufficient-scope", 5,
        "{login}, with an account that may have the scope";
    /// The server forbids the request, whoever signs in.
    Forbidden = "forbidden", 5,
        "use an account that may do it, or ask the operator of {origin} for access; to see the exchange: {doctor}";
    /// Somebody else is signed in by now.
    AccountChanged = "account-changed", 1,
        "try again, as the one who is signed in now";
    /// The server answered with an error of MCP.
    McpError = "mcp-error", 7,
        "see what it says of the request; to see the exchange: {doctor}";
    /// What answers there does not speak MCP, or not the version that is wanted.
    McpNotSpoken = "mcp-not-spoken", 7,
        "see whether url of [mcp_servers.{name}] is the address of an MCP server, path included; to see the exchange: {doctor}";
    /// The server speaks only HTTP+SSE of 2024-11-05, a transport that MCP has retired.
    McpTransportRetired = "mcp-transport-retired", 7,
        "find the server's streamable HTTP address, which often ends in /mcp where this one ends in /sse, and write it as url in [mcp_servers.{name}]; if there is none, ask the operator of {origin} for one";
    /// The session did not come about.
    McpStartFailed = "mcp-start-failed", 7,
        "tell the operator of {origin}: the session with it did not come about; to see the exchange: {doctor}";
    /// The server has trouble of its own.
    McpServerUnavailable = "mcp-server-unavailable", 6,
        "try again";
    /// The connection to the server was interrupted.
    McpInterrupted = "mcp-interrupted", 6,
        "try again";
    /// The server answered with something that cannot be used.
    McpAnswerUnusable = "mcp-answer-unusable", 7,
        "tell the operator of {origin}: its answer cannot be used; to see the exchange: {doctor}";
    /// The server no longer answers as it did.
    McpServerChanged = "mcp-server-changed", 7,
        "try again: what was known of the server is learned anew";
    /// An event of an answer is too large to be read.
    EventTooLarge = "event-too-large", 7,
        "ask {name} for less at once, or tell the operator of {origin}";
    /// A list of the server has no end.
    EndlessList = "endless-list", 7,
        "tell the operator of {origin}: its list has no end; to see the exchange: {doctor}";

    /// Another program keeps the store busy.
    StoreBusy = "store-busy", 6,
        "try again";
    /// A file of the store cannot be read or written.
    StoreFileFailed = "store-file-failed", 9,
        "see to the file and its permissions, then try again";
    /// A file is not safe to keep secrets in.
    StoreUnsafe = "store-unsafe", 9,
        "see to the file and its permissions, then try again";
    /// A record was changed meanwhile.
    StoreRecordChanged = "store-record-changed", 9,
        "try again";
    /// A record is larger than the store takes.
    StoreRecordTooLarge = "store-record-too-large", 9,
        "{login}; if it stays so, tell the operator of {origin} that its tokens are too long";
    /// A record could not be kept.
    StoreNotKept = "store-not-kept", 9,
        "doorkey store show, and see to the place that it names";
    /// Logins cannot be moved like that.
    StoreMoveRefused = "store-move-refused", 9,
        "doorkey store show";
    /// A newer version of the program wrote the store.
    StoreNewer = "store-newer", 9,
        "update doorkey, then try again";
    /// The key or passphrase does not open the store.
    StoreKeyRefused = "store-key-refused", 9,
        "correct passphrase_env or key_file in [store], or what it names, then try again";
    /// The folder holds a store of another kind.
    StoreOtherFormat = "store-other-format", 9,
        "doorkey store show, and write the backend of that folder in [store]";
    /// This build has no such store.
    StoreNotBuilt = "store-not-built", 9,
        "install doorkey with that feature, or write another backend in [store]";
    /// The store keeps nothing beyond the program.
    StoreKeepsNothing = "store-keeps-nothing", 9,
        "{login}, without --start; or write another backend than \"memory\" in [store]";
    /// The choice of the store cannot be understood.
    StoreChoiceUnreadable = "store-choice-unreadable", 9,
        "update doorkey, or write the backend that your logins are in into [store]";
    /// The keyring is locked.
    KeyringLocked = "keyring-locked", 9,
        "unlock the keyring (signing in to the desktop does, and on a terminal gnome-keyring-daemon --unlock), then try again";
    /// The keyring does not answer for now.
    KeyringBusy = "keyring-busy", 6,
        "try again";
    /// The keyring cannot be used.
    KeyringUnusable = "keyring-unusable", 9,
        "run it in the session where you signed in to the desktop, or write backend = \"file\" in [store]";
    /// Nothing says where the database is.
    DatabaseNotNamed = "database-not-named", 9,
        "write [store.postgres] with url_env = \"DOORKEY_DATABASE_URL\"";
    /// The database does not answer for now.
    DatabaseUnavailable = "database-unavailable", 6,
        "try again";
    /// The database refuses.
    DatabaseRefused = "database-refused", 9,
        "correct [store.postgres] or what it names, then try again";
}

impl ErrorCode {
    /// The code of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name)
    }

    /// Where it is explained: a page of the repository, and the section there.
    #[must_use]
    pub fn help(self) -> String {
        format!("docs/errors.md#{self}")
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// That is not the name of a code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the code of an error; {hint}", hint = hint(.0))]
pub struct UnknownErrorCode(pub String);

/// The code that was meant or, where none is like it, where they all stand.
fn hint(name: &str) -> String {
    let mut names = ErrorCode::ALL.iter().map(|code| code.as_str());
    match names.find(|known| is_similar(known, name)) {
        Some(meant) => format!("did you mean {meant}?"),
        None => "doorkey explain --list shows them all".to_owned(),
    }
}

impl FromStr for ErrorCode {
    type Err = UnknownErrorCode;

    fn from_str(name: &str) -> Result<Self, UnknownErrorCode> {
        Self::named(name).ok_or_else(|| UnknownErrorCode(name.to_owned()))
    }
}

#[cfg(test)]
mod tests;
