//! Which identifiers speak for which server, and what a document may hold.

use proptest::prelude::*;

use super::*;

use ResourceMatch::{Exact, Parent};
use Source::{Challenge, PathWellKnown, RootWellKnown};

fn judge(
    published: &str,
    server: &str,
    source: Source,
    resource_match: ResourceMatch,
) -> Option<ResourceMatchKind> {
    let rule = ResourceRule::new(source, resource_match);
    validate_resource(&ResourceId::new(published), &server.parse().unwrap(), rule).ok()
}

#[test]
fn identity_is_exact_wherever_the_document_was_disc_06_disc_07() {
    for source in [PathWellKnown, Challenge] {
        for resource_match in [Exact, Parent] {
            for url in [
                "https://h/mcp",
                "https://h:8443/a/b?tenant=1",
                "http://localhost:1/mcp",
                "https://h/mcp/",
            ] {
                assert_eq!(
                    judge(url, url, source, resource_match),
                    Some(ResourceMatchKind::Exact),
                    "{url}"
                );
            }
            assert_eq!(
                judge(
                    "https://h/mcp",
                    "https://h/mcp#part",
                    source,
                    resource_match
                ),
                Some(ResourceMatchKind::Exact),
                "a fragment takes no part"
            );
        }
    }
}

#[test]
fn the_root_document_speaks_for_the_bare_origin_disc_06() {
    for origin in ["https://h", "https://h/"] {
        assert_eq!(
            judge(origin, "https://h/mcp", RootWellKnown, Exact),
            Some(ResourceMatchKind::Exact)
        );
        assert_eq!(
            judge(origin, "https://h/mcp", RootWellKnown, Parent),
            Some(ResourceMatchKind::Exact)
        );
        assert_eq!(
            judge(origin, "https://h", RootWellKnown, Exact),
            Some(ResourceMatchKind::Exact)
        );
    }
    assert_eq!(
        judge("https://h/mcp", "https://h/mcp", RootWellKnown, Exact),
        None
    );
    assert_eq!(
        judge("https://h/mcp", "https://h/mcp", RootWellKnown, Parent),
        Some(ResourceMatchKind::Exact)
    );
}

#[test]
fn only_letter_case_of_the_origin_and_its_slash_are_tolerated_disc_08_disc_09() {
    for (published, server) in [
        ("HTTPS://H.Example/mcp", "https://h.example/mcp"),
        ("https://h", "https://h/"),
        ("https://h/", "https://h"),
        ("https://h?a=b", "https://h/?a=b"),
    ] {
        assert_eq!(
            judge(published, server, Challenge, Exact),
            Some(ResourceMatchKind::Exact),
            "{published}"
        );
    }
    for (published, server) in [
        ("https://h/MCP", "https://h/mcp"),
        ("https://h/mcp/", "https://h/mcp"),
        ("https://h/%6dcp", "https://h/mcp"),
        ("https://h/caf%C3%A9", "https://h/caf%c3%a9"),
        ("https://h/caf\u{e9}", "https://h/caf%C3%A9"),
        ("https://h/a/../mcp", "https://h/mcp"),
        ("https://h:443/mcp", "https://h/mcp"),
        ("https://h:8443/mcp", "https://h/mcp"),
        ("http://h/mcp", "https://h/mcp"),
        ("https://h/mcp?a=b", "https://h/mcp"),
        ("https://h/mcp?a=b", "https://h/mcp?b=a"),
        ("https://h/mcp#", "https://h/mcp"),
        ("https://h/mcp ", "https://h/mcp"),
        ("https://user@h/mcp", "https://h/mcp"),
        ("https://h.evil.example/mcp", "https://h/mcp"),
        ("https://evil.example/mcp", "https://h/mcp"),
        ("https:h/mcp", "https://h/mcp"),
        ("h/mcp", "https://h/mcp"),
        ("urn:example:mcp", "https://h/mcp"),
        ("https://", "https://h/mcp"),
        ("", "https://h/mcp"),
    ] {
        for resource_match in [Exact, Parent] {
            assert_eq!(
                judge(published, server, Challenge, resource_match),
                None,
                "{published}"
            );
        }
    }
}

#[test]
fn a_same_origin_parent_is_accepted_unless_the_host_wants_identity_disc_10() {
    for (published, server) in [
        ("https://h/api", "https://h/api/v1"),
        ("https://h/api/", "https://h/api/v1"),
        ("https://h", "https://h/api/v1"),
        ("https://h/", "https://h/api/v1?a=b"),
        ("https://h/mcp", "https://h/mcp/"),
        ("https://h/mcp", "https://h/mcp?tenant=1"),
        ("https://h", "https://h/?tenant=1"),
        ("https://H/api", "https://h/api/v1"),
    ] {
        assert_eq!(
            judge(published, server, PathWellKnown, Parent),
            Some(ResourceMatchKind::Parent),
            "{published}"
        );
        assert_eq!(
            judge(published, server, PathWellKnown, Exact),
            None,
            "{published}"
        );
    }
}

