//! Device authorization (RFC 8628): the code is shown here and typed elsewhere.

use std::sync::Arc;
use std::time::Duration;

use doorkey_oauth::{AuthorizationConfig, Deny, DpopChoice, Error, Flow, LoginReport, TokenType};
use doorkey_testkit::{
    AuthorizationServer, AuthorizationServerBuilder, DeviceGrant, Document, Dpop, Fault, FaultRule,
    Leg, McpServer,
};
use serde_json::json;

use crate::referee::{Person, Referee, login};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn auth() -> AuthorizationServerBuilder {
    let rules = DeviceGrant::new().interval(Duration::from_secs(1));
    AuthorizationServer::builder().device_grant(rules)
}

fn by_device(referee: &Referee) -> AuthorizationConfig {
    let mut config = referee.config();
    config.flow = Flow::Device;
    config
}

/// A login whose person decides as soon as they see the code.
async fn decided(
    referee: &Referee,
    config: AuthorizationConfig,
    approve: bool,
) -> (Result<LoginReport, Error>, Arc<Person>) {
    let (person, mut prompts) = Person::with_codes(3118);
    let tokens = referee.source(config);
    let deciding = async {
        let prompt = prompts.recv().await.unwrap();
        assert_eq!(prompt.issuer.as_str(), referee.auth.issuer());
        match approve {
            true => assert!(referee.auth.approve_device(&prompt.user_code)),
            false => assert!(referee.auth.deny_device(&prompt.user_code)),
        }
        prompt
    };
    let (outcome, prompt) = tokio::join!(login(referee, &tokens, &person), deciding);
    assert!(
        prompt
            .verification_uri
            .as_str()
            .starts_with("http://127.0.0.1")
    );
    (outcome, person)
}

#[tokio::test]
async fn a_code_is_shown_and_the_token_fetched_once_it_was_typed_dev_02_dev_03_dev_05_dev_09_dev_10()
 {
    let mcp = McpServer::builder().required_scopes(["mcp:read"]);
    let referee = Referee::with(auth(), mcp).await;
    let (outcome, person) = decided(&referee, by_device(&referee), true).await;
    outcome.unwrap();
    assert_eq!(person.asked(), 1);
    let registered = referee.recorder.of(Leg::Registration).pop().unwrap();
    let registered = registered.json().unwrap();
    assert!(
        registered["grant_types"]
            .as_array()
            .unwrap()
            .contains(&json!(GRANT))
    );
    assert_eq!(registered.get("redirect_uris"), None);

    let started = referee.recorder.of(Leg::DeviceAuthorization).pop().unwrap();
    assert_eq!(started.form("resource"), [referee.mcp.url()]);
    assert_eq!(started.form("scope"), ["mcp:read"]);
    assert_eq!(started.form("client_id").len(), 1);
    let polls = referee.tokens();
    for poll in &polls {
        assert_eq!(poll.form("grant_type"), [GRANT]);
        assert_eq!(poll.form("resource"), [referee.mcp.url()]);
        assert_eq!(poll.form("client_id"), started.form("client_id"));
    }
    assert_eq!(referee.recorder.count(Leg::Authorization), 0);

    // A later process refreshes it as any other grant.
    let later = referee.source(by_device(&referee));
    referee.advance(Duration::from_secs(3600));
    referee.calls(&later).await;
    assert_eq!(referee.auth.refreshes(), 1);
    referee.spotless();
}

#[tokio::test]
async fn another_login_by_device_uses_the_same_client_dev_09_reg_22() {
    let referee = Referee::with(auth(), McpServer::builder()).await;
    decided(&referee, by_device(&referee), true)
        .await
        .0
        .unwrap();
    let (again, _) = decided(&referee, by_device(&referee), true).await;
    assert!(!again.unwrap().registered);
    assert_eq!(referee.auth.registrations(), 1);
    // A browser needs a client of its own.
    let tokens = referee.source(referee.config());
    let report = login(&referee, &tokens, &Person::at(3118)).await.unwrap();
    assert!(report.registered);
}

#[tokio::test]
async fn a_person_who_says_no_ends_the_login_dev_06() {
    let referee = Referee::with(auth(), McpServer::builder()).await;
    let (outcome, _) = decided(&referee, by_device(&referee), false).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error}");
    let key = referee.config().grant_key();
    assert!(referee.store.grant(&key).await.unwrap().is_none());
}

#[tokio::test]
async fn polls_keep_the_pace_that_the_server_asks_for_dev_05_dev_06() {
    let referee = Referee::with(auth(), McpServer::builder()).await;
    referee.auth.slow_downs(1);
    let (outcome, _) = decided(&referee, by_device(&referee), true).await;
    outcome.unwrap();
    let polls = referee.tokens();
    assert_eq!(polls.len(), 2);
    let between = polls[1].at.duration_since(polls[0].at).unwrap();
    assert!(between >= Duration::from_secs(6), "{between:?}");
}

#[tokio::test]
async fn an_outage_meanwhile_costs_no_login_dev_07() {
    let referee = Referee::with(auth(), McpServer::builder()).await;
    for fault in [Fault::Refuse, Fault::status(503)] {
        let rule = FaultRule::on(Leg::Token).times(1).respond(fault);
        referee.auth.fault(rule);
    }
    let (outcome, _) = decided(&referee, by_device(&referee), true).await;
    outcome.unwrap();
    let polls = referee.tokens();
    let gaps: Vec<_> = polls
        .windows(2)
        .map(|pair| pair[1].at.duration_since(pair[0].at).unwrap().as_secs())
        .collect();
    assert!(gaps[0] >= 2 && gaps[1] >= 4, "{gaps:?}");
}

