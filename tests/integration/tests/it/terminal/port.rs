//! The port that a browser comes back to: ranges, names of this machine, and ports that are taken.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

use integration::{Home, World};

/// Ports in a row, below those that the system lends to connections and listeners which name none.
fn free_ports() -> (u16, Vec<TcpListener>) {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 1_000).expect("a small number") * 10;
    for _ in 0..1_000 {
        let port = 20_000 + (start + 3 * TRIED.fetch_add(1, Ordering::Relaxed)) % 12_000;
        let all = (port..port + 3).map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
        if let Some(all) = all.collect() {
            return (port, all);
        }
    }
    panic!("no three free ports in a row");
}

#[tokio::test]
async fn a_port_that_another_login_has_is_named_with_what_to_do() {
    let world = World::new().await;
    let (holder, other) = (Home::new(&world, ""), Home::new(&world, ""));
    let (port, free) = free_ports();
    drop(free);
    let flag = port.to_string();
    let arguments = [
        "login",
        Home::SERVER,
        "--no-browser",
        "--callback-port",
        &flag,
    ];
    let mut first = holder.at_terminal(&arguments).start();
    first.wait_for(" left)").await;
    let mut second = other.at_terminal(&arguments).sized(100, 30).start();
    assert_eq!(second.ended().await, 9, "{}", second.text());
    let told = second.told(&world, &other);
    assert!(second.text().contains(&flag), "{told}");
    // The way out that is offered is free.
    let told = told.replace(&flag, "PORT");
    let (before, free) = told.rsplit_once(' ').expect("a port at the end");
    let free: u16 = free.trim().parse().expect("a port at the end");
    assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, free)).is_ok());
    insta::assert_snapshot!(format!("{before} FREE"));
}

#[tokio::test]
async fn of_a_range_the_first_free_port_is_taken_and_a_registered_one_before_that() {
    let world = World::new().await;
    let (port, mut taken) = free_ports();
    let settings = format!(
        "[mcp_servers.{}.oauth]\ncallback_port = \"{port}-{}\"\ncallback_host = \"localhost\"",
        Home::SERVER,
        port + 2
    );
    let home = Home::new(&world, &settings);
    let login = ["login", Home::SERVER];
    // The first is taken, so it is the second.
    let _second = (taken.remove(1), taken.remove(1));
    drop(_second);
    home.run(&login).await.succeeded();
    // The first is free again, but the second is registered.
    drop(taken);
    home.run(&login).await.succeeded();
    assert_eq!(world.auth.registrations(), 1);
    let redirects: Vec<_> = world
        .person
        .urls()
        .iter()
        .map(|page| {
            let page = url::Url::parse(page).expect("a page");
            let mut pairs = page.query_pairs();
            let uri = pairs.find(|(name, _)| name == "redirect_uri").expect("one");
            uri.1.into_owned()
        })
        .collect();
    let second = format!("http://localhost:{}/callback", port + 1);
    assert_eq!(redirects, [second.clone(), second.clone()]);

    // A port that is not registered is registered, whatever was before.
    let other = (port + 2).to_string();
    home.run(&["login", Home::SERVER, "--callback-port", &other])
        .await
        .succeeded();
    let last = world.person.urls().pop().expect("a page");
    assert!(last.contains(&format!("localhost%3A{other}")), "{last}");
    assert_eq!(world.auth.registrations(), 2);

    // With all of them taken none is left, and no other is used.
    let all: Vec<_> = (port..port + 3)
        .filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
        .collect();
    assert_eq!(all.len(), 3);
    let told = home.run(&login).await.ended_with(9).stderr;
    assert!(told.contains(&format!("{port}-{}", port + 2)), "{told}");
    assert_eq!(world.person.pages_opened(), 3);
}

#[tokio::test]
async fn port_0_takes_back_a_fixed_port_for_one_login() {
    let world = World::new().await;
    let (port, taken) = free_ports();
    let settings = format!(
        "[mcp_servers.{}.oauth]\ncallback_port = {port}",
        Home::SERVER
    );
    let home = Home::new(&world, &settings);
    let login = ["login", Home::SERVER];
    let told = home.run(&login).await.ended_with(9).stderr;
    assert!(told.contains(&port.to_string()), "{told}");
    let any = ["login", Home::SERVER, "--callback-port", "0"];
    home.run(&any).await.succeeded();
    drop(taken);
    assert!(home.grant().await.is_some());
}

#[tokio::test]
async fn a_browser_comes_back_over_ipv6_where_the_settings_say_so() {
    if TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, 0)).is_err() {
        return; // This machine has no IPv6.
    }
    let world = World::new().await;
    let settings = format!(
        "[mcp_servers.{}.oauth]\ncallback_host = \"::1\"\ncallback_port = 0",
        Home::SERVER
    );
    let home = Home::new(&world, &settings);
    home.run(&["login", Home::SERVER]).await.succeeded();
    let page = world.person.urls().pop().expect("a page");
    assert!(page.contains("%5B%3A%3A1%5D%3A"), "{page}");
}

#[tokio::test]
async fn a_hosted_redirect_uri_is_forwarded_to_the_port_and_signs_in() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let world = World::new().await;
    let (port, free) = free_ports();
    drop(free);
    let settings = format!(
        "[mcp_servers.{}.oauth]\ncallback_url = \"https://relay.example/back\"\ncallback_port = {port}",
        Home::SERVER
    );
    let home = Home::new(&world, &settings);
    let login = home.at_terminal(&["login", Home::SERVER, "--no-browser"]);
    let mut terminal = login.sized(100, 40).start();
    let text = terminal.wait_for(" left)").await;
    let visit = super::elsewhere(&world, &super::page(&text)).await;
    let asked = visit.callback.strip_prefix("https://relay.example");
    let asked = asked.expect("the hosted address");
    // What a server there sends on, with the name that it was asked by.
    let request = format!(
        "GET {asked} HTTP/1.1\r\nHost: relay.example\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n"
    );
    let address = (Ipv4Addr::LOCALHOST, port);
    let stream = tokio::net::TcpStream::connect(address).await;
    let mut stream = stream.expect("a listener on the port");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("a reader");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("a page");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(terminal.ended().await, 0, "{}", terminal.text());
    assert!(home.grant().await.is_some());
}
