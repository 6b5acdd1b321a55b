//! Managing a registration at its own address (RFC 7592), before a server that lets its clients do so.

use std::sync::Arc;
use std::time::Duration;

use doorkey_oauth::{
    Challenges, Channel, Error, Interaction, InteractionError, InteractionRequest, LogoutOptions,
    Prompt, StepOutcome,
};
use doorkey_store::{Registration, RegistrationKey};
use doorkey_testkit::{AuthorizationServer, Fault, FaultRule, Leg, McpServer, RegistrationUpdates};
use http::Method;

use crate::referee::{Person, Referee, login};

async fn referee() -> Referee {
    updating(RegistrationUpdates::Allowed).await
}

async fn updating(rule: RegistrationUpdates) -> Referee {
    let auth = AuthorizationServer::builder().registration_updates(rule);
    Referee::with(auth, McpServer::builder()).await
}

async fn kept(referee: &Referee) -> Option<Registration> {
    let key = RegistrationKey::shared(referee.auth.issuer());
    let stored = referee.store.registration(&key).await.unwrap();
    stored.map(|stored| stored.value)
}

fn managed(referee: &Referee, method: &Method) -> usize {
    let requests = referee.recorder.of(Leg::ClientConfiguration);
    requests
        .iter()
        .filter(|request| request.method == method)
        .count()
}

#[tokio::test]
async fn a_login_from_another_port_extends_the_client_that_is_there_rev_07_reg_22() {
    for rule in [
        RegistrationUpdates::Allowed,
        RegistrationUpdates::RotatingToken,
    ] {
        extends_the_client(updating(rule).await).await;
    }
}

async fn extends_the_client(referee: Referee) {
    let tokens = referee.source(referee.config());
    login(&referee, &tokens, &Person::at(3118)).await.unwrap();
    let report = login(&referee, &tokens, &Person::at(4000)).await.unwrap();
    assert!(!report.registered);
    assert_eq!(referee.auth.registrations(), 1, "no client is left behind");
    assert_eq!(managed(&referee, &Method::PUT), 1);
    let registration = kept(&referee).await.unwrap();
    assert_eq!(
        registration.redirect_uris,
        [
            "http://127.0.0.1:4000/callback",
            "http://127.0.0.1:3118/callback"
        ]
    );
    // Both serve from now on, and so does the refresh token of the first login.
    for port in [3118, 4000] {
        login(&referee, &tokens, &Person::at(port)).await.unwrap();
    }
    assert_eq!(managed(&referee, &Method::PUT), 1);
    referee.calls(&tokens).await;
    referee.spotless();

    // The token that manages it still does.
    let options = LogoutOptions::default().forget_client(true);
    let report = tokens.logout(options).await.unwrap();
    assert!(
        matches!(report.registration, StepOutcome::Done),
        "{report:?}"
    );
    assert_eq!(managed(&referee, &Method::DELETE), 1);
}

#[tokio::test]
async fn a_server_that_does_not_extend_clients_gets_another_registration_reg_22() {
    for fault in [Fault::status(405), Fault::status(500), Fault::Html] {
        let referee = referee().await;
        let rule = FaultRule::on(Leg::ClientConfiguration).respond(fault);
        referee.auth.fault(rule);
        let tokens = referee.source(referee.config());
        login(&referee, &tokens, &Person::at(3118)).await.unwrap();
        let report = login(&referee, &tokens, &Person::at(4000)).await.unwrap();
        assert!(report.registered);
        assert_eq!(referee.auth.registrations(), 2);
        referee.calls(&tokens).await;
    }
}

/// A person who never comes back from the page.
#[derive(Debug)]
struct Absent;

struct Silence;

impl Interaction for Absent {
    fn open<'a>(
        &'a self,
        _: InteractionRequest,
    ) -> doorkey_oauth::BoxFuture<'a, Result<Box<dyn Channel>, InteractionError>> {
        Box::pin(async { Ok(Box::new(Silence) as Box<dyn Channel>) })
    }
}

impl Channel for Silence {
    fn redirect_uri(&self) -> &str {
        "http://127.0.0.1:3118/callback"
    }

    fn present<'a>(
        &'a mut self,
        _: &'a Prompt,
    ) -> doorkey_oauth::BoxFuture<'a, Result<(), InteractionError>> {
        Box::pin(async { Ok(()) })
    }

    fn next<'a>(
        &'a mut self,
    ) -> doorkey_oauth::BoxFuture<'a, Result<doorkey_oauth::Callback, InteractionError>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn after_a_login_that_ran_out_of_time_the_server_is_asked_whether_it_knows_the_client_reg_23()
{
    for is_known in [true, false] {
        let referee = referee().await;
        let tokens = referee.source(referee.config());
        login(&referee, &tokens, &Person::at(3118)).await.unwrap();
        if !is_known {
            referee.auth.forget_clients();
        }
        let mut config = referee.config();
        config.interaction_limit = Duration::from_millis(200);
        let hurried = referee.source(config);
        let absent = Arc::new(Absent);
        let error = hurried
            .login(&Challenges::default(), absent)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::LoginTimedOut { .. }), "{error}");
        assert_eq!(managed(&referee, &Method::GET), 1);
        assert_eq!(kept(&referee).await.is_some(), is_known);
        let report = login(&referee, &tokens, &Person::at(3118)).await.unwrap();
        assert_eq!(report.registered, !is_known);
    }
}

#[tokio::test]
async fn where_the_server_does_not_say_a_suspect_client_is_replaced_reg_23() {
    let referee = referee().await;
    let tokens = referee.source(referee.config());
    login(&referee, &tokens, &Person::at(3118)).await.unwrap();
    let rule = FaultRule::on(Leg::ClientConfiguration).respond(Fault::status(405));
    referee.auth.fault(rule);
    let mut config = referee.config();
    config.interaction_limit = Duration::from_millis(200);
    let hurried = referee.source(config);
    let outcome = hurried
        .login(&Challenges::default(), Arc::new(Absent))
        .await;
    assert!(outcome.is_err());
    let report = login(&referee, &tokens, &Person::at(3118)).await.unwrap();
    assert!(report.registered);
}
