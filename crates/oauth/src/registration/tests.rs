//! The registration document and its answer.

use std::time::Duration;

use bytes::Bytes;
use doorkey_discovery::Issuer;
use http::{Response, StatusCode};

use super::*;

fn server(methods: Option<&[&str]>) -> AuthorizationServerMetadata {
    let mut server = AuthorizationServerMetadata::new(Issuer::new("https://as.example"));
    server.token_endpoint_auth_methods_supported =
        methods.map(|methods| methods.iter().map(|method| (*method).to_owned()).collect());
    server
}

fn request(method: ClientAuthMethod) -> RegistrationRequest<'static> {
    RegistrationRequest {
        client_name: "host",
        redirect_uri: Some("http://127.0.0.1:3118/cb"),
        method,
        scopes: Scopes::default(),
    }
}

fn answered(
    status: u16,
    body: &str,
    request: &RegistrationRequest<'_>,
    server: &AuthorizationServerMetadata,
) -> Result<Registration, Error> {
    let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    let url = Url::parse("https://as.example/register").unwrap();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
    let answer = Answer::new(Leg::Registration, RedactedUrl::from(&url), response, now);
    read(&answer, request, server, now)
}

#[test]
fn the_document_holds_what_reg_13_to_reg_15_ask() {
    let mut request = request(ClientAuthMethod::None);
    assert_eq!(
        request.document(),
        json!({
            "client_name": "host",
            "redirect_uris": ["http://127.0.0.1:3118/cb"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "application_type": "native",
        })
    );
    request.scopes = Scopes::parse("a b");
    assert_eq!(request.document()["scope"], "a b");
    for (redirect, kind) in [
        ("https://host.example/cb", "web"),
        ("https://localhost/cb", "native"),
        ("http://localhost:1/cb", "native"),
        ("http://[::1]:1/cb", "native"),
    ] {
        request.redirect_uri = Some(redirect);
        assert_eq!(request.document()["application_type"], kind, "{redirect}");
    }
}

#[test]
fn the_method_asked_for_is_one_the_server_lists_reg_16() {
    let cases: [(Option<&[&str]>, ClientAuthMethod); 6] = [
        (
            Some(&["client_secret_basic", "none"]),
            ClientAuthMethod::None,
        ),
        (
            Some(&["client_secret_post", "client_secret_basic"]),
            ClientAuthMethod::Basic,
        ),
        (Some(&["client_secret_post"]), ClientAuthMethod::Post),
        (Some(&["private_key_jwt"]), ClientAuthMethod::None),
        (Some(&[]), ClientAuthMethod::None),
        (None, ClientAuthMethod::Basic),
    ];
    for (listed, expected) in cases {
        assert_eq!(preferred_method(&server(listed)), expected, "{listed:?}");
    }
}

#[test]
fn what_the_server_returns_wins_reg_17() {
    let registration = answered(
        201,
        r#"{"client_id":"c","client_secret":"s","client_secret_expires_at":200,
            "token_endpoint_auth_method":"client_secret_post","redirect_uris":["http://127.0.0.1/cb"],
            "grant_types":["authorization_code"],"registration_access_token":"rat",
            "registration_client_uri":"https://as.example/register/c"}"#,
        &request(ClientAuthMethod::None),
        &server(Some(&["none"])),
    )
    .unwrap();
    assert_eq!(
        registration.token_endpoint_auth_method,
        ClientAuthMethod::Post
    );
    assert_eq!(registration.redirect_uris, ["http://127.0.0.1/cb"]);
    assert_eq!(registration.client_secret_expires_at, Some(200));
    assert_eq!(registration.registered_at, 100);
    assert!(registration.registration_access_token.is_some());
}

#[test]
fn a_silent_answer_leaves_the_method_to_the_table_of_reg_18() {
    use ClientAuthMethod::{Basic, None, Post};
    let cases: [(ClientAuthMethod, &[&str], bool, ClientAuthMethod); 6] = [
        (None, &["none"], true, None),
        (None, &["none"], false, None),
        (Post, &["client_secret_post"], true, Post),
        (Post, &["client_secret_post"], false, None),
        (None, &["private_key_jwt"], true, Basic),
        (Basic, &["client_secret_basic"], false, None),
    ];
    for (asked, listed, secret, expected) in cases {
        let body = if secret {
            r#"{"client_id":"c","client_secret":"s","client_secret_expires_at":0}"#
        } else {
            r#"{"client_id":"c"}"#
        };
        let registration = answered(200, body, &request(asked), &server(Some(listed))).unwrap();
        assert_eq!(
            registration.token_endpoint_auth_method, expected,
            "{asked} {listed:?}"
        );
        assert_eq!(registration.client_secret_expires_at, Option::None);
        assert_eq!(registration.redirect_uris, ["http://127.0.0.1:3118/cb"]);
    }
}

