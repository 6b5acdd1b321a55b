//! Which request this is about: leg, method and URL, as errors and logs name it.

use std::fmt;
use std::sync::Arc;

use http::{Method, Request, Uri};
use url::Url;

use crate::error::Error;
use crate::leg::Leg;
use crate::origin::Origin;
use crate::proxy::ProxyUrl;
use crate::redact::RedactedUrl;

/// One request and its answer: a cheap handle, found in the extensions of every response (after
/// redirects it names the last hop) and in every [`Error`](crate::Error) that concerns a request.
#[derive(Clone)]
pub struct Exchange(Arc<Facts>);

struct Facts {
    leg: Leg,
    method: Method,
    url: Url,
    origin: Origin,
    shown: RedactedUrl,
    proxy: Option<ProxyUrl>,
}

impl Exchange {
    pub(crate) fn new(leg: Leg, method: Method, url: Url) -> Self {
        let shown = RedactedUrl::from(&url);
        Self(Arc::new(Facts {
            leg,
            method,
            origin: Origin::from(&url),
            url,
            shown,
            proxy: None,
        }))
    }

    /// The same on its way through a proxy, which may be what fails.
    #[cfg(feature = "client")]
    pub(crate) fn through(&self, proxy: &ProxyUrl) -> Self {
        Self(Arc::new(Facts {
            leg: self.0.leg,
            method: self.0.method.clone(),
            url: self.0.url.clone(),
            origin: self.0.origin.clone(),
            shown: self.0.shown.clone(),
            proxy: Some(proxy.clone()),
        }))
    }

    /// The exchange that a request begins, on the leg that its extensions name.
    pub(crate) fn parse<B>(request: &Request<B>) -> Result<Self, Error> {
        let leg = request.extensions().get::<Leg>().copied();
        Self::to(
            leg.unwrap_or(Leg::Resource),
            request.method(),
            request.uri(),
        )
    }

    /// The exchange that a request to `uri` begins.
    pub(crate) fn to(leg: Leg, method: &Method, uri: &Uri) -> Result<Self, Error> {
        match Url::parse(&uri.to_string()) {
            Ok(url) => Ok(Self::new(leg, method.clone(), url)),
            Err(source) => Err(Error::Url { leg, source }),
        }
    }

    /// What the request was for.
    #[must_use]
    pub fn leg(&self) -> Leg {
        self.0.leg
    }

    /// Its method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.0.method
    }

    /// Its whole URL, for decisions; show [`Self::shown`].
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0.url
    }

    /// The origin of that URL.
    pub(crate) fn origin(&self) -> &Origin {
        &self.0.origin
    }

    /// The proxy it went through, as it may be shown; `None` for a direct one.
    #[must_use]
    pub fn proxy(&self) -> Option<String> {
        let proxy = self.0.proxy.as_ref()?;
        Some(proxy.to_string().trim_end_matches('/').to_owned())
    }

    /// Its URL as it may be shown.
    #[must_use]
    pub fn shown(&self) -> &RedactedUrl {
        &self.0.shown
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} request {} {}",
            self.0.leg, self.0.method, self.0.shown
        )?;
        match &self.0.proxy {
            Some(proxy) => {
                let shown = proxy.to_string();
                write!(f, " through the proxy {}", shown.trim_end_matches('/'))
            }
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Exchange")
            .field(&format_args!("{self}"))
            .finish()
    }
}
