//! What a request to the listener is, judged as a value (RSP-01).

use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderName, TRANSFER_ENCODING};
use http::{Method, request::Parts};

use super::address::Endpoint;

/// What a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// A browser comes back from the authorization server.
    Callback,
    /// The same inside another page: in a frame, where a foreign page could have put it.
    Embedded,
    /// It came to the right place in another way, such as a form.
    OtherMethod,
    /// Nothing for this listener.
    Nothing,
}

/// Judges a request by its head. A page on another site can make a browser send requests here, also under a name that
/// it made resolve to loopback: the `Host` gives that away. Whatever is unusual in how the request is written is not
/// interpreted but refused: another target than a path (RFC 9112 section 3.2), a second `Host`, a body.
pub(super) fn judge(request: &Parts, endpoint: &Endpoint) -> Received {
    let is_here = request.uri.authority().is_none()
        && request.uri.path() == endpoint.path
        && is_for_host(&request.headers, endpoint);
    if !is_here {
        return Received::Nothing;
    }
    if request.method != Method::GET {
        return Received::OtherMethod;
    }
    if has_body(&request.headers) || is_early(&request.headers) {
        return Received::Nothing;
    }
    navigation(&request.headers)
}

/// The `Host` of the redirect URI, port and all, once.
fn is_for_host(headers: &HeaderMap, endpoint: &Endpoint) -> bool {
    let host = single(headers, &HOST).ok().flatten();
    host.is_some_and(|host| {
        endpoint
            .hosts
            .iter()
            .any(|own| own.eq_ignore_ascii_case(host))
    })
}

fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        || !matches!(single(headers, &CONTENT_LENGTH), Ok(None | Some("0")))
}

/// Whether a person is led here, as far as the browser says (Fetch Metadata): neither an image or a script of some page,
/// nor a frame in it. Old browsers say nothing. `Origin` is not judged: it may follow a navigation that began as a form at
/// the authorization server.
fn navigation(headers: &HeaderMap) -> Received {
    let said = |name: &'static str| single(headers, &HeaderName::from_static(name));
    match (said("sec-fetch-mode"), said("sec-fetch-dest")) {
        (Ok(None | Some("navigate")), Ok(None | Some("document"))) => Received::Callback,
        (Ok(None | Some("navigate")), Ok(Some(place))) if FRAMES.contains(&place) => {
            Received::Embedded
        }
        _ => Received::Nothing,
    }
}

/// Whether the page is fetched before anybody wants it.
fn is_early(headers: &HeaderMap) -> bool {
    EARLY
        .iter()
        .flat_map(|name| headers.get_all(*name))
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("prefetch") || value.contains("preview"))
}

/// The value of a header that is there once at most.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

/// What holds a page inside another one.
const FRAMES: [&str; 5] = ["iframe", "frame", "fencedframe", "object", "embed"];
/// Where browsers say that nobody is looking yet.
const EARLY: [&str; 4] = ["sec-purpose", "purpose", "x-purpose", "x-moz"];

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn judged(method: &str, target: &str, headers: &[(&str, &str)]) -> Received {
        let endpoint = Endpoint {
            path: "/callback".to_owned(),
            hosts: vec!["127.0.0.1:4000".to_owned()],
        };
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        judge(&parts, &endpoint)
    }

    const OWN: (&str, &str) = ("host", "127.0.0.1:4000");

    #[test]
    fn what_a_browser_says_of_a_navigation_passes_and_what_it_says_of_anything_else_does_not() {
        let navigation = [
            OWN,
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
            ("sec-fetch-user", "?1"),
        ];
        assert_eq!(
            judged("GET", "/callback?code=x", &navigation),
            Received::Callback
        );
        // An older browser says nothing, and one that was sent a form may still name where that came from.
        assert_eq!(
            judged("GET", "/callback?code=x", &[OWN]),
            Received::Callback
        );
        for origin in ["null", "https://as.example"] {
            let headers = [OWN, ("origin", origin)];
            assert_eq!(
                judged("GET", "/callback?code=x", &headers),
                Received::Callback
            );
        }
        for foreign in [
            &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")][..],
            &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "script")],
            &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
            &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "iframe")],
            &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "x")],
            &[
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "iframe"),
                ("sec-purpose", "prefetch"),
            ],
            &[("sec-fetch-mode", "websocket")],
            &[("sec-fetch-dest", "empty")],
            &[("sec-fetch-mode", "navigate"), ("sec-fetch-mode", "cors")],
            &[("sec-fetch-mode", "")],
            &[("sec-purpose", "prefetch;prerender")],
            &[("purpose", "prefetch")],
            &[("x-moz", "prefetch")],
        ] {
            let headers: Vec<_> = [OWN].iter().chain(foreign).copied().collect();
            assert_eq!(
                judged("GET", "/callback?code=x", &headers),
                Received::Nothing,
                "{foreign:?}"
            );
        }
    }

    #[test]
    fn an_answer_inside_another_page_is_told_apart() {
        for place in FRAMES {
            let headers = [
                OWN,
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", place),
            ];
            let received = judged("GET", "/callback?code=x", &headers);
            assert_eq!(received, Received::Embedded, "{place}");
            assert_eq!(judged("GET", "/", &headers), Received::Nothing);
        }
    }

    #[test]
    fn the_path_and_the_host_are_compared_as_they_are() {
        for target in [
            "/",
            "/callback/",
            "/callback/..",
            "/x/../callback",
            "/./callback",
            "//callback",
            "/callback;x",
            "/callback%2f",
            "/%63allback",
            "/callback%00",
            "/Callback",
            "/callback%3Fcode=x",
            "http://127.0.0.1:4000/callback",
            "http://evil.example/callback",
        ] {
            assert_eq!(judged("GET", target, &[OWN]), Received::Nothing, "{target}");
        }
        for hosts in [
            &[][..],
            &[("host", "")],
            &[("host", "127.0.0.1")],
            &[("host", "127.0.0.1:4001")],
            &[("host", "127.0.0.1:04000")],
            &[("host", "localhost:4000")],
            &[("host", "evil.example:4000")],
            &[("host", "x@127.0.0.1:4000")],
            &[("host", "127.0.0.1:4000, evil.example")],
            &[
                ("host", "127.0.0.1:4000."),
                ("x-forwarded-host", "127.0.0.1:4000"),
            ],
            &[OWN, ("host", "evil.example")],
            &[OWN, OWN],
        ] {
            assert_eq!(
                judged("GET", "/callback", hosts),
                Received::Nothing,
                "{hosts:?}"
            );
        }
    }

    #[test]
    fn another_method_is_told_apart_and_a_body_is_nothing() {
        for method in ["POST", "HEAD", "OPTIONS", "PUT", "TRACE", "get", "BREW"] {
            let form = [OWN, ("content-length", "5")];
            assert_eq!(
                judged(method, "/callback", &form),
                Received::OtherMethod,
                "{method}"
            );
            assert_eq!(judged(method, "/", &[OWN]), Received::Nothing, "{method}");
        }
        for body in [
            &[("content-length", "5")][..],
            &[("content-length", "0"), ("content-length", "0")],
            &[("content-length", "0, 0")],
            &[("transfer-encoding", "chunked")],
            &[("transfer-encoding", "chunked"), ("content-length", "0")],
        ] {
            let headers: Vec<_> = [OWN].iter().chain(body).copied().collect();
            assert_eq!(
                judged("GET", "/callback", &headers),
                Received::Nothing,
                "{body:?}"
            );
        }
        let empty = [OWN, ("content-length", "0")];
        assert_eq!(judged("GET", "/callback", &empty), Received::Callback);
    }
}
