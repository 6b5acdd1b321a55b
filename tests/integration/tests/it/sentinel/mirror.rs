//! Servers that repeat what they are sent, at every place where a secret is sent, in every way a careless server does.
//!
//! One server plays them all: the MCP server, its authorization server and the identity provider. It answers well but for
//! one [`Spot`], where it repeats the request.

mod answers;
mod server;
mod spot;

use std::sync::Arc;

use doorkey::{Host, Silent};
use doorkey_oauth::{Interaction, LogoutOptions};
use doorkey_testkit::{SigningAlgorithm, SigningKey};
use integration::{Home, World};

use super::{
    echo::Manner,
    evidence::{Evidence, files, leaks},
    log::{Log, runtime, shown},
    logins::expire,
    secrets::{Kind, Secret},
    values,
    watch::Watch,
};
use server::Mirror;
use spot::{SERVER, Spot};

#[test]
fn what_is_repeated_of_a_login_in_the_browser_is_shown_nowhere() {
    mirrored(&[
        Spot::Push,
        Spot::Page,
        Spot::Code,
        Spot::Refresh,
        Spot::Revocation,
    ]);
}

#[test]
fn what_is_repeated_of_a_login_on_another_device_is_shown_nowhere() {
    mirrored(&[Spot::Device, Spot::Poll]);
}

#[test]
fn what_is_repeated_of_a_login_without_a_person_is_shown_nowhere() {
    mirrored(&[Spot::Credentials, Spot::Workload]);
}

#[test]
fn what_is_repeated_of_an_identity_is_shown_nowhere() {
    mirrored(&[
        Spot::IdentityPush,
        Spot::IdentityPage,
        Spot::SignOn,
        Spot::Renewal,
        Spot::Exchange,
        Spot::Grant,
        Spot::SignOff,
    ]);
}

#[test]
fn what_an_mcp_server_repeats_of_token_and_proof_is_shown_nowhere() {
    mirrored(&[Spot::Resource]);
}

#[test]
fn what_an_mcp_server_repeats_in_a_json_rpc_error_is_shown_nowhere() {
    mirrored(&[Spot::Rpc]);
}

/// The library shows nothing of it; so does what the program makes of the errors.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_repeated_is_shown_by_no_command() {
    let key = SigningKey::generate(SigningAlgorithm::Es256).expect("a key");
    for spot in Spot::ALL {
        let world = World::new().await;
        let mirror = Mirror::start(spot, Manner::Json).await;
        let home = Home::new(&world, "");
        home.write("signing-key.pem", key.pem().as_bytes());
        mirror.furnish(&home);
        let mut watch = Watch::new(&world, &home, &[]);
        watch.run_any(&["login", SERVER]).await;
        expire(&home.host()).await;
        watch.run_any(&["tools", SERVER]).await;
        watch.run(0, &["get", SERVER, "--json"]).await;
        watch.run_any(&["logout", SERVER, "--forget-client"]).await;
        let mut secrets = mirror.secrets().await;
        secrets.push(Secret::of_key(Kind::SigningKey, key.pem()));
        watch.assert_clean(&secrets);
    }
}

/// Each of these spots in every manner: what the library logs, shows and leaves behind.
fn mirrored(spots: &[Spot]) {
    let servers = runtime();
    let world = servers.block_on(World::new());
    let key = SigningKey::generate(SigningAlgorithm::Es256).expect("a key");
    let mut found = Vec::new();
    for &spot in spots {
        for manner in Manner::ALL {
            let mirror = servers.block_on(Mirror::start(spot, manner));
            let home = Home::new(&world, "");
            home.write("signing-key.pem", key.pem().as_bytes());
            mirror.furnish(&home);
            let log = Log::default();
            let mut evidence = log.listen(|| {
                let person = {
                    // The browser is no part of the library: it runs where the servers do.
                    let _entered = servers.enter();
                    person(&world, spot)
                };
                attempt(&home, person)
            });
            evidence.push(log.evidence());
            evidence.extend(files(home.path()));
            let mut secrets = servers.block_on(mirror.secrets());
            secrets.push(Secret::of_key(Kind::SigningKey, key.pem()));
            let leaks = leaks(&secrets, &evidence).into_iter();
            found.extend(leaks.map(|leak| format!("{spot:?} {manner:?}: {leak}")));
        }
    }
    assert!(
        found.is_empty(),
        "{} leaks:\n{}",
        found.len(),
        found.join("\n")
    );
}

fn person(world: &World, spot: Spot) -> Arc<dyn Interaction> {
    match spot {
        Spot::Device | Spot::Poll => world.person.typing(),
        _ => world.person.interaction(),
    }
}

/// A login that fails somewhere, another use of what there is when it has expired, and a logout.
async fn attempt(home: &Home, person: Arc<dyn Interaction>) -> Vec<Evidence> {
    let open = || home.host();
    let mut evidence = Vec::new();
    match open().login(SERVER, person, &Silent).await {
        Ok(outcome) => evidence.push(values::debug("the outcome of a login", &outcome)),
        Err(error) => evidence.extend(shown("a login", &error)),
    }
    expire(&open()).await;
    if let Err(error) = open().check(SERVER).await {
        evidence.extend(shown("a check", &error));
    }
    evidence.push(listed(&open()).await);
    let options = LogoutOptions::default().forget_client(true);
    match open().logout(SERVER, options).await {
        Ok(report) => evidence.push(values::debug("a logout", &report)),
        Err(error) => evidence.extend(shown("a logout", &error)),
    }
    evidence.push(listed(&open()).await);
    evidence
}

async fn listed(host: &Host) -> Evidence {
    values::debug("the statuses", &host.list().await)
}
