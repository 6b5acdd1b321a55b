//! RFC examples, the ways servers bend the grammar, and properties over all input.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::parse::{MAX_CHALLENGES, MAX_PARAMETERS, MAX_VALUE_BYTES};
use super::{Challenge, Challenges};
use crate::Scopes;

mod shown;

fn parse(value: &str) -> Challenges {
    Challenges::parse([value])
}

/// Each challenge as `scheme blob? name=value…`, to compare at a glance.
fn outline(challenges: &Challenges) -> Vec<String> {
    let line = |challenge: &Challenge| {
        let mut line = challenge.scheme().to_owned();
        if let Some(blob) = challenge.token68() {
            line = format!("{line} {blob}");
        }
        challenge
            .params()
            .fold(line, |line, (name, value)| format!("{line} {name}={value}"))
    };
    challenges.iter().map(line).collect()
}

#[test]
fn the_grammar_is_read_in_full_www_03_www_04_www_06() {
    for (value, expected) in [
        // RFC 9110 §11.6.1, example
        (
            r#"Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\"""#,
            &[
                "Basic realm=simple",
                r#"Newauth realm=apps type=1 title=Login to "apps""#,
            ][..],
        ),
        // RFC 6750 §3, example
        (
            r#"Bearer realm="example", error="invalid_token", error_description="The access token expired""#,
            &[
                "Bearer realm=example error=invalid_token error_description=The access token expired",
            ],
        ),
        // RFC 9728 §5.1, example
        (
            "Bearer resource_metadata=\n  \"https://resource.example.com/.well-known/oauth-protected-resource\"",
            &[],
        ),
        (
            r#"Bearer resource_metadata="https://resource.example.com/.well-known/oauth-protected-resource""#,
            &[
                "Bearer resource_metadata=https://resource.example.com/.well-known/oauth-protected-resource",
            ],
        ),
        // RFC 9449 §7.1, example
        (
            r#"DPoP error="invalid_token", error_description="Invalid DPoP key binding", algs="ES256""#,
            &["DPoP error=invalid_token error_description=Invalid DPoP key binding algs=ES256"],
        ),
        ("Bearer", &["Bearer"]),
        ("Negotiate, Bearer", &["Negotiate", "Bearer"]),
        ("Negotiate abc==", &["Negotiate abc=="]),
        (
            "Negotiate YII=, Bearer realm=\"x\"",
            &["Negotiate YII=", "Bearer realm=x"],
        ),
        (
            "Bearer realm=\"x\", Negotiate a/b+c-d._~==",
            &["Bearer realm=x", "Negotiate a/b+c-d._~=="],
        ),
        ("Foo bar", &["Foo bar"]),
        (
            ",, ,Basic realm=x,, ,scope=y, ,",
            &["Basic realm=x scope=y"],
        ),
        (
            "Bearer realm = \"x\" , scope\t=\ty",
            &["Bearer realm=x scope=y"],
        ),
        ("Bearer , realm=x", &["Bearer realm=x"]),
        (
            r#"Bearer realm="a, b=c, Basic realm=d""#,
            &["Bearer realm=a, b=c, Basic realm=d"],
        ),
        (r#"Bearer realm="\\\"\a""#, &[r#"Bearer realm=\"a"#]),
        ("Bearer realm=\"\"", &["Bearer realm="]),
        ("Bearer realm=\"caf\u{e9}\"", &["Bearer realm=caf\u{e9}"]),
        (" \t ", &[]),
    ] {
        assert_eq!(outline(&parse(value)), expected, "{value}");
    }
}

#[test]
fn a_broken_part_costs_its_own_challenge_only_www_12() {
    for (value, expected) in [
        (
            "realm=\"no scheme\", Bearer scope=a",
            &["Bearer scope=a"][..],
        ),
        ("@@@, Bearer scope=a", &["Bearer scope=a"]),
        ("Bearer scope=a, @@@, DPoP algs=ES256", &["DPoP algs=ES256"]),
        (
            "Bearer scope=a b, realm=x, DPoP algs=ES256",
            &["DPoP algs=ES256"],
        ),
        (
            "Bearer scope=a, Foo@ bar, DPoP algs=ES256",
            &["Bearer scope=a", "DPoP algs=ES256"],
        ),
        ("Bearer realm=\"x\" scope=\"y\", Basic", &["Basic"]),
        ("Bearer realm=\"x\", scope=, Basic", &["Basic"]),
        ("Bearer realm=\"x\", scope==y, Basic", &["Basic"]),
        ("Negotiate abc==, realm=x, Basic", &["Basic"]),
        (
            "Basic realm=x, Bearer realm=\"never closed, DPoP algs=ES256",
            &["Basic realm=x"],
        ),
        (
            "Basic realm=x, Bearer realm=\"ends in a backslash\\",
            &["Basic realm=x"],
        ),
        (
            "Basic realm=x, Bearer realm=\"bell\u{7}\", DPoP",
            &["Basic realm=x", "DPoP"],
        ),
        ("caf\u{e9} realm=x, Basic", &["Basic"]),
        ("Bearer caf\u{e9}=x, Basic", &["Basic"]),
        ("=, =x, \"quoted\", Basic", &["Basic"]),
        // What is passed over has quotes too, and backslashes that count between them only.
        (r#"Bearer a b="x\",y", DPoP"#, &["DPoP"]),
        (r#"Bearer a b="x\\", DPoP"#, &["DPoP"]),
        (r#"Bearer @\"x,y", DPoP"#, &["DPoP"]),
    ] {
        assert_eq!(outline(&parse(value)), expected, "{value}");
    }
}

#[test]
fn a_url_without_quotes_is_understood() {
    let url = "https://mcp.example/.well-known/oauth-protected-resource?a=b";
    for value in [
        format!("Bearer resource_metadata={url}"),
        format!("Bearer error=x, resource_metadata={url}, scope=y"),
    ] {
        assert_eq!(parse(&value).resource_metadata(), Some(url), "{value}");
    }
}

#[test]
fn a_repeated_parameter_invalidates_its_challenge_www_07() {
    let challenges = parse("Bearer scope=a, SCOPE=b, realm=x, DPoP algs=ES256");
    assert_eq!(outline(&challenges), ["DPoP algs=ES256"]);
    assert_eq!(
        outline(&parse("Bearer scope=a, Bearer scope=b")),
        ["Bearer scope=a", "Bearer scope=b"]
    );
}

#[test]
fn several_lines_are_one_list_in_order_www_02() {
    let mut headers = HeaderMap::new();
    for value in [
        "Negotiate",
        "Bearer realm=\"x\"",
        "scope=\"a b\"",
        "Basic realm=\"y\"",
    ] {
        headers.append("www-authenticate", HeaderValue::from_static(value));
    }
    headers.append("x-other", HeaderValue::from_static("Digest realm=z"));
    let challenges = Challenges::from_headers(&headers);
    assert_eq!(
        outline(&challenges),
        ["Negotiate", "Bearer realm=x scope=a b", "Basic realm=y"]
    );
    assert_eq!(challenges.len(), 3);
}

#[test]
fn bytes_that_are_no_text_hide_nothing_www_12() {
    let mut headers = HeaderMap::new();
    headers.append(
        "www-authenticate",
        HeaderValue::from_bytes(b"Basic realm=\"caf\xe9\"").unwrap(),
    );
    headers.append(
        "www-authenticate",
        HeaderValue::from_bytes(b"\xff\xfe, Bearer scope=a").unwrap(),
    );
    assert_eq!(
        outline(&Challenges::from_headers(&headers)),
        ["Basic realm=caf\u{fffd}", "Bearer scope=a"]
    );
}

#[test]
fn names_ignore_case_and_values_keep_it_www_05() {
    let challenges = parse("bEaReR ReAlM=\"X\", SCOPE=\"Read read\"");
    let bearer = challenges.select(false).unwrap();
    assert!(bearer.is_scheme("Bearer") && !bearer.is_scheme("DPoP"));
    assert_eq!((bearer.scheme(), bearer.realm()), ("bEaReR", Some("X")));
    assert_eq!(bearer.scope(), Some(Scopes::parse("read Read")));
}

#[test]
fn the_known_parameters_are_read_in_any_order_www_08_www_09() {
    let challenges = parse(
        "DPoP scope=\"b a\", unknown=1, error_uri=\"https://h/e\", algs=\"ES256 PS256\", \
         error_description=\"why\", realm=\"r\", error=\"insufficient_scope\"",
    );
    let dpop = challenges.select(true).unwrap();
    assert_eq!(dpop.error(), Some("insufficient_scope"));
    assert_eq!(dpop.error_description(), Some("why"));
    assert_eq!(dpop.error_uri(), Some("https://h/e"));
    assert_eq!(dpop.algs().collect::<Vec<_>>(), ["ES256", "PS256"]);
    assert_eq!(dpop.scope().unwrap().to_string(), "b a");
    assert!(challenges.is_insufficient_scope());
    assert_eq!(
        parse("Bearer scope=\" \"").scope(),
        None,
        "no scope is named"
    );
}

#[test]
fn metadata_counts_on_every_oauth_scheme_and_on_no_other_www_10() {
    assert_eq!(
        parse("DPoP resource_metadata=\"https://h/m\"").resource_metadata(),
        Some("https://h/m")
    );
    assert_eq!(
        parse("Basic resource_metadata=\"https://h/m\"").resource_metadata(),
        None
    );
    let both =
        parse("DPoP resource_metadata=\"https://h/d\", Bearer resource_metadata=\"https://h/b\"");
    assert_eq!(both.resource_metadata(), Some("https://h/b"));
    let later = parse("Bearer realm=x, DPoP resource_metadata=\"https://h/d\", scope=s");
    assert_eq!(later.resource_metadata(), Some("https://h/d"));
    assert_eq!(later.scope(), Some(Scopes::parse("s")));
}

#[test]
fn the_scheme_in_use_is_selected_and_others_are_passed_over_www_11() {
    let all = parse("Negotiate, Basic realm=x, DPoP algs=ES256, Bearer realm=y");
    assert_eq!(all.select(true).unwrap().scheme(), "DPoP");
    assert_eq!(all.select(false).unwrap().scheme(), "Bearer");
    assert_eq!(parse("Bearer").select(true).unwrap().scheme(), "Bearer");
    assert_eq!(parse("DPoP").select(false), None);
    assert_eq!(parse("Negotiate, Basic realm=x").select(false), None);
}

#[test]
fn insufficient_scope_is_said_by_oauth_schemes_only_ch_06() {
    assert!(parse("Negotiate, Bearer error=\"insufficient_scope\"").is_insufficient_scope());
    assert!(!parse("Bearer error=\"invalid_token\"").is_insufficient_scope());
    assert!(!parse("Basic error=\"insufficient_scope\"").is_insufficient_scope());
    assert!(!parse("").is_insufficient_scope());
}

#[test]
fn over_long_input_is_bounded_www_12() {
    let value = |bytes: usize| format!("Bearer realm=\"{}\"", "x".repeat(bytes - 15));
    assert_eq!(parse(&value(MAX_VALUE_BYTES)).len(), 1);
    let long = value(MAX_VALUE_BYTES + 1);
    let challenges = Challenges::parse([long.as_str(), "scope=a", "DPoP algs=ES256"]);
    assert_eq!(outline(&challenges), ["DPoP algs=ES256"]);
    assert_eq!(parse(&"Basic,".repeat(1000)).len(), MAX_CHALLENGES);
    let params = |count: usize| {
        (0..count)
            .map(|n| format!("p{n}=1"))
            .collect::<Vec<_>>()
            .join(",")
    };
    assert_eq!(
        parse(&format!("Bearer {}", params(MAX_PARAMETERS))).len(),
        1
    );
    assert_eq!(
        parse(&format!("Bearer {}", params(MAX_PARAMETERS + 1))).len(),
        0
    );
}

fn token() -> impl Strategy<Value = String> {
    "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}"
}

fn any_challenge() -> impl Strategy<Value = Challenge> {
    let parameters = proptest::collection::vec((token(), "[\t -~\u{a0}-\u{2fff}]{0,40}"), 0..8);
    let blob = proptest::option::of("[A-Za-z0-9._~+/-]{1,12}={0,2}");
    (token(), blob, parameters).prop_map(|(scheme, token68, mut parameters)| {
        let mut seen = std::collections::HashSet::new();
        parameters.retain(|(name, _)| token68.is_none() && seen.insert(name.to_ascii_lowercase()));
        Challenge {
            scheme,
            token68,
            parameters,
        }
    })
}

/// Text made of the pieces the grammar is made of, so that it gets deep into the reader.
fn grammar_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("Bearer "),
        Just("DPoP"),
        Just(" "),
        Just("\t"),
        Just(","),
        Just(", "),
        Just("="),
        Just("\""),
        Just("\\"),
        Just("scope"),
        Just("realm=\"x\""),
        Just("abc=="),
        Just("\u{e9}"),
        Just("\u{7}"),
        Just("https://h/"),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_read_and_what_was_read_can_be_printed(values in proptest::collection::vec(".{0,200}", 0..4)) {
        assert_round_trip(&Challenges::parse(values.iter().map(String::as_str)))?;
    }

    #[test]
    fn text_near_the_grammar_is_read_and_can_be_printed(value in grammar_like()) {
        assert_round_trip(&parse(&value))?;
    }

    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, value)]);
            assert_round_trip(&Challenges::from_headers(&headers))?;
        }
    }

    #[test]
    fn printed_challenges_read_back_the_same(list in proptest::collection::vec(any_challenge(), 0..6)) {
        assert_round_trip(&Challenges { all: list.into(), shown: None })?;
    }

    #[test]
    fn a_challenge_survives_whatever_line_precedes_it(noise in ".{0,100}") {
        let challenges = Challenges::parse([noise.as_str(), "Bearer scope=\"a\""]);
        prop_assert_eq!(outline(&challenges).pop(), Some("Bearer scope=a".to_owned()));
    }
}

fn assert_round_trip(challenges: &Challenges) -> Result<(), TestCaseError> {
    let printed = challenges.to_header_value();
    prop_assert!(
        HeaderValue::from_bytes(printed.as_bytes()).is_ok(),
        "{printed:?}"
    );
    let read = Challenges::parse([printed.as_str()]);
    prop_assert_eq!(&read, challenges, "{}", printed);
    Ok(())
}
