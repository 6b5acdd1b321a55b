//! Steps that several tests take.

use std::time::Duration;

use doorkey::{Connection, Host, LoginOutcome, Silent};
use doorkey_oauth::LoginReport;
use doorkey_rmcp::rmcp::model::ClientConfig;
use integration::{Home, World};

/// Signs in through the library.
pub(crate) async fn login(world: &World, home: &Home) -> LoginReport {
    let host = home.host();
    let outcome = host
        .login(Home::SERVER, world.person.interaction(), &Silent)
        .await;
    match outcome {
        Ok(LoginOutcome::SignedIn { report, .. }) => report,
        other => panic!("{other:?}\n{:#?}", world.story()),
    }
}

/// Connects, lists the tools and closes, as `doorkey tools` does, in a new process's stead.
pub(crate) async fn tools(home: &Home) -> Result<usize, doorkey::Error> {
    let host = home.host().with_standalone_stream(false);
    let connection = host.connect(Home::SERVER).await?;
    let tools = connection.list_tools().await;
    close(&host, connection).await;
    Ok(tools?.len())
}

/// Ends a connection and waits for what it started.
pub(crate) async fn close(host: &Host, connection: Connection<ClientConfig>) {
    connection.close(Duration::from_secs(5)).await;
    assert!(host.drain(integration::LIMIT).await);
}
