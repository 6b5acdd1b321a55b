//! A host as small as can be: it connects to one server, lists its tools and calls the first.
//!
//! It knows nothing of OAuth but that a person may be asked, and of the person only that they open every page.

#![expect(
    clippy::print_stderr,
    reason = "the suite shows what a failing client said"
)]

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use conformance::{Failure, SERVER, Task, report, within_limit};
use doorkey::store::Store;
use doorkey::{Browser, Config, Home, Host, LoopbackInteraction, PlatformBrowser, Silent};
use tokio::runtime::Handle;

#[tokio::main]
async fn main() -> ExitCode {
    match within_limit(Box::pin(run())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}", report(failure.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failure> {
    let task = Task::of_this_process()?;
    let person = Arc::new(LoopbackInteraction::new(headless(), Arc::new(Silent)));
    // Nothing is read from this folder and nothing written to it: settings and logins are in memory.
    let home = Home::at("unused");
    let config = Config::parse(&home, &task.config())?;
    let host =
        Host::new(task.environment(), home, config, Store::memory()).with_interaction(person);

    let connection = host.connect(SERVER).await?;
    let outcome = use_it(&connection).await;
    connection.close(CLOSE_LIMIT).await;
    outcome
}

async fn use_it<H: doorkey::rmcp::ClientHandler>(
    connection: &doorkey::Connection<H>,
) -> Result<(), Failure> {
    let tools = connection.list_tools().await?;
    let tool = tools.first().ok_or("the server has no tool")?;
    connection.call_tool(&tool.name, None).await?;
    Ok(())
}

/// A browser that follows the redirects of the authorization page to where they end: at this process.
fn headless() -> Browser {
    let runtime = Handle::current();
    Browser::Platform(PlatformBrowser::new(move |url| {
        runtime
            .block_on(doorkey_testkit::Browser::new().open(url))
            .map(drop)
            .map_err(io::Error::other)
    }))
}

const CLOSE_LIMIT: Duration = Duration::from_secs(5);
