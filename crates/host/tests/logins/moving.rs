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
    // Until that is done, nobody is told that the login is gone without being told where it is.
    let lost = world.run(&["tools", "one"]).await;
    lost.expect(
        3,
        &[
            "there is a login for it in the encrypted_file store",
            "doorkey store migrate --from encrypted_file --to file",
        ],
    );
    world.configure(&format!(
        "[store]\nbackend = \"encrypted_file\"\nkey_file = \"login.key\"\n{ONE}"
    ));
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
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
    let there = || {
        let entries = fs::read_dir(world.home().join("state/encrypted"));
        entries.into_iter().flatten().count()
    };
    let (mut killed, mut met) = (0, BTreeSet::new());
    for wanted in (4..40).step_by(4) {
        let mut child = world.command(&arguments).spawn().unwrap();
        let ended = async {
            while there() < wanted {
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
        let (from, to) = (keys(&store).await, keys(&encrypted(&world)).await);
        met.insert((from.len(), to.len()));
        let either: BTreeSet<_> = from.union(&to).cloned().collect();
        assert_eq!(either, all, "after {killed} kills");
    }
    let halfway = met.iter().filter(|(from, to)| *from > 0 && *to > 0);
    assert!(
        killed > 1 && halfway.count() > 1,
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
