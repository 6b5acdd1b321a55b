//! Whom patterns match, and what refusals mean.

use super::*;
use crate::{Error, ProtocolError};

#[test]
fn a_pattern_matches_whom_it_names_and_nobody_else() {
    for (pattern, matched, not_matched) in [
        (
            "https://accounts.google.com",
            &["https://accounts.google.com"][..],
            &[
                "https://accounts.google.com/",
                "https://accounts.google.com.evil.example",
                "http://accounts.google.com",
            ][..],
        ),
        (
            "mcp.slack.com",
            &[
                "https://mcp.slack.com",
                "https://mcp.slack.com/mcp?x",
                "https://MCP.slack.com:443/",
                "https://mcp.slack.com./mcp",
            ],
            &[
                "http://mcp.slack.com/mcp",
                "https://mcp.slack.com:8443/mcp",
                "https://slack.com/",
                "https://mcp.slack.com.evil.example/",
                "https://evil.example/mcp.slack.com",
                "https://mcp.slack.com@evil.example/",
                "not a url",
            ],
        ),
        (
            "*.okta.com",
            &[
                "https://a.okta.com/oauth2/default",
                "https://a.b.okta.com",
                "https://a.okta.com.",
            ],
            &[
                "https://okta.com",
                "https://evilokta.com",
                "https://a.okta.com.evil.example",
            ],
        ),
        (
            "cognito-idp.*.amazonaws.com/*",
            &["https://cognito-idp.us-east-1.amazonaws.com/us-east-1_x"],
            &[
                "https://cognito-idp.amazonaws.com/x",
                "https://cognito-idp.a.b.amazonaws.com/x",
                "https://cognito-idp.us-east-1.amazonaws.com/x/y",
                "https://cognito-idp.us-east-1.amazonaws.com/",
            ],
        ),
        (
            "login.microsoftonline.com/*/v2.0",
            &[
                "https://login.microsoftonline.com/tenant/v2.0",
                "https://login.microsoftonline.com/tenant/v2.0/",
            ],
            &[
                "https://login.microsoftonline.com/tenant",
                "https://login.microsoftonline.com/tenant/v2.0/x",
                "https://login.microsoftonline.com/v2.0",
            ],
        ),
        (
            "*/realms/*",
            &[
                "https://keycloak.example/realms/work",
                "https://k/realms/work/",
            ],
            &[
                "https://keycloak.example/realms",
                "https://keycloak.example/auth/realms/work",
            ],
        ),
        (
            "host.example/a/**",
            &["https://host.example/a", "https://host.example/a/b/c"],
            &["https://host.example/", "https://host.example/ab"],
        ),
        (
            "127.0.0.1:8080",
            &["http://127.0.0.1:8080/mcp", "https://127.0.0.1:8080"],
            &["http://127.0.0.1:8081/mcp", "http://127.0.0.1/mcp"],
        ),
    ] {
        let pattern = Pattern::parse(pattern).unwrap();
        for url in matched {
            assert!(pattern.matches(url), "{pattern} → {url}");
        }
        for url in not_matched {
            assert!(!pattern.matches(url), "{pattern} → {url}");
        }
    }
}

#[test]
fn a_server_is_the_same_however_its_url_is_spelt_and_an_issuer_is_not() {
    let server = Url::parse("https://mcp.example").unwrap();
    for text in [
        "https://mcp.example",
        "https://MCP.example/",
        "https://mcp.example:443",
    ] {
        let pattern = Pattern::parse(text).unwrap();
        assert!(pattern.matches_server(&server), "{text}");
        assert_eq!(
            pattern.matches("https://mcp.example"),
            text == "https://mcp.example"
        );
    }
    let other = Pattern::parse("https://mcp.example/mcp").unwrap();
    assert!(!other.matches_server(&server));
}