#[test]
fn how_an_identifier_relates_has_one_name_for_machines_disc_10() {
    for (kind, name) in [
        (ResourceMatchKind::Exact, "exact"),
        (ResourceMatchKind::Parent, "parent"),
        (ResourceMatchKind::Derived, "derived"),
    ] {
        assert_eq!(kind.as_str(), name);
    }
}

#[test]
fn userinfo_spoils_an_identifier_even_where_both_have_it_disc_09_sec_11() {
    for resource_match in [Exact, Parent] {
        for url in ["https://user@h/mcp", "https://user:key@h"] {
            for source in [Challenge, PathWellKnown, RootWellKnown] {
                assert_eq!(judge(url, url, source, resource_match), None, "{url}");
            }
        }
    }
}

#[test]
fn siblings_children_and_other_origins_are_always_a_mismatch_disc_10() {
    for (published, server) in [
        ("https://h/api", "https://h/apiv1"),
        ("https://h/ap", "https://h/api/v1"),
        ("https://h/api/v1/x", "https://h/api/v1"),
        ("https://h/other", "https://h/api"),
        ("https://h/API", "https://h/api/v1"),
        ("https://h/api?a=b", "https://h/api/v1?a=b"),
        ("https://h:8443/api", "https://h/api/v1"),
        ("http://h/api", "https://h/api/v1"),
        ("https://x.h", "https://h/api"),
    ] {
        for source in [Challenge, PathWellKnown, RootWellKnown] {
            assert_eq!(
                judge(published, server, source, Parent),
                None,
                "{published}"
            );
        }
    }
}

#[test]
fn a_mismatch_shows_what_was_published_without_its_query_sec_13() {
    let server = "https://h/mcp?key=secret#part".parse().unwrap();
    let rule = ResourceRule::new(Challenge, Parent);
    let error = validate_resource(
        &ResourceId::new("https://evil.example/\u{1b}[2J?key=secret"),
        &server,
        rule,
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        r#"the resource is "https://evil.example/\u{1b}[2J?…", not "https://h/mcp?…""#
    );
}

#[test]
fn a_document_is_read_and_the_rest_of_it_ignored_disc_05_disc_21() {
    // RFC 9728 §3.2, example, and more
    let body = br#"{
        "resource": "https://resource.example.com",
        "authorization_servers": ["https://as1.example.com", "https://as2.example.net/"],
        "bearer_methods_supported": ["header", "body"],
        "scopes_supported": ["profile", "email", "phone"],
        "resource_documentation": "https://resource.example.com/resource_documentation.html",
        "dpop_bound_access_tokens_required": true,
        "dpop_signing_alg_values_supported": ["ES256"],
        "resource_name": "The \u001b[1mresource\u202e",
        "signed_metadata": "not.a.jwt",
        "jwks_uri": 5,
        "x": {"y": [null]}
    }"#;
    let metadata = ResourceMetadata::parse(body).unwrap();
    assert_eq!(metadata.resource.as_str(), "https://resource.example.com");
    let servers: Vec<_> = metadata
        .authorization_servers
        .iter()
        .map(Issuer::as_str)
        .collect();
    assert_eq!(
        servers,
        ["https://as1.example.com", "https://as2.example.net/"]
    );
    assert_eq!(
        metadata.scopes_supported,
        Some(Scopes::parse("profile email phone"))
    );
    assert!(metadata.dpop_bound_access_tokens_required && metadata.accepts_header());
    assert_eq!(
        metadata.dpop_signing_alg_values_supported.unwrap(),
        ["ES256"]
    );
    assert_eq!(metadata.resource_name.as_deref(), Some("The [1mresource"));
}

