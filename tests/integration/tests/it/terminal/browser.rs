//! A login through a browser on the same machine.

use integration::{Home, World};

#[tokio::test]
async fn a_browser_on_this_machine_signs_in_while_the_terminal_waits() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let mut terminal = home
        .at_terminal(&["login", Home::SERVER])
        .sized(100, 30)
        .start();
    assert_eq!(terminal.ended().await, 0, "{}", terminal.text());
    assert!(!terminal.hides_cursor());
    assert_eq!(world.person.pages_opened(), 1);
    insta::assert_snapshot!(terminal.told(&world, &home));
}
