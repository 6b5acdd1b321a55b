//! Measures the table of `docs/network.md` and writes it: `cargo run -p integration --bin network-table`.

use std::{error::Error, fs, path::Path};

use integration::network::Matrix;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/network.md");
    let page = fs::read_to_string(&path)?;
    let matrix = Box::pin(Matrix::measure()).await;
    fs::write(&path, matrix.into_page(&page)?)?;
    Ok(())
}
