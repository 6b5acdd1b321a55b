//! Token responses as servers really send them.

use bytes::Bytes;
use doorkey_http::{Leg, RedactedUrl};
use http::{Response, StatusCode};
use proptest::prelude::*;
use secrecy::ExposeSecret as _;
use url::Url;

use super::*;
use crate::member::MAX_TOKEN_BYTES;

fn answer(status: u16, body: &[u8]) -> Answer {
    let mut response = Response::new(Bytes::copy_from_slice(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    let url = Url::parse("https://as.example/token").unwrap();
    Answer::new(
        Leg::Token,
        RedactedUrl::from(&url),
        response,
        SystemTime::UNIX_EPOCH,
    )
}

fn read(status: u16, body: &str) -> Result<TokenResponse, Error> {
    TokenResponse::read(
        &answer(status, body.as_bytes()),
        SystemTime::UNIX_EPOCH,
        None,
    )
}

#[test]
fn the_example_of_rfc_6749_section_5_1_is_read() {
    let tokens = read(
        200,
        r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"bearer","expires_in":3600,
            "refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA","scope":"b a","example_parameter":"x","id_token":"y"}"#,
    )
    .unwrap();
    assert_eq!(
        tokens.access_token.expose_secret(),
        "2YotnFZFEjr1zCsicMWpAA"
    );
    assert_eq!(tokens.token_type, TokenType::Bearer);
    assert_eq!(
        tokens.expires_at(),
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(3600))
    );
    assert!(tokens.refresh_token.is_some());
    assert_eq!(tokens.scope, Some(Scopes::parse("a b")));
}

