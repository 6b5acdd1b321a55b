//! Counts the requests that each way through the program takes, as the servers record them: `cargo xtask figures`
//! compares them with those on record.
//!
//! A line is `requests`, the name of the way and the number, with tabs between. The browser's requests are a person's
//! and count for nothing.

#![expect(
    clippy::print_stdout,
    reason = "this is a program: its output is what it is for"
)]

use doorkey_testkit::{AuthorizationServerBuilder, Caching, McpServerBuilder, StaticClient, Wire};
use integration::{Home, World};

#[tokio::main]
async fn main() {
    Box::pin(signs_in()).await;
    Box::pin(signs_in_by_hand()).await;
    Box::pin(uses_the_wire_of_2026()).await;
    Box::pin(uses_what_may_be_kept()).await;
    Box::pin(uses_the_wire_of_2025()).await;
    Box::pin(signs_out()).await;
}

async fn signs_in() {
    let place = Place::of(|auth| auth, |mcp| mcp).await;
    place.counts("login, registering", &["login", SERVER]).await;
    place
        .counts("login, registered before", &["login", SERVER])
        .await;
    place.counts("list", &["list"]).await;
    place.counts("status", &["status"]).await;
}

async fn signs_in_by_hand() {
    let callback = "http://127.0.0.1/callback";
    let client = StaticClient::public("by-hand").redirect_uri(callback);
    let mut place = Place::of(
        |auth| auth.static_client(client).loopback_any_port(true),
        |mcp| mcp,
    )
    .await;
    let oauth = format!("[mcp_servers.{SERVER}.oauth]\nclient_id = \"by-hand\"");
    place.home = Home::new(&place.world, &oauth);
    place
        .counts("login, client by hand", &["login", SERVER])
        .await;
}

async fn uses_the_wire_of_2026() {
    let place = Place::of(|auth| auth, |mcp| mcp.wire(Wire::Stateless2026_07_28)).await;
    place.does(&["login", SERVER]).await;
    place.counts("tools, 2026-07-28", &["tools", SERVER]).await;
    place
        .counts(
            "call, 2026-07-28",
            &["call", SERVER, "echo", "--arg", "text=hello"],
        )
        .await;
    place.world.auth.expire_access_tokens();
    place.home.expire().await;
    place
        .counts("tools, 2026-07-28, token expired", &["tools", SERVER])
        .await;
    // Nobody but the servers knows that the token is worth nothing any more.
    place.world.auth.expire_access_tokens();
    place
        .counts("tools, 2026-07-28, token refused", &["tools", SERVER])
        .await;
}

async fn uses_what_may_be_kept() {
    let caching = Caching::Private(AN_HOUR);
    let wire = Wire::Stateless2026_07_28;
    let place = Place::of(|auth| auth, |mcp| mcp.wire(wire).caching(caching)).await;
    place.does(&["login", SERVER]).await;
    place
        .counts("tools, 2026-07-28, discovery kept", &["tools", SERVER])
        .await;
}

async fn uses_the_wire_of_2025() {
    let place = Place::of(|auth| auth, |mcp| mcp.wire(Wire::Stateful2025_11_25)).await;
    place.counts("login, 2025-11-25", &["login", SERVER]).await;
    place
        .counts("tools, 2025-11-25, with a session", &["tools", SERVER])
        .await;

    let wire = |mcp: McpServerBuilder| mcp.wire(Wire::Stateful2025_11_25).sessions(false);
    let place = Place::of(|auth| auth, wire).await;
    place.does(&["login", SERVER]).await;
    place.counts("tools, 2025-11-25", &["tools", SERVER]).await;
}

async fn signs_out() {
    let place = Place::of(|auth| auth, |mcp| mcp).await;
    place.does(&["login", SERVER]).await;
    place.counts("logout", &["logout", SERVER]).await;
    place.does(&["login", SERVER]).await;
    place
        .counts(
            "logout, forgetting the client",
            &["logout", SERVER, "--forget-client"],
        )
        .await;
}

/// Servers, and the home of somebody who uses them.
struct Place {
    world: World,
    home: Home,
}

impl Place {
    async fn of(
        auth: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
        mcp: impl FnOnce(McpServerBuilder) -> McpServerBuilder,
    ) -> Self {
        let world = World::with(auth, mcp).await;
        let home = Home::new(&world, "");
        Self { world, home }
    }

    /// Runs the program, whose requests are nobody's business.
    async fn does(&self, arguments: &[&str]) {
        self.home.run(arguments).await.succeeded();
    }

    /// Runs the program and writes down the requests that it made.
    async fn counts(&self, name: &str, arguments: &[&str]) {
        self.world.recorder.clear();
        self.does(arguments).await;
        let requests = self.world.counts();
        let requests: usize = requests.iter().map(|(_, count)| count).sum();
        println!("requests\t{name}\t{requests}");
    }
}

const SERVER: &str = Home::SERVER;
/// In milliseconds.
const AN_HOUR: u64 = 3_600_000;
