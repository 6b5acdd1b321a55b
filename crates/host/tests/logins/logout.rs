//! Signing out: each step told, as data too, and of everything at once.

use std::fs;

use doorkey_testkit::{Fault, FaultRule, Leg};
use serde_json::{Value, json};

use crate::world::{ONE, Ran, World};

fn data(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap()
}

/// Each step with its outcome.
fn steps(done: &Value) -> Value {
    let steps = done["steps"].as_array().unwrap().iter();
    steps
        .map(|step| {
            let name = step["step"].as_str().unwrap().to_owned();
            (name, step["outcome"].clone())
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_of_a_logout_is_data_whatever_the_server_did() {
    let world = World::start(ONE).await;
    world.login(&[]).await.expect(0, &[]);
    let ran = world
        .run(&["logout", "one", "--forget-client", "--json"])
        .await;
    let done = data(&ran.expect(0, &[]));
    assert_eq!(
        steps(&done),
        json!({"refresh_token": "ok", "access_token": "ok", "login": "ok", "registration": "ok"})
    );
    assert_eq!(
        (&done["server"], &done["found"], &done["exit_code"]),
        (&"one".into(), &true.into(), &0.into())
    );
    assert_eq!(done["revoked"], true);

    world.login(&[]).await.expect(0, &[]);
    world
        .authorization
        .fault(FaultRule::on(Leg::Revocation).respond(Fault::oauth_error(
            503,
            "temporarily_unavailable",
            "later",
        )));
    let ran = world.run(&["logout", "one", "--json"]).await;
    let done = data(&ran.expect(0, &[]));
    assert_eq!(
        steps(&done),
        json!({"refresh_token": "failed", "access_token": "failed", "login": "ok"})
    );
    assert_eq!(done["revoked"], false);
    let ran = world.run(&["logout", "one", "--json"]).await;
    let done = data(&ran.expect(0, &[]));
    assert_eq!((&done["found"], steps(&done)), (&false.into(), json!({})));
    assert_eq!(done["revoked"], Value::Null);
    world.login(&[]).await.expect(0, &[]);
    let said = "warning: one: a token could not be revoked";
    world.run(&["logout", "one"]).await.expect(0, &[said]);
    world
        .run(&["logout", "--help"])
        .await
        .expect(0, &["\"revoked\": false"]);
    world
        .run(&["logout", "one"])
        .await
        .expect(0, &["one: there was no login"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_signed_out_of_only_if_that_was_said_twice() {
    let world = World::start(&format!("{ONE}[mcp_servers.twin]\nurl = \"URL\"\n")).await;
    world.login(&[]).await.expect(0, &[]);
    world.login(&["--account", "work"]).await.expect(0, &[]);
    let ran = world.run(&["logout", "--all"]).await;
    ran.expect(
        2,
        &["nobody can be asked", "next: doorkey logout --all --yes"],
    );
    assert_eq!(world.revocations(), 0);
    world.run(&["logout"]).await.expect(2, &["NAME"]);

    let ran = world.run(&["logout", "--all", "--yes"]).await;
    let said = [
        "one:",
        "one as work:",
        "twin: had the same login",
        "signed out of 2 logins",
    ];
    ran.expect(0, &said);
    assert_eq!(world.revocations(), 4);
    let ran = world.run(&["logout", "--all", "--yes"]).await;
    ran.expect(0, &["there was no login"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_with_two_names_is_signed_out_of_once() {
    let world = World::start(&format!(
        "{ONE}[mcp_servers.twin]\nurl = \"URL\"\naccount = \"work\"\n"
    ))
    .await;
    world.login(&[]).await.expect(0, &[]);
    world.login(&["--account", "work"]).await.expect(0, &[]);
    let ran = world.run(&["logout", "--all", "--yes", "--json"]).await;
    let all = data(&ran.expect(0, &[]));
    assert_eq!(all.as_array().unwrap().len(), 2, "{all}");
    for done in all.as_array().unwrap() {
        assert_eq!(steps(done)["refresh_token"], "ok", "{all}");
    }
    assert_eq!(world.revocations(), 4, "two tokens of each");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_cannot_be_removed_keeps_no_other_from_it() {
    let config = format!(
        "{ONE}[mcp_servers.stuck]\nurl = \"URL\"\naccount = \"work\"\n\
         [mcp_servers.token]\nurl = \"https://t.example/\"\nbearer_token_env_var = \"TOKEN\"\n"
    );
    let world = World::start(&config).await;
    world.login(&[]).await.expect(0, &[]);
    world.login(&["--account", "work"]).await.expect(0, &[]);
    let entries = fs::read_dir(world.home().join("state")).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    let stuck = paths.find(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("grant-") && name.contains("-work-")
    });
    let stuck = stuck.unwrap();
    fs::remove_file(&stuck).unwrap();
    fs::create_dir_all(stuck.join("inside")).unwrap();

    let ran = world.run(&["logout", "--all", "--yes", "--json"]).await;
    let all = data(&ran.expect(9, &[]));
    assert_eq!(all.as_array().unwrap().len(), 3, "each login once: {all}");
    let of = |name: &str| {
        let mut all = all.as_array().unwrap().iter();
        all.find(|done| done["server"] == name).unwrap()
    };
    assert_eq!(steps(of("one"))["login"], "ok");
    assert_eq!(of("one")["exit_code"], 0);
    assert_eq!(of("stuck")["exit_code"], 9, "{all}");
    assert_eq!(
        (&of("token")["found"], &of("token")["exit_code"]),
        (&false.into(), &0.into())
    );
    let ran = world.run(&["logout", "--all", "--yes"]).await;
    ran.expect(9, &["stuck:", "login on this machine: not removed"]);
}