#[test]
fn the_resource_is_kept_to_the_character_disc_12() {
    for resource in ["https://h", "https://h/", "HTTPS://H:443/a%2fb"] {
        let metadata =
            ResourceMetadata::parse(format!(r#"{{"resource":"{resource}"}}"#).as_bytes()).unwrap();
        assert_eq!(metadata.resource.as_str(), resource);
    }
    let escaped = ResourceMetadata::parse(br#"{"resource":"https:\/\/h\/\u006dcp"}"#).unwrap();
    assert_eq!(
        escaped.resource.as_str(),
        "https://h/mcp",
        "JSON escapes are undone, DISC-08"
    );
}

#[test]
fn a_document_may_say_little() {
    for body in [
        r#"{"resource":"https://h"}"#,
        r#"{"resource":"https://h","authorization_servers":null,"scopes_supported":null,"resource_name":5}"#,
    ] {
        let metadata = ResourceMetadata::parse(body.as_bytes()).unwrap();
        assert_eq!(
            metadata,
            ResourceMetadata::new(ResourceId::new("https://h"), Vec::new()),
            "{body}"
        );
        assert!(metadata.accepts_header());
    }
}

#[test]
fn wrong_types_are_named_disc_05_disc_13() {
    for (member, value) in [
        ("resource", "5"),
        ("resource", "[\"https://h\"]"),
        ("authorization_servers", "\"https://as.example\""),
        ("authorization_servers", "[\"https://as.example\", 5]"),
        ("authorization_servers", "{}"),
        ("scopes_supported", "\"a b\""),
        ("bearer_methods_supported", "true"),
        ("dpop_bound_access_tokens_required", "\"true\""),
        ("dpop_signing_alg_values_supported", "\"ES256\""),
    ] {
        let own = if member == "resource" {
            ""
        } else {
            "\"resource\":\"https://h\","
        };
        let body = format!("{{{own}\"{member}\":{value}}}");
        let error = ResourceMetadata::parse(body.as_bytes()).unwrap_err();
        assert!(!error.is_absent());
        assert!(
            matches!(error, DocumentError::WrongType { member: named, .. } if named == member),
            "{body}"
        );
    }
    for body in ["{}", r#"{"error":"not found"}"#, r#"{"resource":null}"#] {
        let error = ResourceMetadata::parse(body.as_bytes()).unwrap_err();
        assert!(
            matches!(error, DocumentError::Missing { member: "resource" }),
            "{body}"
        );
    }
}

#[test]
fn only_a_list_without_header_rules_the_header_out_disc_22() {
    for (list, accepts) in [
        (r#"["header"]"#, true),
        (r#"["body","header"]"#, true),
        (r#"["body"]"#, false),
        ("[]", false),
        ("null", true),
    ] {
        let body = format!(r#"{{"resource":"https://h","bearer_methods_supported":{list}}}"#);
        assert_eq!(
            ResourceMetadata::parse(body.as_bytes())
                .unwrap()
                .accepts_header(),
            accepts,
            "{list}"
        );
    }
}

#[test]
fn without_a_document_the_identifier_is_the_server_url_leg_07() {
    for (server, resource) in [
        ("https://h/mcp", "https://h/mcp"),
        ("HTTPS://H/mcp/#x", "https://h/mcp/"),
        ("https://h/", "https://h"),
        ("https://h", "https://h"),
        ("https://h/?a=/", "https://h/?a=/"),
        ("https://h:8443/mcp?a=b", "https://h:8443/mcp?a=b"),
    ] {
        assert_eq!(
            derived_resource(&server.parse().unwrap()).as_str(),
            resource
        );
    }
}

/// A server URL, and an identifier made of pieces of it and of things that look like them.
fn near_miss() -> impl Strategy<Value = (String, String)> {
    let scheme = prop_oneof![Just("https"), Just("HTTPS"), Just("http")];
    let host = prop_oneof![
        Just("h"),
        Just("H"),
        Just("h:8443"),
        Just("u@h"),
        Just("h.x"),
        Just("")
    ];
    let segment = || {
        prop_oneof![
            Just("/"),
            Just("a"),
            Just("b"),
            Just("/a"),
            Just(".."),
            Just("%61")
        ]
    };
    let tail = prop_oneof![Just(""), Just("?q"), Just("#f"), Just("?q#f"), Just("?")];
    let path = || proptest::collection::vec(segment(), 0..5).prop_map(|parts| parts.concat());
    (scheme, host, path(), tail.clone(), path(), tail).prop_map(
        |(scheme, host, path, tail, own, own_tail)| {
            (
                format!("https://h/{own}{own_tail}"),
                format!("{scheme}://{host}{path}{tail}"),
            )
        },
    )
}

proptest! {
    #[test]
    fn what_is_accepted_is_the_server_or_above_it_disc_09_disc_10((server, published) in near_miss()) {
        let server: Url = server.parse().unwrap();
        for source in [Challenge, PathWellKnown, RootWellKnown] {
            let exact = judge(&published, server.as_str(), source, Exact);
            let parent = judge(&published, server.as_str(), source, Parent);
            prop_assert!(exact.is_none() || parent == exact, "what identity accepts, the default accepts as such");
            if parent.is_some() {
                let url: Url = published.parse().unwrap();
                prop_assert_eq!(url.origin(), server.origin());
                prop_assert!(server.path().starts_with(url.path()), "{} of {}", published, server);
                prop_assert!(url.query().is_none() || url.query() == server.query());
                prop_assert!(url.fragment().is_none() && url.username().is_empty());
            }
        }
    }

    #[test]
    fn any_text_can_be_judged(published in ".{0,60}") {
        let _: Option<ResourceMatchKind> = judge(&published, "https://h/mcp", Challenge, Parent);
    }

    #[test]
    fn any_bytes_can_be_read(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(ResourceMetadata::parse(&body).is_err());
    }

    #[test]
    fn a_cut_document_is_never_a_shorter_one(cut in 0_usize..76) {
        let body = br#"{"resource":"https://h/mcp","authorization_servers":["https://as.example/"]}"#;
        let error = ResourceMetadata::parse(&body[..cut]).unwrap_err();
        prop_assert!(error.is_absent());
    }
}
