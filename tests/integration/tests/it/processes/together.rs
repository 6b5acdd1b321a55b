//! Different commands at the same time.

use std::fs;

use integration::{Home, World};
use tokio::task::JoinSet;

use super::{PAUSE, Running, at_once};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_list_and_call_while_somebody_signs_in() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    home.run(&["login", "it"]).await.succeeded();

    // A browser that does nothing, so that the login waits.
    let idle = [("BROWSER", "/bin/true")];
    let mut login = Running::start_with(&home, &["login", "it", "--no-browser"], &idle);
    let said = login.says("waiting for the browser").await;
    for run in at_once(&home, 3, &["list", "--json"]).await {
        assert_eq!(run.succeeded().json()[0]["auth"]["status"], "logged_in");
    }
    for run in at_once(&home, 2, &["tools", "it"]).await {
        run.succeeded();
    }
    home.open(&page_of(&said)).await;
    login.end().await.succeeded();
    home.run(&["tools", "it"]).await.succeeded();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_logins_at_once_one_asks_the_person_and_both_succeed_with_what_it_brought_az_22() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let idle = [("BROWSER", "/bin/true")];
    let mut first = Running::start_with(&home, &["login", "it", "--no-browser"], &idle);
    let said = first.says("waiting for the browser").await;
    let mut second = Running::start(&home, &["login", "it"]);
    second.says("Another process is signing in").await;
    home.open(&page_of(&said)).await;
    first.end().await.succeeded();
    second.end().await.succeeded();
    assert_eq!(world.person.pages_opened(), 1);
    home.run(&["tools", "it"]).await.succeeded();
    home.expire().await;
    home.run(&["tools", "it"]).await.succeeded();
    let list = home.run(&["list", "--json"]).await.succeeded().json();
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(list[0]["auth"]["status"], "logged_in", "{list}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn adding_removing_and_signing_in_at_once_keep_every_edit_and_every_comment() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let url = world.mcp.url();
    let config = format!(
        "# Shared by the team.\n\n[network]\n# The proxy knows these.\nno_proxy = [\"localhost\"]\n\n\
         # The one that everybody uses.\n[mcp_servers.it]\nurl = {url:?} # never change this\n\n\
         # A local one.\n[mcp_servers.local]\ncommand = \"true\"\n{}",
        (0..4)
            .map(|n| format!("\n[mcp_servers.old-{n}]\nurl = {url:?}\n"))
            .collect::<String>()
    );
    home.write("config.toml", config.as_bytes());

    let mut running = JoinSet::new();
    for n in 0..4 {
        let (add, remove) = (format!("new-{n}"), format!("old-{n}"));
        running.spawn(Running::start(&home, &["add", &add, "--url", &url]).end());
        running.spawn(Running::start(&home, &["remove", &remove]).end());
    }
    running.spawn(Running::start(&home, &["login", "it"]).end());
    // Whoever reads meanwhile reads a whole file.
    for _ in 0..3 {
        home.run(&["list", "--json"]).await.succeeded();
        tokio::time::sleep(PAUSE).await;
    }
    for run in running.join_all().await {
        run.succeeded();
    }

    let text = fs::read_to_string(home.path().join("config.toml")).expect("a file");
    for kept in [
        "# Shared by the team.",
        "# The proxy knows these.",
        "# The one that everybody uses.",
        "# never change this",
        "# A local one.",
    ] {
        assert_eq!(text.matches(kept).count(), 1, "{kept}: {text}");
    }
    let mut names = vec!["it".to_owned()];
    names.extend((0..4).map(|n| format!("new-{n}")));
    let list = home.run(&["list", "--json"]).await.succeeded().json();
    let listed = list.as_array().expect("an array");
    let mut listed: Vec<_> = listed
        .iter()
        .map(|server| server["name"].as_str().unwrap_or_default().to_owned())
        .collect();
    listed.sort();
    assert_eq!(listed, names, "{text}");
}

/// The page that a login without a browser says to open.
fn page_of(said: &str) -> String {
    let page = said
        .lines()
        .find_map(|line| line.strip_prefix("  https://"));
    format!("https://{}", page.expect("the address of the page"))
}
