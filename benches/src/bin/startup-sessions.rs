//! Opens many sessions at once and says when the first and the last of them could be used:
//! `startup-sessions WHO COUNT URL AUTHORITY-FILE (fresh|expired)`.

use std::io::Write as _;

use bench::BoxError;
use bench::startup::sessions::Asked;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let started = Asked::read(std::env::args().skip(1))?.start().await?;
    let line = serde_json::to_vec(&started)?;
    Ok(std::io::stdout().lock().write_all(&line)?)
}
