//! What the program leaves in its surroundings while it runs: limits, arguments, the environment of what it starts.

#![cfg(unix)]

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Stdio, time::Duration};

use integration::{Home, LIMIT, World};

/// Every key that names a variable, each with a variable of its own.
const SETTINGS: &str = "\
bearer_token_env_var = \"SECRET_OTHER_BEARER\"
env_http_headers = { X-Key = \"SECRET_OTHER_HEADER\" }
enabled = false
[mcp_servers.other.oauth]
client_id = \"client\"
client_secret_env = \"SECRET_CLIENT\"
private_key_env = \"SECRET_KEY\"
[store]
passphrase_env = \"SECRET_PASSPHRASE\"
[store.postgres]
url_env = \"SECRET_DATABASE\"
";

const SECRETS: [&str; 6] = [
    "SECRET_OTHER_BEARER",
    "SECRET_OTHER_HEADER",
    "SECRET_CLIENT",
    "SECRET_KEY",
    "SECRET_PASSPHRASE",
    "SECRET_DATABASE",
];

#[tokio::test]
async fn a_browser_gets_the_environment_without_the_secrets_and_the_page_as_its_one_argument() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let text = fs::read_to_string(home.path().join("config.toml")).expect("a configuration");
    let other =
        format!("{text}\n[mcp_servers.other]\nurl = \"https://other.example/mcp\"\n{SETTINGS}");
    home.write("config.toml", other.as_bytes());
    let (browser, seen) = (home.path().join("a browser"), home.path().join("seen"));
    let script =
        "#!/bin/sh\n{ echo \"$# $1\"; env; } > \"$SEEN.new\" && mv \"$SEEN.new\" \"$SEEN\"\n";
    fs::write(&browser, script).expect("a script");
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o700)).expect("executable");

    let mut program = home
        .command()
        .args(["login", Home::SERVER])
        .env("BROWSER", &browser)
        .env("SEEN", &seen)
        .envs(SECRETS.map(|name| (name, "s3cret")))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a program that starts");
    let seen = appeared(&seen).await;
    let id = program.id().expect("it waits for the browser");
    let limits = read(id, "limits");
    let arguments = read(id, "cmdline");
    program.start_kill().expect("it still runs");
    program.wait().await.expect("its end");

    let (first, environment) = seen.split_once('\n').expect("lines");
    assert!(first.starts_with("1 https://127.0.0.1:"), "{first}");
    for name in SECRETS {
        assert!(!environment.contains(name), "{name} in {environment}");
    }
    assert!(!environment.contains("s3cret"), "{environment}");
    for name in ["DOORKEY_HOME=", "HOME=", "SEEN="] {
        assert!(environment.contains(name), "{name} is not in {environment}");
    }
    if let Some(limits) = limits {
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        let core = core.expect("the limit of core files");
        let limits: Vec<_> = core
            .split_whitespace()
            .filter(|word| *word == "0")
            .collect();
        assert_eq!(limits.len(), 2, "{core}");
    }
    if let Some(arguments) = arguments {
        assert!(arguments.ends_with("doorkey\0login\0it\0"), "{arguments:?}");
    }
}

/// What belongs to a process that other processes of its user may not look into belongs to root in `/proc`. Root itself
/// starts it as somebody else, since nothing tells of root's own.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_other_process_of_the_user_looks_into_the_memory_of_the_program() {
    use std::os::unix::fs::{MetadataExt as _, chown};

    let world = World::new().await;
    let home = Home::new(&world, "");
    let mut command = home.command();
    if fs::metadata("/proc/self").expect("a folder").uid() == 0 {
        let program = home.path().join("doorkey");
        let built = command.as_std().get_program();
        // A copy, for those who may not enter the folder of the build.
        let linked = fs::hard_link(built, &program);
        linked
            .or_else(|_| fs::copy(built, &program).map(drop))
            .expect("a copy");
        for entry in fs::read_dir(home.path()).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path != program {
                chown(path, Some(NOBODY), Some(NOBODY)).expect("root may");
            }
        }
        chown(home.path(), Some(NOBODY), Some(NOBODY)).expect("root may");
        let variables: Vec<_> = home.variables();
        command = tokio::process::Command::new(program);
        command
            .env_clear()
            .envs(variables)
            .uid(NOBODY)
            .gid(NOBODY)
            .kill_on_drop(true);
    }
    let mut program = command
        .args(["login", Home::SERVER, "--no-browser"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a program that starts");
    let told = tokio::io::AsyncReadExt::read_u8(program.stderr.as_mut().expect("a pipe"));
    let told = tokio::time::timeout(LIMIT, told).await;
    told.expect("in time")
        .expect("it says something, so it runs");
    let id = program.id().expect("it waits for the browser");
    let process = fs::metadata(format!("/proc/{id}/environ"));
    let process = process.expect("a file").uid();
    assert_eq!(process, 0);
    program.start_kill().expect("it still runs");
    program.wait().await.expect("its end");
}

#[cfg(target_os = "linux")]
const NOBODY: u32 = 65_534;

/// The text of a file, once it is there.
async fn appeared(path: &Path) -> String {
    let waiting = async {
        loop {
            match fs::read_to_string(path) {
                Ok(text) => return text,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    let text = tokio::time::timeout(LIMIT, waiting).await;
    text.unwrap_or_else(|_| panic!("{} does not appear", path.display()))
}

/// What Linux says of a process; elsewhere nothing.
fn read(id: u32, what: &str) -> Option<String> {
    let path = format!("/proc/{id}/{what}");
    Path::new("/proc/self")
        .exists()
        .then(|| fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}")))
}
