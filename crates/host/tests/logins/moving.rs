//! Moving logins from one store to another with `doorkey store migrate`.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use doorkey::store::{Grant, GrantKey, KeySource, Store};
use serde_json::Value;

use crate::world::{LIMIT, ONE, World};

const KEY: &str = "[store]\nkey_file = \"login.key\"\n";

async fn with_key() -> World {
    let world = World::start(ONE).await;
    let key = world.home().join("login.key");
    world
        .run(&["store", "new-key", key.to_str().unwrap()])
        .await
        .expect(0, &[]);
    world
}

async fn migrate(world: &World, arguments: &[&str]) -> Value {
    let moved = world
        .run(&[&["store", "migrate", "--json"], arguments].concat())
        .await;
    serde_json::from_str(&moved.expect(0, &[]).out).unwrap()
}

fn plain(world: &World) -> Store {
    Store::file(world.home().join("state")).unwrap()
}

fn encrypted(world: &World) -> Store {
    let key = KeySource::KeyFile(world.home().join("login.key"));
    Store::encrypted_file(world.home().join("state/encrypted"), key).unwrap()
}

async fn keys(store: &Store) -> BTreeSet<GrantKey> {
    let listing = store.grants().await.unwrap();
    assert_eq!(listing.problems, []);
    listing.entries.into_iter().map(|(key, _)| key).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_move_there_and_back_and_auto_remembers_where_they_are() {
    let world = with_key().await;
    world.login(&[]).await.expect(0, &["plain text"]);
    world.configure(&format!("{KEY}{ONE}"));
    let there = world
        .run(&["store", "migrate", "--to", "encrypted_file"])
        .await;
    there.expect(
        0,
        &[
            "moved: ",
            "of file are in encrypted_file now",
            "encrypted_file is the store in use",
        ],
    );
    assert!(keys(&plain(&world)).await.is_empty());
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    let stored = &world.listed().await["auth"]["store"];
    assert_eq!(
        (&stored["kind"], &stored["reason"]),
        (&"encrypted_file".into(), &"moved".into())
    );
    let again = world
        .run(&["store", "migrate", "--to", "encrypted_file"])
        .await;
    again.expect(9, &["next: doorkey store show"]);

    let back = migrate(&world, &["--to", "file"]).await;
    assert_eq!(
        (&back["complete"], &back["in_use"]),
        (&true.into(), &true.into())
    );
    assert!(keys(&encrypted(&world)).await.is_empty());
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    assert_eq!(
        world.authorization.token_requests(),
        1,
        "nobody signed in again"
    );
    world
        .run(&["logout", "one"])
        .await
        .expect(0, &["login on this machine: removed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_configuration_names_a_store_the_line_to_change_is_told() {
    let world = with_key().await;
    world.configure(&format!(
        "[store]\nbackend = \"file\"\nkey_file = \"login.key\"\n{ONE}"
    ));
    world.login(&[]).await.expect(0, &[]);
    let moved = world
        .run(&["store", "migrate", "--to", "encrypted_file"])
        .await;
    moved.expect(
        0,
        &[
            "next: write backend = \"encrypted_file\" under [store] in ",
            "config.toml",
        ],
    );
    // The store that is named is the one that is used: until the line is changed, it keeps its logins.
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    world.configure(&format!(
        "[store]\nbackend = \"encrypted_file\"\nkey_file = \"login.key\"\n{ONE}"
    ));
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    let rest = migrate(&world, &["--from", "file", "--to", "encrypted_file"]).await;
    assert_eq!(
        (&rest["complete"], &rest["next"]),
        (&true.into(), &Value::Null)
    );
    assert!(keys(&plain(&world)).await.is_empty());
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    assert_eq!(world.authorization.token_requests(), 1);

    // Nobody is told that a login is gone without being told where it is.
    world.configure(&format!(
        "[store]\nbackend = \"file\"\nkey_file = \"login.key\"\n{ONE}"
    ));
    world.run(&["tools", "one"]).await.expect(
        3,
        &[
            "there is a login for it in the encrypted_file store",
            "doorkey store migrate --from encrypted_file --to file",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_overtaken_by_a_move_is_not_told_to_undo_it() {
    let world = with_key().await;
    world.login(&[]).await.expect(0, &[]);
    world.configure(&format!("{KEY}{ONE}"));
    let home = world.home().to_str().unwrap().to_owned();
    let environment = doorkey::Environment::new([("DOORKEY_HOME", home.as_str())]);
    let host = doorkey::Host::open(environment).unwrap();
    assert!(!host.store_was_changed());
    migrate(&world, &["--to", "encrypted_file"]).await;
    assert!(host.store_was_changed());
    assert_eq!(host.copies_of("one").await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_moved_keeps_every_login_where_it_is_and_is_no_success() {
    let world = with_key().await;
    world.login(&[]).await.expect(0, &[]);
    world.configure(&format!("{KEY}{ONE}"));
    let newer = world.home().join("state/grant-other.example-0.json");
    fs::write(&newer, "{\"version\": 9, \"value\": {}}").unwrap();
    let to = ["store", "migrate", "--to", "encrypted_file"];
    world.run(&to).await.expect(
        9,
        &[
            "copied: ",
            "nothing was removed from file",
            "next: see to what is reported above, then doorkey store migrate",
        ],
    );
    assert_eq!(keys(&encrypted(&world)).await.len(), 1);
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    // The store in use goes on; its state is the one that counts.
    world.authorization.expire_access_tokens();
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    fs::remove_file(&newer).unwrap();
    world
        .run(&to)
        .await
        .expect(0, &["encrypted_file is the store in use"]);
    world.authorization.expire_access_tokens();
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    assert_eq!(world.authorization.refreshes(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_logins_of_one_account_are_told_and_none_is_lost() {
    let world = with_key().await;
    world.login(&[]).await.expect(0, &[]);
    world.configure(&format!(
        "[store]\nbackend = \"encrypted_file\"\nkey_file = \"login.key\"\n{ONE}"
    ));
    world.login(&[]).await.expect(0, &[]);
    // Records count seconds: those in the plain files are made the older ones.
    let (key, stored) = plain(&world).grants().await.unwrap().entries.remove(0);
    let mut older = stored.value;
    older.issued_at -= 100;
    let plainly = plain(&world);
    plainly
        .save_grant(&key, &older, Some(stored.generation))
        .await
        .unwrap();

    let (key, stored) = plainly.registrations().await.unwrap().entries.remove(0);
    let mut older = stored.value;
    older.registered_at -= 100;
    let replaced = plainly.save_registration(&key, &older, Some(stored.generation));
    replaced.await.unwrap();

    let from_file = [
        "store",
        "migrate",
        "--from",
        "file",
        "--to",
        "encrypted_file",
    ];
    let refused = world.run(&from_file).await;
    refused.expect(
        9,
        &[
            "both stores have one",
            "encrypted_file is newer",
            "--newer-wins",
        ],
    );
    assert_eq!(keys(&plainly).await.len(), 1);
    world
        .run(&[&from_file[..], &["--newer-wins"]].concat())
        .await
        .expect(0, &[]);
    assert!(keys(&plainly).await.is_empty());
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_touched_where_the_other_store_cannot_be_used() {
    let world = World::start(ONE).await.with("PASS", "correct horse");
    world.login(&[]).await.expect(0, &[]);
    let before = keys(&plain(&world)).await;
    let migrate = |to| ["store", "migrate", "--to", to];
    world.run(&migrate("encrypted_file")).await.expect(
        9,
        &[
            "the key of encrypted files would be in the keyring",
            "DBUS_SESSION_BUS_ADDRESS is not set",
            "doorkey store new-key FILE",
        ],
    );
    world
        .run(&migrate("keyring"))
        .await
        .expect(9, &["would be in the keyring"]);
    world.run(&migrate("postgres")).await.expect(9, &["next: "]);
    world
        .run(&migrate("memory"))
        .await
        .expect(2, &["one of keyring, encrypted_file, file and postgres"]);
    world.configure(&format!("[store]\nkey_file = \"none.key\"\n{ONE}"));
    world
        .run(&migrate("encrypted_file"))
        .await
        .expect(9, &["doorkey store new-key "]);
    assert_eq!(keys(&plain(&world)).await, before);
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
}

/// Whether a move from plain to encrypted files has made that many copies, and left that many originals at most.
fn is_reached(world: &World, copies: usize, originals: usize) -> bool {
    let files = |folder: &std::path::Path| {
        let names = fs::read_dir(folder).into_iter().flatten().flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let is_record = |name: &String| name.starts_with("grant-") || name.ends_with(".sealed");
        names.filter(is_record).count()
    };
    let state = world.home().join("state");
    files(&state.join("encrypted")) >= copies && files(&state) <= originals
}

/// Each login is in the store that is named now, and can be used there. Returns the name.
async fn usable_where_it_is_named(world: &World, all: &BTreeSet<GrantKey>) -> String {
    let shown = world.run(&["store", "show", "--json"]).await;
    let shown: Value = serde_json::from_str(&shown.expect(0, &[]).out).unwrap();
    let named = shown["kind"].as_str().unwrap();
    let there = match named {
        "file" => keys(&plain(world)).await,
        _ => keys(&encrypted(world)).await,
    };
    assert_eq!(&there, all, "in {named}");
    for account in ["default", "account-0", "account-39"] {
        let used = world.run(&["tools", "one", "--account", account]).await;
        used.expect(0, &["echo"]);
    }
    named.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_is_killed_again_and_again_loses_no_login() {
    let world = with_key().await;
    world.login(&[]).await.expect(0, &[]);
    let store = plain(&world);
    let (first, stored) = store.grants().await.unwrap().entries.remove(0);
    for number in 0..40 {
        let key = GrantKey::new(first.server.clone(), format!("account-{number}"));
        let grant: Grant = stored.value.clone();
        store.save_grant(&key, &grant, None).await.unwrap();
    }
    let all = keys(&store).await;
    world.configure(&format!("{KEY}{ONE}"));

    let arguments = [
        "store",
        "migrate",
        "--from",
        "file",
        "--to",
        "encrypted_file",
    ];
    let (mut killed, mut met) = (0, BTreeSet::new());
    let copied = [4, 12, 20, 30].map(|copies| (copies, 0));
    let removed = [1, 8, 20, 32].map(|removed| (40, removed));
    for (copies, removed) in copied.into_iter().chain(removed) {
        let mut child = world.command(&arguments).spawn().unwrap();
        let ended = async {
            while !is_reached(&world, copies, all.len() - removed) {
                if child.try_wait().unwrap().is_some() {
                    return true;
                }
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
            false
        };
        if tokio::time::timeout(LIMIT, ended).await.unwrap() {
            break;
        }
        child.kill().await.unwrap();
        killed += 1;
        let named = usable_where_it_is_named(&world, &all).await;
        met.insert((keys(&store).await.len(), named));
    }
    let while_copied = met.iter().filter(|(from, _)| *from == all.len());
    let while_removed = met.iter().filter(|(from, _)| *from < all.len());
    assert!(
        killed > 1 && while_copied.count() > 0 && while_removed.count() > 0,
        "killed in between: {met:?}"
    );

    world
        .run(&arguments)
        .await
        .expect(0, &["encrypted_file is the store in use"]);
    assert!(keys(&store).await.is_empty());
    assert_eq!(keys(&encrypted(&world)).await, all);
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    assert_eq!(world.authorization.token_requests(), 1);
}
