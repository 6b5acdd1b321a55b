//! Which configured header goes to which origin (SEC-09, SEC-10), and that no log shows a secret one.

use std::sync::Arc;

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, Entry, HOST, PROXY_AUTHORIZATION, TE,
    TRANSFER_ENCODING, UPGRADE, USER_AGENT, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};

use crate::body::Body;
use crate::error::Error;
use crate::exchange::Exchange;
use crate::origin::Origin;
use crate::profile::HttpProfile;
use crate::sent::SentSecrets;
use crate::stack::{Below, Step};

/// The configured headers, each with the origins it is meant for.
pub(crate) struct HeaderScopes {
    /// The narrowest scope first: of two that name the same header, the narrower one counts.
    scopes: Vec<(Scope, HeaderMap)>,
}

enum Scope {
    Only(Origin),
    Everyone,
}

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
            scopes.push((Scope::Only(origin.clone()), kept_secret(headers)));
        }
        check(&profile.resource_headers, "resource_headers")?;
        if let Some(origin) = profile.resource_origin() {
            scopes.push((Scope::Only(origin), kept_secret(&profile.resource_headers)));
        } else if !profile.resource_headers.is_empty() {
            return Err(unusable("resource_headers", Fault::NoResource));
        }
        scopes.push((Scope::Everyone, profile.default_headers.clone()));
        let agent = HeaderValue::from_str(&profile.user_agent)
            .ok()
            .filter(|agent| !agent.is_empty())
            .ok_or_else(|| unusable("user_agent", Fault::UserAgent))?;
        scopes.push((Scope::Everyone, HeaderMap::from_iter([(USER_AGENT, agent)])));
        Ok(Self { scopes })
    }

    /// Adds to `headers` what is configured for `origin`; what is there already stays.
    pub(crate) fn complete(&self, headers: &mut HeaderMap, origin: &Origin) {
        for (scope, additions) in &self.scopes {
            match scope {
                Scope::Only(only) if only != origin => {}
                Scope::Only(_) | Scope::Everyone => add_missing(headers, additions),
            }
        }
    }
}

