//! Faults of the disk, the clock and the network around one refresh: what stays, what is said, whether the login survives.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use doorkey_testkit::Fault;
use integration::{
    Disk,
    worker::{Place, Said, Site, Worker},
};

/// One row of the table in `docs/reliability.md`.
struct Row {
    fault: &'static str,
    /// What the process says that meets it.
    said: &'static str,
    /// What the next one says, once the fault is over.
    next: &'static str,
    login: &'static str,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_each_fault_costs_is_what_the_page_says() {
    let rows = [
        full_before_the_request().await,
        full_before_the_save().await,
        full_to_the_end().await,
        read_only_folder().await,
        damaged("a record that is cut off", |bytes| {
            bytes[..bytes.len() / 2].to_vec()
        })
        .await,
        damaged("a record of garbage", |_| b"\x7fELF not a login".to_vec()).await,
        foreign_version().await,
        clock("a clock three days ahead", 3 * DAY).await,
        clock("a clock three days behind", -3 * DAY).await,
        network("the connection is refused", Fault::Refuse, Duration::ZERO).await,
        network("the server answers 503", Fault::status(503), Duration::ZERO).await,
        network(
            "an answer is cut short, and nothing was rotated",
            Fault::Truncated,
            Duration::ZERO,
        )
        .await,
        network(
            "the answer is lost after the rotation",
            Fault::AnswerLost,
            Duration::ZERO,
        )
        .await,
        network(
            "the same, at a server that forgives a second use for a minute",
            Fault::AnswerLost,
            Duration::from_secs(60),
        )
        .await,
    ];
    let mut table = String::from(
        "| fault | the process that meets it | the next one, afterwards | login |\n|---|---|---|---|\n",
    );
    for Row {
        fault,
        said,
        next,
        login,
    } in rows
    {
        table += &format!("| {fault} | {said} | {next} | {login} |\n");
    }
    println!("{table}");
    let page = include_str!("../../../../docs/reliability.md");
    assert!(
        page.contains(&table),
        "docs/reliability.md says otherwise than\n{table}"
    );
}

/// A worker that has gone as far as it says something.
async fn ask(site: &Site) -> (Worker, Said) {
    let mut worker = Worker::start(site, None).await;
    worker.go().await;
    let said = worker.said().await;
    (worker, said)
}

/// How the table puts what somebody said.
fn told(said: &Said) -> &'static str {
    match said {
        Said::Token => "has a token",
        Said::Login(why) if why.contains("interrupted") => {
            "login required, a refresh was interrupted"
        }
        Said::Login(_) => "login required",
        Said::Failed(why) if why.contains("store") => "an error of the store, nothing is sent",
        Said::Failed(_) => "an error that passes",
        Said::Nothing => "nothing",
    }
}

/// What the next process says, and whether the login is alive; it is signed in again if need be.
async fn afterwards(site: &Site, fault: &'static str, first: &Said) -> Row {
    let (worker, said) = ask(site).await;
    worker.end().await;
    let stored = site.store.grant(&site.key()).await;
    let is_there = stored.is_ok_and(|stored| stored.is_some());
    let kept = is_there && site.is_honoured().await;
    assert_eq!(said == Said::Token, kept, "{fault}: {said}");
    Row {
        fault,
        said: told(first),
        next: told(&said),
        login: if kept { "kept" } else { "**lost**" },
    }
}

/// With its store on a disk that can be filled.
async fn on_a_disk() -> (Disk, Site) {
    let disk = Disk::new();
    let folder = disk.folder().join("state");
    let site = Site::with(|auth| auth, |_| Place::File(folder)).await;
    (disk, site)
}

async fn full_before_the_request() -> Row {
    let (disk, site) = on_a_disk().await;
    site.expire().await;
    disk.fill();
    let (worker, said) = ask(&site).await;
    assert!(
        matches!(&said, Said::Failed(why) if why.contains(NO_SPACE)),
        "{said}"
    );
    worker.end().await;
    assert_eq!(site.requests(), 0, "nothing was sent");
    disk.free();
    afterwards(&site, "a full disk", &said).await
}

