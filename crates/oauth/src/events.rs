//! The `tracing` events that an operator counts: their names, levels and fields, which stay as they are.
//!
//! Every event has a field `event` with its name, so that it can be found in a log of text or JSON, and
//! counted by whatever listens to `tracing`. No field ever holds a secret: URLs come without query and
//! credentials, texts of a server are cleaned, and no token, code or key is among them. Other events
//! of these crates have no name; they are for people who debug, and change without notice.
//!
//! Work runs in the spans `refresh` and `login` (level INFO, target `doorkey_oauth`, fields `server` and `account`);
//! each request over the network has a span `http` (level DEBUG, target `doorkey_http::tag`, fields `leg`, `method` and
//! `url`) inside them.
//!
//! `docs/operators.md` says when each of them comes and what to make of it.

pub(crate) mod tell;

use tracing::Level;

/// One kind of event: what an operator selects it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventKind {
    /// The value of the field `event`.
    pub name: &'static str,
    /// The target of the event, for filters.
    pub target: &'static str,
    /// Its level.
    pub level: Level,
    /// Its fields beside `event` and `message`, in their order. One whose value is not known is left out.
    pub fields: &'static [&'static str],
}

/// A refresh request is about to be sent, for which `interrupted` says whether the outcome of an earlier one is unknown.
pub const REFRESH_ATTEMPTED: EventKind = EventKind {
    name: "refresh.attempted",
    target: REFRESH,
    level: Level::INFO,
    fields: &["server", "account", "issuer", "interrupted"],
};
/// A refresh brought a token. `saved` is `false` where the store did not take it and only memory has it.
pub const REFRESH_SUCCEEDED: EventKind = EventKind {
    name: "refresh.succeeded",
    target: REFRESH,
    level: Level::INFO,
    fields: &["server", "account", "issuer", "elapsed_ms", "saved"],
};
/// A refresh was not needed, or its outcome not used: another holder of the grant had a newer token.
pub const REFRESH_ADOPTED: EventKind = EventKind {
    name: "refresh.adopted",
    target: REFRESH,
    level: Level::INFO,
    fields: &["server", "account"],
};
/// The authorization server refused a refresh for good: a person has to sign in. `code` is its OAuth error.
pub const REFRESH_REJECTED: EventKind = EventKind {
    name: "refresh.rejected",
    target: REFRESH,
    level: Level::WARN,
    fields: &["server", "account", "code", "reason"],
};
/// A refresh was sent and nobody knows what became of it: no answer, or one that may come from a server in between.
pub const REFRESH_UNKNOWN: EventKind = EventKind {
    name: "refresh.unknown",
    target: REFRESH,
    level: Level::WARN,
    fields: &["server", "account", "error"],
};
/// A refresh failed and nothing was lost: it is tried again later.
pub const REFRESH_FAILED: EventKind = EventKind {
    name: "refresh.failed",
    target: REFRESH,
    level: Level::WARN,
    fields: &["server", "account", "error", "retry_after_ms"],
};
/// A refresh was due and not sent: the server asked to wait, an earlier one failed just now, or there were too many.
pub const REFRESH_DELAYED: EventKind = EventKind {
    name: "refresh.delayed",
    target: REFRESH,
    level: Level::DEBUG,
    fields: &["server", "account", "error", "retry_after_ms"],
};
/// How long the lock of a grant or of its login was waited for; `outcome` is `taken`, `timeout` or `failed`.
pub const LOCK_WAITED: EventKind = EventKind {
    name: "lock.waited",
    target: LOCK,
    level: Level::DEBUG,
    fields: &["server", "account", "lock", "waited_ms", "outcome"],
};
/// Another process changed the grant (it refreshed or signed in), and what it brought holds here too.
pub const GRANT_ADOPTED: EventKind = EventKind {
    name: "grant.adopted",
    target: GRANT,
    level: Level::DEBUG,
    fields: &["server", "account"],
};
/// Another process signed out.
pub const GRANT_GONE: EventKind = EventKind {
    name: "grant.gone",
    target: GRANT,
    level: Level::INFO,
    fields: &["server", "account"],
};
/// A token could not be saved. It is used from memory, and lost if the process ends before a later save succeeds.
pub const GRANT_UNSAVED: EventKind = EventKind {
    name: "grant.unsaved",
    target: GRANT,
    level: Level::ERROR,
    fields: &["server", "account", "error"],
};
/// A login begins; `cause` is `asked`, `challenged`, `step-up`, or `halves` for one that is finished elsewhere.
pub const LOGIN_STARTED: EventKind = EventKind {
    name: "login.started",
    target: LOGIN,
    level: Level::INFO,
    fields: &["server", "account", "flow", "cause"],
};
/// A login waits for another one of the same account, in this process or another.
pub const LOGIN_WAITING: EventKind = EventKind {
    name: "login.waiting",
    target: LOGIN,
    level: Level::INFO,
    fields: &["server", "account", "limit_ms"],
};
/// The first half of a login is done: its page can be opened, and the login finished in any process.
pub const LOGIN_PENDING: EventKind = EventKind {
    name: "login.pending",
    target: LOGIN,
    level: Level::INFO,
    fields: &["server", "account", "issuer"],
};
/// A login brought a token. `registered` says whether a client was registered for it.
pub const LOGIN_FINISHED: EventKind = EventKind {
    name: "login.finished",
    target: LOGIN,
    level: Level::INFO,
    fields: &[
        "server",
        "account",
        "issuer",
        "registered",
        "refreshable",
        "saved",
    ],
};
/// The login of another process is taken over: nobody is sent to a second page.
pub const LOGIN_ADOPTED: EventKind = EventKind {
    name: "login.adopted",
    target: LOGIN,
    level: Level::INFO,
    fields: &["server", "account", "issuer"],
};
/// A login came to nothing. What was stored before is as it was.
pub const LOGIN_FAILED: EventKind = EventKind {
    name: "login.failed",
    target: LOGIN,
    level: Level::WARN,
    fields: &["server", "account", "error"],
};
/// A logout is done. `revoked` says whether the server confirmed that the tokens are void, or there was none to revoke.
pub const LOGOUT_FINISHED: EventKind = EventKind {
    name: "logout.finished",
    target: LOGIN,
    level: Level::INFO,
    fields: &["server", "account", "revoked", "removed"],
};
/// The MCP server asks for more scopes; `scopes` is what it wants.
pub const STEP_UP_ASKED: EventKind = EventKind {
    name: "step_up.asked",
    target: STEP_UP,
    level: Level::INFO,
    fields: &["server", "account", "scopes"],
};
/// A token with more scopes is there.
pub const STEP_UP_GRANTED: EventKind = EventKind {
    name: "step_up.granted",
    target: STEP_UP,
    level: Level::INFO,
    fields: &["server", "account"],
};
/// No token with more scopes is to be had; the old one stays in use.
pub const STEP_UP_REFUSED: EventKind = EventKind {
    name: "step_up.refused",
    target: STEP_UP,
    level: Level::WARN,
    fields: &["server", "account", "error"],
};
/// The MCP server answered 401 to the current token. `expired` is `false` where that came before its time.
pub const TOKEN_REJECTED: EventKind = EventKind {
    name: "token.rejected",
    target: TOKEN,
    level: Level::WARN,
    fields: &["server", "account", "issuer", "expired"],
};
/// What is known of a server that behaves oddly made a difference; `quirk` is the name of the rule.
pub const QUIRK_USED: EventKind = EventKind {
    name: "quirk.used",
    target: QUIRK,
    level: Level::INFO,
    fields: &["server", "account", "issuer", "quirk"],
};
/// A record of the store cannot be used and was set aside or left, or its permissions were repaired (`doorkey_store`).
pub const STORE_PROBLEM: EventKind = EventKind {
    name: "store.problem",
    target: "doorkey_store::problem",
    level: Level::WARN,
    fields: &["problem"],
};
/// A file or program behind a network setting changed: new connections from here on (`doorkey_http`).
pub const NETWORK_RELOADED: EventKind = EventKind {
    name: "network.reloaded",
    target: "doorkey_http::reload",
    level: Level::INFO,
    fields: &[],
};

