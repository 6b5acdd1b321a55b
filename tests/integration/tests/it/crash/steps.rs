//! SIGKILL at each step of the refresh.

use std::{fs, path::PathBuf};

use integration::worker::{Moment, Said, Site, Step, Worker, kill_before_waiting};

/// Where it is killed, and what it is called in the table.
#[derive(Clone, Copy, Debug)]
enum Point {
    Caught(Moment),
    /// The new file is being written and has not taken the place of the old one.
    BeforeRename,
}

const POINTS: [(Point, &str); 10] = [
    (
        Point::Caught(Moment::At(Step::BeforeLock)),
        "before the lock",
    ),
    (Point::Caught(Moment::At(Step::Locked)), "with the lock"),
    (
        Point::Caught(Moment::At(Step::IntentSaved)),
        "the intent is saved",
    ),
    (Point::Caught(Moment::Sent), "the request is sent"),
    (Point::Caught(Moment::OnTheWay), "the answer is on the way"),
    (
        Point::Caught(Moment::At(Step::AnswerRead)),
        "the answer is read",
    ),
    (
        Point::Caught(Moment::At(Step::BeforeSave)),
        "before the save",
    ),
    (Point::BeforeRename, "in the save, before the rename"),
    (Point::Caught(Moment::At(Step::Saved)), "after the rename"),
    (
        Point::Caught(Moment::At(Step::Published)),
        "after it is published",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_at_a_step_costs_the_login_only_between_the_answer_and_the_rename() {
    let site = Site::on_files().await;
    let mut table = String::from(
        "| killed | server rotated the token | new token saved | login |\n|---|---|---|---|\n",
    );
    for (point, name) in POINTS {
        let (before, stored) = kill_at(&site, point).await;
        assert!(site.is_sound().await, "{name}");
        let rotated = site.world.auth.refreshes() > before;
        let now = site.grant().await.value.refresh_token;
        let saved = secret(stored.as_ref()) != secret(now.as_ref());
        let kept = site.is_honoured().await;
        assert_eq!(
            kept,
            !rotated || saved,
            "{name}: lost only if answered and not saved"
        );
        others_go_on(&site, kept).await;
        let yes = |yes| if yes { "yes" } else { "no" };
        let login = if kept { "kept" } else { "**lost**" };
        table += &format!("| {name} | {} | {} | {login} |\n", yes(rotated), yes(saved));
    }
    println!("{table}");
    let page = include_str!("../../../../../docs/reliability.md");
    assert!(
        page.contains(&table),
        "docs/reliability.md says otherwise than\n{table}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_wait_for_the_lock_of_one_that_is_killed_take_over_at_once_ref_09() {
    let site = Site::on_files().await;
    for moment in Moment::WITH_THE_LOCK {
        for waiting in [2, 8] {
            kill_before_waiting(&site, moment, waiting).await;
        }
    }
}

fn secret(token: Option<&secrecy::SecretString>) -> Option<&str> {
    token.map(secrecy::ExposeSecret::expose_secret)
}

/// Kills a process there, and returns how many refreshes the server had answered and which refresh token was stored
/// just before it: where several attempts are needed, before the last.
async fn kill_at(site: &Site, point: Point) -> (usize, Option<secrecy::SecretString>) {
    site.expire().await;
    let mut before = as_it_stands(site).await;
    match point {
        Point::Caught(moment) => moment.caught(site).await.kill().await,
        Point::BeforeRename => {
            // Caught by looking again and again; a save takes long enough for that, because it waits for the disk.
            for _ in 0..ATTEMPTS {
                if caught_in_the_save(site).await {
                    break;
                }
                if !site.is_honoured().await {
                    site.sign_in().await;
                }
                site.expire().await;
                before = as_it_stands(site).await;
            }
            assert!(!site.is_honoured().await, "it was never caught in the save");
        }
    }
    before
}

async fn as_it_stands(site: &Site) -> (usize, Option<secrecy::SecretString>) {
    let stored = site.grant().await.value.refresh_token;
    (site.world.auth.refreshes(), stored)
}

/// Kills a process while the file of its new token exists and has not been renamed. `false`: it was too fast.
async fn caught_in_the_save(site: &Site) -> bool {
    let before = site.world.auth.refreshes();
    let mut worker = Worker::start(site, Some(Step::Published)).await;
    worker.go().await;
    let folder = site.place().folder().to_owned();
    let auth = &site.world.auth;
    while auth.refreshes() == before {
        tokio::task::yield_now().await;
    }
    let started = std::time::Instant::now();
    while being_written(&folder).is_none() && started.elapsed().as_millis() < 200 {
        std::hint::spin_loop();
    }
    worker.shoot();
    worker.kill().await;
    being_written(&folder).is_some() && !site.is_honoured().await
}

fn being_written(folder: &std::path::Path) -> Option<PathBuf> {
    let mut entries = fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path());
    entries.find(|path| path.extension().is_some_and(|it| it == "new"))
}

/// Two processes that run at once, and one after them, are of the opinion that they have to be of.
async fn others_go_on(site: &Site, kept: bool) {
    let mut others = vec![
        Worker::start(site, None).await,
        Worker::start(site, None).await,
    ];
    for other in &mut others {
        other.go().await;
    }
    for mut other in others {
        let said = other.said().await;
        assert_eq!(said == Said::Token, kept, "{said}");
        if !kept {
            assert!(
                matches!(&said, Said::Login(why) if why.contains("interrupted")),
                "{said}"
            );
        }
        other.end().await;
    }
    if !kept {
        site.sign_in().await;
    }
    let mut last = Worker::start(site, None).await;
    last.go().await;
    assert_eq!(last.said().await, Said::Token);
    last.end().await;
    assert!(site.is_honoured().await);
}

const ATTEMPTS: usize = 60;
