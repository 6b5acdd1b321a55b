//! One process with a `TokenSource`, which tests start many of, and kill: see `integration::worker`.

use std::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    integration::worker::child::on_a_folder(std::env::args().skip(1).collect()).await
}
