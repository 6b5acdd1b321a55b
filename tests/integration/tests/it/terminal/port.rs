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
    insta::assert_snapshot!(told.replace(&flag, "PORT"));
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
