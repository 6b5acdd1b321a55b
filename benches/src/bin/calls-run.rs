//! Makes calls with one client, for callgrind: two runs with different numbers give the instructions of a call.

use bench::BoxError;
use bench::calls::counted;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    counted::run(&arguments, || ()).await
}
