//! Starts a program, waits for it and notes what it used: `bench-runner NOTE PROGRAM ARGUMENTS…`. It stays tiny, because
//! the kernel counts its pages into the peak of what it starts.

use std::error::Error;
use std::process::{Command, ExitCode};
use std::time::Instant;

use wait4::Wait4;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut words = std::env::args_os().skip(1);
    let (Some(note), Some(program)) = (words.next(), words.next()) else {
        return Err("bench-runner NOTE PROGRAM ARGUMENTS…".into());
    };
    let start = Instant::now();
    let used = Command::new(program).args(words).spawn()?.wait4()?;
    let wall = start.elapsed().as_nanos();
    let (user, system) = (used.rusage.utime.as_nanos(), used.rusage.stime.as_nanos());
    let code = used.status.code().unwrap_or(-1);
    std::fs::write(
        note,
        format!("{code} {wall} {user} {system} {}\n", used.rusage.maxrss),
    )?;
    Ok(ExitCode::SUCCESS)
}
