//! Which configured header goes to which origin (SEC-09, SEC-10), and that no log shows a secret one.

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, Entry, HOST, PROXY_AUTHORIZATION, TE,
    TRANSFER_ENCODING, UPGRADE, USER_AGENT, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use crate::body::Body;
use crate::error::Error;
use crate::origin::Origin;
use crate::profile::HttpProfile;
use crate::sent::SentSecrets;
use crate::stack::{Asked, Below, Step};

/// The configured headers, each with the origins it is meant for.
pub(crate) struct HeaderScopes {
    /// The narrowest scope first: of two that name the same header, the narrower one counts.
    scopes: Box<[(Origin, Additions)]>,
    /// What everybody gets, after that.
    everyone: Additions,
}

/// Headers in order, those of one name together. Every client has some, and a map takes many times the room.
type Additions = Box<[(HeaderName, HeaderValue)]>;

impl HeaderScopes {
    pub(crate) fn new(profile: &HttpProfile) -> Result<Self, Error> {
        check(&profile.default_headers, "default_headers")?;
        for (name, value) in &profile.default_headers {
            if is_credential(name) || value.is_sensitive() {
                return Err(Error::HeaderRefused {
                    name: name.to_string(),
                });
            }
        }
        let mut scopes = Vec::new();
        for (origin, headers) in &profile.origin_headers {
            check(headers, "origin_headers")?;
            scopes.push((origin.clone(), kept_secret(headers).collect()));
        }
        check(&profile.resource_headers, "resource_headers")?;
        if !profile.resource_headers.is_empty() {
            let Some(origin) = profile.resource_origin() else {
                return Err(unusable("resource_headers", Fault::NoResource));
            };
            scopes.push((origin, kept_secret(&profile.resource_headers).collect()));
        }
        let agent = HeaderValue::from_str(&profile.user_agent)
            .ok()
            .filter(|agent| !agent.is_empty())
            .ok_or_else(|| unusable("user_agent", Fault::UserAgent))?;
        let named = profile.default_headers.contains_key(USER_AGENT);
        let agent = (!named).then_some((USER_AGENT, agent));
        let everyone = kept_secret(&profile.default_headers).chain(agent);
        Ok(Self {
            scopes: scopes.into(),
            everyone: everyone.collect(),
        })
    }

    /// Adds to `headers` what is configured for `origin`; what is there already stays. Gives the
    /// secrets among them: what everybody gets holds none, though it is kept from logs as well.
    pub(crate) fn complete(&self, headers: &mut HeaderMap, origin: &Origin) -> SentSecrets {
        let own = headers.iter_mut().filter(|(name, _)| is_credential(name));
        own.for_each(|(_, value)| value.set_sensitive(true));
        for (only, additions) in &self.scopes {
            if only == origin {
                add_missing(headers, additions);
            }
        }
        let secrets = SentSecrets::of(headers);
        add_missing(headers, &self.everyone);
        secrets
    }
}

impl Step for HeaderScopes {
    async fn run<B: Below>(&self, asked: &mut Asked, below: &B) -> Result<Response<Body>, Error> {
        let sent = self.complete(asked.request.headers_mut(), asked.exchange.origin());
        let mut response = below.call(asked).await?;
        if !sent.is_empty() {
            keep_from_logs(response.headers_mut());
        }
        response.extensions_mut().insert(sent);
        Ok(response)
    }
}

/// Challenges may repeat a secret of the request. They are parsed as they came, so they keep every
/// byte, but no log shows a value that is marked.
fn keep_from_logs(headers: &mut HeaderMap) {
    // An entry that is asked for and absent makes room for itself.
    if headers.contains_key(WWW_AUTHENTICATE)
        && let Entry::Occupied(mut challenges) = headers.entry(WWW_AUTHENTICATE)
    {
        for challenge in challenges.iter_mut() {
            challenge.set_sensitive(true);
        }
    }
}

/// Whether a header is a credential by its name.
pub(crate) fn is_credential(name: &HeaderName) -> bool {
    [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION].contains(name) || name == "dpop"
}

fn add_missing(headers: &mut HeaderMap, additions: &Additions) {
    for of_one_name in additions.chunk_by(|(name, _), (next, _)| name == next) {
        if let [(name, _), ..] = of_one_name
            && !headers.contains_key(name)
        {
            for (name, value) in of_one_name {
                headers.append(name, value.clone());
            }
        }
    }
}

/// Marked sensitive: no log shows the values and HTTP/2 does not put them into its tables.
fn kept_secret(headers: &HeaderMap) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    headers.iter().map(|(name, value)| {
        let mut value = value.clone();
        value.set_sensitive(true);
        (name.clone(), value)
    })
}

fn check(headers: &HeaderMap, setting: &'static str) -> Result<(), Error> {
    let framing = [
        HOST,
        CONNECTION,
        CONTENT_LENGTH,
        TRANSFER_ENCODING,
        TE,
        UPGRADE,
    ];
    match headers.keys().find(|name| framing.contains(name)) {
        Some(name) => Err(unusable(setting, Fault::Framing(name.clone()))),
        None => Ok(()),
    }
}

fn unusable(setting: &'static str, fault: Fault) -> Error {
    Error::Profile {
        setting,
        source: Box::new(fault),
    }
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("`{0}` belongs to the connection and cannot be configured")]
    Framing(HeaderName),
    #[error("there is no `resource` whose origin they could be sent to")]
    NoResource,
    #[error("it is empty or holds characters that a header cannot")]
    UserAgent,
}

#[cfg(test)]
mod tests;