#[test]
fn a_refusal_keeps_the_reason_reg_20() {
    let refuse = |status, body| {
        answered(
            status,
            body,
            &request(ClientAuthMethod::None),
            &server(None),
        )
        .unwrap_err()
    };
    let error = refuse(
        400,
        r#"{"error":"invalid_redirect_uri","error_description":"no loopback"}"#,
    );
    assert!(
        error
            .to_string()
            .contains("invalid_redirect_uri: no loopback"),
        "{error}"
    );
    assert_eq!(error.next_step(), Some(crate::NextStep::ConfigureClientId));
    let error = refuse(403, "Forbidden");
    assert!(
        error.to_string().contains("403") && error.to_string().contains("Forbidden"),
        "{error}"
    );
    assert!(matches!(error, Error::RegistrationRefused { .. }));
    assert!(matches!(
        refuse(201, "{}"),
        Error::UnreadableResponse { .. }
    ));
    assert!(matches!(
        refuse(
            201,
            r#"{"client_id":"c","token_endpoint_auth_method":"private_key_jwt"}"#
        ),
        Error::UnreadableResponse { .. }
    ));
    assert!(refuse(503, "down").is_transient());
}

fn known(redirect_uri: &str) -> Registration {
    let mut registration = Registration::new("c", RegistrationKind::Dynamic);
    registration.redirect_uris = vec![redirect_uri.to_owned()];
    registration.client_secret_expires_at = Some(100);
    registration
        .extra
        .insert(String::from(ASKED_SCOPE), json!("a b"));
    registration
}

fn serves_at(registration: &Registration, redirect: Option<&str>, scopes: &str, now: u64) -> bool {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
    is_reusable(registration, redirect, &Scopes::parse(scopes), now)
}

#[test]
fn an_earlier_registration_serves_while_it_covers_the_login_reg_19_reg_22() {
    let exact = known("http://127.0.0.1:3118/cb");
    let any_port = known("http://127.0.0.1/cb");
    let mut under_suspicion = any_port.clone();
    suspect(&mut under_suspicion);
    let cases = [
        (&exact, "http://127.0.0.1:3118/cb", 99, true),
        (&exact, "http://127.0.0.1:3118/cb", 100, false),
        (&exact, "http://127.0.0.1:4000/cb", 99, false),
        (&exact, "http://localhost:3118/cb", 99, false),
        (&any_port, "http://127.0.0.1:4000/cb", 99, true),
        (&any_port, "http://127.0.0.1:4000/other", 99, false),
        (&under_suspicion, "http://127.0.0.1:4000/cb", 99, false),
    ];
    for (registration, redirect, now, expected) in cases {
        let serves = serves_at(registration, Some(redirect), "a", now);
        assert_eq!(serves, expected, "{redirect} at {now}");
    }
}

#[test]
fn scopes_beyond_the_registered_ones_are_tried_until_they_are_refused_reg_23() {
    let uri = "http://127.0.0.1:3118/cb";
    let mut registration = known(uri);
    assert!(serves_at(&registration, Some(uri), "a c", 99));
    assert!(!refuse_scopes(&mut registration, &Scopes::parse("b a")));
    assert!(refuse_scopes(&mut registration, &Scopes::parse("a c")));
    for (scopes, expected) in [("a c", false), ("a c d", false), ("a", true), ("c", true)] {
        let serves = serves_at(&registration, Some(uri), scopes, 99);
        assert_eq!(serves, expected, "{scopes}");
    }
}

