//! What a login tells while it runs, as data for a host to word.

use std::fmt;
use std::time::Duration;

use url::Url;

use crate::browser::BrowserError;

/// Who is told the steps of a login.
pub trait Progress: Send + Sync + fmt::Debug {
    /// Called once for each step, in order, and expected to return at once.
    fn report(&self, step: &LoginStep);
}

/// One step of a login.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoginStep {
    /// The server is asked whether it wants a login.
    Probing {
        /// The MCP URL.
        server: Url,
    },
    /// It does; discovery and registration follow.
    Challenged,
    /// The way back from the browser is open.
    Listening {
        /// Where the browser will come back to.
        redirect_uri: String,
    },
    /// The person is to open a page. The host of `issuer` is to be shown before anything is
    /// opened, because the MCP server chose it (RFC 9728 section 7.8).
    Prompt {
        /// The page: it may be shown, and says nothing secret to anybody but its opener.
        url: Url,
        /// The authorization server.
        issuer: String,
        /// How long the login waits.
        expires_in: Duration,
    },
    /// The person is to open a page on another device and type a code there. The code is always to
    /// be shown, also beside a page that has it filled in: it is compared (RFC 8628 section 3.3.1).
    Code {
        /// The page.
        page: Url,
        /// The same page with the code filled in.
        filled_in: Option<Url>,
        /// The code, cleaned.
        code: String,
        /// The authorization server.
        issuer: String,
        /// How long the login waits.
        expires_in: Duration,
        /// Whether a page would have been shown, had there been a browser here.
        in_place_of_page: bool,
    },
    /// No browser was opened; the person has to open the page.
    NoBrowser {
        /// Why, unless that was wanted.
        cause: Option<BrowserError>,
    },
    /// Another process is signing the same account in; this login waits for it.
    OtherProcess {
        /// How long it waits at most.
        limit: Duration,
    },
    /// The browser brought an answer inside another page, as a browser that is built into an editor does, and it was not
    /// used: the page of [`LoginStep::Prompt`] has to be opened in a tab of its own. Told once; the login goes on waiting.
    Embedded,
    /// What a person pasted was of no use; the login goes on waiting.
    Paste(PasteProblem),
    /// The grant is stored; whether the server takes its token is being tried.
    Proving,
}

/// Why a pasted line did not end a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PasteProblem {
    /// It is neither an address nor a code.
    NotTheAddress,
    /// It is an address elsewhere than the one that the browser ends at.
    OtherAddress,
    /// It is the page that was to be opened, or another one of the authorization server: the person is not through yet, or was
    /// shown an error there.
    StillThere,
    /// It is the address that the browser ends at, without what makes it an answer: it was not copied whole.
    Incomplete,
    /// It belongs to another login.
    OtherLogin,
    /// It is a code, and this authorization server needs the whole address.
    NeedsAddress,
    /// The authorization server does not take the code: it was mistyped, has been used, or is too old.
    CodeRefused,
}

/// A [`Progress`] that keeps silent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn report(&self, _step: &LoginStep) {}
}
