//! What a program prints that the configuration names: run without a shell, without input and not for long.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use secrecy::SecretSlice;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

use crate::child::{Withheld, child_environment};

/// Why a program did not say what it was asked for. Nothing of its output is in it, and nothing that it
/// complained of: what prints a secret may tell it where it fails.
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
    #[error("{} ended with {status}; run it by hand to see why", program.display())]
    Failed {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
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
}

impl Program<'_> {
    /// Its standard output, if it ends well.
    pub(crate) async fn run(&self) -> Result<SecretSlice<u8>, ProgramError> {
        let failed = |source| ProgramError::Run {
            program: self.program.to_owned(),
            source,
        };
        let mut command = Command::new(self.program);
        child_environment(command.as_std_mut(), self.withheld);
        let mut child = command
            .args(self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let ended = tokio::time::timeout(self.limit, self.end(&mut child)).await;
        let ended = ended.map_err(|_elapsed| ProgramError::TimedOut {
            program: self.program.to_owned(),
            limit: self.limit,
        })?;
        let Some((bytes, status)) = ended.map_err(failed)? else {
            return Err(ProgramError::TooLong {
                program: self.program.to_owned(),
                limit: self.bytes,
            });
        };
        if !status.success() {
            return Err(ProgramError::Failed {
                program: self.program.to_owned(),
                status,
            });
        }
        Ok(bytes)
    }

    /// What the program writes, and how it ends; `None` when it writes too much.
    async fn end(&self, child: &mut Child) -> io::Result<Option<(SecretSlice<u8>, ExitStatus)>> {
        let mut bytes = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            let limit = self.bytes as u64 + 1;
            stdout.take(limit).read_to_end(&mut bytes).await?;
        }
        let fits = bytes.len() <= self.bytes;
        let bytes = SecretSlice::from(bytes);
        match fits {
            true => Ok(Some((bytes, child.wait().await?))),
            false => Ok(None),
        }
    }
}

/// How long a program has.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

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
        };
        let printed = program.run().await?;
        Ok(String::from_utf8(printed.expose_secret().to_vec()).expect("text"))
    }

    #[tokio::test]
    async fn nothing_that_a_program_says_where_it_fails_is_told() {
        let script = "echo 'no such token: s3cret' >&2; echo s3cret; exit 4";
        let error = run(script, LIMIT).await.expect_err("it fails");
        let told = error.to_string();
        assert_eq!(
            told,
            "/bin/sh ended with exit status: 4; run it by hand to see why"
        );
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
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
