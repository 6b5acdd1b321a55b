//! Every failure of a library has a code, and no two codes are one.

use std::collections::BTreeSet;

use super::*;
use crate::explain::Explained;

#[test]
fn codes_are_words_between_dashes_and_no_two_are_the_same() {
    let names: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(names.len(), ErrorCode::ALL.len());
    for code in ErrorCode::ALL {
        let name = code.as_str();
        let is_kebab = name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        assert!(
            is_kebab && !name.starts_with('-') && !name.ends_with('-'),
            "{name}"
        );
        assert_eq!(name.parse(), Ok(*code));
        assert!((1..=9).contains(&code.exit_code()), "{name}");
    }
    assert!("nothing".parse::<ErrorCode>().is_err());
}

#[test]
fn every_kind_of_failure_that_a_library_names_is_a_code() {
    let of_rmcp = [
        doorkey_rmcp::ClientError::KINDS,
        doorkey_rmcp::ConnectError::KINDS,
        doorkey_rmcp::TransportError::KINDS,
    ];
    let of_oauth = [
        doorkey_oauth::Error::KINDS,
        doorkey_oauth::InteractionError::KINDS,
    ];
    let below = [
        doorkey_http::Error::KINDS,
        doorkey_discovery::Error::KINDS,
        doorkey_store::Error::KINDS,
    ];
    let all = of_rmcp.iter().chain(&of_oauth).chain(&below);
    for kind in all.copied().flatten() {
        assert!(ErrorCode::named(kind).is_some(), "{kind} has no code");
    }
}

/// The sections of the page: the code in the heading, the exit code and what to do, and what stands between.
/// None where this crate is built on its own, without the page.
fn sections() -> Vec<(String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors.md");
    let Ok(page) = std::fs::read_to_string(path) else {
        return Vec::new();
    };
    let sections = page.split("\n### ").skip(1).map(|section| {
        let (code, text) = section.split_once('\n').expect("a heading");
        let text = text.split("\n## ").next().unwrap_or(text);
        (code.to_owned(), text.trim().to_owned())
    });
    sections.collect()
}

#[test]
fn the_page_of_errors_has_every_code_with_its_meaning_its_exit_code_and_what_to_do() {
    let sections = sections();
    if sections.is_empty() {
        return;
    }
    for (code, text) in &sections {
        let known: ErrorCode = code.parse().expect("a code that there is");
        let (meaning, rest) = text
            .rsplit_once("\n\nExit code ")
            .expect("a meaning and an exit code");
        assert!(meaning.split_whitespace().count() >= 7, "{code}: {meaning}");
        let told = Explained::new(known, "it failed", None);
        let expected = format!("{}. Next: {}", known.exit_code(), told.next.text);
        assert_eq!(rest, expected, "{code}");
    }
    let on_page: Vec<_> = sections.iter().map(|(code, _)| code.as_str()).collect();
    let distinct: BTreeSet<_> = on_page.iter().copied().collect();
    assert_eq!(distinct.len(), on_page.len(), "a code stands there twice");
    let missing = ErrorCode::ALL
        .iter()
        .filter(|code| !distinct.contains(code.as_str()));
    assert_eq!(missing.collect::<Vec<_>>(), [] as [&ErrorCode; 0]);
}
