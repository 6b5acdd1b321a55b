//! What the program makes of a store that somebody damaged, opened up or replaced; and that logout leaves nothing.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use integration::{Home, World};
use secrecy::ExposeSecret as _;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_truncated_login_is_set_aside_with_the_command_to_type_and_other_servers_go_on() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let second = format!("{}?second", world.mcp.url());
    home.run(&["add", "other", "--url", &second])
        .await
        .succeeded();
    home.run(&["login", "it"]).await.succeeded();
    let damaged = grants(home.path()).remove(0);
    home.run(&["login", "other"]).await.succeeded();
    let bytes = fs::read(&damaged).expect("a file");
    fs::write(&damaged, &bytes[..bytes.len() / 2]).expect("a writable file");

    let run = home.run(&["tools", "it"]).await.ended_with(3);
    assert!(run.stderr.contains("doorkey login it"), "{run}");
    assert!(run.stderr.contains("set aside"), "{run}");
    assert!(run.stderr.contains(".broken-1"), "{run}");
    let aside = PathBuf::from(format!("{}.broken-1", damaged.display()));
    assert_eq!(
        fs::read(&aside).expect("kept"),
        &bytes[..bytes.len() / 2],
        "nothing is lost"
    );
    home.run(&["tools", "other"]).await.succeeded();
    let list = home.run(&["list", "--json"]).await.succeeded().json();
    assert_eq!(list[0]["auth"]["status"], "login_required", "{list}");
    assert_eq!(list[1]["auth"]["status"], "logged_in", "{list}");
    home.run(&["login", "it"]).await.succeeded();
    home.run(&["tools", "it"]).await.succeeded();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permissions_that_let_others_in_are_repaired_with_a_message() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    home.run(&["login", "it"]).await.succeeded();
    let grant = grants(home.path()).remove(0);
    set_mode(&grant, 0o666);
    let run = home.run(&["tools", "it"]).await.succeeded();
    assert!(run.stderr.contains("permissions 666"), "{run}");
    assert_eq!(mode(&grant), 0o600);
    let state = home.path().join("state");
    set_mode(&state, 0o755);
    let run = home.run(&["tools", "it"]).await.succeeded();
    assert!(run.stderr.contains("permissions 755"), "{run}");
    assert_eq!(mode(&state), 0o700);
    let run = home.run(&["tools", "it"]).await.succeeded();
    assert!(!run.stderr.contains("permissions"), "{run}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symbolic_link_in_place_of_the_store_or_a_login_is_refused() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    home.run(&["login", "it"]).await.succeeded();
    let state = home.path().join("state");
    let elsewhere = home.path().join("elsewhere");

    let grant = grants(home.path()).remove(0);
    let stolen = home.path().join("stolen.json");
    fs::rename(&grant, &stolen).expect("a writable folder");
    symlink(&stolen, &grant).expect("a link");
    let run = home.run(&["tools", "it"]).await.ended_with(9);
    assert!(run.stderr.contains("symbolic link"), "{run}");
    fs::remove_file(&grant).expect("a link");
    fs::rename(&stolen, &grant).expect("a writable folder");
    home.run(&["tools", "it"]).await.succeeded();

    fs::rename(&state, &elsewhere).expect("a writable folder");
    symlink(&elsewhere, &state).expect("a link");
    for arguments in [["tools", "it"].as_slice(), &["login", "it"], &["list"]] {
        let run = home.run(arguments).await.ended_with(9);
        assert!(run.stderr.contains("symbolic link"), "{run}");
    }
    assert_eq!(world.person.pages_opened(), 1, "nobody was asked in vain");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logout_removes_every_copy() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    home.run(&["login", "it"]).await.succeeded();
    let mut secrets = tokens(&home).await;
    // A copy that was set aside, and one that a killed process left half-written.
    let grant = grants(home.path()).remove(0);
    let bytes = fs::read(&grant).expect("a file");
    fs::write(&grant, &bytes[..bytes.len() - 3]).expect("a writable file");
    home.run(&["login", "it"]).await.succeeded();
    secrets.extend(tokens(&home).await);
    let name = grant.file_name().expect("a name").to_string_lossy();
    let half = grant.with_file_name(format!(".{name}.new"));
    fs::write(&half, &bytes).expect("a writable folder");

    assert!(holding(home.path(), &secrets).len() >= 3);
    home.run(&["logout", "it"]).await.succeeded();
    assert_eq!(holding(home.path(), &secrets), Vec::<PathBuf>::new());
    home.run(&["tools", "it"]).await.ended_with(3);
}

async fn tokens(home: &Home) -> Vec<String> {
    let grant = home.grant().await.expect("a login").value;
    [&grant.access_token, &grant.refresh_token]
        .into_iter()
        .flatten()
        .map(|token| token.expose_secret().to_owned())
        .collect()
}

/// The files of a folder that hold one of these texts.
fn holding(folder: &Path, texts: &[String]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            found.extend(holding(&path, texts));
            continue;
        }
        let bytes = fs::read(&path).expect("a readable file");
        let held = String::from_utf8_lossy(&bytes);
        if texts.iter().any(|text| held.contains(text.as_str())) {
            found.push(path);
        }
    }
    found
}

fn grants(home: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(home.join("state")).expect("a readable folder");
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let is_grant = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("grant-") && name.ends_with(".json")
    };
    paths.filter(is_grant).collect()
}

fn mode(path: &Path) -> u32 {
    let metadata = fs::metadata(path).expect("a file");
    metadata.permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
}
