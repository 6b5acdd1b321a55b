//! Several accounts at one server.

use std::collections::BTreeSet;

use doorkey_testkit::Leg;
use serde_json::Value;

use crate::world::{ONE, World};

/// Uses the server as each kind of command does, and returns the tokens that it saw.
async fn use_as(world: &World, account: &[&str]) -> BTreeSet<String> {
    drop(world.tokens_sent());
    for (command, code) in [
        (&["tools", "one"][..], 0),
        (
            &["call", "one", "echo", "--args", "{\"text\": \"hello\"}"],
            0,
        ),
        // The testkit's server has none, and says so to whoever is signed in.
        (&["resources", "one"], 0),
    ] {
        world
            .run(&[command, account].concat())
            .await
            .expect(code, &[]);
    }
    world.tokens_sent()
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_at_one_server_sign_in_apart_and_their_tokens_never_mix() {
    let world = World::start(ONE).await;
    let home = ["--account", "home"];
    world.login(&[]).await.expect(0, &["signed in to one;"]);
    // A name that nobody used before is a new account.
    world
        .run(&["tools", "one", "--account", "home"])
        .await
        .expect(3, &["next: doorkey login one --account home"]);
    world
        .login(&home)
        .await
        .expect(0, &["signed in to one as home;"]);

    let (first, second) = (use_as(&world, &[]).await, use_as(&world, &home).await);
    assert_eq!((first.len(), second.len()), (1, 1), "one token each");
    assert!(first.is_disjoint(&second));

    world.authorization.expire_access_tokens();
    let (third, fourth) = (use_as(&world, &[]).await, use_as(&world, &home).await);
    assert_eq!(world.authorization.refreshes(), 2);
    assert!(third.is_disjoint(&fourth));
    assert_eq!(world.authorization.refusals().len(), 0);

    world
        .run(&["logout", "one", "--account", "home"])
        .await
        .expect(0, &["login on this machine: removed"]);
    world
        .run(&["tools", "one", "--account", "home"])
        .await
        .expect(3, &[]);
    let kept = use_as(&world, &[]).await;
    assert!(kept.len() == 1 && kept.is_subset(&third), "as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_shows_every_account_that_has_a_login_and_which_one_is_the_default() {
    let world = World::start(&format!("{ONE}account = \"work\"\n")).await;
    world.login(&[]).await.expect(0, &[]);
    world
        .login(&["--account", "ada@example.com"])
        .await
        .expect(0, &[]);
    let listed = world.listed().await;
    assert_eq!(listed["auth"]["account"], "work");
    assert_eq!(listed["auth"]["is_default"], true);
    let others = listed["other_accounts"].as_array().unwrap();
    assert_eq!(others.len(), 1, "{listed}");
    assert_eq!(others[0]["account"], "ada@example.com");
    assert_eq!(others[0]["is_default"], false);
    assert_eq!(others[0]["status"], "logged_in");
    let table = world.run(&["list", "--table"]).await;
    table.expect(
        0,
        &[
            "ACCOUNT",
            "work*",
            "ada@example.com",
            "* is used where no --account",
        ],
    );

    let get = ["get", "one", "--account", "ada@example.com"];
    world.run(&[&get[..], &["--table"]].concat()).await.expect(
        0,
        &["ada@example.com (not the default)", "work (signed in)"],
    );
    let shown = world.run(&[&get[..], &["--json"]].concat()).await;
    let shown: Value = serde_json::from_str(&shown.expect(0, &[]).out).unwrap();
    assert_eq!(shown["auth"]["account"], "ada@example.com");
    assert_eq!(shown["other_accounts"][0]["account"], "work");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_removed_takes_the_logins_of_all_its_accounts_along() {
    let world = World::start(ONE).await;
    world.login(&[]).await.expect(0, &[]);
    world.login(&["--account", "home"]).await.expect(0, &[]);
    let removed = world.run(&["remove", "one"]).await;
    removed.expect(
        0,
        &[
            "login on this machine: removed",
            "refresh token at the server: removed",
        ],
    );
    assert_eq!(world.requests(Leg::Revocation), 4);
    world.configure(ONE);
    let listed = world.listed().await;
    assert_eq!(listed["other_accounts"].as_array().map(Vec::len), Some(0));
    assert_eq!(listed["auth"]["issuer"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_token_of_its_own_has_no_accounts() {
    let world = World::start(&format!("{ONE}bearer_token_env_var = \"TOKEN\"\n")).await;
    for command in ["tools", "login", "resources"] {
        world.run(&[command, "one", "--account", "home"]).await.expect(
            9,
            &[
                "\"one\" uses the bearer token that bearer_token_env_var of its configuration names; it has no account \"home\"",
                "next: doorkey tools one; to use accounts take bearer_token_env_var out of [mcp_servers.one]",
            ],
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authorization_server_is_told_whose_login_is_wanted() {
    let world = World::start(&format!(
        "{ONE}oauth = {{ login_hint = \"ada@example.com\" }}\n"
    ))
    .await;
    let told = async |arguments: &[&str]| {
        let err = world.login(arguments).await.expect(0, &[]).err;
        let page = err.lines().find(|line| line.starts_with("  https://"));
        let page = url::Url::parse(page.unwrap().trim()).unwrap();
        let mut pairs = page.query_pairs().filter(|(name, _)| name == "login_hint");
        let hint = pairs.next().map(|(_, hint)| hint.into_owned());
        assert!(pairs.next().is_none(), "{page}");
        hint
    };
    assert_eq!(told(&[]).await.as_deref(), Some("ada@example.com"));
    assert_eq!(told(&["--login-hint", "bob"]).await.as_deref(), Some("bob"));
    // What the configuration says is about its own account.
    assert_eq!(told(&["--account", "bob"]).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_none_is_refused_before_anything_happens() {
    let world = World::start(ONE).await;
    for account in ["", "a b", "../x", "-x"] {
        let ran = world
            .run(&["tools", "one", &format!("--account={account}")])
            .await;
        ran.expect(2, &["an account is 1 to 64 letters, digits and `-_.@+`"]);
    }
    assert_eq!(world.requests(Leg::Resource), 0);
    world.configure(&format!("{ONE}account = \"a b\"\n"));
    world
        .run(&["list", "--table"])
        .await
        .expect(9, &["config.toml:3: ", "next: write account = \"work\""]);
}
