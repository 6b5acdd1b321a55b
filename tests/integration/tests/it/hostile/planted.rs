//! That the checks find what they look for: each of it is planted once.

use std::{fs, net::TcpStream, sync::Arc, thread, time::Duration};

use doorkey_rmcp::rmcp::service::QuitReason;
use doorkey_testkit::{CertificateAuthority, Client, Fault};
use serde_json::json;

use super::{
    case::{Case, Verdict},
    cell,
    class::Class,
    drive::wrong_end,
    failure::Failure,
    leg::Leg,
    message, secrets,
    stage::{Stage, servers},
    visitor,
    watch::watch,
};

/// What is held against a case that is right but for what is planted in it.
fn objections(plant: impl Fn(&Stage) + Send + Sync + 'static) -> Vec<String> {
    let case = Case::new(
        Leg::ResourceMetadata,
        Class::Size,
        "planted",
        Verdict::Refused,
        move |stage, leg| {
            let rule = leg.rule().expect("a request");
            stage.fault(leg, rule.respond(Fault::Html));
            plant(stage);
        },
    );
    cell::objections(&case)
}

fn assert_found(objections: &[String], beginning: &str) {
    let found = objections.iter().any(|it| it.starts_with(beginning));
    assert!(found, "nothing begins with {beginning:?}: {objections:#?}");
}

#[test]
fn a_case_with_nothing_planted_has_nothing_held_against_it() {
    let objections = objections(|_| {});
    assert!(objections.is_empty(), "{objections:#?}");
}

#[test]
fn a_planted_secret_in_the_log_is_found() {
    let objections = objections(|_| tracing::trace!("got {}", secrets::HOSTILE_ACCESS));
    assert_found(&objections, "the log (Log): AccessToken");
}

#[test]
fn a_planted_secret_in_a_file_is_found() {
    let objections = objections(|stage| {
        let file = stage.folder().join("notes.txt");
        fs::write(file, secrets::EARLIER_REFRESH).expect("a writable folder");
    });
    assert_found(&objections, "the home (File(\"notes.txt\")): RefreshToken");
}

#[test]
fn a_planted_secret_on_the_page_of_the_listener_is_found() {
    let objections = objections(|stage| stage.visitor.see(secrets::HOSTILE_ACCESS.into()));
    assert_found(&objections, "the page of the listener (Text): AccessToken");
}

/// What a device shows is what the server says: here a page of nobody's, and a token for a code.
#[test]
fn a_planted_page_that_may_not_be_opened_and_a_secret_that_is_shown_are_found() {
    let case = Case::new(
        Leg::Device,
        Class::Forged,
        "planted",
        Verdict::Refused,
        |stage, leg| {
            let body = json!({
                "device_code": secrets::HOSTILE_DEVICE_CODE,
                "user_code": secrets::HOSTILE_ACCESS,
                "verification_uri": "https://evil.test/device",
                "expires_in": 2,
                "interval": 1,
            });
            let rule = leg.rule().expect("a request");
            stage.fault(leg, rule.respond(Fault::json(200, &body)));
        },
    );
    let objections = cell::objections(&case);
    assert_found(
        &objections,
        "a page was to be opened: https://evil.test/device",
    );
    assert_found(&objections, "the code for a device (Text): AccessToken");
}

#[test]
fn a_planted_connection_to_a_trap_is_found() {
    let objections = objections(|stage| {
        drop(TcpStream::connect(stage.trap.address()).expect("the trap"));
    });
    assert_found(&objections, "a connection to the trap");
}

#[test]
fn a_planted_request_to_a_foreign_origin_with_a_secret_in_it_is_found_twice() {
    let objections = objections(|stage| {
        let authority = stage.authority().clone();
        let place = format!("https://{}/x", stage.elsewhere.addr());
        let asked = thread::spawn(move || servers().block_on(tell(&authority, &place)));
        asked.join().expect("a request");
    });
    assert_found(&objections, "a request to a foreign origin");
    assert_found(&objections, "elsewhere: POST");
}

async fn tell(authority: &CertificateAuthority, place: &str) {
    let client = Client::new().trusting(authority);
    let fields = [("token", secrets::HOSTILE_REFRESH)];
    client.post_form(place, &fields).await.expect("an answer");
}

#[test]
fn a_planted_panic_in_a_task_is_found() {
    let objections = objections(|_| {
        drop(tokio::spawn(async { panic!("planted") }));
    });
    assert_found(&objections, "it panicked: panicked at");
}

#[test]
fn a_planted_loss_of_what_was_stored_is_found() {
    let objections = objections(|stage| {
        for entry in fs::read_dir(stage.folder().join("state")).expect("a folder") {
            let path = entry.expect("a folder").path();
            if path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("grant"))
            {
                fs::remove_file(path).expect("a writable folder");
            }
        }
    });
    assert_found(&objections, "the record grant-");
}

