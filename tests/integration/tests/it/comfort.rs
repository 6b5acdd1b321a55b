//! What makes the program pleasant: the login that is offered, what is shown while one waits, and a plain word for servers
//! that speak only the transport before this one.

use std::time::Duration;

use doorkey_testkit::{Fault, FaultRule, Protect, Wire};
use integration::{Home, World};

const ECHO: &[&str] = &["call", Home::SERVER, "echo", "--arg", "text=hello"];

#[tokio::test]
async fn a_call_that_turns_out_to_need_a_login_is_finished_after_one_that_a_person_wants() {
    let world = World::with(|auth| auth, |mcp| mcp.protect(Protect::ToolCallsOnly)).await;
    let home = Home::new(&world, "");
    let mut refused = home.at_terminal(ECHO).start();
    refused
        .wait_for("it wants you to sign in first. Sign in now? [Y/n]")
        .await;
    refused.enter("n").await;
    assert_eq!(refused.ended().await, 3, "{}", refused.text());
    assert!(
        refused.text().contains("doorkey login it"),
        "{}",
        refused.text()
    );
    assert_eq!(world.person.pages_opened(), 0);

    let mut called = home.at_terminal(ECHO).start();
    called.wait_for("[Y/n]").await;
    called.enter("").await;
    assert_eq!(called.ended().await, 0, "{}", called.text());
    assert!(called.text().ends_with("\nhello"), "{}", called.text());
    assert_eq!(world.person.pages_opened(), 1);
    assert_eq!(world.mcp.tool_calls(), 1, "{:#?}", world.story());

    let mut again = home.at_terminal(ECHO).start();
    assert_eq!(again.ended().await, 0);
    assert_eq!(again.text(), "hello");
}

#[tokio::test]
async fn nobody_is_asked_in_ci_with_no_input_or_without_a_terminal() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let tools = ["tools", Home::SERVER];
    let silent = ["tools", Home::SERVER, "--no-input"];
    for terminal in [
        home.at_terminal(&tools).with("CI", "true"),
        home.at_terminal(&silent),
    ] {
        let mut terminal = terminal.start();
        assert_eq!(terminal.ended().await, 3, "{}", terminal.text());
        assert!(!terminal.text().contains("[Y/n]"), "{}", terminal.text());
    }
    let piped = home.run(&tools).await.ended_with(3);
    assert!(!piped.stderr.contains("[Y/n]"), "{piped}");
    assert_eq!(world.person.pages_opened(), 0);
}

/// A server whose answer to a tool call takes a while.
async fn slow() -> World {
    let world = World::with(|auth| auth, doorkey_testkit::McpServerBuilder::open).await;
    let rule = FaultRule::on(doorkey_testkit::Leg::Resource)
        .rpc("tools/call")
        .respond(Fault::Slow(Duration::from_secs(4)));
    world.mcp.fault(rule);
    world
}

#[tokio::test]
async fn who_waits_longer_than_a_second_is_shown_for_what_and_how_long_and_it_is_gone_at_the_end() {
    let world = slow().await;
    let home = Home::new(&world, "");
    let mut terminal = home.at_terminal(ECHO).start();
    terminal.wait_for("waiting for echo of it, 2s").await;
    terminal.wait_for("waiting for echo of it, 3s").await;
    assert_eq!(terminal.ended().await, 0, "{}", terminal.text());
    assert_eq!(terminal.text(), "hello");
    assert!(!terminal.hides_cursor());
}

#[tokio::test]
async fn nothing_is_written_over_where_that_cannot_be_and_verbose_has_it_as_a_line() {
    let world = slow().await;
    let home = Home::new(&world, "");
    let run = home.run(ECHO).await.succeeded();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("hello\n", ""));
    let run = home.run(&[ECHO, &["-v"]].concat()).await.succeeded();
    assert!(run.stderr.contains("waiting for echo of it …\n"), "{run}");
    assert!(!run.stderr.contains('\u{1b}'), "{run}");
    let mut dumb = home.at_terminal(ECHO).with("TERM", "dumb").start();
    assert_eq!(dumb.ended().await, 0);
    assert_eq!(dumb.text(), "hello");
}

#[tokio::test]
async fn who_gives_up_waiting_has_the_terminal_back() {
    let world = slow().await;
    let home = Home::new(&world, "");
    let mut terminal = home.at_terminal(ECHO).start();
    terminal.wait_for("waiting for echo of it").await;
    terminal.interrupt().await;
    assert_eq!(terminal.ended().await, 1, "{}", terminal.text());
    assert!(
        terminal.text().contains("interrupted"),
        "{}",
        terminal.text()
    );
    assert!(
        !terminal.text().contains("waiting for"),
        "{}",
        terminal.text()
    );
    assert!(!terminal.hides_cursor());
}

#[tokio::test]
async fn a_table_of_tools_fits_a_narrow_terminal() {
    let world = World::with(|auth| auth, doorkey_testkit::McpServerBuilder::open).await;
    let home = Home::new(&world, "");
    let mut terminal = home
        .at_terminal(&["tools", Home::SERVER])
        .sized(100, 24)
        .start();
    assert_eq!(terminal.ended().await, 0);
    let text = terminal.text();
    assert!(
        text.starts_with("TOOL") && text.contains("WHAT IT DOES"),
        "{text}"
    );
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
}

#[tokio::test]
async fn a_server_that_speaks_only_http_with_sse_is_told_as_that_with_what_to_do() {
    let retired = |mcp: doorkey_testkit::McpServerBuilder| mcp.wire(Wire::RetiredSse2024_11_05);
    let world = World::with(|auth| auth, |mcp| retired(mcp).path("/sse").open()).await;
    let home = Home::new(&world, "");
    for command in [&["tools", Home::SERVER][..], &["login", Home::SERVER]] {
        let run = home.run(command).await.ended_with(7);
        for told in [
            "HTTP+SSE of 2024-11-05, a transport that MCP has retired",
            "often ends in /mcp where this one ends in /sse",
        ] {
            assert!(run.stderr.contains(told), "{run}");
        }
    }
    assert_eq!(world.mcp.open_streams(), 0, "no stream is left behind");
}

#[tokio::test]
async fn such_a_server_that_wants_a_login_takes_it_and_is_told_as_that_afterwards() {
    let world = World::with(
        |auth| auth,
        |mcp| mcp.wire(Wire::RetiredSse2024_11_05).path("/sse"),
    )
    .await;
    let home = Home::new(&world, "");
    let login = home.run(&["login", Home::SERVER]).await.ended_with(7);
    assert!(login.stderr.contains("signed in to \"it\""), "{login}");
    assert!(
        login.stderr.contains("a transport that MCP has retired"),
        "{login}"
    );
    assert!(login.stderr.contains("streamable HTTP address"), "{login}");
    let tools = home.run(&["tools", Home::SERVER]).await.ended_with(7);
    assert!(
        tools.stderr.contains("a transport that MCP has retired"),
        "{tools}"
    );
    assert_eq!(world.person.pages_opened(), 1);
}
