//! One process with a `TokenSource` on PostgreSQL: see `integration::worker`. It has no home: a connection is all it is given.

use std::{error::Error, sync::Arc, time::Duration};

use doorkey_store::{PostgresBackend, PostgresOptions};
use secrecy::SecretString;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let connection = arguments.first().ok_or("no connection")?.clone();
    // What a killed process held is free again after this.
    let options = PostgresOptions::new(SecretString::from(connection))
        .connections(2)
        .lease(Duration::from_secs(2));
    let backend = PostgresBackend::connect(options).await?;
    integration::worker::child::main(Arc::new(backend), &arguments[1..]).await
}
