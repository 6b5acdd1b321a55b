//! What a program prints that the configuration names: run without a shell, without input and not for long.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use secrecy::SecretSlice;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use crate::child::{Withheld, child_environment};

/// Why a program did not say what it was asked for. Nothing of its output is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// The program cannot be started, or its output not be read.
    #[error("cannot run {}", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The program failed.
    #[error("{} ended with {status}{}", program.display(), Said(said.as_deref()))]
    Failed {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The first line that it wrote to its standard error, cleaned and cut; `None` where it wrote
        /// nothing, or where nobody listened.
        said: Option<String>,
    },
    /// The program did not end in time.
    #[error("{} did not end within {} s", program.display(), limit.as_secs_f32())]
    TimedOut {
        /// The program.
        program: PathBuf,
        /// How long it had.
        limit: Duration,
    },
    /// The program printed more than it was asked for.
    #[error("{} printed more than {} KiB", program.display(), limit / 1024)]
    TooLong {
        /// The program.
        program: PathBuf,
        /// How much it might have printed, in bytes.
        limit: usize,
    },
}

/// A program to be run, and what is listened to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program<'a> {
    /// A path, or a name to be looked for.
    pub(crate) program: &'a Path,
    pub(crate) arguments: &'a [String],
    /// What of the environment it does not get.
    pub(crate) withheld: &'a Withheld,
    /// How long it has.
    pub(crate) limit: Duration,
    /// How many bytes it may print.
    pub(crate) bytes: usize,
    /// Whether the first line of its standard error is told when it fails. It may hold a secret
    /// where the program handles one that is not its own output.
    pub(crate) complaints: bool,
}

impl Program<'_> {
    /// Its standard output, if it ends well.
    pub(crate) async fn run(&self) -> Result<SecretSlice<u8>, ProgramError> {
        let failed = |source| ProgramError::Run {
            program: self.program.to_owned(),
            source,
        };
        let stderr = match self.complaints {
            true => Stdio::piped(),
            false => Stdio::null(),
        };
        let mut command = Command::new(self.program);
        child_environment(command.as_std_mut(), self.withheld);
        let mut child = command
            .args(self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let ended = tokio::time::timeout(self.limit, self.end(&mut child)).await;
        let ended = ended.map_err(|_elapsed| ProgramError::TimedOut {
            program: self.program.to_owned(),
            limit: self.limit,
        })?;
        let Some((bytes, complaint, status)) = ended.map_err(failed)? else {
            return Err(ProgramError::TooLong {
                program: self.program.to_owned(),
                limit: self.bytes,
            });
        };
        if !status.success() {
            return Err(ProgramError::Failed {
                program: self.program.to_owned(),
                status,
                said: first_line(&complaint),
            });
        }
        Ok(bytes)
    }

    /// What the program writes, and how it ends; `None` when it writes too much.
    async fn end(
        &self,
        child: &mut Child,
    ) -> io::Result<Option<(SecretSlice<u8>, Vec<u8>, ExitStatus)>> {
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let output = async {
            let mut bytes = Vec::new();
            if let Some(stdout) = stdout {
                let limit = self.bytes as u64 + 1;
                stdout.take(limit).read_to_end(&mut bytes).await?;
            }
            let fits = bytes.len() <= self.bytes;
            let bytes = SecretSlice::from(bytes);
            match fits {
                true => Ok(bytes),
                false => Err(io::Error::from(io::ErrorKind::FileTooLarge)),
            }
        };
        match tokio::try_join!(output, listen(stderr)) {
            Ok((bytes, complaint)) => Ok(Some((bytes, complaint, child.wait().await?))),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The beginning of a stream that is read to its end: who writes into a pipe that nobody empties stops.
async fn listen(stream: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut beginning = Vec::new();
    if let Some(mut stream) = stream {
        let mut first = (&mut stream).take(COMPLAINT_BYTES);
        first.read_to_end(&mut beginning).await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    }
    Ok(beginning)
}

fn first_line(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(doorkey_http::clean_text(line, COMPLAINT_CHARACTERS))
}

struct Said<'a>(Option<&'a str>);

impl std::fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(line) => write!(f, " and said: {line}"),
            None => f.write_str("; run it by hand to see why"),
        }
    }
}

/// How long a program has.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

const COMPLAINT_BYTES: u64 = 4096;
const COMPLAINT_CHARACTERS: usize = 200;

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    async fn run(script: &str, limit: Duration) -> Result<String, ProgramError> {
        let arguments = ["-c".to_owned(), script.to_owned()];
        let program = Program {
            program: Path::new("/bin/sh"),
            arguments: &arguments,
            withheld: &Withheld::default(),
            limit,
            bytes: 1024,
            complaints: true,
        };
        let printed = program.run().await?;
        Ok(String::from_utf8(printed.expose_secret().to_vec()).expect("text"))
    }

    #[tokio::test]
    async fn the_first_line_of_a_complaint_is_told_without_what_a_terminal_would_obey() {
        let script = "echo >&2; printf 'no \\033[31mlogin\\007\\nmore\\n' >&2; echo out; exit 4";
        let error = run(script, LIMIT).await.expect_err("it fails");
        let told = error.to_string();
        assert!(told.contains("exit status: 4 and said: no "), "{told}");
        assert!(told.contains("login") && !told.contains("more"), "{told}");
        assert!(!told.contains(['\u{1b}', '\u{7}']), "{told:?}");
    }

    #[tokio::test]
    async fn a_program_that_complains_without_end_comes_to_its_end() {
        let script = "head -c 300000 /dev/zero >&2; echo done";
        assert_eq!(run(script, LIMIT).await.expect("it ends"), "done\n");
    }

    #[tokio::test]
    async fn output_over_the_limit_and_a_hang_are_told_with_the_limit() {
        let error = run("head -c 2000 /dev/zero", LIMIT).await;
        let told = error.expect_err("too much").to_string();
        assert!(told.ends_with("printed more than 1 KiB"), "{told}");
        let error = run("exec sleep 600", Duration::from_millis(200)).await;
        let told = error.expect_err("it hangs").to_string();
        assert!(told.ends_with("did not end within 0.2 s"), "{told}");
    }
}
