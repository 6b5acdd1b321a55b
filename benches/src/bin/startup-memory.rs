//! Opens many sessions and says what they hold while they are idle, by an allocator that counts:
//! `startup-memory WHO COUNT URL AUTHORITY-FILE (fresh|expired)`.

use std::io::Write as _;

use bench::BoxError;
use bench::startup::sessions::Asked;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let profiler = dhat::Profiler::builder().testing().build();
    let asked = Asked::read(std::env::args().skip(1))?;
    let idle = asked.rest(live).await?;
    drop(profiler);
    let line = serde_json::to_vec(&idle)?;
    Ok(std::io::stdout().lock().write_all(&line)?)
}

/// Bytes and blocks.
fn live() -> (i64, i64) {
    let stats = dhat::HeapStats::get();
    let signed = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    (signed(stats.curr_bytes), signed(stats.curr_blocks))
}
