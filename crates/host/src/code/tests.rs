//! Every failure of a library has a code, and no two codes are one.

use std::collections::BTreeSet;

use super::*;

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
