//! Makes calls with one client and prints how many blocks, and bytes, it allocated for them.

use std::cell::Cell;

use bench::BoxError;
use bench::calls::counted;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let profiler = dhat::Profiler::builder().testing().build();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let warm = Cell::new((0, 0));
    counted::run(&arguments, || warm.set(allocated())).await?;
    let ((blocks, bytes), (blocks_before, bytes_before)) = (allocated(), warm.get());
    drop(profiler);
    #[expect(clippy::print_stdout, reason = "the counts are what it is run for")]
    {
        println!("{} {}", blocks - blocks_before, bytes - bytes_before);
    }
    Ok(())
}

fn allocated() -> (u64, u64) {
    let stats = dhat::HeapStats::get();
    (stats.total_blocks, stats.total_bytes)
}