#[test]
fn a_planted_hang_is_found_whether_it_waits_or_turns_in_circles() {
    let short = Duration::from_millis(50);
    let waits = watch(short, short, std::future::pending::<()>);
    assert!(waits.hangs && waits.outcome.is_none());
    let blocks = watch(
        short,
        short,
        move || async move { thread::sleep(20 * short) },
    );
    assert!(blocks.hangs && blocks.outcome.is_none());
    let ends = watch(Duration::from_secs(10), short, || async { 7 });
    assert!(!ends.hangs && ends.outcome == Some(7));
}

#[tokio::test]
async fn a_planted_session_that_does_not_end_or_ends_in_a_panic_is_found() {
    let panicked = tokio::spawn(async { panic!("planted") }).await;
    let objections = [Ok(None), panicked.map(Some)].map(wrong_end);
    let objections: Vec<_> = objections.into_iter().flatten().collect();
    assert_found(&objections, "the session did not end within");
    assert_found(&objections, "the session ended in another way");
    assert_eq!(wrong_end(Ok(Some(QuitReason::Closed))), None);
}

#[test]
fn a_planted_verdict_is_found() {
    let case = Case::new(
        Leg::Challenge,
        Class::Challenge,
        "planted",
        Verdict::Refused,
        |_, _| {},
    );
    assert_found(&cell::objections(&case), "expected: refused, seen: works");
}

#[test]
fn a_planted_fault_that_no_request_meets_is_found() {
    let case = |inflict: fn(&Stage, Leg)| {
        let (leg, class) = (Leg::ToolsList, Class::Size);
        Case::new(leg, class, "planted", Verdict::Works, inflict)
    };
    let misses = case(|stage, leg| {
        let rule = Leg::ToolsCall.rule().expect("a request");
        stage.fault(leg, rule.respond(Fault::Html));
    });
    let objections = cell::objections(&misses);
    assert_found(
        &objections,
        "the attack was not delivered: of 1 faults no request met 1",
    );
    assert_eq!(objections.len(), 1, "{objections:#?}");
    let unread = case(|stage, leg| stage.publish(leg, "issuer", json!("https://evil.test")));
    assert_found(
        &cell::objections(&unread),
        "the attack was not delivered: nobody read Document",
    );
    let unasked = case(|stage, _| stage.rebind("rebound.test", &[&["127.0.0.1"]]));
    assert_found(
        &cell::objections(&unasked),
        "the attack was not delivered: nobody read Name",
    );
    let uncalled = case(|stage, _| stage.visitor.forge(Arc::new(visitor::get), false));
    assert_found(
        &cell::objections(&uncalled),
        "the attack was not delivered: 0 of 1 callbacks",
    );
    assert_found(
        &cell::objections(&case(|_, _| {})),
        "the attack was not delivered: nothing hostile was done",
    );
}

#[test]
fn a_planted_mark_of_what_is_mended_is_found() {
    let case = Case::new(
        Leg::Challenge,
        Class::Challenge,
        "planted",
        Verdict::Works,
        |_, _| {},
    );
    let case = case.open(&["a request to a foreign origin"]);
    assert_found(&cell::objections(&case), "it is marked as open");
}

#[test]
fn each_fault_of_a_message_is_found() {
    let good = "token request POST https://as.test/token: refused";
    let long = format!("{good}{}", "x".repeat(2000));
    let longer: Vec<String> = (0..200).map(|at| format!("{good}{at}")).collect();
    let one = |line: &str| vec![line.to_owned()];
    let next = "try again";
    for (lines, next, fault) in [
        (one(good), next, None),
        (
            one("request to https://as.test"),
            next,
            Some("the message does not name the leg"),
        ),
        (one("token request"), next, Some("the message names no URL")),
        (one(good), " ", Some("the message names no next step")),
        (
            one(good),
            "try\u{202e} again",
            Some("the next step is not fit to be shown"),
        ),
        (
            one(good),
            &long,
            Some("the next step is not fit to be shown"),
        ),
        (
            one(&format!("{good}\u{1b}[31m")),
            next,
            Some("the message has characters"),
        ),
        (
            one(&format!("{good}\u{202e}")),
            next,
            Some("the message has characters"),
        ),
        (one(&long), next, Some("a line of the message is too long")),
        (longer, next, Some("the message is too long")),
    ] {
        let mut objections = Vec::new();
        let failure = Failure {
            lines,
            evidence: Vec::new(),
            is_transient: true,
            needs_login: false,
            next: next.to_owned(),
        };
        message::judge(Leg::Token, &failure, &mut objections);
        match fault {
            None => assert!(objections.is_empty(), "{objections:?}"),
            Some(fault) => assert_found(&objections, fault),
        }
    }
}
