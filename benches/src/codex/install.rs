//! The pinned package of Codex, installed where it is not yet.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;

use crate::Context;

/// The program, installed by npm from the lock in `benches/codex`; otherwise why there is none.
pub(super) async fn codex(context: &Context) -> Result<PathBuf, String> {
    if cfg!(not(target_os = "linux")) {
        return Err("Codex is measured on Linux only".to_owned());
    }
    let folder = context.root().join("benches/codex");
    let pinned: Package =
        read(&folder.join("package.json")).ok_or("benches/codex/package.json cannot be read")?;
    let modules = folder.join("node_modules/@openai");
    let installed: Option<Package> = read(&modules.join("codex/package.json"));
    let is_there =
        installed.is_some_and(|found| Some(&found.version) == pinned.dependencies.get(PACKAGE));
    if !is_there {
        install(&folder).await?;
    }
    binary(&modules).ok_or_else(|| format!("the package {PACKAGE} has no program for this machine"))
}

async fn install(folder: &Path) -> Result<(), String> {
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"])
        .current_dir(folder);
    npm.stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    let ended = match tokio::time::timeout(INSTALLATION, npm.status()).await {
        Ok(Ok(status)) if status.success() => return Ok(()),
        Ok(Ok(status)) => format!("npm ended with {status}"),
        Ok(Err(error)) => format!("npm: {error}"),
        Err(_) => "npm took too long".to_owned(),
    };
    Err(format!(
        "the package {PACKAGE} could not be installed ({ended})"
    ))
}

/// The program itself, which the package's own JavaScript would start.
fn binary(modules: &Path) -> Option<PathBuf> {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        _ => return None,
    };
    let vendor = fs::read_dir(modules.join(format!("codex-linux-{arch}/vendor"))).ok()?;
    let programs = vendor
        .flatten()
        .map(|target| target.path().join("bin/codex"));
    programs.into_iter().find(|program| program.is_file())
}

fn read(path: &Path) -> Option<Package> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Package {
    version: String,
    dependencies: std::collections::BTreeMap<String, String>,
}

const PACKAGE: &str = "@openai/codex";
const INSTALLATION: Duration = Duration::from_secs(600);
