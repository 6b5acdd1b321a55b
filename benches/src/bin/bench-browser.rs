//! What stands in `BROWSER` for the programs that sign in: brings the page to the person of the section, whose address is
//! in `BENCH_DESK`, and ends at once, as a browser that is already running does.

use std::error::Error;
use std::io::Write as _;
use std::net::TcpStream;

fn main() -> Result<(), Box<dyn Error>> {
    let page = std::env::args().nth(1).ok_or("usage: bench-browser URL")?;
    #[expect(
        clippy::disallowed_methods,
        reason = "BROWSER has no other way to be told where the person is"
    )]
    let desk = std::env::var("BENCH_DESK")?;
    TcpStream::connect(desk)?.write_all(page.as_bytes())?;
    Ok(())
}
