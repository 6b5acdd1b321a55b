//! `WWW-Authenticate`: one field value a line.

use doorkey_discovery::{Challenges, Scopes};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};

use crate::shown::{SECRET, assert_hidden, assert_printable, assert_without};

/// Challenges are bounded, hold nothing that a field may not, read back as they were read, and show no secret.
pub fn challenges(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let challenges = Challenges::parse(text.lines());
    bounds(&challenges, &text);
    reads_back(&challenges);
    shows_no_secret(&challenges);
    as_headers(&text);
    for dpop in [false, true] {
        if let Some(selected) = challenges.select(dpop) {
            assert!(selected.is_scheme("bearer") || (dpop && selected.is_scheme("dpop")));
        }
    }
    if let Some(scopes) = challenges.scope() {
        assert!(!scopes.is_empty());
        assert_eq!(Scopes::parse(&scopes.to_string()), scopes);
    }
}

fn bounds(challenges: &Challenges, text: &str) {
    assert!(challenges.len() <= 64);
    let mut words = 0;
    for challenge in challenges.iter() {
        assert!(!challenge.scheme().is_empty());
        words += challenge.scheme().len() + challenge.token68().unwrap_or_default().len();
        let names: Vec<_> = challenge.params().map(|(name, _)| name).collect();
        assert!(names.len() <= 64);
        for (index, (name, value)) in challenge.params().enumerate() {
            words += name.len() + value.len();
            assert!(!value.contains(|c: char| c.is_control() && c != '\t'));
            let again = names[..index].iter().any(|n| n.eq_ignore_ascii_case(name));
            assert!(!again, "{name} counts twice");
            assert_eq!(challenge.param(&name.to_ascii_uppercase()), Some(value));
        }
    }
    assert!(words <= text.len(), "more was read than was said");
}

/// Within the length of one field value, which several lines may pass together.
fn reads_back(challenges: &Challenges) {
    let written = challenges.to_header_value();
    if written.len() <= 16 * 1024 {
        let again = Challenges::parse([written.as_str()]);
        assert!(again.iter().eq(challenges.iter()), "{written:?}");
        assert_eq!(again.to_header_value(), written);
    }
}

fn shows_no_secret(challenges: &Challenges) {
    assert_printable(&challenges.shown());
    let struck = challenges
        .clone()
        .shown_through(|text| text.replace(SECRET, "…"));
    assert_without(&struck.shown(), &[SECRET]);
    assert_hidden(&struck, &[SECRET]);
    assert!(struck.iter().eq(challenges.iter()), "what is said stays");
    // Somebody who strikes more than words, too.
    let dropped = challenges.clone().shown_through(|_| String::new());
    if challenges
        .iter()
        .any(|challenge| challenge.params().count() > 0)
    {
        assert_ne!(dropped.shown(), "");
    }
}

/// As fields of a response, which are no text to begin with; a sensitive one shows no value.
fn as_headers(text: &str) {
    let mut headers = HeaderMap::new();
    let mut fields = Vec::new();
    for line in text.lines() {
        if let Ok(value) = HeaderValue::from_bytes(line.as_bytes()) {
            headers.append(WWW_AUTHENTICATE, value);
            fields.push(line);
        }
    }
    let from_headers = Challenges::from_headers(&headers);
    assert!(from_headers.iter().eq(Challenges::parse(fields).iter()));
    for value in headers.values_mut() {
        value.set_sensitive(true);
    }
    let sensitive = Challenges::from_headers(&headers);
    assert!(sensitive.iter().eq(from_headers.iter()));
    let is_name = |challenge: &doorkey_discovery::Challenge| {
        challenge.scheme().contains(SECRET) || challenge.params().any(|(n, _)| n.contains(SECRET))
    };
    if !sensitive.iter().any(is_name) {
        assert_without(&sensitive.shown(), &[SECRET]);
        assert_hidden(&sensitive, &[SECRET]);
    }
}
