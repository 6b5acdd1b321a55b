//! Logins that one process starts and another finishes, and processes that sign in at the same time.

use std::fs;

use doorkey_testkit::Leg;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::world::{LIMIT, ONE, Ran, World};

const ENCRYPTED: &str = "[store]\nbackend = \"encrypted_file\"\npassphrase_env = \"PASS\"\n";

/// `login one --start` with these arguments, and the page that it printed.
async fn start(world: &World, arguments: &[&str]) -> String {
    let started = world
        .run(&[&["login", "one", "--start"], arguments].concat())
        .await;
    let started = started.expect(0, &["sends you to", "--finish", "within 10 minutes"]);
    started.out.trim().to_owned()
}

/// The address at which a browser ends that opens the page, and approves.
async fn approved(world: &World, page: &str) -> String {
    let person = world.person().stop_before_callback();
    person.open(page).await.unwrap().callback
}

/// `login one --finish` with these arguments and that on standard input.
async fn finish(world: &World, arguments: &[&str], input: &str) -> Ran {
    let mut command = world.command(&[&["login", "one", "--finish"], arguments].concat());
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let output = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
    let output = output.unwrap().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

async fn starts_here_and_finishes_there(world: &World) {
    let page = start(world, &[]).await;
    let listed = world.listed().await;
    assert!(listed["auth"]["started_until"].is_string(), "{listed}");
    world
        .run(&["list", "--table"])
        .await
        .expect(0, &["(login started)"]);
    world
        .run(&["get", "one", "--table"])
        .await
        .expect(0, &["to finish it: doorkey login one --finish"]);
    world.run(&["tools", "one"]).await.expect(3, &[]);

    let callback = approved(world, &page).await;
    let finished = finish(world, &[], &format!("\n  {callback}\n")).await;
    finished.expect(
        0,
        &["signed in to one; the server takes the token", "tools"],
    );
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    assert_eq!(world.listed().await["auth"]["started_until"], Value::Null);
    assert_eq!(world.authorization.token_requests(), 1);
    // It is good for one use.
    let again = finish(world, &[], &callback).await;
    again.expect(
        3,
        &[
            "no login that was started waits",
            "next: doorkey login one --start",
        ],
    );
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    assert_eq!(world.authorization.refusals().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_started_by_one_process_and_finished_by_another() {
    starts_here_and_finishes_there(&World::start(ONE).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_started_and_finished_over_encrypted_files() {
    let world = World::start(&format!("{ENCRYPTED}{ONE}")).await;
    starts_here_and_finishes_there(&world.with("PASS", "correct horse")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pasted_by_mistake_leaves_the_login_waiting() {
    let world = World::start(ONE).await;
    let page = start(&world, &[]).await;
    let callback = approved(&world, &page).await;
    let home = ["--account", "home"];
    let other = start(&world, &home).await;
    let other = approved(&world, &other).await;
    for (pasted, told) in [
        ("", "it is not the address at which the browser ended"),
        ("https://unrelated.example/", "it"),
        (&page, "it"),
        (&other, "it belongs to another login"),
    ] {
        finish(&world, &[], pasted)
            .await
            .expect(2, &[told, "next: doorkey login one --finish"]);
    }
    assert_eq!(world.authorization.token_requests(), 0);
    let given = world.run(&["login", "one", "--finish", &callback]).await;
    given.expect(
        0,
        &[
            "signed in to one;",
            "other processes of this machine can see",
        ],
    );
    finish(&world, &home, &other)
        .await
        .expect(0, &["signed in to one as home;"]);
    assert_eq!(world.authorization.token_requests(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_started_again_takes_the_place_of_the_one_before() {
    let world = World::start(ONE).await;
    let first = start(&world, &[]).await;
    let first = approved(&world, &first).await;
    let second = world.run(&["login", "one", "--start"]).await;
    let second = second.expect(
        0,
        &["a login that was started before can no longer be finished"],
    );
    finish(&world, &[], &first)
        .await
        .expect(2, &["it belongs to another login"]);
    let second = approved(&world, second.out.trim()).await;
    finish(&world, &[], &second)
        .await
        .expect(0, &["signed in to one;"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_was_started_too_long_ago_is_started_anew() {
    let world = World::start(ONE).await;
    let page = start(&world, &[]).await;
    let callback = approved(&world, &page).await;
    let state = fs::read_dir(world.home().join("state")).unwrap();
    let mut files = state.map(|entry| entry.unwrap().path());
    let file = files
        .find(|path| {
            path.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("login-")
        })
        .unwrap();
    let mut record: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let pending = &mut record["value"]["pending"];
    for time in ["started_at", "expires_at"] {
        pending[time] = (pending[time].as_u64().unwrap() - 700).into();
    }
    fs::write(&file, serde_json::to_vec(&record).unwrap()).unwrap();
    let late = finish(&world, &[], &callback).await;
    late.expect(3, &["next: doorkey login one --start"]);
    assert_eq!(world.listed().await["auth"]["started_until"], Value::Null);
    assert_eq!(world.authorization.token_requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_that_go_round_in_circles_are_told_how_long_to_wait() {
    let world = World::start(ONE).await;
    for _ in 0..10 {
        world.run(&["login", "one", "--start"]).await.expect(0, &[]);
    }
    let ran = world.run(&["login", "one", "--start"]).await;
    ran.expect(
        6,
        &[
            "10 logins within a minute are enough",
            "next: try again in ",
        ],
    );
    // Somebody else is not held up by it.
    world.login(&["--account", "home"]).await.expect(0, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_while_another_process_is_signing_in_waits_and_takes_it_over() {
    let world = World::start(ONE).await;
    let login = async || {
        let mut child = world
            .command(&["login", "one", "--no-browser"])
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        (child, lines)
    };
    let both = async {
        let (mut first, mut of_first) = login().await;
        let page = loop {
            let line = of_first.next_line().await.unwrap().unwrap();
            if line.starts_with("  https://") {
                break line.trim().to_owned();
            }
        };
        let (mut second, mut of_second) = login().await;
        loop {
            let line = of_second.next_line().await.unwrap().unwrap();
            if line.contains("Another process is signing in to the same account") {
                break;
            }
        }
        world.person().open(&page).await.unwrap();
        let mut said = String::new();
        while let Some(line) = of_second.next_line().await.unwrap() {
            said.push_str(&line);
        }
        while of_first.next_line().await.unwrap().is_some() {}
        assert!(first.wait().await.unwrap().success());
        assert!(second.wait().await.unwrap().success(), "{said}");
        assert!(
            said.contains("signed in to one, by another process; the server takes"),
            "{said}"
        );
    };
    tokio::time::timeout(LIMIT, both).await.unwrap();
    assert_eq!(world.authorization.token_requests(), 1);
    assert_eq!(world.requests(Leg::Registration), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_browser_comes_back_with_something_to_paste() {
    let world = World::start(&format!("{ONE}oauth = {{ flow = \"device\" }}\n")).await;
    world
        .run(&["login", "one", "--start"])
        .await
        .expect(9, &["flow"]);
    for both in [
        ["--start", "--finish"],
        ["--start", "--device"],
        ["--finish", "--no-browser"],
    ] {
        world
            .run(&[&["login", "one"], &both[..]].concat())
            .await
            .expect(2, &["cannot be used with"]);
    }
}