#[test]
fn a_pair_of_issuers_is_trusted_where_its_rule_holds_and_nowhere_else() {
    let pairs = |matched: QuirkMatch, server: &str| {
        let mut quirk = Quirk::new("pair");
        quirk.matches = vec![matched];
        quirk.effects = vec![Effect::TrustIssuer {
            listed: crate::Issuer::new("https://as.example"),
            published: crate::Issuer::new("https://other.example"),
        }];
        let mut config = crate::AuthorizationConfig::new(Url::parse(server).unwrap());
        config.quirks = [quirk].into_iter().collect();
        config.discovery_options().trusted_pairs.len()
    };
    let server = |text| QuirkMatch::Server(Pattern::parse(text).unwrap());
    let issuer = |text| QuirkMatch::Issuer(Pattern::parse(text).unwrap());
    assert_eq!(pairs(server("mcp.example"), "https://mcp.example/mcp"), 1);
    assert_eq!(
        pairs(server("mcp.example"), "https://elsewhere.example/mcp"),
        0
    );
    assert_eq!(pairs(issuer("as.example"), "https://mcp.example/mcp"), 1);
    assert_eq!(pairs(issuer("third.example"), "https://mcp.example/mcp"), 0);
}

#[test]
fn a_pattern_that_says_too_little_is_none() {
    for (text, error) in [
        ("*", PatternError::Everywhere),
        ("*/*", PatternError::Everywhere),
        ("*.com", PatternError::Wide),
        ("example.*", PatternError::Wide),
        ("https://*.example.com", PatternError::WildUrl),
        ("http://example.com", PatternError::Url),
        ("https://", PatternError::Url),
        ("", PatternError::Host),
        ("exa mple.com", PatternError::Host),
        ("a..b", PatternError::Host),
        ("user@host.example", PatternError::Host),
        ("host.example:http", PatternError::Port),
        ("host.example/**/a", PatternError::Rest),
    ] {
        assert_eq!(Pattern::parse(text), Err(error), "{text}");
    }
}

fn explaining(text: &str, matched: QuirkMatch) -> Quirks {
    let mut quirk = Quirk::new("explained");
    quirk.matches = vec![matched];
    quirk.effects = vec![Effect::Explain(Explanation {
        text: text.to_owned(),
        means: String::from("it means this"),
        next: String::new(),
    })];
    [quirk].into_iter().collect()
}

#[test]
fn a_refusal_is_explained_wherever_in_an_error_a_server_said_it() {
    let server = Url::parse("https://mcp.example/mcp").unwrap();
    let said = ProtocolError::new(
        "invalid_request",
        Some("AADSTS9010010: the resource does not match"),
        None,
    );
    let registration = |error: Option<ProtocolError>, excerpt: &str| Error::RegistrationRefused {
        url: (&server).into(),
        status: http::StatusCode::FORBIDDEN,
        error: error.map(Box::new),
        excerpt: excerpt.to_owned(),
        retry_after: None,
    };
    let answer = Error::AuthorizationResponse(said.clone());
    let deep = Error::LoginRequired {
        server: Box::new(server.clone()),
        reason: crate::LoginReason::NoGrant,
        challenges: crate::Challenges::default(),
        cause: Some(Box::new(Error::RefreshFailed(crate::Shared::new(
            answer.clone(),
        )))),
    };
    let quirks = explaining("aadsts9010010", QuirkMatch::Always);
    for error in [
        answer,
        deep,
        registration(Some(said), ""),
        registration(None, "AADSTS9010010"),
    ] {
        let explained = quirks.explain(&server, None, &error);
        assert!(explained.is_some(), "{error}");
    }
    assert!(
        quirks
            .explain(&server, None, &Error::LoginAbandoned)
            .is_none()
    );
    assert!(
        quirks
            .explain_text(&server, None, "it said AADSTS9010010")
            .is_some()
    );
    let there = QuirkMatch::Issuer(Pattern::parse("as.example").unwrap());
    let quirks = explaining("Forbidden", there);
    let error = registration(None, "Forbidden");
    assert!(
        quirks
            .explain(&server, Some("https://as.example"), &error)
            .is_some()
    );
    for elsewhere in [None, Some("https://other.example")] {
        assert!(quirks.explain(&server, elsewhere, &error).is_none());
    }
}
