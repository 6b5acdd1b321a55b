//! A login that one process starts and another finishes, at a terminal and as data.

use doorkey_testkit::PushedRequests;
use integration::{Home, World};

use super::{elsewhere, page, qr};

#[tokio::test]
async fn the_page_of_a_started_login_has_a_qr_code_and_another_process_finishes_it() {
    // A pushed request makes an address that is short enough.
    let auth = |auth: doorkey_testkit::AuthorizationServerBuilder| {
        auth.pushed_requests(PushedRequests::Required)
    };
    let world = World::with(auth, |mcp| mcp).await;
    let home = Home::new(&world, "");
    let start = home
        .at_terminal(&["login", Home::SERVER, "--start"])
        .sized(100, 60);
    let mut terminal = start.start();
    assert_eq!(terminal.ended().await, 0, "{}", terminal.text());
    let page = page(&terminal.text());
    assert!(
        qr::is_of(&terminal.screen(), &page),
        "{}",
        terminal.screen()
    );
    insta::assert_snapshot!("started", terminal.told(&world, &home));

    let visit = elsewhere(&world, &page).await;
    let finish = home
        .at_terminal(&["login", Home::SERVER, "--finish"])
        .sized(100, 30);
    let mut terminal = finish.start();
    terminal.wait_for("Paste the address").await;
    terminal.enter(&visit.callback).await;
    assert_eq!(terminal.ended().await, 0, "{}", terminal.text());
    assert!(home.grant().await.is_some());
    let code = visit.parameter("code").expect("a code");
    assert!(!terminal.text().contains(&code), "{}", terminal.text());
}

#[tokio::test]
async fn a_program_gets_the_page_the_time_and_the_next_command_as_json() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let flags = [
        "--callback-port",
        "4001-4003",
        "--callback-host",
        "localhost",
    ];
    let arguments = [&["login", Home::SERVER, "--start", "--json"][..], &flags].concat();
    let told = home.run(&arguments).await.succeeded().json();
    assert_eq!(told["redirect_uri"], "http://localhost:4001/callback");
    assert_eq!(told["finish"], "doorkey login it --finish");
    assert_eq!(told["issuer"], world.auth.issuer());
    assert!(
        told["expires_in"]
            .as_u64()
            .is_some_and(|left| (500..=600).contains(&left))
    );
    assert!(
        told["expires_at"]
            .as_str()
            .is_some_and(|time| time.ends_with('Z'))
    );
    let visit = elsewhere(&world, told["page"].as_str().expect("a page")).await;
    assert!(
        visit
            .callback
            .starts_with("http://localhost:4001/callback?")
    );
    let finished = home
        .run(&["login", Home::SERVER, "--finish", &visit.callback])
        .await;
    finished.succeeded();
}