/// A worker whose request is at the server, and whose disk is full from now on.
async fn full_from_now_on(disk: &Disk, site: &Site) -> (Worker, Said) {
    site.expire().await;
    site.fault(Fault::Slow(Duration::from_millis(500)));
    let mut worker = Worker::start(site, None).await;
    worker.go().await;
    site.asked(1).await;
    disk.fill();
    let said = worker.said().await;
    site.world.auth.clear_faults();
    assert_eq!(said, Said::Token, "memory has it");
    assert!(!site.is_honoured().await, "the store has the old one");
    (worker, said)
}

async fn full_before_the_save() -> Row {
    let (disk, site) = on_a_disk().await;
    let (worker, said) = full_from_now_on(&disk, &site).await;
    disk.free();
    assert_eq!(worker.end().await, None, "saved in the end");
    afterwards(
        &site,
        "a disk that is full when the answer comes, and has room before the process ends",
        &said,
    )
    .await
}

async fn full_to_the_end() -> Row {
    let (disk, site) = on_a_disk().await;
    let (worker, said) = full_from_now_on(&disk, &site).await;
    let unsaved = worker.end().await.unwrap_or_default();
    assert!(unsaved.contains(NO_SPACE), "it is told: {unsaved}");
    disk.free();
    afterwards(
        &site,
        "a disk that is full when the answer comes, until the process has ended",
        &said,
    )
    .await
}

async fn read_only_folder() -> Row {
    let site = Site::on_files().await;
    site.expire().await;
    let folder = site.place().folder().to_owned();
    set_mode(&folder, 0o500);
    let mut worker = Worker::start_unprivileged(&site).await;
    worker.go().await;
    let said = worker.said().await;
    worker.end().await;
    set_mode(&folder, 0o700);
    assert!(
        matches!(&said, Said::Failed(why) if why.contains("denied")),
        "{said}"
    );
    assert_eq!(site.requests(), 0, "nothing was sent");
    afterwards(&site, "a folder that is read-only", &said).await
}

async fn damaged(fault: &'static str, damage: impl FnOnce(&[u8]) -> Vec<u8>) -> Row {
    let site = Site::on_files().await;
    let path = record(site.place());
    let bytes = damage(&fs::read(&path).expect("a file"));
    fs::write(&path, &bytes).expect("a writable file");
    let (worker, said) = ask(&site).await;
    worker.end().await;
    let aside = PathBuf::from(format!("{}.broken-1", path.display()));
    assert_eq!(fs::read(aside).expect("kept for a person"), bytes);
    let row = afterwards(&site, fault, &said).await;
    site.sign_in().await;
    assert_eq!(ask(&site).await.1, Said::Token, "a login mends it");
    row
}

async fn foreign_version() -> Row {
    let site = Site::on_files().await;
    let path = record(site.place());
    let whole = fs::read_to_string(&path).expect("a file");
    let newer = whole.replacen("\"version\":1", "\"version\":99", 1);
    assert_ne!(newer, whole);
    fs::write(&path, &newer).expect("a writable file");
    let (worker, said) = ask(&site).await;
    worker.end().await;
    assert!(matches!(said, Said::Login(_)), "{said}");
    assert_eq!(
        fs::read_to_string(&path).expect("a file"),
        newer,
        "left alone"
    );
    // The newer program comes back.
    fs::write(&path, whole).expect("a writable file");
    afterwards(&site, "a record of a newer version of the program", &said).await
}

async fn clock(fault: &'static str, ahead: i64) -> Row {
    let site = Site::on_files().await;
    site.expire().await;
    let mut wrong = Worker::start_with(&site, None, ahead).await;
    wrong.go().await;
    let said = wrong.said().await;
    wrong.end().await;
    afterwards(&site, fault, &said).await
}

async fn network(fault: &'static str, what: Fault, grace: Duration) -> Row {
    let site = Site::with(|auth| auth.reuse_grace(grace), Place::File).await;
    site.expire().await;
    site.fault(what);
    let (worker, said) = ask(&site).await;
    worker.end().await;
    site.world.auth.clear_faults();
    afterwards(&site, fault, &said).await
}

/// The file of the login.
fn record(place: &Place) -> PathBuf {
    let entries = fs::read_dir(place.folder()).expect("a folder");
    let mut paths = entries.map(|entry| entry.expect("a folder").path());
    let is_grant = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("grant-") && name.ends_with(".json")
    };
    paths.find(is_grant).expect("a login")
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
}

/// `ENOSPC`, as the system puts it.
const NO_SPACE: &str = "No space left on device";
const DAY: i64 = 24 * 60 * 60;
