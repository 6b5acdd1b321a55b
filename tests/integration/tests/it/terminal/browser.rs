//! A login through a browser on the same machine.

use integration::{Home, World};

#[tokio::test]
async fn a_browser_on_this_machine_signs_in_while_the_terminal_waits() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let login = home.at_terminal(&["login", Home::SERVER]).sized(100, 30);
    let mut terminal = login.with("CODESPACES", "true").start();
    assert_eq!(terminal.ended().await, 0, "{}", terminal.text());
    assert!(!terminal.hides_cursor());
    assert_eq!(world.person.pages_opened(), 1);
    insta::assert_snapshot!(terminal.told(&world, &home));
}

#[tokio::test]
async fn a_browser_that_does_not_open_leaves_the_page_and_the_paste() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let login = home.at_terminal(&["login", Home::SERVER]).sized(100, 30);
    let login = login
        .with("BROWSER", "/nowhere/browser")
        .with(super::SSH.0, super::SSH.1);
    let mut terminal = login.start();
    let text = terminal.wait_for("No browser was opened").await;
    let visit = super::elsewhere(&world, &super::page(&text)).await;
    terminal.enter(&visit.callback).await;
    assert_eq!(terminal.ended().await, 0, "{}", terminal.text());
    insta::assert_snapshot!(terminal.told(&world, &home));
}
