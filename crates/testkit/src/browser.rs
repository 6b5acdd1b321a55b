//! A tiny headless browser: enough of a user agent to get through an authorization page.

use std::fmt;

use url::Url;

use crate::{
    CertificateAuthority, Client, Error, Identity, Reply,
    client::{parse, shown},
};

/// Plays the person at the browser: opens an authorization URL, decides on the consent page,
/// and follows the redirects into the client's loopback listener.
#[derive(Clone, Default)]
pub struct Browser {
    client: Client,
    deny: bool,
    stop_before_callback: bool,
}

/// Where a [`Browser`] ended up.
#[derive(Clone)]
#[non_exhaustive]
pub struct Visit {
    /// The redirect back to the client, parameters included: what a person would see in the
    /// address bar.
    pub callback: String,
    /// What the client's listener answered; `None` if the browser stopped before it.
    pub page: Option<Reply>,
    /// How many redirects there were.
    pub redirects: usize,
}

impl Browser {
    /// The largest number of redirects that are followed.
    pub const REDIRECT_LIMIT: usize = 10;

    /// A browser that trusts no certificate authority yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Also trusts certificates of `authority`.
    #[must_use]
    pub fn trusting(mut self, authority: &CertificateAuthority) -> Self {
        self.client = self.client.trusting(authority);
        self
    }

    /// Presents a client certificate to servers that ask for one.
    #[must_use]
    pub fn identity(mut self, identity: &Identity) -> Self {
        self.client = self.client.identity(identity);
        self
    }

    /// Denies on the consent page instead of approving.
    #[must_use]
    pub fn denying(mut self) -> Self {
        self.deny = true;
        self
    }

    /// Does not open the client's redirect URI, as with a person who pastes it.
    #[must_use]
    pub fn stop_before_callback(mut self) -> Self {
        self.stop_before_callback = true;
        self
    }

    /// Opens `url` and approves, trusting `authority` on the way.
    ///
    /// # Errors
    /// See [`open`](Self::open).
    pub async fn approve(
        url: &str,
        authority: Option<&CertificateAuthority>,
    ) -> Result<Visit, Error> {
        let browser = authority.map_or_else(Self::new, |a| Self::new().trusting(a));
        browser.open(url).await
    }

    /// Opens an authorization URL and goes on until the client's redirect URI has answered.
    ///
    /// # Errors
    /// [`Error::DeadEnd`] on a page that is no consent page of the kit,
    /// [`Error::TooManyRedirects`], and what [`Client::send`] fails with.
    pub async fn open(&self, url: &str) -> Result<Visit, Error> {
        let start = parse(url)?;
        let mut at = start.clone();
        let mut reply = self.client.get(at.as_str()).await?;
        for redirects in 1..=Self::REDIRECT_LIMIT {
            if let Some(target) = location(&at, &reply)? {
                if is_callback(&start, &target) {
                    return self.call_back(&target, redirects).await;
                }
                reply = self.client.get(target.as_str()).await?;
                at = target;
            } else {
                let ticket = field(&reply, TICKET_FIELD).ok_or_else(|| Error::DeadEnd {
                    url: shown(at.as_str()),
                    status: reply.status.as_u16(),
                })?;
                reply = self.decide(&at, &ticket).await?;
            }
        }
        Err(Error::TooManyRedirects {
            url: shown(at.as_str()),
            limit: Self::REDIRECT_LIMIT,
        })
    }

    /// Opens the page of a device authorization, enters the code that the device shows, and
    /// decides (RFC 8628 §3.3). `page` may be the complete URI.
    ///
    /// # Errors
    /// [`Error::DeadEnd`] on a page that is none of the kit's, that has another code filled in
    /// or that does not know the code, and what [`Client::send`] fails with.
    pub async fn enter_code(&self, page: &str, user_code: &str) -> Result<Reply, Error> {
        let dead_end = |status: u16| Error::DeadEnd {
            url: shown(page),
            status,
        };
        let form = self.client.get(page).await?;
        let filled_in = field(&form, USER_CODE_FIELD);
        if !filled_in.is_some_and(|code| code.is_empty() || code == user_code) {
            return Err(dead_end(form.status.as_u16()));
        }
        let mut target = parse(page)?;
        target.set_query(None);
        let fields = [("user_code", user_code), ("decision", self.decision())];
        let reply = self.client.post_form(target.as_str(), &fields).await?;
        if !reply.status.is_success() {
            return Err(dead_end(reply.status.as_u16()));
        }
        Ok(reply)
    }

    fn decision(&self) -> &'static str {
        if self.deny { "deny" } else { "approve" }
    }

    async fn decide(&self, page: &Url, ticket: &str) -> Result<Reply, Error> {
        let fields = [("ticket", ticket), ("decision", self.decision())];
        self.client.post_form(page.as_str(), &fields).await
    }

    async fn call_back(&self, target: &Url, redirects: usize) -> Result<Visit, Error> {
        let page = if self.stop_before_callback {
            None
        } else {
            Some(self.client.get(target.as_str()).await?)
        };
        Ok(Visit {
            callback: target.to_string(),
            page,
            redirects,
        })
    }
}

impl Visit {
    /// The value of a parameter of the redirect back.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        let url = Url::parse(&self.callback).ok()?;
        let mut pairs = url.query_pairs();
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser")
            .field("client", &self.client)
            .field("deny", &self.deny)
            .field("stop_before_callback", &self.stop_before_callback)
            .finish()
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit")
            .field("callback", &shown(&self.callback))
            .field("page", &self.page)
            .field("redirects", &self.redirects)
            .finish()
    }
}

/// Where a redirect leads, `None` for any other answer.
fn location(at: &Url, reply: &Reply) -> Result<Option<Url>, Error> {
    let Some(target) = reply.header("location") else {
        return Ok(None);
    };
    if !reply.status.is_redirection() {
        return Ok(None);
    }
    let joined = at.join(target).map_err(|source| Error::Url {
        url: shown(target),
        source,
    })?;
    Ok(Some(joined))
}

/// Whether `target` is the redirect URI that the authorization URL names. Without one, the first
/// redirect to another origin counts.
fn is_callback(start: &Url, target: &Url) -> bool {
    let redirect_uri = start
        .query_pairs()
        .find(|(name, _)| name == "redirect_uri")
        .and_then(|(_, uri)| Url::parse(&uri).ok());
    match redirect_uri {
        Some(uri) => uri.origin() == target.origin() && uri.path() == target.path(),
        None => start.origin() != target.origin(),
    }
}

/// The value that a field of one of the kit's pages has.
fn field(reply: &Reply, begins: &str) -> Option<String> {
    let page = reply.text();
    let (_, rest) = page.split_once(begins)?;
    Some(rest.split('"').next()?.to_owned())
}

/// How the consent page of the kit begins the value of its ticket.
pub(crate) const TICKET_FIELD: &str = r#"<input type="hidden" name="ticket" value=""#;
/// How the page for devices begins the value of the user code.
pub(crate) const USER_CODE_FIELD: &str = r#"<input name="user_code" value=""#;