#[tokio::test]
async fn codes_that_expire_end_the_wait_dev_07_err_13() {
    let rules = DeviceGrant::new()
        .interval(Duration::from_secs(1))
        .expires_in(Duration::from_secs(3));
    let auth = AuthorizationServer::builder().device_grant(rules);
    let referee = Referee::with(auth, McpServer::builder()).await;
    let tokens = referee.source(by_device(&referee));
    let error = login(&referee, &tokens, &Person::at(1)).await.unwrap_err();
    assert!(matches!(error, Error::LoginTimedOut { limit } if limit == Duration::from_secs(3)));
    assert!(referee.tokens().len() <= 3);
}

#[tokio::test]
async fn a_server_that_answers_no_poll_is_told_of_and_not_the_person_dev_07_err_10() {
    let rules = DeviceGrant::new()
        .interval(Duration::from_secs(1))
        .expires_in(Duration::from_secs(2));
    let auth = AuthorizationServer::builder().device_grant(rules);
    let referee = Referee::with(auth, McpServer::builder()).await;
    let rule = FaultRule::on(Leg::Token).respond(Fault::status(503));
    referee.auth.fault(rule);
    let tokens = referee.source(by_device(&referee));
    let error = login(&referee, &tokens, &Person::at(1)).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(error.to_string().contains("503"), "{error}");
}

#[tokio::test]
async fn a_login_nobody_waits_for_stops_polling() {
    let referee = Referee::with(auth(), McpServer::builder()).await;
    let tokens = referee.source(by_device(&referee));
    let limit = Duration::from_millis(1500);
    let waited = tokio::time::timeout(limit, login(&referee, &tokens, &Person::at(1))).await;
    assert!(waited.is_err());
    tokens.drain(Duration::from_secs(5)).await.unwrap();
    let polls = referee.tokens().len();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(referee.tokens().len(), polls);
}

#[tokio::test]
async fn a_server_without_device_codes_is_told_before_anything_is_registered_dev_01() {
    let referee = Referee::with(AuthorizationServer::builder(), McpServer::builder()).await;
    let grants = json!(["authorization_code", GRANT]);
    referee
        .auth
        .set_field(Document::Metadata, "grant_types_supported", grants);
    let tokens = referee.source(by_device(&referee));
    let error = login(&referee, &tokens, &Person::at(1)).await.unwrap_err();
    let told = error.to_string();
    assert!(told.contains("device_authorization_endpoint"), "{told}");
    assert_eq!(referee.auth.registrations(), 0);
}

#[tokio::test]
async fn pages_that_may_not_be_opened_are_refused_dev_08() {
    for uri in [
        "javascript:alert(1)",
        "http://as.example/device",
        "file:///etc",
        "device",
    ] {
        let referee = Referee::with(auth(), McpServer::builder()).await;
        let member = "verification_uri";
        referee
            .auth
            .set_field(Document::DeviceAuthorization, member, json!(uri));
        let tokens = referee.source(by_device(&referee));
        let person = Person::at(1);
        let error = login(&referee, &tokens, &person).await.unwrap_err();
        assert!(error.to_string().contains(member), "{error}");
        assert_eq!(person.asked(), 0, "{uri}");
    }
}

#[tokio::test]
async fn no_page_of_a_code_holds_what_a_shell_acts_on_dev_08_az_20() {
    let referee = Referee::with(auth(), McpServer::builder()).await;
    for member in ["verification_uri", "verification_uri_complete"] {
        let page = format!("{}/device?x=$(calc)", referee.auth.url());
        referee
            .auth
            .set_field(Document::DeviceAuthorization, member, json!(page));
    }
    let (person, mut prompts) = Person::with_codes(1);
    let tokens = referee.source(by_device(&referee));
    let shown = async {
        let prompt = prompts.recv().await.unwrap();
        assert!(referee.auth.deny_device(&prompt.user_code));
        prompt
    };
    let (denied, prompt) = tokio::join!(login(&referee, &tokens, &person), shown);
    denied.unwrap_err();
    let pages = [
        Some(prompt.verification_uri),
        prompt.verification_uri_complete,
    ];
    for page in pages {
        let page = page.expect("a page");
        assert_eq!(page.query(), Some("x=%24%28calc%29"));
    }
}

#[tokio::test]
async fn whoever_may_not_ask_a_person_is_refused_before_a_server_is_asked() {
    let referee = Referee::with(auth(), McpServer::builder()).await;
    let tokens = referee.source(by_device(&referee));
    let challenges = doorkey_oauth::Challenges::default();
    let error = tokens.login(&challenges, Arc::new(Deny)).await.unwrap_err();
    assert!(
        matches!(&error, Error::Interaction(cause) if cause.is_denied()),
        "{error}"
    );
    for leg in [Leg::Registration, Leg::DeviceAuthorization, Leg::Token] {
        assert_eq!(referee.recorder.count(leg), 0, "{leg}");
    }
}

#[tokio::test]
async fn a_token_got_by_device_is_bound_to_a_key_like_any_other_dp_07_dev_10() {
    let mcp = McpServer::builder().dpop(Dpop::Required);
    let referee = Referee::with(auth().dpop(Dpop::Supported).dpop_nonces(true), mcp).await;
    let mut config = by_device(&referee);
    config.dpop = DpopChoice::Require;
    let (outcome, _) = decided(&referee, config.clone(), true).await;
    assert_eq!(outcome.unwrap().token_type, TokenType::Dpop);
    referee.calls(&referee.source(config)).await;
}
