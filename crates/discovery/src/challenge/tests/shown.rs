//! What is printed of challenges, and what of it an error or a log may say.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};

use super::{Challenges, parse};
use crate::Scopes;

#[test]
fn printing_gives_one_list_that_http_accepts() {
    let challenges = parse(r#"Negotiate YII=, Basic, Bearer realm="a \"b\" \\", scope=x"#);
    let value = challenges.to_header_value();
    assert_eq!(
        value,
        r#"Negotiate YII=, Basic, Bearer realm="a \"b\" \\", scope="x""#
    );
    assert!(HeaderValue::from_str(&value).is_ok());
    assert_eq!(parse(&value), challenges);
    assert_eq!(Challenges::default().to_header_value(), "");
}

#[test]
fn challenges_are_the_same_when_the_server_said_the_same() {
    let said = "Bearer scope=\"a\", Basic";
    assert_eq!(parse(said), parse("Bearer scope=a,Basic"));
    for other in [
        "Bearer scope=\"b\", Basic",
        "Bearer scope=\"a\"",
        "Basic, Bearer scope=a",
        "",
    ] {
        assert_ne!(parse(said), parse(other), "{other}");
    }
}

#[test]
fn there_is_no_challenge_or_there_are_some() {
    assert!(parse("").is_empty() && Challenges::default().is_empty());
    assert!(!parse("Basic").is_empty());
}

#[test]
fn debug_shows_the_names_of_one_challenge_and_what_may_be_shown_of_all_err_11() {
    let challenges = parse("Bearer realm=\"key\", scope=\"a\", Negotiate a2V5");
    assert_eq!(
        format!("{:?}", challenges.select(false).unwrap()),
        r#"Challenge { scheme: "Bearer", parameters: ["realm", "scope"], .. }"#
    );
    let struck = challenges.shown_through(|text| text.replace("key", "…").replace("a2V5", "…"));
    assert_eq!(
        format!("{struck:?}"),
        r#"Challenges("Bearer realm=\"…\", scope=\"a\", Negotiate …")"#
    );
}

#[test]
fn a_secret_is_struck_though_something_invisible_stands_within_it_err_11() {
    let said = "Bearer realm=\"se\u{200b}cret\", error_description=\"a sec\u{2060}ret\tb\"";
    let struck = parse(said).shown_through(|text| text.replace("secret", "…"));
    let shown = r#"Bearer realm="…", error_description="a …b""#;
    assert_eq!(struck.shown(), shown);
    assert_eq!(
        struck.iter().next().unwrap().realm(),
        Some("se\u{200b}cret")
    );
}

#[test]
fn what_is_said_stays_and_what_is_shown_lost_the_secrets_www_08_sec_13_err_11() {
    const SAID: &str = r#"Bearer scope="acme:read", resource_metadata="https://mcp.acme.example/m", error_description="no k\"ey by you", Basic a2V5"#;
    let challenges = parse(SAID).shown_through(|text| {
        assert!(text.contains("no k\"ey"), "as it was sent: {text}");
        text.replace("acme", "…")
            .replace("k\"ey", "…")
            .replace("a2V5", "…")
    });
    let shown = r#"Bearer scope="…:read", resource_metadata="https://mcp.….example/m", error_description="no … by you", Basic …"#;
    assert_eq!(challenges.shown(), shown);
    assert_eq!(challenges.to_header_value(), SAID);
    assert_eq!(challenges, parse(SAID));
    assert_eq!(challenges.scope(), Some(Scopes::parse("acme:read")));
    let metadata = Some("https://mcp.acme.example/m");
    assert_eq!(challenges.resource_metadata(), metadata);
    for debug in [
        format!("{challenges:?}"),
        format!("{:?}", challenges.select(false)),
    ] {
        assert!(!debug.contains("acme") && !debug.contains("ey"), "{debug}");
    }
    let joined = parse(SAID).shown_through(|text| text.replace('\n', ""));
    assert!(!joined.shown().contains("acme"), "{}", joined.shown());
    assert_eq!(
        Challenges::default().shown_through(str::to_owned).shown(),
        ""
    );
}

#[test]
fn a_marked_value_is_read_in_full_and_shown_by_its_names_err_11() {
    let mut value = HeaderValue::from_static("Bearer realm=\"key-0123\", scope=a, Basic a2V5");
    value.set_sensitive(true);
    let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, value)]);
    let challenges = Challenges::from_headers(&headers);
    assert_eq!(challenges.select(false).unwrap().realm(), Some("key-0123"));
    let shown = "Bearer realm=\"…\", scope=\"…\", Basic …";
    assert_eq!(challenges.shown(), shown);
    assert!(!format!("{challenges:?}").contains("key"));
}

#[cfg(feature = "fetch")]
#[test]
fn an_answer_shows_nothing_that_its_request_carried_err_11() {
    let value = HeaderValue::from_static("Bearer realm=\"key-0123456789\", scope=a");
    let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, value)]);
    let mut extensions = http::Extensions::new();
    let said = Challenges::from_answer(&headers, &extensions);
    assert_eq!(said.shown(), "Bearer realm=\"key-0123456789\", scope=\"a\"");

    let secret = "key-0123456789".to_owned().into();
    extensions.insert(doorkey_http::SentSecrets::default().and(&secret));
    let struck = Challenges::from_answer(&headers, &extensions);
    assert_eq!(struck.shown(), "Bearer realm=\"…\", scope=\"a\"");
    assert_eq!(struck, said, "what was said stays");

    let silent = Challenges::from_answer(&HeaderMap::new(), &extensions);
    assert!(silent.is_empty() && silent.shown().is_empty());
}

#[test]
fn what_is_shown_has_an_end_and_turns_no_text_around_sec_13() {
    let said = "Bearer realm=\"a\u{202e}b\u{200b}c caf\u{e9} \u{1f600}\", scope=a";
    let shown = "Bearer realm=\"abc caf\u{e9} \u{1f600}\", scope=\"a\"";
    assert_eq!(parse(said).shown(), shown);
    assert_eq!(parse(said).shown_through(str::to_owned).shown(), shown);
    let realm = "\u{e9}".repeat(3000);
    let long = (0..4)
        .map(|_| format!("Bearer realm=\"{realm}\""))
        .collect::<Vec<_>>();
    let shown = Challenges::parse(long.iter().map(String::as_str)).shown();
    assert_eq!(shown.chars().count(), 4097, "{}", shown.len());
    assert!(shown.ends_with('…'));
}
