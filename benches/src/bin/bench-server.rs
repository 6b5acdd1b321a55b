//! The MCP server that every contender talks to: see `bench::server`. It prints one line, and ends when stdin does.

use bench::BoxError;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    bench::server::serve::main(std::env::args().skip(1)).await
}
