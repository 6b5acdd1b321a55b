//! The well-known places against a second, naive implementation: written from the text of RFC 9728 §3.1, RFC 8414
//! §3.1 and OpenID Connect Discovery §4 alone, over strings, and sharing nothing with the first.
//!
//! A generated URL comes in two spellings: as somebody may configure it, and as RFC 3986 §6.2.2 has it (the host in
//! lower case and ASCII, no default port, no dot segments), which is what the RFCs cut. The generator knows both.

use doorkey_discovery::{Issuer, authorization_server_candidates, resource_metadata_candidates};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use url::Url;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn resource_metadata_is_where_rfc_9728_has_it_disc_02_disc_03_disc_04(
        generated in generated(query(), fragment()),
    ) {
        let server: Url = generated.written.parse().unwrap();
        let places = resource_metadata_candidates(&server);
        let places: Vec<&str> = places.iter().map(Url::as_str).collect();
        prop_assert_eq!(places, naive::of_resource(&generated.canonical()), "{}", generated.written);
    }

    #[test]
    fn server_metadata_is_where_rfc_8414_and_openid_have_it_as_02_as_03_as_04_as_05_as_06(
        generated in generated(Just(None), Just("")),
    ) {
        let places = authorization_server_candidates(&Issuer::new(generated.written.as_str())).unwrap();
        let places: Vec<&str> = places.iter().map(Url::as_str).collect();
        prop_assert_eq!(places, naive::of_issuer(&generated.canonical()), "{}", generated.written);
    }

    #[test]
    fn an_issuer_with_a_query_or_a_fragment_has_no_place_disc_15(
        generated in generated(query(), fragment()),
    ) {
        let has_place = authorization_server_candidates(&Issuer::new(generated.written.as_str())).is_ok();
        prop_assert_eq!(has_place, !generated.written.contains(['?', '#']), "{}", generated.written);
    }
}

/// The second implementation. Every `url` is canonical and has no fragment.
mod naive {
    /// RFC 9728 §3.1: "inserting a well-known URI string into the protected resource's resource identifier between the
    /// host component and the path and/or query components, if any"; "any terminating slash (/) following the host
    /// component MUST be removed". Without a path, the string for the root stands second (MCP, "Protected Resource
    /// Metadata Discovery Requirements").
    pub(super) fn of_resource(url: &str) -> Vec<String> {
        let (host, rest) = after_host(url);
        let rest = match rest.split_once('?') {
            Some(("/", query)) => format!("?{query}"),
            None if rest == "/" => String::new(),
            _ => rest.to_owned(),
        };
        let mut places = vec![format!("{host}/.well-known/oauth-protected-resource{rest}")];
        if !rest.is_empty() {
            places.push(format!("{host}/.well-known/oauth-protected-resource"));
        }
        places
    }

    /// RFC 8414 §3.1 ("any terminating "/" MUST be removed before inserting"), for both suffixes (§5), then OpenID
    /// Connect Discovery §4 ("any terminating / MUST be removed before appending").
    pub(super) fn of_issuer(url: &str) -> Vec<String> {
        let issuer = url.strip_suffix('/').unwrap_or(url);
        let (host, path) = after_host(issuer);
        let mut places = vec![
            format!("{host}/.well-known/oauth-authorization-server{path}"),
            format!("{host}/.well-known/openid-configuration{path}"),
            format!("{issuer}/.well-known/openid-configuration"),
        ];
        // The same place twice, where there is no path.
        places.dedup();
        places
    }

    fn after_host(url: &str) -> (&str, &str) {
        let start = url.find("://").map_or(0, |colon| colon + "://".len());
        let end = url[start..]
            .find(['/', '?'])
            .map_or(url.len(), |end| start + end);
        url.split_at(end)
    }
}

/// One URL in two spellings.
#[derive(Clone, Debug)]
struct Generated {
    written: String,
    authority: String,
    segments: Vec<String>,
    query: Option<String>,
}

