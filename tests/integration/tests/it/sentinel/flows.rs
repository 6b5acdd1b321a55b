//! The library at TRACE in every flow: what it logs and shows of keys, assertions, proofs, identities and codes.

use std::{sync::Arc, time::Duration};

use doorkey::{Environment, Host, LoginOutcome};
use doorkey_oauth::{Interaction, LogoutOptions};
use doorkey_testkit::{Fault, FaultRule, Leg};
use integration::{Home, LIMIT, World};

use super::{
    evidence::{Evidence, Place, files, leaks},
    log::{Log, runtime, shown},
    logins::{LOGINS, Scene, Who, expire, stored_keys},
    values,
};

#[test]
fn every_way_to_sign_in_logs_and_shows_no_secret() {
    let servers = runtime();
    let scene = servers.block_on(Scene::new());
    let home = Home::new(&scene.world, "");
    scene.furnish(&home, &scene.program(home.path(), ""));
    let environment = scene.variables().iter().fold(
        Environment::new(home.variables()),
        |environment, (name, value)| environment.with_variable(name, *value),
    );

    let log = Log::default();
    let (mut evidence, keys) = log.listen(|| {
        // The browser is no part of the library: it runs where the servers do.
        let _entered = servers.enter();
        let person = &scene.world.person;
        life(&scene, environment, person.interaction(), person.typing())
    });
    evidence.push(log.evidence());
    evidence.extend(files(home.path()));

    log.assert_from(&["doorkey", "h2", "hyper_util", "reqwest", "rmcp"]);
    let secrets = scene.secrets(&scene.world.recorder.requests(), &keys);
    let pages = scene.world.person.urls();
    let evidence: Vec<_> = evidence
        .into_iter()
        .map(|said| match said.place {
            Place::Text => said.without_page(&pages),
            _ => said,
        })
        .collect();
    let leaks = leaks(&secrets, &evidence);
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

/// Each login with its calls, its renewal, its failures and its end; returns the keys that were stored meanwhile.
async fn life(
    scene: &Scene,
    environment: Environment,
    browser: Arc<dyn Interaction>,
    device: Arc<dyn Interaction>,
) -> (Vec<Evidence>, Vec<String>) {
    let open = || Host::open(environment.clone()).expect("a home");
    let mut evidence = Vec::new();
    for (name, who) in LOGINS {
        let host = open();
        let person = match who {
            Who::Device => Arc::clone(&device),
            _ => Arc::clone(&browser),
        };
        evidence.extend(signed_in(&host, name, who, person).await);
        evidence.extend(values::of_host(&host, name).await);
        evidence.extend(used(&host, name).await);
        expire(&host).await;
        let renewed = open().check(name).await;
        renewed.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        evidence.extend(failures(&scene.world, name, &open).await);
    }
    let host = open();
    let keys = stored_keys(&host).await;
    for (name, _) in LOGINS {
        let options = LogoutOptions::default().forget_client(true);
        let report = host.logout(name, options).await;
        evidence.push(values::debug(name, &report.expect("a logout")));
    }
    assert!(host.drain(LIMIT).await);
    (evidence, keys)
}

async fn signed_in(
    host: &Host,
    name: &str,
    who: Who,
    person: Arc<dyn Interaction>,
) -> Vec<Evidence> {
    let overheard = Arc::new(values::Overheard::new(person));
    let progress = values::Steps::default();
    if who == Who::Nobody {
        let answered = host.check(name).await;
        answered.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    } else {
        let outcome = host.login(name, overheard.clone(), &progress).await;
        let outcome = outcome.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert!(matches!(outcome, LoginOutcome::SignedIn { .. }), "{name}");
    }
    vec![overheard.evidence(), progress.evidence()]
}

async fn used(host: &Host, name: &str) -> Vec<Evidence> {
    let connection = host.connect(name).await.expect("a connection");
    let evidence = values::debug("a connection", &connection);
    connection.list_tools().await.expect("tools");
    connection.close(Duration::from_secs(5)).await;
    vec![evidence]
}

/// A renewal that fails in several ways.
async fn failures(world: &World, name: &str, open: &dyn Fn() -> Host) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    for fault in [
        Fault::oauth_error(503, "temporarily_unavailable", "come again"),
        Fault::Html,
        Fault::Truncated,
        Fault::oauth_error(400, "invalid_request", "no reason"),
    ] {
        let host = open();
        expire(&host).await;
        world.auth.fault(FaultRule::on(Leg::Token).respond(fault));
        let error = host.check(name).await;
        evidence.extend(shown(name, &error.expect_err("a failure")));
        world.auth.clear_faults();
    }
    evidence
}