/// Every kind of event that has a name, in the order of `docs/operators.md`.
pub const ALL: &[EventKind] = &[
    REFRESH_ATTEMPTED,
    REFRESH_SUCCEEDED,
    REFRESH_ADOPTED,
    REFRESH_REJECTED,
    REFRESH_UNKNOWN,
    REFRESH_FAILED,
    REFRESH_DELAYED,
    LOCK_WAITED,
    GRANT_ADOPTED,
    GRANT_GONE,
    GRANT_UNSAVED,
    LOGIN_STARTED,
    LOGIN_WAITING,
    LOGIN_PENDING,
    LOGIN_FINISHED,
    LOGIN_ADOPTED,
    LOGIN_FAILED,
    LOGOUT_FINISHED,
    STEP_UP_ASKED,
    STEP_UP_GRANTED,
    STEP_UP_REFUSED,
    TOKEN_REJECTED,
    QUIRK_USED,
    STORE_PROBLEM,
    NETWORK_RELOADED,
];

const REFRESH: &str = "doorkey_oauth::refresh";
const LOCK: &str = "doorkey_oauth::lock";
const GRANT: &str = "doorkey_oauth::grant";
const LOGIN: &str = "doorkey_oauth::login";
const STEP_UP: &str = "doorkey_oauth::step_up";
const TOKEN: &str = "doorkey_oauth::token";
const QUIRK: &str = "doorkey_oauth::quirk";
