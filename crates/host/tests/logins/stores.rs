//! Where logins are kept: what `auto` chooses, what it remembers, and what happens when a store cannot be opened.

use std::fs;

use serde_json::Value;

use crate::world::{ONE, World};

const PASSPHRASE: &str = "[store]\nbackend = \"encrypted_file\"\npassphrase_env = \"PASS\"\n";

async fn shown(world: &World) -> Value {
    let shown = world.run(&["store", "show", "--json"]).await;
    serde_json::from_str(&shown.expect(0, &[]).out).unwrap()
}

/// Everything below a folder, by name.
fn files(world: &World) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![world.home().join("state")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push((path.display().to_string(), fs::read(&path).unwrap())),
            }
        }
    }
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_chooses_with_the_first_command_that_keeps_something_and_never_again() {
    let world = World::start(ONE).await;
    for look in [&["list"][..], &["get", "one"], &["store", "show"]] {
        world.run(look).await.expect(0, &[]);
    }
    assert_eq!(shown(&world).await["reason"], "undecided");
    assert!(
        files(&world).is_empty(),
        "whoever only looks leaves nothing"
    );

    let login = world.login(&[]).await;
    login.expect(
        0,
        &[
            "plain text",
            "DBUS_SESSION_BUS_ADDRESS is not set",
            "doorkey store migrate --to encrypted_file",
        ],
    );
    let now = shown(&world).await;
    assert_eq!(
        (&now["kind"], &now["reason"]),
        (&"file".into(), &"no_keyring".into())
    );
    assert_eq!(
        (&now["logins"], &now["encrypted"]),
        (&1.into(), &false.into())
    );
    world
        .run(&["list", "--table"])
        .await
        .expect(0, &["signed in", "plain text, readable by you alone"]);
    world
        .run(&["get", "one", "--table"])
        .await
        .expect(0, &["plain text, readable by you alone"]);

    // A key that turns up later changes nothing by itself.
    world.configure(&format!("[store]\npassphrase_env = \"PASS\"\n{ONE}"));
    assert_eq!(shown(&world).await["kind"], "file");
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    assert_eq!(
        world.listed().await["auth"]["store"]["reason"],
        "no_keyring"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_stays_where_logins_are_from_before_there_was_a_choice() {
    let world = World::start(ONE).await.with("PASS", "correct horse");
    world.login(&[]).await.expect(0, &[]);
    fs::remove_file(world.home().join("state/store.json")).unwrap();
    world.configure(&format!("[store]\npassphrase_env = \"PASS\"\n{ONE}"));
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    let now = shown(&world).await;
    assert_eq!(
        (&now["kind"], &now["reason"]),
        (&"file".into(), &"earlier_logins".into())
    );
    assert!(!world.home().join("state/store.json").exists());
    world
        .run(&["list", "--table"])
        .await
        .expect(0, &["doorkey store migrate --to encrypted_file"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_takes_encrypted_files_where_the_configuration_has_a_key() {
    let config = format!("[store]\npassphrase_env = \"PASS\"\n{ONE}");
    let world = World::start(&config).await.with("PASS", "correct horse");
    let login = world.login(&[]).await.expect(0, &[]);
    assert!(!login.err.contains("plain text"), "{}", login.err);
    let now = shown(&world).await;
    assert_eq!(
        (&now["kind"], &now["reason"]),
        (&"encrypted_file".into(), &"configured_key".into())
    );
    assert_eq!(
        (&now["logins"], &now["encrypted"]),
        (&1.into(), &true.into())
    );
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    let tokens = world.tokens_sent();
    for (name, content) in files(&world) {
        let text = String::from_utf8_lossy(&content);
        let leaks = tokens
            .iter()
            .any(|token| text.contains(token.trim_start_matches("Bearer ")));
        assert!(!leaks, "{name}");
    }
    // The key is no longer named: that is an error, and not another store.
    world.configure(ONE);
    world.run(&["tools", "one"]).await.expect(9, &["next: "]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_passphrase_leaves_everything_in_place() {
    let config = format!("{PASSPHRASE}{ONE}");
    let mut world = World::start(&config).await.with("PASS", "correct horse");
    world.login(&[]).await.expect(0, &[]);
    let before = files(&world);
    world = world.with("PASS", "battery staple");
    for command in [
        &["tools", "one"][..],
        &["login", "one", "--no-browser"],
        &["list"],
        &["get", "one"],
        &["call", "one", "echo"],
    ] {
        world.run(command).await.expect(
            9,
            &[
                "the passphrase is not the one it was made with",
                "next: correct passphrase_env",
            ],
        );
        assert_eq!(files(&world), before, "{command:?}");
    }
    // What cannot be opened cannot be signed out of; it is said, and stays.
    world
        .run(&["logout", "one"])
        .await
        .expect(9, &["the passphrase is not the one"]);
    world
        .run(&["store", "show"])
        .await
        .expect(0, &["the passphrase is not the one"]);
    assert_eq!(files(&world), before);

    world = world.with("PASS", "correct horse");
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    world
        .run(&["logout", "one"])
        .await
        .expect(0, &["login on this machine: removed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_that_is_not_given_and_a_key_file_that_is_not_there_are_named() {
    let world = World::start(&format!("{PASSPHRASE}{ONE}")).await;
    world.run(&["list", "--table"]).await.expect(
        9,
        &["next: set the environment variable PASS, or correct passphrase_env in [store]"],
    );
    let key = world.home().join("login.key");
    let key = key.to_str().unwrap();
    let config = format!("[store]\nbackend = \"encrypted_file\"\nkey_file = \"login.key\"\n{ONE}");
    world.configure(&config);
    world.run(&["login", "one", "--no-browser"]).await.expect(
        9,
        &[&format!(
            "next: restore {key}; for a new store: doorkey store new-key {key}"
        )],
    );
    world
        .run(&["store", "new-key", key])
        .await
        .expect(0, &["next: write key_file = "]);
    let made = fs::read(key).unwrap();
    world
        .run(&["store", "new-key", key])
        .await
        .expect(1, &["is there already"]);
    assert_eq!(fs::read(key).unwrap(), made);
    world.login(&[]).await.expect(0, &[]);
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    assert_eq!(shown(&world).await["encrypted"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_that_cannot_be_read_is_an_error_and_not_an_empty_store() {
    let world = World::start(ONE).await;
    world.login(&[]).await.expect(0, &[]);
    fs::write(world.home().join("state/store.json"), "{\"version\": 9}").unwrap();
    for command in [&["tools", "one"][..], &["list"], &["login", "one"]] {
        world
            .run(command)
            .await
            .expect(9, &["store.json does not say", "next: update doorkey"]);
    }
    world.configure(&format!("[store]\nbackend = \"file\"\n{ONE}"));
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_removes_the_copies_in_other_stores() {
    let mut world = World::start(ONE).await.with("PASS", "correct horse");
    world.login(&[]).await.expect(0, &[]);
    world.configure(&format!("{PASSPHRASE}{ONE}"));
    world.login(&[]).await.expect(0, &[]);
    let now = shown(&world).await;
    assert_eq!(now["others"][0]["kind"], "file");
    assert_eq!(now["others"][0]["logins"], 1);
    world.run(&["store", "show"]).await.expect(
        0,
        &["doorkey store migrate --from file --to encrypted_file"],
    );
    let before = world.revocations();
    world.run(&["logout", "one"]).await.expect(
        0,
        &[
            "one:\n",
            "one, copy in the file store ",
            "login on this machine: removed",
        ],
    );
    // Two logins, two tokens each.
    assert_eq!(world.revocations() - before, 4);
    assert_eq!(shown(&world).await["others"].as_array().unwrap().len(), 0);
    world.configure(ONE);
    world
        .run(&["tools", "one"])
        .await
        .expect(3, &["next: doorkey login one"]);

    // Trouble with one store does not keep the other from being emptied.
    world.login(&[]).await.expect(0, &[]);
    world.configure(&format!("{PASSPHRASE}{ONE}"));
    world.login(&[]).await.expect(0, &[]);
    world.configure(&format!(
        "[store]\nbackend = \"file\"\npassphrase_env = \"PASS\"\n{ONE}"
    ));
    world = world.with("PASS", "battery staple");
    let out = world.run(&["logout", "one"]).await;
    out.expect(
        9,
        &[
            "copy in the encrypted_file store",
            "not looked into",
            "the passphrase is not the one",
        ],
    );
    world.run(&["tools", "one"]).await.expect(3, &[]);
}

/// Names of files in the state folder that hold secrets of logins in plain text.
fn plain_secrets(world: &World) -> Vec<String> {
    let names = files(world).into_iter().map(|(name, _)| name);
    let is_plain = |name: &String| {
        let name = name.rsplit('/').next().unwrap_or_default();
        (name.starts_with("grant-") || name.starts_with("login-")) && name.contains(".json")
    };
    names.filter(is_plain).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_removes_a_login_that_was_only_started_in_another_store() {
    let world = World::start(ONE).await.with("PASS", "correct horse");
    world.run(&["login", "one", "--start"]).await.expect(0, &[]);
    assert_eq!(plain_secrets(&world).len(), 1);
    world.configure(&format!("{PASSPHRASE}{ONE}"));
    world.run(&["logout", "one"]).await.expect(0, &[]);
    assert_eq!(plain_secrets(&world), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_with_settings_that_cannot_be_used_leaves_no_started_login() {
    let world = World::start(ONE).await;
    world.login(&[]).await.expect(0, &[]);
    world.run(&["login", "one", "--start"]).await.expect(0, &[]);
    assert_eq!(plain_secrets(&world).len(), 2);
    world.configure(&format!(
        "{ONE}oauth = {{ client_id = \"c\", client_secret_env = \"NOT_SET\" }}\n"
    ));
    world
        .run(&["logout", "one"])
        .await
        .expect(0, &["removed the login", "nothing was revoked"]);
    assert_eq!(plain_secrets(&world), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_says_so_where_the_configured_database_could_not_be_looked_into() {
    let world = World::start(ONE).await;
    world.login(&[]).await.expect(0, &[]);
    world.configure(&format!("[store.postgres]\nurl_env = \"NOT_SET\"\n{ONE}"));
    world.run(&["logout", "one"]).await.expect(
        9,
        &[
            "login on this machine: removed",
            "copy in the postgres store",
            "not looked into",
        ],
    );
    assert_eq!(plain_secrets(&world), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_removed_takes_accounts_along_that_only_another_store_knows() {
    let world = World::start(ONE).await.with("PASS", "correct horse");
    world.login(&["--account", "home"]).await.expect(0, &[]);
    world.configure(&format!("{PASSPHRASE}{ONE}"));
    world.login(&[]).await.expect(0, &[]);
    let before = world.revocations();
    world.run(&["remove", "one"]).await.expect(0, &[]);
    assert_eq!(plain_secrets(&world), [""; 0]);
    assert_eq!(world.revocations() - before, 4);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_line_for_a_new_key_can_be_written_into_the_configuration_as_it_is() {
    let world = World::start(ONE).await;
    let elsewhere = world.home().join("some \"where\" else");
    fs::create_dir(&elsewhere).unwrap();
    let made = world
        .command(&["store", "new-key", "it's.key"])
        .current_dir(&elsewhere)
        .output();
    let said = String::from_utf8(made.await.unwrap().stderr).unwrap();
    assert!(elsewhere.join("it's.key").exists(), "{said}");
    let line = said.split("next: write ").nth(1).unwrap();
    let line = line.split(" in [store]").next().unwrap();
    world.configure(&format!(
        "[store]\nbackend = \"encrypted_file\"\n{line}\n{ONE}"
    ));
    world.login(&[]).await.expect(0, &[]);
    assert_eq!(shown(&world).await["kind"], "encrypted_file");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_login_is_started_that_nobody_could_finish() {
    let world = World::start(&format!("[store]\nbackend = \"memory\"\n{ONE}")).await;
    let refused = world.run(&["login", "one", "--start"]).await;
    let refused = refused.expect(9, &["nobody could finish", "next: doorkey login one, "]);
    assert!(!refused.err.contains("--finish"), "{}", refused.err);
}
