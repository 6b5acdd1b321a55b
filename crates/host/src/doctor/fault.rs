//! What a fault is: where it shows, what it means and what mends it. The faults themselves are in the table.

use serde::{Deserialize, Serialize};

/// A part of the way from the configuration to the list of tools, in the order in which they are gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Step {
    /// The server is known and its settings can be used.
    Configuration,
    /// Certificates, proxy, headers and limits that hold for it.
    Network,
    /// Its name, the addresses behind it, and the rules for those.
    Address,
    /// A connection.
    Connection,
    /// The TLS handshake.
    Tls,
    /// A first request without a token.
    FirstRequest,
    /// What a 401 asks for.
    Challenge,
    /// The resource's own metadata (RFC 9728).
    ResourceMetadata,
    /// The metadata of the authorization servers it names (RFC 8414).
    AuthorizationServer,
    /// What that server can do.
    Capabilities,
    /// How this client gets an id there.
    Registration,
    /// What the store has of a login.
    Token,
    /// A refresh, if one is due.
    Refresh,
    /// The opening of a session with the token.
    Initialize,
    /// The list of tools.
    Tools,
    /// The clocks of both sides.
    Clock,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 16] = [
        Self::Configuration,
        Self::Network,
        Self::Address,
        Self::Connection,
        Self::Tls,
        Self::FirstRequest,
        Self::Challenge,
        Self::ResourceMetadata,
        Self::AuthorizationServer,
        Self::Capabilities,
        Self::Registration,
        Self::Token,
        Self::Refresh,
        Self::Initialize,
        Self::Tools,
        Self::Clock,
    ];

    /// The word used in JSON and in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Network => "network",
            Self::Address => "address",
            Self::Connection => "connection",
            Self::Tls => "tls",
            Self::FirstRequest => "first-request",
            Self::Challenge => "challenge",
            Self::ResourceMetadata => "resource-metadata",
            Self::AuthorizationServer => "authorization-server",
            Self::Capabilities => "capabilities",
            Self::Registration => "registration",
            Self::Token => "token",
            Self::Refresh => "refresh",
            Self::Initialize => "initialize",
            Self::Tools => "tools",
            Self::Clock => "clock",
        }
    }

    /// The same for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Network => "network settings",
            Self::Address => "name and address",
            Self::Connection => "connection",
            Self::Tls => "TLS",
            Self::FirstRequest => "first request",
            Self::Challenge => "challenge",
            Self::ResourceMetadata => "resource metadata",
            Self::AuthorizationServer => "authorization server",
            Self::Capabilities => "its capabilities",
            Self::Registration => "client",
            Self::Token => "login",
            Self::Refresh => "refresh",
            Self::Initialize => "session",
            Self::Tools => "tools",
            Self::Clock => "clock",
        }
    }

    /// The rules of `docs/requirements.md` that it goes by.
    #[must_use]
    pub const fn rules(self) -> &'static [&'static str] {
        match self {
            Self::Configuration => &["DISC-30", "REG-02"],
            Self::Network => &["SEC-08", "SEC-09"],
            Self::Address => &["SEC-03", "SEC-05"],
            Self::Connection => &["SEC-12", "ERR-13"],
            Self::Tls => &["SEC-01", "SEC-08"],
            Self::FirstRequest => &["CH-01", "ERR-02"],
            Self::Challenge => &["WWW-01", "WWW-12"],
            Self::ResourceMetadata => &["DISC-02", "DISC-11"],
            Self::AuthorizationServer => &["AS-02", "AS-07"],
            Self::Capabilities => &["AS-16", "AS-20", "AS-22"],
            Self::Registration => &["REG-01", "REG-02"],
            Self::Token => &["ST-02", "ST-09"],
            Self::Refresh => &["REF-07", "REF-08"],
            Self::Initialize => &["USE-01", "CH-02"],
            Self::Tools => &["CH-03", "ERR-01"],
            Self::Clock => &["DP-17", "TOK-15"],
        }
    }
}

/// What kind of fault it is; it decides the exit code of `doorkey doctor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Class {
    /// The settings here, or the store.
    Configuration,
    /// A person has to sign in.
    Login,
    /// The server forbids it, whoever signs in.
    Forbidden,
    /// The network, or a server that is out of order for now.
    Temporary,
    /// The server does not speak MCP as it should.
    Mcp,
    /// A server is set up wrongly.
    Server,
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Severity {
    /// The server cannot be used like this.
    Error,
    /// It can be used, and something is not as it should be.
    Warning,
}

/// One row of the table: a fault that `doorkey doctor` recognises.
///
/// Texts may hold `{name}` (the server in `config.toml`), `{login}` (the same with its account, as it is typed), `{url}` (the
/// MCP URL), `{variable}` (of the environment), `{at}` (the URL that answered), `{origin}` (of that), `{page}` (the origin of a sign-in page), `{status}` and `{value}` (what the fault is about).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// Its name, which never changes: `tls-expired`.
    pub id: &'static str,
    /// Where it shows.
    pub step: Step,
    /// What kind it is.
    pub class: Class,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub title: &'static str,
    /// What that means, and why nothing else is at fault.
    pub means: &'static str,
    /// The rule of `docs/requirements.md`.
    pub rule: &'static str,
    /// The specification that says how it should be; empty where none does.
    pub section: &'static str,
    /// The code of the error as other commands print it ([`ErrorCode`](crate::ErrorCode)); empty where they would not
    /// fail, or in many ways.
    pub code: &'static str,
    /// What to do, in words.
    pub mend: &'static str,
    /// What to type; empty if nothing is.
    pub command: &'static str,
    /// What to write into `config.toml`; empty if nothing is.
    pub setting: &'static str,
    /// What to write to the operator of `{origin}`; empty if they can do nothing.
    pub tell: &'static str,
}

impl Fault {
    pub(super) const fn new(
        id: &'static str,
        step: Step,
        class: Class,
        title: &'static str,
    ) -> Self {
        Self {
            id,
            step,
            class,
            severity: Severity::Error,
            title,
            means: "",
            rule: "",
            section: "",
            code: "",
            mend: "",
            command: "",
            setting: "",
            tell: "",
        }
    }

    /// A text of the table as it is for no server in particular: `NAME` stands for the server, `…` for what would be seen.
    #[must_use]
    pub fn in_general(text: &str) -> String {
        let words = [
            ("{name}", "NAME"),
            ("{login}", "NAME"),
            ("{origin}", "the server"),
            ("{at}", "the place"),
            ("{url}", "URL"),
            ("{status}", "STATUS"),
            ("{issuer}", "ISSUER"),
            ("{page}", "ORIGIN"),
            ("{value}", "…"),
            ("{list}", "…"),
            ("{variable}", "VARIABLE"),
        ];
        let replaced = |text: String, (hole, word)| str::replace(&text, hole, word);
        words.into_iter().fold(text.to_owned(), replaced)
    }

    pub(super) const fn means(mut self, means: &'static str) -> Self {
        self.means = means;
        self
    }

    pub(super) const fn by(mut self, rule: &'static str, section: &'static str) -> Self {
        self.rule = rule;
        self.section = section;
        self
    }

    pub(super) const fn code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    pub(super) const fn mend(mut self, mend: &'static str) -> Self {
        self.mend = mend;
        self
    }

    pub(super) const fn run(mut self, command: &'static str) -> Self {
        self.command = command;
        self
    }

    pub(super) const fn set(mut self, setting: &'static str) -> Self {
        self.setting = setting;
        self
    }

    pub(super) const fn tell(mut self, tell: &'static str) -> Self {
        self.tell = tell;
        self
    }

    pub(super) const fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }
}