impl Step for HeaderScopes {
    async fn run<S: Below>(
        self: Arc<Self>,
        mut request: Request<Body>,
        mut below: S,
    ) -> Result<Response<Body>, Error> {
        let origin = Origin::from(Exchange::of(&request)?.url());
        self.complete(request.headers_mut(), &origin);
        let sent = SentSecrets::of(request.headers());
        let mut response = below.call(request).await?;
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
    if let Entry::Occupied(mut challenges) = headers.entry(WWW_AUTHENTICATE) {
        for challenge in challenges.iter_mut() {
            challenge.set_sensitive(true);
        }
    }
}

/// Whether a header is a credential by its name.
pub(crate) fn is_credential(name: &HeaderName) -> bool {
    [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION].contains(name) || name == "dpop"
}

fn add_missing(headers: &mut HeaderMap, additions: &HeaderMap) {
    for name in additions.keys() {
        if !headers.contains_key(name) {
            for value in additions.get_all(name) {
                headers.append(name, value.clone());
            }
        }
    }
}

/// Marked sensitive: no log shows the values and HTTP/2 does not put them into its tables.
fn kept_secret(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    headers
        .values_mut()
        .for_each(|value| value.set_sensitive(true));
    headers
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
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    fn map(entries: &[(&'static str, &'static str)]) -> HeaderMap {
        let entry = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        entries.iter().map(entry).collect()
    }

    fn profile() -> HttpProfile {
        let mut profile = HttpProfile::new(Url::parse("https://mcp.example/mcp").unwrap());
        profile.default_headers = map(&[("x-route", "everyone"), ("x-who", "default")]);
        profile.resource_headers = map(&[("authorization", "resource"), ("x-who", "resource")]);
        let gateway = "https://as.example:8443".parse().unwrap();
        profile.origin_headers =
            vec![(gateway, map(&[("cookie", "gateway"), ("x-who", "gateway")]))];
        profile
    }

    fn completed(origin: &str, own: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = map(own);
        let scopes = HeaderScopes::new(&profile()).unwrap();
        scopes.complete(&mut headers, &origin.parse().unwrap());
        headers
    }

    #[test]
    fn each_header_reaches_its_scope_and_the_narrower_one_counts() {
        for (origin, authorization, cookie, who) in [
            ("https://mcp.example", Some("resource"), None, "resource"),
            ("http://mcp.example", None, None, "default"),
            ("https://mcp.example:444", None, None, "default"),
            ("https://sub.mcp.example", None, None, "default"),
            ("https://as.example:8443", None, Some("gateway"), "gateway"),
            ("https://as.example", None, None, "default"),
        ] {
            let headers = completed(origin, &[]);
            let value = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
            assert_eq!(value("authorization"), authorization, "{origin}");
            assert_eq!(value("cookie"), cookie, "{origin}");
            assert_eq!(value("x-who"), Some(who), "{origin}");
            assert_eq!(value("x-route"), Some("everyone"), "{origin}");
            let agent = value("user-agent").unwrap();
            assert!(agent.starts_with("doorkey/"), "{agent}");
        }
    }

    #[test]
    fn what_the_request_says_itself_always_wins() {
        let own = [
            ("authorization", "own"),
            ("user-agent", "own"),
            ("x-route", "own"),
        ];
        let headers = completed("https://mcp.example", &own);
        for (name, value) in own {
            let all: Vec<_> = headers.get_all(name).iter().collect();
            assert_eq!(all, [value], "{name}");
        }
    }

    #[test]
    fn scoped_values_are_marked_sensitive() {
        let headers = completed("https://mcp.example", &[]);
        assert!(headers["authorization"].is_sensitive());
        assert!(!headers["x-route"].is_sensitive());
    }

    #[test]
    fn a_credential_for_everyone_is_refused_and_told_where_it_belongs() {
        let mut sensitive = HeaderValue::from_static("key");
        sensitive.set_sensitive(true);
        let secret = HeaderMap::from_iter([(HeaderName::from_static("x-api-key"), sensitive)]);
        for headers in [
            map(&[("authorization", "Bearer x")]),
            map(&[("cookie", "x")]),
            map(&[("proxy-authorization", "x")]),
            secret,
        ] {
            let refused = HttpProfile {
                default_headers: headers,
                ..HttpProfile::default()
            };
            let err = HeaderScopes::new(&refused).err().unwrap().to_string();
            assert!(
                err.contains("resource_headers") && err.contains("origin_headers"),
                "{err}"
            );
        }
    }

    #[test]
    fn unusable_headers_are_named_by_their_setting() {
        let mut framing = profile();
        framing.origin_headers[0].1 = map(&[("content-length", "5")]);
        let mut homeless = profile();
        homeless.resource = None;
        let mut agent = profile();
        agent.user_agent = "a\nb".to_owned();
        for (profile, setting) in [
            (framing, "origin_headers"),
            (homeless, "resource_headers"),
            (agent, "user_agent"),
        ] {
            let err = HeaderScopes::new(&profile).err().unwrap();
            assert!(err.to_string().contains(setting), "{err}");
        }
    }

    proptest! {
        #[test]
        fn no_scoped_header_reaches_a_foreign_origin(
            scheme in "https?", host in "[a-z]{1,6}(\\.mcp)?\\.example", port in 1_u16..,
        ) {
            let origin = format!("{scheme}://{host}:{port}");
            prop_assume!(!["https://mcp.example:443", "https://as.example:8443"].contains(&&*origin));
            let headers = completed(&origin, &[]);
            prop_assert!(!headers.contains_key("authorization") && !headers.contains_key("cookie"));
            prop_assert_eq!(&headers["x-who"], "default");
        }
    }
}
