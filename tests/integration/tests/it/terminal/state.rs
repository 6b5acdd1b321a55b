//! What is shown of servers and their logins, on terminals of two widths.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use integration::{Home, World};

/// Somebody with servers of every kind, signed in to the first.
async fn scene() -> (World, Home) {
    let world = World::new().await;
    let home = Home::new(
        &world,
        "scopes = [\"tools:read\", \"tools:call\"]\n\
         [mcp_servers.the-documents-of-the-whole-company]\n\
         url = \"https://documents.intranet.example.com/departments/engineering/handbook/mcp\"\n\
         [mcp_servers.robot]\n\
         url = \"https://robot.example.com/mcp\"\n\
         bearer_token_env_var = \"ROBOT_TOKEN\"\n\
         [mcp_servers.asleep]\n\
         url = \"https://asleep.example.com/mcp\"\n\
         enabled = false\n",
    );
    home.run(&["login", Home::SERVER]).await.succeeded();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let until = now.expect("after 1970") + Duration::from_secs(42 * 60 + 50);
    home.change(|grant| {
        grant.expires_at = Some(until.as_secs());
        grant.account_label = Some("ada@example.com".to_owned());
    })
    .await;
    (world, home)
}

/// The screen of a command, without the times of day.
async fn shown(world: &World, home: &Home, arguments: &[&str], columns: u16) -> String {
    let mut terminal = home.at_terminal(arguments).sized(columns, 100).start();
    assert_eq!(terminal.ended().await, 0, "{}", terminal.text());
    // In one piece, as they were written.
    for line in terminal.text().lines() {
        let width = line.chars().count();
        let fits = width <= usize::from(columns) || line.starts_with("logins are kept");
        assert!(fits || line.contains("https://"), "{width}: {line}");
    }
    let told = terminal.told(world, home);
    let words = told.split(' ').map(|word| match word.strip_suffix("Z,") {
        Some(time) if time.contains('T') && time.contains(':') => "TIME,",
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_list_fits_the_terminal_and_has_every_name_whole() {
    let (world, home) = scene().await;
    for columns in [80, 120] {
        let list = shown(&world, &home, &["list"], columns).await;
        assert!(
            list.contains("the-documents-of-the-whole-company"),
            "{list}"
        );
        insta::assert_snapshot!(format!("list_{columns}"), list);
    }
}

#[tokio::test]
async fn status_says_all_of_a_login_in_the_width_there_is() {
    let (world, home) = scene().await;
    for columns in [80, 120] {
        let status = shown(&world, &home, &["status"], columns).await;
        insta::assert_snapshot!(format!("status_{columns}"), status);
    }
}

#[tokio::test]
async fn a_logout_of_everything_asks_first_and_tells_each_step() {
    let (world, home) = scene().await;
    let mut terminal = home
        .at_terminal(&["logout", "--all"])
        .sized(100, 40)
        .start();
    terminal.wait_for("[y/N]").await;
    terminal.enter("n").await;
    assert_eq!(terminal.ended().await, 2, "{}", terminal.text());
    assert!(home.grant().await.is_some(), "nothing was done");

    let mut terminal = home
        .at_terminal(&["logout", "--all"])
        .sized(100, 40)
        .start();
    terminal.wait_for("[y/N]").await;
    terminal.enter("y").await;
    assert_eq!(terminal.ended().await, 0, "{}", terminal.text());
    assert!(home.grant().await.is_none());
    insta::assert_snapshot!(terminal.told(&world, &home));
}

#[tokio::test]
async fn an_import_shows_what_it_would_add_and_adds_it_when_a_person_agrees() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let file = home.write(
        "theirs.json",
        br#"{ "mcpServers": { // of a team
            "search": { "type": "http", "url": "https://search.example.com/mcp" },
            "old": { "type": "sse", "url": "https://old.example.com/sse" },
            "keyed": {
                "url": "https://keyed.example.com/mcp",
                "headers": { "Authorization": "Bearer s3cret" },
            },
        } }"#,
    );
    let file = file.display().to_string();
    let mut terminal = home
        .at_terminal(&["import", "--file", &file])
        .sized(80, 60)
        .start();
    terminal.wait_for("[Y/n]").await;
    terminal.enter("").await;
    assert_eq!(terminal.ended().await, 0, "{}", terminal.text());
    insta::assert_snapshot!(terminal.told(&world, &home));
    let listed = home.run(&["list"]).await.succeeded().json();
    assert_eq!(listed[2]["name"], "search", "{listed}");
}
