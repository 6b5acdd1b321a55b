//! The redirect table (SEC-06): which answer is handed back, which hop is taken, which is refused.
//!
//! | leg | a redirect (301, 302, 303, 307, 308 with `Location`) |
//! |---|---|
//! | resource | handed back; the authorization layer follows within the origin |
//! | resource metadata, authorization server metadata | followed for GET and HEAD, a few hops, each checked anew |
//! | every other | an error that names the target |

use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use url::Url;

use crate::body::Body;
use crate::endpoint::check_endpoint;
use crate::error::{Error, RedirectRule};
use crate::exchange::Exchange;
use crate::headers::is_credential;
use crate::leg::Leg;
use crate::redact::RedactedUrl;
use crate::stack::{Asked, Below, Step};

/// Follows what the table allows.
pub(crate) struct Redirects {
    /// The most hops in a row.
    pub(crate) limit: usize,
}

impl Step for Redirects {
    async fn run<B: Below>(&self, asked: &mut Asked, below: &B) -> Result<Response<Body>, Error> {
        let mut answer = match asked.exchange.leg().is_metadata() {
            // Rare, so that it takes no room beside every request.
            true => Box::pin(self.follow(asked, below)).await?,
            false => {
                let answer = below.call(asked).await?;
                // No other leg takes a hop.
                self.next(&asked.exchange, &answer, 0)?;
                answer
            }
        };
        answer.extensions_mut().insert(asked.exchange.clone());
        Ok(answer)
    }
}

impl Redirects {
    /// The answer at the end of all hops.
    async fn follow<B: Below>(
        &self,
        asked: &mut Asked,
        below: &B,
    ) -> Result<Response<Body>, Error> {
        // As the caller made it, for another hop.
        let mut next = bodiless(&asked.request);
        let mut answer = below.call(asked).await?;
        let mut hops = 0;
        while let Some(target) = self.next(&asked.exchange, &answer, hops)? {
            hops += 1;
            let (leg, method) = (asked.exchange.leg(), next.method().clone());
            let exchange = Exchange::new(leg, method, target.url);
            if asked.exchange.origin() != exchange.origin() {
                drop_credentials(next.headers_mut());
            }
            tracing::debug!(from = %asked.exchange.shown(), to = %RedactedUrl::of_target(exchange.url()), "redirected");
            *next.uri_mut() = target.uri;
            asked.exchange = exchange;
            asked.request = bodiless(&next);
            answer = below.call(asked).await?;
        }
        Ok(answer)
    }

    /// The hop to take after `answer`, if one is to be taken.
    fn next(
        &self,
        exchange: &Exchange,
        answer: &Response<Body>,
        hops: usize,
    ) -> Result<Option<Target>, Error> {
        let location = answer.headers().get(LOCATION);
        let hop = next_hop(exchange, answer.status(), location, hops < self.limit);
        hop.map_err(|refusal| Error::RedirectRefused {
            exchange: exchange.clone(),
            status: answer.status(),
            target: refusal.target,
            source: refusal.rule.unwrap_or(RedirectRule::TooMany(self.limit)),
        })
    }
}

/// The same request without a body.
fn bodiless(request: &Request<Body>) -> Request<Body> {
    let mut copy = Request::new(Body::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    copy
}

/// Where a hop leads.
#[derive(Debug)]
struct Target {
    url: Url,
    uri: Uri,
}

/// A redirect that is not followed; without a rule, because there were too many.
#[derive(Debug)]
struct Refusal {
    target: String,
    rule: Option<RedirectRule>,
}

/// The table.
fn next_hop(
    exchange: &Exchange,
    status: StatusCode,
    location: Option<&HeaderValue>,
    hops_left: bool,
) -> Result<Option<Target>, Refusal> {
    let (true, Some(location)) = (is_redirect(status), location) else {
        return Ok(None);
    };
    if exchange.leg() == Leg::Resource {
        return Ok(None);
    }
    let refused = |target: String, rule| Refusal {
        target,
        rule: Some(rule),
    };
    let Some((url, uri)) = resolve(exchange.url(), location) else {
        return Err(refused(
            "an unreadable place".to_owned(),
            RedirectRule::Location,
        ));
    };
    let shown = RedactedUrl::of_target(&url).to_string();
    if !exchange.leg().is_metadata() {
        return Err(refused(shown, RedirectRule::Leg(exchange.leg())));
    }
    if !matches!(*exchange.method(), Method::GET | Method::HEAD) {
        return Err(refused(shown, RedirectRule::Method));
    }
    if exchange.url().scheme() == "https" && url.scheme() != "https" {
        return Err(refused(shown, RedirectRule::Downgrade));
    }
    if let Err(fault) = check_endpoint(&url) {
        return Err(refused(shown, RedirectRule::Target(fault)));
    }
    if !hops_left {
        return Err(Refusal {
            target: shown,
            rule: None,
        });
    }
    Ok(Some(Target { url, uri }))
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// The absolute form of a `Location` (RFC 9110 §10.2.2), without its fragment.
fn resolve(base: &Url, location: &HeaderValue) -> Option<(Url, Uri)> {
    let location = std::str::from_utf8(location.as_bytes()).ok()?;
    let mut url = base.join(location).ok()?;
    url.set_fragment(None);
    // A URL that HTTP cannot carry (`data:`) still is to be named when it is refused.
    let uri = url.as_str().parse().unwrap_or_default();
    Some((url, uri))
}

/// What was meant for one origin does not go to another.
fn drop_credentials(headers: &mut HeaderMap) {
    let secret: Vec<_> = headers
        .iter()
        .filter(|(name, value)| is_credential(name) || value.is_sensitive())
        .map(|(name, _)| name.clone())
        .collect();
    for name in secret {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests;
