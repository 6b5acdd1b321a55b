//! What several processes do to one home, and what is left when one of them is stopped half-way.
//!
//! Every process is the real program; the authorization server rotates refresh tokens, and ends the login of whoever uses
//! one twice.

mod files;
mod refresh;
mod together;

use std::{
    process::{ExitStatus, Stdio},
    time::Duration,
};

use integration::{Home, LIMIT, Run};
use tokio::{io::AsyncReadExt as _, process::Child, task::JoinSet};

/// A process of the program that runs.
struct Running {
    child: Child,
    arguments: String,
}

impl Running {
    fn start(home: &Home, arguments: &[&str]) -> Self {
        Self::start_with(home, arguments, &[])
    }

    fn start_with(home: &Home, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = home.command();
        command
            .args(arguments)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self {
            child: command.spawn().expect("a program that starts"),
            arguments: arguments.join(" "),
        }
    }

    /// SIGKILL: nothing of the process runs any more.
    async fn kill(mut self) {
        self.child.kill().await.expect("a process to kill");
    }

    /// SIGINT, as Ctrl-C sends it.
    async fn interrupt(&self) {
        let id = self.child.id().expect("a process that runs").to_string();
        let sent = std::process::Command::new("/bin/sh")
            .args(["-c", "kill -INT \"$1\"", "sh", &id])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -INT {id}");
    }

    /// What it came to.
    async fn end(self) -> Run {
        let output = tokio::time::timeout(LIMIT, self.child.wait_with_output()).await;
        let output = output
            .unwrap_or_else(|_| unreachable!("{} took longer than {LIMIT:?}", self.arguments))
            .expect("a program that ends");
        Run {
            code: code(output.status),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Waits until this was said on standard error.
    async fn says(&mut self, wanted: &str) -> String {
        let stderr = self.child.stderr.as_mut().expect("a pipe");
        let mut said = Vec::new();
        let reading = async {
            loop {
                let read = stderr.read_buf(&mut said).await.expect("a pipe");
                let text = String::from_utf8_lossy(&said);
                if text.contains(wanted) {
                    return text.into_owned();
                }
                assert_ne!(read, 0, "never said {wanted:?}: {text}");
            }
        };
        tokio::time::timeout(LIMIT, reading).await.expect("in time")
    }
}

/// Runs `count` processes at once and returns what each came to.
async fn at_once(home: &Home, count: usize, arguments: &[&str]) -> Vec<Run> {
    let mut running = JoinSet::new();
    for _ in 0..count {
        running.spawn(Running::start(home, arguments).end());
    }
    running.join_all().await
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(-1)
}

/// A number below `limit`, another one each time: when a process is stopped must not be the same in every run.
fn random(limit: u64) -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(limit) % limit
}

const PAUSE: Duration = Duration::from_millis(10);