impl Generated {
    /// RFC 3986 §6.2.2.3 and §5.2.4: `.` and `..` are taken out of the path. A fragment is not sent.
    fn canonical(&self) -> String {
        let mut kept: Vec<&str> = Vec::new();
        let last = self.segments.len().wrapping_sub(1);
        for (index, segment) in self.segments.iter().enumerate() {
            match segment.to_ascii_lowercase().replace("%2e", ".").as_str() {
                "." => {}
                ".." => drop(kept.pop()),
                _ => {
                    kept.push(segment);
                    continue;
                }
            }
            // What a dot segment at the end leaves is a directory.
            if index == last {
                kept.push("");
            }
        }
        let path = kept.join("/");
        let query = self.query.as_ref();
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}/{path}{query}", self.authority)
    }
}

fn generated(
    query: impl Strategy<Value = Option<(&'static str, &'static str)>>,
    fragment: impl Strategy<Value = &'static str>,
) -> impl Strategy<Value = Generated> {
    (origin(), vec(segment(), 0..5), query, fragment).prop_map(
        |((origin, authority), segments, query, fragment)| {
            let (written, canonical): (Vec<_>, Vec<_>) = segments.into_iter().unzip();
            // A path that is not there is the same as a lone slash (RFC 3986 §6.2.3).
            let path = match written.is_empty() {
                true => String::new(),
                false => format!("/{}", written.join("/")),
            };
            let asked = query.map(|(written, _)| format!("?{written}"));
            let asked = asked.unwrap_or_default();
            Generated {
                written: format!("{origin}{path}{asked}{fragment}"),
                authority,
                segments: canonical.into_iter().map(str::to_owned).collect(),
                query: query.map(|(_, canonical)| canonical.to_owned()),
            }
        },
    )
}

fn origin() -> impl Strategy<Value = (String, String)> {
    let host = select(vec![
        ("mcp.example", "mcp.example"),
        ("MCP.Example", "mcp.example"),
        ("h", "h"),
        ("a.b.c-d.example.", "a.b.c-d.example."),
        ("b\u{fc}cher.example", "xn--bcher-kva.example"),
        ("\u{4f8b}\u{3048}.jp", "xn--r8jz45g.jp"),
        ("B\u{dc}CHER.example", "xn--bcher-kva.example"),
        ("203.0.113.9", "203.0.113.9"),
        ("127.1", "127.0.0.1"),
        ("[2001:DB8::0:1]", "[2001:db8::1]"),
        ("[::1]", "[::1]"),
    ]);
    let port = select(vec![
        ("", ""),
        (":", ""),
        (":443", ""),
        (":8443", ":8443"),
        (":1", ":1"),
    ]);
    let scheme = select(vec!["https", "HTTPS", "Https"]);
    (scheme, host, port).prop_map(|(scheme, (host, canonical), (port, shown))| {
        (
            format!("{scheme}://{host}{port}"),
            format!("https://{canonical}{shown}"),
        )
    })
}

/// As written, and percent-encoded where RFC 3986 §3.3 has no such character; escapes stay as they are.
fn segment() -> impl Strategy<Value = (&'static str, &'static str)> {
    select(vec![
        ("mcp", "mcp"),
        ("Public", "Public"),
        ("", ""),
        (".", "."),
        ("..", ".."),
        ("%2e", "%2e"),
        ("%2E%2e", "%2E%2e"),
        ("...", "..."),
        (".well-known", ".well-known"),
        ("a%2Fb", "a%2Fb"),
        ("%7Euser", "%7Euser"),
        ("~user;v=1", "~user;v=1"),
        ("a:b@c", "a:b@c"),
        ("caf\u{e9}", "caf%C3%A9"),
        ("%", "%"),
    ])
}

fn query() -> impl Strategy<Value = Option<(&'static str, &'static str)>> {
    select(vec![
        None,
        Some(("tenant=1", "tenant=1")),
        Some(("", "")),
        Some(("a=/b/?c", "a=/b/?c")),
        Some(("q=\u{e9}&r=%2F", "q=%C3%A9&r=%2F")),
    ])
}

fn fragment() -> impl Strategy<Value = &'static str> {
    select(vec!["", "#", "#part", "#/a?b"])
}
