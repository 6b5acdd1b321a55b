//! What a host does: connect, and send a person to the browser only when the error says that one is needed.
//!
//! The README shows this program; `cargo xtask manifest` keeps the two alike.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example is a program: it reads the environment once and prints"
)]

use std::{sync::Arc, time::Duration};

use doorkey::{Browser, Environment, Folders, Host, LoopbackInteraction, Silent};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let environment = Environment::new(std::env::vars_os()).with_folders(Folders::platform());
    let mut host = Host::open(environment)?;
    host.settle_store().await?;
    let connection = match host.connect("work").await {
        Err(error) if error.needs_login() => {
            let person = Arc::new(LoopbackInteraction::new(Browser::Manual, Arc::new(Silent)));
            host.login("work", person, &Silent).await?;
            host.connect("work").await?
        }
        connected => connected?,
    };
    for tool in connection.list_tools().await? {
        println!("{}", tool.name);
    }
    connection.close(Duration::from_secs(5)).await;
    host.drain(Duration::from_secs(30)).await;
    Ok(())
}
