//! What the tests put into `$BROWSER`: brings the page to the person of the test, whose address is in
//! `INTEGRATION_BROWSER`, and ends at once, as a browser that is already running does.

use std::{
    error::Error,
    io::Write as _,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("expected a URL")?;
    #[expect(
        clippy::disallowed_methods,
        reason = "$BROWSER has no other way to be told where the person is"
    )]
    let desk: SocketAddr = std::env::var("INTEGRATION_BROWSER")?.parse()?;
    let mut stream = TcpStream::connect_timeout(&desk, Duration::from_secs(5))?;
    stream.write_all(url.as_bytes())?;
    Ok(())
}
