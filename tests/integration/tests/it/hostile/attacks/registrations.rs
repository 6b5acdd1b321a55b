//! Answers to a registration that are not what was asked for.

use serde_json::{Value, json};

use super::super::{
    case::{Case, Verdict},
    class::Class,
    leg::Leg,
    secrets::{HOSTILE_CLIENT_SECRET, HOSTILE_REGISTRATION_TOKEN},
    stage::Stage,
};

type Answer = fn(&Stage) -> Value;

#[expect(clippy::too_many_lines, reason = "a table, one row after the other")]
pub(super) fn cases() -> Vec<Case> {
    let case = |class, name: &str, verdict, changes: Answer| {
        Case::new(Leg::Registration, class, name, verdict, move |stage, _| {
            for (member, value) in changes(stage).as_object().into_iter().flatten() {
                stage.register(member, value.clone());
            }
        })
    };
    let changed = |name, verdict, changes| case(Class::Registration, name, verdict, changes);
    use Verdict::{Refused, Works};
    vec![
        changed("no client id", Refused, |_| json!({ "client_id": null })),
        changed("an empty client id", Refused, |_| json!({ "client_id": "" })),
        changed("a client id that is a number", Refused, |_| json!({ "client_id": 7 })),
        changed("another client id", Refused, |_| json!({ "client_id": "somebody-else" })),
        changed("a client id with a line break", Refused, |_| {
            json!({ "client_id": "client\r\nx-evil: 1" })
        }),
        changed("a client id of 200 KiB", Refused, |_| json!({ "client_id": "c".repeat(200 * 1024) })),
        changed("another redirect URI", Works, |stage| {
            json!({ "redirect_uris": [format!("{}/callback", stage.elsewhere.url())] })
        }),
        changed("redirect URIs that are none", Works, |_| json!({ "redirect_uris": [7, null] })),
        changed("a redirect URI that is a script", Works, |_| {
            json!({ "redirect_uris": ["javascript:alert(1)"] })
        }),
        changed("a secret with a line break", Refused, |_| {
            let secret = format!("{HOSTILE_CLIENT_SECRET}\r\nx-evil: 1");
            json!({ "client_secret": secret, "token_endpoint_auth_method": "client_secret_basic" })
        }),
        changed("a method that nobody offered", Refused, |_| {
            json!({ "token_endpoint_auth_method": "tls_client_auth" })
        }),
        changed("a method with a key that nobody has", Refused, |_| {
            json!({ "token_endpoint_auth_method": "private_key_jwt" })
        }),
        changed("a method that is a number", Works, |_| json!({ "token_endpoint_auth_method": 7 })),
        changed("a place for the client on loopback", Works, |stage| {
            let place = stage.trap("https", "127.0.0.1");
            json!({ "registration_client_uri": place, "registration_access_token": HOSTILE_REGISTRATION_TOKEN })
        }),
        changed("a place for the client on a foreign origin", Works, |stage| {
            let place = format!("{}/register/me", stage.elsewhere.url());
            json!({ "registration_client_uri": place, "registration_access_token": HOSTILE_REGISTRATION_TOKEN })
        }),
        changed("a secret that ended long ago", Works, |_| json!({ "client_secret_expires_at": -1 })),
        changed("a secret that never ends", Works, |_| json!({ "client_secret_expires_at": 1e300 })),
        changed("grants that nobody asked for", Works, |_| {
            json!({ "grant_types": ["password", "implicit", 7] })
        }),
        changed("no error but a page", Refused, |stage| {
            let page = doorkey_testkit::Fault::Html;
            let rule = Leg::Registration.rule().expect("a request");
            stage.auth.fault(rule.respond(page));
            json!({})
        }),
        case(Class::Unicode, "a client id of other letters", Refused, |_| {
            json!({ "client_id": "cli\u{435}nt\u{202e}\u{1b}[31m" })
        })
        .impatient(),
    ]
    .into_iter()
    .chain(deletions())
    .collect()
}

/// Where a registration is to be deleted, as the server said when it registered the client: it is not asked there, and the
/// logout says that the server may still know the client.
fn deletions() -> Vec<Case> {
    let case = |name: &str, verdict, place: fn(&Stage) -> String| {
        Case::new(
            Leg::Deregistration,
            Class::Forged,
            name,
            verdict,
            move |stage, _| {
                stage.register("registration_client_uri", json!(place(stage)));
            },
        )
        .early()
    };
    use Verdict::Works;
    vec![
        case("a place on loopback", Works, |stage| {
            stage.trap("https", "127.0.0.1")
        }),
        case("a place on loopback in plain http", Works, |stage| {
            stage.trap("http", "127.0.0.1")
        }),
        case("a place by a name on loopback", Works, |stage| {
            stage.trap("https", "trap.test")
        }),
        case("a place on an intranet", Works, |_| {
            "https://10.0.0.1/r".to_owned()
        }),
        case("a place that is cloud metadata", Works, |_| {
            "https://169.254.169.254/r".to_owned()
        }),
        case("a place that is a script", Works, |_| {
            "javascript:alert(1)".to_owned()
        }),
        case("a place on a foreign origin", Works, |stage| {
            format!("{}/r", stage.elsewhere.url())
        }),
    ]
}