#[test]
fn a_client_for_device_codes_asks_for_that_grant_and_no_redirect_dev_09() {
    let request = RegistrationRequest {
        redirect_uri: None,
        ..request(ClientAuthMethod::None)
    };
    let document = request.document();
    assert_eq!(
        document["grant_types"],
        json!([DEVICE_CODE, "refresh_token"])
    );
    assert_eq!(document["application_type"], "native");
    assert_eq!(document.get("redirect_uris"), None);
    // Without it the server would take `code` for granted.
    assert_eq!(document["response_types"], json!([]));
    let mut registration = known("http://127.0.0.1:3118/cb");
    assert!(!serves_at(&registration, None, "a", 99));
    registration.grant_types = vec![DEVICE_CODE.to_owned()];
    assert!(serves_at(&registration, None, "a", 99));
}

#[test]
fn redirect_uris_are_loopback_or_https_az_15() {
    for fine in [
        "http://127.0.0.1:1/cb",
        "http://[::1]:1/cb",
        "http://localhost/cb",
        "https://h/cb",
    ] {
        assert!(check_redirect_uri(fine).is_ok(), "{fine}");
    }
    for wrong in [
        "http://h/cb",
        "app:/cb",
        "https://h/cb#f",
        "https://u@h/cb",
        "nonsense",
        "http://localhost.evil/cb",
    ] {
        assert!(check_redirect_uri(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_a_request_will_carry_has_a_length_and_an_alphabet_sec_12_use_10() {
    let server = server(None);
    let request = request(ClientAuthMethod::Post);
    let with = |member: &str, value: &str| {
        let mut body = json!({"client_id": "c", "client_secret": "s"});
        body[member] = value.into();
        answered(201, &body.to_string(), &request, &server)
    };
    for (member, limit) in [
        ("client_id", 4096),
        ("client_secret", 4096),
        ("registration_access_token", 65536),
    ] {
        assert!(with(member, &"x".repeat(limit)).is_ok(), "{member}");
        let error = with(member, &"x".repeat(limit + 1))
            .unwrap_err()
            .to_string();
        let told = format!("its `{member}` is longer than {limit} bytes");
        assert!(error.ends_with(&told), "{error}");
        for text in [
            "a\r\nX: y",
            "a\u{0}",
            "\u{1b}[2J",
            "caf\u{e9}",
            "a\u{202e}b",
        ] {
            let error = with(member, text).unwrap_err().to_string();
            assert!(
                error.contains(&format!("its `{member}` has characters")),
                "{error}"
            );
        }
    }
}

#[test]
fn addresses_that_may_not_be_used_are_not_kept_reg_24() {
    let server = server(None);
    let request = request(ClientAuthMethod::None);
    let read = |body: Value| answered(201, &body.to_string(), &request, &server).unwrap();
    for uri in [
        "javascript:alert(1)",
        "http://as.example/register/1",
        "https://u:p@as.example/1",
        "https://as.example/1#x",
        "https://as.example\\@evil.example/",
        "https://evil.example/register/1",
        "https://as.example:8443/register/1",
        "/register/1",
    ] {
        let registration = read(json!({"client_id": "c", "registration_client_uri": uri}));
        assert_eq!(registration.registration_client_uri, None, "{uri}");
    }
    let uris = [
        "javascript:alert(1)",
        "http://evil.example/cb",
        "https://u:p@evil.example/cb",
        "file:///cb",
        "http://127.0.0.1:3118/cb",
        "https://host.example/cb",
    ];
    let kept = read(json!({"client_id": "c", "redirect_uris": uris})).redirect_uris;
    assert_eq!(kept, uris[4..]);
    let endless = vec!["http://127.0.0.1:3118/cb"; 100_000];
    let kept = read(json!({"client_id": "c", "redirect_uris": endless})).redirect_uris;
    assert_eq!(kept.len(), MOST_ENTRIES);
}

#[test]
fn an_end_of_a_secret_that_makes_no_sense_is_no_end_reg_19() {
    let server = server(None);
    let request = request(ClientAuthMethod::Post);
    for (end, kept) in [
        (json!(0), None),
        (json!(-1), None),
        (json!(1e308), None),
        (json!("soon"), None),
        (json!(u64::MAX), Some(u64::MAX)),
    ] {
        let body = json!({"client_id": "c", "client_secret": "s", "client_secret_expires_at": end});
        let registration = answered(201, &body.to_string(), &request, &server).unwrap();
        assert_eq!(registration.client_secret_expires_at, kept, "{end}");
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
        assert!(!is_worn_out(&registration, far), "{end}");
    }
}
