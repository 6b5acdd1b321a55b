//! A login on another device, chosen where there is no browser.

use std::time::Duration;

use doorkey_testkit::{DeviceGrant, Leg};
use integration::{Home, World};

use super::{SSH, elsewhere, page, qr};

/// Servers that let devices sign in, with or without a page that has the code filled in.
async fn world(complete: bool) -> World {
    let rules = DeviceGrant::new().interval(Duration::from_secs(1));
    let rules = rules.verification_uri_complete(complete);
    World::with(|auth| auth.device_grant(rules), |mcp| mcp).await
}

/// The code that the screen shows to be typed.
fn code(text: &str) -> String {
    let mut lines = text
        .lines()
        .skip_while(|line| !line.contains("type the code"));
    let code = lines.nth(2).expect("a code");
    code.trim().to_owned()
}

#[tokio::test]
async fn over_ssh_a_code_for_another_device_is_shown_with_a_qr_code_of_its_page() {
    let world = world(true).await;
    let home = Home::new(&world, "");
    let login = home
        .at_terminal(&["login", Home::SERVER])
        .without("BROWSER");
    let login = login.with(SSH.0, SSH.1).sized(80, 45);
    let mut terminal = login.start();
    let text = terminal.wait_for(" left)").await;
    let (shown, screen) = (terminal.shown(&world, &home), terminal.screen());
    let code = code(&text);
    let filled_in = text
        .lines()
        .map(str::trim)
        .find(|line| line.contains("user_code="));
    assert!(qr::is_of(&screen, filled_in.expect("a page")), "{screen}");
    assert!(!qr::is_of(&screen, &page(&text)), "{screen}");
    world.person.type_code(&page(&text), &code).await;
    assert_eq!(terminal.ended().await, 0, "{}", terminal.text());
    assert_eq!(world.recorder.count(Leg::Authorization), 0);
    insta::assert_snapshot!("asked", shown);
    insta::assert_snapshot!("signed_in", terminal.told(&world, &home));
}

#[tokio::test]
async fn a_narrow_terminal_shows_the_page_and_the_code_whole() {
    let world = world(false).await;
    let home = Home::new(&world, "");
    let login = home
        .at_terminal(&["login", Home::SERVER])
        .without("BROWSER");
    let mut terminal = login.with(SSH.0, SSH.1).sized(50, 40).start();
    let text = terminal.wait_for(" left)").await;
    assert!(
        qr::is_of(&terminal.screen(), &page(&text)),
        "{}",
        terminal.screen()
    );
    insta::assert_snapshot!(terminal.shown(&world, &home));
    world.person.type_code(&page(&text), &code(&text)).await;
    assert_eq!(terminal.ended().await, 0, "{}", terminal.text());
}

#[tokio::test]
async fn a_qr_code_is_drawn_where_it_fits_is_wanted_and_can_be_shown() {
    let world = world(false).await;
    let home = Home::new(&world, "");
    let plain: &[&str] = &["login", Home::SERVER];
    for (arguments, rows, variable, is_drawn) in [
        (plain, 40, ("LANG", "C.UTF-8"), true),
        (plain, 12, ("LANG", "C.UTF-8"), false),
        (plain, 40, ("LANG", "C"), false),
        (plain, 40, ("TERM", "dumb"), false),
        (
            &["login", Home::SERVER, "--no-qr"],
            40,
            ("LANG", "C.UTF-8"),
            false,
        ),
    ] {
        let login = home
            .at_terminal(arguments)
            .without("BROWSER")
            .sized(80, rows);
        let login = login.with(SSH.0, SSH.1).with(variable.0, variable.1);
        let mut terminal = login.start();
        terminal.wait_for("waiting for you").await;
        assert_eq!(
            qr::is_there(&terminal.text()),
            is_drawn,
            "{arguments:?} {rows} {variable:?}"
        );
        terminal.interrupt().await;
        assert_eq!(terminal.ended().await, 4, "{}", terminal.text());
    }
}

#[tokio::test]
async fn a_page_is_shown_instead_where_that_is_wished_or_there_are_no_codes() {
    let with_codes = world(true).await;
    let without = World::new().await;
    for (world, arguments) in [
        (&with_codes, &["login", Home::SERVER, "--no-browser"][..]),
        (&without, &["login", Home::SERVER]),
    ] {
        let home = Home::new(world, "");
        let login = home
            .at_terminal(arguments)
            .without("BROWSER")
            .sized(100, 40);
        let mut terminal = login.with(SSH.0, SSH.1).start();
        let text = terminal.wait_for(" left)").await;
        let visit = elsewhere(world, &page(&text)).await;
        terminal.enter(&visit.callback).await;
        assert_eq!(terminal.ended().await, 0, "{}", terminal.text());
        assert_eq!(world.recorder.count(Leg::DeviceAuthorization), 0);
    }
}
