//! Many authorized sessions in one process, idle: what opening, reading a token and a refresh cost each.
//!
//! `growth-sessions COUNT ORIGIN AUTHORITY-FILE` prints one line of JSON, `bench::growth::Sessions`.

use std::io::Write as _;

use bench::BoxError;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [count, origin, authority] = &words[..] else {
        return Err("growth-sessions COUNT ORIGIN AUTHORITY-FILE".into());
    };
    let authority = std::fs::read(authority)?;
    let found = bench::growth::sessions::measure(count.parse()?, origin, &authority).await?;
    let mut line = serde_json::to_vec(&found)?;
    line.push(b'\n');
    Ok(std::io::stdout().lock().write_all(&line)?)
}