#[test]
fn lifetimes_are_normalised_tok_15() {
    let cases = [
        ("3600", Some(3600)),
        ("\"3600\"", Some(3600)),
        ("\" 60 \"", Some(60)),
        ("60.0", Some(60)),
        ("0", None),
        ("-1", None),
        ("null", None),
        ("\"soon\"", None),
        ("[]", None),
    ];
    for (value, expected) in cases {
        let body = format!(r#"{{"access_token":"t","token_type":"Bearer","expires_in":{value}}}"#);
        let tokens = read(200, &body).unwrap();
        assert_eq!(
            tokens.expires_in,
            expected.map(Duration::from_secs),
            "{value}"
        );
    }
    let endless = read(
        200,
        r#"{"access_token":"t","token_type":"Bearer","expires_in":1e300}"#,
    )
    .unwrap();
    assert!(endless.expires_at().is_some());
}

#[test]
fn unusable_successes_are_refused_tok_13_use_10() {
    let cases = [
        (r#"{"token_type":"Bearer"}"#, "access_token"),
        (
            r#"{"access_token":"","token_type":"Bearer"}"#,
            "access_token",
        ),
        (r#"{"access_token":"t"}"#, "token_type"),
        (r#"{"access_token":"t","token_type":"mac"}"#, "token_type"),
        (r#"{"access_token":"t","token_type":"N_A"}"#, "token_type"),
        (r#"{"access_token":"a b","token_type":"Bearer"}"#, "header"),
        (
            r#"{"access_token":"a\r\nb","token_type":"Bearer"}"#,
            "`access_token` has characters other than printable ASCII",
        ),
        ("[]", "not an object"),
        ("<html></html>", "not JSON"),
        ("", "empty"),
    ];
    for (body, why) in cases {
        let error = read(200, body).unwrap_err();
        assert!(matches!(error, Error::UnreadableResponse { .. }), "{body}");
        assert!(error.to_string().contains(why), "{body}: {error}");
    }
}

#[test]
fn what_goes_into_headers_and_forms_has_a_length_and_an_alphabet_sec_12_use_10() {
    let with = |member: &str, value: &str| {
        let mut body = serde_json::json!({"access_token": "t", "token_type": "Bearer"});
        body[member] = value.into();
        read(200, &body.to_string())
    };
    for member in ["access_token", "refresh_token"] {
        assert!(
            with(member, &"x".repeat(MAX_TOKEN_BYTES)).is_ok(),
            "{member}"
        );
        for length in [MAX_TOKEN_BYTES + 1, 1 << 20] {
            let error = with(member, &"x".repeat(length)).unwrap_err().to_string();
            let told = format!("its `{member}` is longer than 65536 bytes");
            assert!(error.ends_with(&told), "{error}");
        }
        for text in [
            "a\r\nb",
            "a\u{0}b",
            "a\u{1b}[31m",
            "caf\u{e9}",
            "a\u{202e}b",
            "a\tb",
        ] {
            let error = with(member, text).unwrap_err().to_string();
            let told = format!("its `{member}` has characters other than printable ASCII");
            assert!(error.ends_with(&told), "{text:?}: {error}");
        }
    }
    let error = with("scope", &"s ".repeat(10_000)).unwrap_err().to_string();
    assert!(
        error.ends_with("its `scope` is longer than 16384 bytes"),
        "{error}"
    );
}

#[test]
fn an_odd_identity_token_costs_nobody_the_tokens_beside_it_tok_22() {
    for odd in ["x".repeat(MAX_TOKEN_BYTES + 1), "a\r\nb".to_owned()] {
        let body =
            serde_json::json!({"access_token": "t", "token_type": "Bearer", "id_token": odd});
        let tokens = read(200, &body.to_string()).unwrap();
        assert!(tokens.id_token.is_none());
        assert_eq!(tokens.access_token.expose_secret(), "t");
    }
}

#[test]
fn lifetimes_without_sense_never_panic_and_never_overflow_err_13() {
    for lifetime in [
        "-1",
        "-1e308",
        "1e308",
        "18446744073709551615",
        "-9223372036854775808",
        "1e-320",
        "\"NaN\"",
        "\"inf\"",
        "\"-inf\"",
        "\"1e999\"",
        "\"\"",
        "true",
        "{}",
    ] {
        let body =
            format!(r#"{{"access_token":"t","token_type":"Bearer","expires_in":{lifetime}}}"#);
        let tokens = read(200, &body).unwrap();
        let hundred_years = SystemTime::UNIX_EPOCH + Duration::from_secs(3_153_600_001);
        assert!(
            tokens.expires_at().is_none_or(|end| end <= hundred_years),
            "{lifetime}"
        );
    }
    let body = r#"{"access_token":"t","token_type":"Bearer","expires_in":1e999}"#;
    assert!(
        read(200, body)
            .unwrap_err()
            .to_string()
            .contains("not JSON")
    );
}

#[test]
fn an_error_in_a_success_is_an_error_tok_18() {
    let cases = [
        (
            200,
            r#"{"error":"bad_verification_code","error_description":"d","error_uri":"u"}"#,
            "bad_verification_code",
        ),
        (
            200,
            r#"{"ok":false,"error":"invalid_code"}"#,
            "invalid_code",
        ),
        (200, r#"{"ok":false}"#, "unspecified"),
        (400, r#"{"error":"invalid_grant"}"#, "invalid_grant"),
        (401, r#"{"error":{"code":403,"message":"no"}}"#, "403"),
        (
            503,
            r#"{"error":"temporarily_unavailable"}"#,
            "temporarily_unavailable",
        ),
    ];
    for (status, body, expected) in cases {
        let Err(Error::TokenEndpoint {
            error,
            status: seen,
            ..
        }) = read(status, body)
        else {
            panic!("{body}");
        };
        assert_eq!((error.code.as_str(), seen.as_u16()), (expected, status));
    }
}

#[test]
fn every_other_failure_names_status_and_start_of_the_body_tok_18() {
    for (status, body, shown) in [
        (500, "oops", "oops"),
        (403, "<p>Forbidden</p>", "Forbidden"),
        (422, r#"{"message":"Unrecognized client_id"}"#, "no `error`"),
    ] {
        let text = read(status, body).unwrap_err().to_string();
        assert!(
            text.contains(&status.to_string()) && text.contains(shown),
            "{text}"
        );
    }
}

#[test]
fn debug_shows_no_token() {
    let tokens = read(
        200,
        r#"{"access_token":"sentinel-a","token_type":"Bearer","refresh_token":"sentinel-r"}"#,
    );
    assert!(!format!("{:?}", tokens.unwrap()).contains("sentinel"));
}

proptest! {
    #[test]
    fn no_body_panics_and_no_error_quotes_a_successful_one(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut body = body;
        body.extend_from_slice(b"sentinel-token");
        if let Err(error) = TokenResponse::read(&answer(200, &body), SystemTime::UNIX_EPOCH, None) {
            prop_assert!(!error.to_string().contains("sentinel-token"));
        }
    }
}
