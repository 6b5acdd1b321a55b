//! What the codec promises, over arbitrary records.

use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::*;
use crate::grant::Grant;
use crate::{IssuerFacts, Login, PendingAuthorization};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z]{1,12}",
        Just("https://a.example/mcp".to_owned())
    ]
}

fn secret() -> impl Strategy<Value = Option<SecretString>> {
    proptest::option::of(text().prop_map(SecretString::from))
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{1,4}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Unknown fields; their names never collide with known ones, which all are longer or lack the prefix.
fn extra() -> impl Strategy<Value = Map<String, Value>> {
    // A top-level null is the same as no field, so that it is not kept apart from it.
    let value = json_value().prop_filter("null", |value| !value.is_null());
    proptest::collection::btree_map("x_[a-z\u{e4}]{0,6}", value, 0..4)
        .prop_map(|map| map.into_iter().collect())
}

prop_compose! {
    fn grant()(
        names in (text(), text(), text()),
        optional in proptest::collection::vec(proptest::option::of(text()), 10),
        secrets in (secret(), secret(), secret()),
        times in (proptest::option::of(any::<u64>()), proptest::option::of(any::<u64>()), any::<u64>(), proptest::option::of(any::<u64>())),
        waits in (proptest::option::of(any::<u64>()), proptest::collection::vec(any::<u64>(), 0..4)),
        scopes in (proptest::collection::vec(text(), 0..4), proptest::option::of(proptest::collection::vec(text(), 0..4))),
        method in prop_oneof![Just(ClientAuthMethod::None), Just(ClientAuthMethod::Basic), Just(ClientAuthMethod::Post), Just(ClientAuthMethod::PrivateKeyJwt)],
        proof in prop_oneof![Just(Proof::Unproven), Just(Proof::Accepted), Just(Proof::Rejected)],
        dynamic in any::<bool>(),
        extra in extra(),
    ) -> Grant {
        let mut grant = Grant::new(names.0, names.1, names.2);
        let [resource, label, revocation, authorization, redirect, last_error, token_type, login_id, subject, class]: [_; 10] = optional.try_into().unwrap();
        grant.resource = resource;
        grant.account_label = label;
        grant.revocation_endpoint = revocation;
        grant.authorization_endpoint = authorization;
        grant.redirect_uri = redirect;
        (grant.login_id, grant.subject, grant.resource_class) = (login_id, subject, class);
        (grant.refresh_not_before, grant.recent_refreshes) = waits;
        grant.last_error = last_error;
        grant.token_type = token_type.unwrap_or_default();
        (grant.client_secret, grant.access_token, grant.refresh_token) = secrets;
        (grant.client_secret_expires_at, grant.expires_at, grant.issued_at, grant.refresh_started_at) = times;
        (grant.requested_scopes, grant.granted_scopes) = scopes;
        grant.client_auth_method = method;
        grant.proof = proof;
        grant.dynamic_registration = dynamic;
        grant.extra = extra;
        grant
    }
}

prop_compose! {
    fn registration()(
        client_id in text(),
        secrets in (secret(), secret()),
        optional in proptest::array::uniform2(proptest::option::of(text())),
        lists in (proptest::collection::vec(text(), 0..4), proptest::collection::vec(text(), 0..4)),
        times in (proptest::option::of(any::<u64>()), any::<u64>()),
        kind in prop_oneof![Just(RegistrationKind::Dynamic), Just(RegistrationKind::MetadataDocument), Just(RegistrationKind::Static)],
        extra in extra(),
    ) -> Registration {
        let mut registration = Registration::new(client_id, kind);
        (registration.client_secret, registration.registration_access_token) = secrets;
        [registration.scope, registration.registration_client_uri] = optional;
        (registration.redirect_uris, registration.grant_types) = lists;
        (registration.client_secret_expires_at, registration.registered_at) = times;
        registration.extra = extra;
        registration
    }
}

prop_compose! {
    fn pending()(
        grant in grant(),
        secrets in (text(), text()),
        issuers in (text(), proptest::option::of(text())),
        flags in (any::<bool>(), any::<bool>(), any::<bool>()),
        times in (any::<u64>(), any::<u64>()),
        extra in extra(),
    ) -> PendingAuthorization {
        let mut pending = PendingAuthorization::new(grant, secrets.0.into(), secrets.1.into(), issuers.0, times);
        pending.trusted_issuer = issuers.1;
        (pending.iss_advertised, pending.binding_required, pending.registered) = flags;
        pending.request_uri = Some("urn:request".into()).filter(|_| pending.registered);
        pending.extra = extra;
        pending
    }
}

proptest! {
    #[test]
    fn a_grant_with_unknown_fields_comes_back_as_it_went(grant in grant()) {
        let bytes = encode_grant(&grant).unwrap();
        prop_assert_eq!(bytes.len(), bytes.capacity(), "the buffer was measured");
        let back = decode_grant(&bytes).unwrap();
        prop_assert_eq!(format!("{back:?}"), format!("{grant:?}"));
        for (back, went) in [
            (&back.access_token, &grant.access_token),
            (&back.refresh_token, &grant.refresh_token),
            (&back.client_secret, &grant.client_secret),
        ] {
            prop_assert_eq!(exposed(back), exposed(went));
        }
        prop_assert_eq!(back.extra, grant.extra);
    }

    #[test]
    fn a_registration_with_unknown_fields_comes_back_as_it_went(registration in registration()) {
        let back = decode_registration(&encode_registration(&registration).unwrap()).unwrap();
        prop_assert_eq!(format!("{back:?}"), format!("{registration:?}"));
        prop_assert_eq!(exposed(&back.client_secret), exposed(&registration.client_secret));
        prop_assert_eq!(exposed(&back.registration_access_token), exposed(&registration.registration_access_token));
        prop_assert_eq!(back.extra, registration.extra);
    }

    #[test]
    fn a_login_with_unknown_fields_comes_back_as_it_went(
        pending in proptest::option::of(pending()),
        recent_starts in proptest::collection::vec(any::<u64>(), 0..4),
        extra in extra(),
    ) {
        let login = Login { pending, recent_starts, extra };
        let bytes = encode_login(&login).unwrap();
        prop_assert_eq!(bytes.len(), bytes.capacity(), "the buffer was measured");
        let back = decode_login(&bytes).unwrap();
        prop_assert_eq!(format!("{back:?}"), format!("{login:?}"));
        prop_assert_eq!(&back.extra, &login.extra);
        let secrets = |login: &Login| login.pending.as_ref().map(|pending| {
            let all = [&pending.state, &pending.verifier];
            let token = exposed(&pending.grant.access_token).map(str::to_owned);
            (all.map(|secret| secret.expose_secret().to_owned()), token, pending.extra.clone())
        });
        prop_assert_eq!(secrets(&back), secrets(&login));
    }

    #[test]
    fn facts_of_an_issuer_come_back_as_they_went(
        method in proptest::option::of(prop_oneof![Just(ClientAuthMethod::Basic), Just(ClientAuthMethod::Post)]),
        extra in extra(),
    ) {
        let facts = IssuerFacts { client_auth_method: method, extra };
        prop_assert_eq!(decode_issuer_facts(&encode_issuer_facts(&facts).unwrap()).unwrap(), facts);
    }

    #[test]
    fn facts_with_unknown_fields_come_back_as_they_went(
        wire in proptest::option::of(text()),
        discover in proptest::option::of(json_value().prop_filter("null", |value| !value.is_null())),
        needs_login in proptest::option::of(any::<bool>()),
        late_challenge in proptest::option::of(".*"),
        extra in extra(),
    ) {
        let facts = ServerFacts { wire, discover, needs_login, late_challenge, extra };
        prop_assert_eq!(decode_facts(&encode_facts(&facts).unwrap()).unwrap(), facts);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in any::<Vec<u8>>(), text in any::<String>()) {
        prop_assert!(decode_grant(&bytes).is_err());
        prop_assert!(decode_registration(text.as_bytes()).is_err());
    }

    #[test]
    fn a_grant_cut_short_or_with_a_byte_changed_is_refused_or_whole(grant in grant(), cut in any::<proptest::sample::Index>()) {
        let bytes = encode_grant(&grant).unwrap();
        let cut = cut.index(bytes.len());
        prop_assert!(decode_grant(&bytes[..cut]).is_err());
        let mut changed = bytes.to_vec();
        changed[cut] ^= 0x11;
        drop(decode_grant(&changed));
    }
}

fn exposed(secret: &Option<SecretString>) -> Option<&str> {
    secret.as_ref().map(ExposeSecret::expose_secret)
}

fn minimal() -> Value {
    json!({
        "version": 1, "issuer": "https://as.example", "client_id": "c", "token_endpoint": "https://as.example/token",
        "client_auth_method": "none", "token_type": "Bearer", "issued_at": 1, "requested_scopes": [],
        "proof": "unproven", "dynamic_registration": false, "access_token": "s3cret",
    })
}

#[test]
fn each_defect_of_a_grant_is_told_apart_and_quotes_nothing() {
    let with = |name: &str, value: Value| {
        let mut object = minimal();
        object[name] = value;
        object.to_string()
    };
    let cases = [
        (String::new(), Defect::NotJson { line: 1, column: 0 }),
        (
            "{\"version\":1,\n\"access_token\":\"s3cret".to_owned(),
            Defect::NotJson {
                line: 2,
                column: 22,
            },
        ),
        ("[\"s3cret\"]".to_owned(), Defect::NotAnObject),
        (
            with("version", json!(2)),
            Defect::NewerVersion { found: 2, known: 1 },
        ),
        (
            with("version", json!(0)),
            Defect::UnknownVersion { found: 0 },
        ),
        (with("version", Value::Null), Defect::Missing("version")),
        (
            with("version", json!("s3cret")),
            Defect::WrongType("version"),
        ),
        (with("issuer", Value::Null), Defect::Missing("issuer")),
        (
            with("expires_at", json!("s3cret")),
            Defect::WrongType("expires_at"),
        ),
        (
            with("expires_at", json!(-1)),
            Defect::WrongType("expires_at"),
        ),
        (
            with("access_token", json!(["s3cret"])),
            Defect::WrongType("access_token"),
        ),
        (
            with("client_auth_method", json!("s3cret")),
            Defect::UnknownValue("client_auth_method"),
        ),
        (
            with("proof", json!("s3cret")),
            Defect::UnknownValue("proof"),
        ),
    ];
    for (bytes, expected) in cases {
        let defect = decode_grant(bytes.as_bytes()).unwrap_err();
        assert_eq!(defect, expected, "{bytes}");
        assert!(
            !format!("{defect} {defect:?}").contains("s3cret"),
            "{defect:?}"
        );
    }
    assert!(decode_grant(minimal().to_string().as_bytes()).is_ok());
}

#[test]
fn a_login_without_what_its_answer_is_judged_by_is_refused_and_quotes_nothing() {
    let pending = |without: &str| {
        let mut pending = json!({
            "version": 1, "grant": minimal(), "state": "s3cret", "verifier": "s3cret", "published_issuer": "https://as.example",
            "iss_advertised": true, "binding_required": false, "registered": true, "started_at": 1, "expires_at": 2,
        });
        pending.as_object_mut().unwrap().remove(without);
        json!({ "version": 1, "pending": pending }).to_string()
    };
    assert!(decode_login(pending("").as_bytes()).is_ok());
    for name in [
        "grant",
        "state",
        "verifier",
        "published_issuer",
        "iss_advertised",
        "expires_at",
    ] {
        let defect = decode_login(pending(name).as_bytes()).unwrap_err();
        assert!(
            matches!(defect, Defect::Missing(missing) if missing == name),
            "{defect:?}"
        );
        assert!(!format!("{defect} {defect:?}").contains("s3cret"));
    }
    let shown = format!("{:?}", decode_login(pending("").as_bytes()).unwrap());
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn an_unknown_field_never_takes_the_place_of_a_known_one() {
    let mut grant = Grant::new("https://as.example", "c", "https://as.example/token");
    grant
        .extra
        .insert("resource".to_owned(), json!("https://evil.example"));
    grant.extra.insert("client_id".to_owned(), json!("other"));
    let back = decode_grant(&encode_grant(&grant).unwrap()).unwrap();
    assert_eq!((back.resource, back.client_id.as_str()), (None, "c"));
    assert!(back.extra.is_empty());
}

#[test]
fn nested_deeper_than_any_record_is_refused_without_overflowing_the_stack() {
    let mut object = minimal().to_string();
    object.truncate(object.len() - 1);
    let deep = format!(
        "{object},\"x\":{}{}}}",
        "[".repeat(200_000),
        "]".repeat(200_000)
    );
    assert!(matches!(
        decode_grant(deep.as_bytes()),
        Err(Defect::NotJson { .. })
    ));
}
