//! Keys and tokens that cannot be used, and what the program says about that.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use doorkey_testkit::{Fault, FaultRule, SigningAlgorithm, SigningKey, TrustedIssuer};
use integration::{Home, World};

use super::{
    secrets::{Kind, Secret},
    watch::Watch,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_tokens_that_cannot_be_used_are_not_repeated() {
    let key = SigningKey::generate(SigningAlgorithm::Es256).expect("a key");
    let platform = TrustedIssuer::workload("https://platform.test", key.public_key());
    let world = World::with(|auth| auth.jwt_bearer(platform), |mcp| mcp).await;
    let page = format!("<html><body>{TOKEN}</body></html>");
    let refusal = Fault::Status(403, Vec::new(), page);
    world.auth.fault(FaultRule::on("/service").respond(refusal));
    let home = Home::new(&world, "");
    let half = half(&key);
    home.write("half.pem", half.as_bytes());
    let mut watch = Watch::new(&world, &home, &[("HALF_A_KEY", &half), ("JWT", TOKEN)]);
    let loud = watch.program(loud);

    let workloads = of_workloads(&loud, &format!("{}/service", world.auth.url()));
    for (oauth, told) in of_keys(&key).into_iter().chain(workloads) {
        home.configure(&format!("[mcp_servers.it.oauth]\n{oauth}"));
        let login = watch.run_any(&["login", "it", "-vv"]).await;
        assert!(login.code != 0 && login.stderr.contains(told), "{told}");
        for arguments in [
            ["tools", "it"].as_slice(),
            &["get", "it", "--json"],
            &["list"],
        ] {
            watch.run_any(arguments).await;
        }
    }
    home.configure("");
    watch.assert_clean(&[
        Secret::of_key(Kind::SigningKey, key.pem()),
        Secret::new(Kind::WorkloadJwt, TOKEN),
    ]);
}

/// Tables with a key that is none, or in the wrong place, and what is told of each.
fn of_keys(key: &SigningKey) -> Vec<(String, &'static str)> {
    let client = "flow = \"client_credentials\"\nclient_id = \"one\"\n\
                  issuer = \"https://as.test\"\nprivate_key";
    let (half, line) = (half(key), in_one_line(key));
    let torn = line.replacen(&half, &format!("{half}\n"), 1);
    vec![
        (format!("{client} = {half:?}"), NO_KEY),
        (format!("{client} = {torn:?}"), NO_KEY),
        (format!("{client}_env = \"HALF_A_KEY\""), NO_KEY),
        (format!("{client}_file = \"half.pem\""), NO_KEY),
        (format!("{client} = \"{line}"), "not valid TOML"),
        (format!("{client} = [{line:?}]"), "found an array"),
        (format!("private_key = {line:?}"), "expected client_id"),
    ]
}

/// Tables with a workload's JWT that cannot be had, and what is told of each.
fn of_workloads(loud: &Path, service: &str) -> Vec<(String, &'static str)> {
    let workload = "flow = \"workload_identity\"\naccept_discovered_issuer = true\nworkload";
    let header = format!("headers = {{ x-cloud = {TOKEN:?} }}");
    let loud = loud.display();
    vec![
        (format!("{workload}.command = [\"{loud}\"]"), "status: 3"),
        (
            format!("{workload} = {{ env = \"JWT\", json_member = \"a\" }}"),
            "no JSON object",
        ),
        (
            format!("{workload} = {{ url = {service:?}, {header} }}"),
            "403 Forbidden",
        ),
        (
            format!("{workload} = {{ file = \"a\", {header} }}"),
            "expected url",
        ),
        (
            format!("{workload}.env = \"a\", {TOKEN:?}"),
            "not valid TOML",
        ),
    ]
}

/// A program that says its token wherever it can, and fails.
fn loud(folder: &Path, before: &str) -> PathBuf {
    let path = folder.join("loud");
    let script = format!("#!/bin/sh\n{before}\necho '{TOKEN}'; echo '{TOKEN}' >&2; exit 3\n");
    fs::write(&path, script).expect("a writable folder");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("permissions");
    path
}

/// The first half of a key, with all of its private number.
fn half(key: &SigningKey) -> String {
    let line = in_one_line(key);
    line[..line.len() / 2].to_owned()
}

fn in_one_line(key: &SigningKey) -> String {
    key.pem().lines().collect()
}

const NO_KEY: &str = "it is neither a PEM private key nor a JSON Web Key";
const TOKEN: &str = "workload-token-Vt8Xk3Rw6Zn1Hq5C";
