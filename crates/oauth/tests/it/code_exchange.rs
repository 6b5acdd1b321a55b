//! The code exchange: once for each code, whatever comes of it (TOK-17 to TOK-19, TOK-22).

use std::sync::Arc;
use std::time::Duration;

use doorkey_http::Leg;
use doorkey_oauth::{
    AuthorizationConfig, Challenges, ClientAuthMethod, ClientChoice, Error, NextStep,
};
use doorkey_store::{Backend as _, RecordKind, Store};
use secrecy::SecretString;

use crate::browser::Browser;
use crate::stores::Fickle;
use crate::world::World;

/// What an answer to a code exchange comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// An error of the protocol, with nothing to do but to sign in again.
    Refused,
    /// One that a correction mends.
    Mend(Mend),
    /// It may pass by itself.
    Passing,
    /// No answer of the protocol.
    Unreadable,
    /// No answer at all, or one that is not followed or read to its end.
    Network,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mend {
    Client,
    Resource,
    Scope,
    Clock,
}

/// Status, body and meaning. 418 stands for a connection that was reset.
const ANSWERS: &[(u16, &str, Meaning)] = &[
    (400, r#"{"error":"invalid_grant"}"#, Meaning::Refused),
    (400, r#"{"error":"invalid_request"}"#, Meaning::Refused),
    (
        400,
        r#"{"error":"unauthorized_client"}"#,
        Meaning::Mend(Mend::Client),
    ),
    (
        400,
        r#"{"error":"unsupported_grant_type"}"#,
        Meaning::Refused,
    ),
    (
        400,
        r#"{"error":"invalid_scope"}"#,
        Meaning::Mend(Mend::Scope),
    ),
    (400, r#"{"error":"of_their_own"}"#, Meaning::Refused),
    (400, r#"{"error":"use_dpop_nonce"}"#, Meaning::Refused),
    (
        200,
        r#"{"error":"bad_verification_code"}"#,
        Meaning::Refused,
    ),
    (
        400,
        r#"{"error":"invalid_dpop_proof"}"#,
        Meaning::Mend(Mend::Clock),
    ),
    (
        400,
        r#"{"error":"invalid_target"}"#,
        Meaning::Mend(Mend::Resource),
    ),
    (
        401,
        r#"{"error":"invalid_client"}"#,
        Meaning::Mend(Mend::Client),
    ),
    (
        400,
        r#"{"error":"invalid_client"}"#,
        Meaning::Mend(Mend::Client),
    ),
    (
        400,
        r#"{"error":"temporarily_unavailable"}"#,
        Meaning::Passing,
    ),
    (429, r#"{"error":"slow_down"}"#, Meaning::Passing),
    (
        503,
        r#"{"error":"temporarily_unavailable"}"#,
        Meaning::Passing,
    ),
    (500, r#"{"error":"server_error"}"#, Meaning::Passing),
    (500, "<html>Internal</html>", Meaning::Passing),
    (503, "", Meaning::Passing),
    (429, "", Meaning::Passing),
    (400, "{}", Meaning::Unreadable),
    (400, "<html>Bad Request</html>", Meaning::Unreadable),
    (401, "", Meaning::Unreadable),
    (403, "Forbidden", Meaning::Unreadable),
    (404, "", Meaning::Unreadable),
    (200, "", Meaning::Unreadable),
    (
        200,
        "<html>Sign in to the network</html>",
        Meaning::Unreadable,
    ),
    (200, r#"{"access_token":"a","token_ty"#, Meaning::Unreadable),
    (200, r#"{"token_type":"Bearer"}"#, Meaning::Unreadable),
    (200, r#"{"access_token":"a"}"#, Meaning::Unreadable),
    (
        200,
        r#"{"access_token":"a","token_type":"mac"}"#,
        Meaning::Unreadable,
    ),
    (
        200,
        r#"{"access_token":"a","token_type":"DPoP"}"#,
        Meaning::Unreadable,
    ),
    (
        200,
        r#"{"access_token":"a b","token_type":"Bearer"}"#,
        Meaning::Unreadable,
    ),
    (
        200,
        r#"[{"access_token":"a","token_type":"Bearer"}]"#,
        Meaning::Unreadable,
    ),
    (200, "null", Meaning::Unreadable),
    (418, "", Meaning::Network),
];

fn configured(world: &World, method: ClientAuthMethod) -> AuthorizationConfig {
    let mut config = world.config();
    config.client = ClientChoice::Static {
        client_id: String::from("mine"),
        client_secret: (method != ClientAuthMethod::None).then(|| SecretString::from("s")),
        signing_key: None,
        issuer: None,
        auth_method: Some(method),
    };
    config
}

fn meaning(error: &Error) -> Option<Meaning> {
    if matches!(error, Error::Http(_)) {
        return Some(Meaning::Network);
    }
    match error.next_step() {
        Some(NextStep::CheckClient) => Some(Meaning::Mend(Mend::Client)),
        Some(NextStep::CheckResource) => Some(Meaning::Mend(Mend::Resource)),
        Some(NextStep::CheckScope { .. }) => Some(Meaning::Mend(Mend::Scope)),
        Some(NextStep::CheckClock) => Some(Meaning::Mend(Mend::Clock)),
        Some(NextStep::Retry { .. }) => Some(Meaning::Passing),
        Some(NextStep::Login) if error.kind() == "grant-refused" => Some(Meaning::Refused),
        Some(NextStep::TellOperator { origin }) => {
            assert!(origin.starts_with("https://"), "{origin}");
            match error {
                Error::TokenEndpoint { .. } => Some(Meaning::Refused),
                Error::UnreadableResponse { .. } => Some(Meaning::Unreadable),
                _ => None,
            }
        }
        _ => None,
    }
}

fn code_in(body: &str) -> Option<&str> {
    body.split_once(r#""error":""#)?.1.split('"').next()
}

#[tokio::test]
async fn a_code_is_exchanged_once_whatever_the_answer_and_the_error_says_what_it_was_tok_17_tok_19()
{
    for (status, body, expected) in ANSWERS {
        for method in [ClientAuthMethod::None, ClientAuthMethod::Post] {
            let case = format!("{status} {body} {method}");
            let world = World::new();
            let source = world.source_with(configured(&world, method), &Store::memory());
            world.script(Leg::Token, *status, body);
            let browser = Arc::new(Browser::new(&world));
            let error = source
                .login(&Challenges::default(), browser.clone())
                .await
                .unwrap_err();
            assert_eq!(meaning(&error), Some(*expected), "{case}: {error:?}");
            assert!(!error.needs_login(), "{case}");
            if let Error::TokenEndpoint {
                error,
                status: told,
                ..
            } = &error
            {
                assert_eq!(Some(error.code.as_str()), code_in(body), "{case}");
                assert_eq!(told.as_u16(), *status, "{case}");
            }
            assert_eq!(world.seen(Leg::Token).len(), 1, "{case}");
            assert_eq!(browser.prompts().len(), 1, "{case}");
            assert!(source.grant().await.unwrap().is_none(), "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_code_whose_answer_never_comes_is_not_sent_again_tok_19() {
    let world = World::new();
    world.set().token_delay = Duration::from_secs(86_400);
    let source = world.source(&Store::memory());
    let browser = Arc::new(Browser::new(&world));
    let error = source
        .login(&Challenges::default(), browser)
        .await
        .unwrap_err();
    assert!(
        error.http().is_some_and(doorkey_http::Error::is_timeout),
        "{error:?}"
    );
    assert_eq!(world.seen(Leg::Token).len(), 1);
}

#[tokio::test]
async fn a_redirect_of_the_token_endpoint_takes_no_code_along_tok_12_tok_19() {
    for status in [301, 302, 303, 307, 308] {
        let world = World::new();
        let source = world.source(&Store::memory());
        let target = "https://as.example/other".parse().unwrap();
        let headers = http::HeaderMap::from_iter([(http::header::LOCATION, target)]);
        world.script_with(Leg::Token, status, "", headers);
        let browser = Arc::new(Browser::new(&world));
        let error = source
            .login(&Challenges::default(), browser)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("as.example/other"), "{error}");
        assert_eq!(world.seen(Leg::Token).len(), 1, "{status}");
    }
}

#[tokio::test]
async fn only_a_client_that_is_refused_by_basic_sends_its_code_once_more_by_post_tok_19() {
    for (status, body, _) in ANSWERS {
        let world = World::new();
        let config = configured(&world, ClientAuthMethod::Basic);
        let source = world.source_with(config, &Store::memory());
        // Whatever comes first would come again.
        world.script(Leg::Token, *status, body);
        world.script(Leg::Token, *status, body);
        let browser = Arc::new(Browser::new(&world));
        let outcome = source.login(&Challenges::default(), browser.clone()).await;
        assert!(outcome.is_err(), "{status} {body}");
        let requests = world.seen(Leg::Token);
        let again = body.contains("invalid_client");
        assert_eq!(requests.len(), 1 + usize::from(again), "{status} {body}");
        assert!(requests[0].headers.contains_key("authorization"));
        for second in &requests[1..] {
            assert_eq!(second.form("code"), requests[0].form("code"));
            assert_eq!(second.form("client_secret"), ["s"]);
            assert!(!second.headers.contains_key("authorization"));
        }
        assert_eq!(browser.prompts().len(), 1, "{status} {body}");
    }
}

#[tokio::test]
async fn a_client_that_registers_anew_gets_a_code_of_its_own_tok_19_reg_23() {
    let world = World::new();
    world.set().numbers_clients = true;
    let store = Store::memory();
    world.signed_in(&world.source(&store)).await;
    world.script(Leg::Token, 401, r#"{"error":"invalid_client"}"#);
    let browser = Arc::new(Browser::new(&world));
    world
        .source(&store)
        .login(&Challenges::default(), browser.clone())
        .await
        .unwrap();
    let [first, second]: [_; 2] = world.seen(Leg::Token).try_into().unwrap();
    assert_ne!(first.form("code"), second.form("code"));
    assert_ne!(first.form("code_verifier"), second.form("code_verifier"));
    assert_eq!(browser.asked("client_id"), [["client-1"], ["client-2"]]);
}

#[tokio::test]
async fn an_identity_token_is_passed_over_and_kept_nowhere_tok_22_tok_20() {
    const ANSWER: &str = r#"{"access_token":"sentinel-access","token_type":"Bearer","expires_in":60,
        "refresh_token":"sentinel-refresh","id_token":"sentinel-identity","session_state":"sentinel-state",
        "user":{"email":"sentinel-person"}}"#;
    let world = World::new();
    let records = Fickle::default();
    let store = Store::new(records.clone());
    let source = world.source(&store);
    for grant_type in ["authorization_code", "refresh_token"] {
        world.script(Leg::Token, 200, ANSWER);
        if grant_type == "authorization_code" {
            let browser = Arc::new(Browser::new(&world));
            let report = source.login(&Challenges::default(), browser).await.unwrap();
            assert!(!format!("{report:?}").contains("sentinel"));
        } else {
            world.clock().advance(60);
            source.token().await.unwrap().unwrap();
        }
        let grant = source.grant().await.unwrap().unwrap().value;
        assert!(grant.id_token.is_none() && grant.extra.is_empty());

        let ids = records.list(RecordKind::Grant).await.unwrap().entries;
        let record = records.load(&ids[0]).await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&record.bytes);
        assert!(
            text.contains("sentinel-access"),
            "the record is read at all"
        );
        for passed_over in ["identity", "state", "person"] {
            let sentinel = format!("sentinel-{passed_over}");
            assert!(!text.contains(&sentinel), "{grant_type}: {text}");
        }
    }
}
