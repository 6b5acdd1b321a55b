//! Ctrl-C in the middle of a login: nothing is left half done, and what is told is true.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use doorkey_testkit::{DeviceGrant, Fault, FaultRule, Leg};
use integration::{Home, Terminal, World};
use tokio::net::TcpStream;

use super::{elsewhere, page};

/// A login whose terminal is asked for its state when it is over.
fn login(home: &Home) -> Terminal {
    let login = home
        .at_terminal(&["login", Home::SERVER, "--no-browser"])
        .sized(100, 60);
    login.and_then("stty -a").start()
}

/// The terminal is as it was: what is typed is seen, by the line.
fn is_as_before(terminal: &Terminal) -> bool {
    let text = terminal.text();
    let words: Vec<_> = text.split([' ', ';', '\n']).collect();
    words.contains(&"echo") && words.contains(&"icanon") && !terminal.hides_cursor()
}

/// What was told before the state of the terminal.
fn told(terminal: &Terminal, world: &World, home: &Home) -> String {
    let told = terminal.told(world, home);
    let told = told.split("speed ").next().unwrap_or_default();
    let start = told.find("error").unwrap_or_default();
    told[start..].trim_end().to_owned()
}

#[tokio::test]
async fn ctrl_c_at_the_prompt_closes_the_port_and_changes_nothing() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let mut terminal = login(&home);
    let text = terminal.wait_for(" left)").await;
    let begin = text.find("http://127.0.0.1:").expect("a redirect URI");
    let port: String = text[begin + "http://127.0.0.1:".len()..]
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    let port: u16 = port.parse().expect("a port");
    assert!(
        TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .is_ok()
    );
    terminal.type_text("http://half").await;
    // These would stop or end it with the terminal as it is now.
    terminal.type_text("\u{1a}\u{1c}").await;
    terminal.wait_for("11 characters").await;
    terminal.interrupt().await;
    assert_eq!(terminal.ended().await, 4, "{}", terminal.text());
    assert!(is_as_before(&terminal), "{}", terminal.text());
    assert!(
        TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .is_err()
    );
    assert!(home.grant().await.is_none());
    insta::assert_snapshot!(told(&terminal, &world, &home));
    // Nothing is locked: the next one goes through.
    home.run(&["login", Home::SERVER]).await.succeeded();
    assert_eq!(world.auth.registrations(), 1);
}

#[tokio::test]
async fn ctrl_c_beside_an_earlier_login_leaves_that() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    home.run(&["login", Home::SERVER]).await.succeeded();
    let before = home.records();
    let mut terminal = login(&home);
    terminal.wait_for(" left)").await;
    terminal.interrupt().await;
    assert_eq!(terminal.ended().await, 4, "{}", terminal.text());
    assert_eq!(home.records().get("grant"), before.get("grant"));
    insta::assert_snapshot!(told(&terminal, &world, &home));
    home.run(&["tools", Home::SERVER]).await.succeeded();
}

/// A login whose token request takes that long, and has been sent.
async fn in_exchange(world: &World, home: &Home, slow: Duration) -> Terminal {
    let rule = FaultRule::on(Leg::Token).grant("authorization_code");
    world.auth.fault(rule.respond(Fault::Slow(slow)));
    let mut terminal = login(home);
    let text = terminal.wait_for(" left)").await;
    let visit = elsewhere(world, &page(&text)).await;
    terminal.enter(&visit.callback).await;
    while world.auth.fault_hits().iter().sum::<usize>() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    terminal
}

#[tokio::test]
async fn ctrl_c_while_the_address_of_a_started_login_is_asked_for_leaves_it_to_be_finished() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let started = home.run(&["login", Home::SERVER, "--start"]).await;
    let page = page(&started.succeeded().stdout);
    let finish = home
        .at_terminal(&["login", Home::SERVER, "--finish"])
        .sized(100, 60);
    let mut terminal = finish.and_then("stty -a").start();
    terminal.wait_for("it is not shown").await;
    terminal.type_text("http://half").await;
    terminal.interrupt().await;
    assert_eq!(terminal.ended().await, 4, "{}", terminal.text());
    assert!(is_as_before(&terminal), "{}", terminal.text());
    assert!(
        !terminal.text().contains("http://half"),
        "{}",
        terminal.text()
    );
    let visit = elsewhere(&world, &page).await;
    let finished = ["login", Home::SERVER, "--finish", &visit.callback];
    home.run(&finished).await.succeeded();
}

#[tokio::test]
async fn ctrl_c_while_the_code_is_exchanged_loses_no_token_and_says_so() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let mut terminal = in_exchange(&world, &home, Duration::from_secs(5)).await;
    terminal.interrupt().await;
    assert_eq!(terminal.ended().await, 4, "{}", terminal.text());
    assert!(is_as_before(&terminal), "{}", terminal.text());
    assert!(home.grant().await.is_some());
    insta::assert_snapshot!(told(&terminal, &world, &home));
    home.run(&["tools", Home::SERVER]).await.succeeded();
}

#[tokio::test]
async fn a_second_ctrl_c_ends_at_once() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let mut terminal = in_exchange(&world, &home, Duration::from_secs(20)).await;
    terminal.interrupt().await;
    terminal.wait_for("Press Ctrl-C again").await;
    let pressed = Instant::now();
    terminal.interrupt().await;
    assert_eq!(terminal.ended().await, 4, "{}", terminal.text());
    assert!(
        pressed.elapsed() < Duration::from_secs(10),
        "{:?}",
        pressed.elapsed()
    );
    assert!(is_as_before(&terminal), "{}", terminal.text());
    assert!(home.grant().await.is_none());
}

#[tokio::test]
async fn ctrl_c_while_the_token_is_tried_keeps_the_login_and_says_so() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let rule = FaultRule::on(Leg::Resource).rpc("tools/list");
    world
        .mcp
        .fault(rule.respond(Fault::Slow(Duration::from_secs(20))));
    let mut terminal = login(&home);
    let text = terminal.wait_for(" left)").await;
    let visit = elsewhere(&world, &page(&text)).await;
    terminal.enter(&visit.callback).await;
    terminal.wait_for("trying the token").await;
    terminal.interrupt().await;
    assert_eq!(terminal.ended().await, 4, "{}", terminal.text());
    assert!(is_as_before(&terminal), "{}", terminal.text());
    assert!(home.grant().await.is_some());
    insta::assert_snapshot!(told(&terminal, &world, &home));
}

#[tokio::test]
async fn ctrl_c_while_a_device_code_waits_leaves_nothing_and_says_so() {
    let rules = DeviceGrant::new().interval(Duration::from_secs(1));
    let world = World::with(|auth| auth.device_grant(rules), |mcp| mcp).await;
    let home = Home::new(&world, "");
    let login = home
        .at_terminal(&["login", Home::SERVER, "--device"])
        .sized(100, 60);
    let mut terminal = login.and_then("stty -a").start();
    terminal.wait_for(" left)").await;
    terminal.interrupt().await;
    assert_eq!(terminal.ended().await, 4, "{}", terminal.text());
    assert!(is_as_before(&terminal), "{}", terminal.text());
    assert!(home.grant().await.is_none());
    let asked = world.recorder.count(Leg::Token);
    insta::assert_snapshot!(told(&terminal, &world, &home));
    // Nobody goes on asking for the token, and nothing is locked.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.recorder.count(Leg::Token), asked);
    home.run(&["login", Home::SERVER]).await.succeeded();
}
