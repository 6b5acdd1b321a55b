//! The pages of the documentation: what they show is run, read and compared.
//!
//! A block ` ```console ` is a session in the shell of somebody whose home is empty when the page begins. Its lines are
//! `$ command`, `> ` for what goes on in the next line, and what the command writes; `...` stands for any lines, `[..]`
//! for any text in one. A command without output may write what it likes. Words after `console` say more:
//!
//! - `fresh`: the home and the servers are new. `signed-in`: the same, with `work` added and signed in to.
//! - `exit=N`: how the last command ends, if not with 0.
//! - `terminal`: each command is one of `doorkey`, at a terminal of 100 columns.
//! - `not-run: why`: nothing is run. Every such block is on the list of this module.

mod blocks;
mod links;
mod session;
mod values;

use std::{collections::BTreeSet, fs, path::PathBuf};

use blocks::Block;
use session::Session;

/// Blocks that are not run: the page, and the reason it gives.
const NOT_RUN: &[(&str, &str)] = &[
    ("README.md", "it compiles the project, or checks all of it"),
    ("docs/mutants.md", "it installs a tool and takes hours"),
    ("docs/quick-start.md", "it compiles the project"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_of_the_pages_does_what_its_page_says() {
    let mut failures = Vec::new();
    let mut commands = 0;
    for (page, blocks) in pages() {
        let mut session = None;
        for block in blocks.iter().filter(|block| block.is_run()) {
            let session = match &mut session {
                Some(session) if !block.has("fresh") && !block.has("signed-in") => session,
                other => other.insert(Session::start(block.has("signed-in")).await),
            };
            commands += block.commands().len();
            if let Err(failure) = session.run(block).await {
                failures.push(format!("{page}:{}: {failure}", block.line));
                // What comes next on the page was to find what this block did.
                break;
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(commands >= 5, "{commands} commands were found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_shows_something_else_than_what_happens_is_found() {
    let mut session = Session::start(true).await;
    for (block, told) in [
        (
            "console\n$ doorkey tools work\nnothing of it",
            "nothing of it",
        ),
        ("console\n$ doorkey tools nobody", "ended with 9"),
        ("console exit=3\n$ doorkey tools work", "ended with 0"),
        ("console terminal\n$ doorkey list\nnothing", "work"),
    ] {
        let page = format!("```{block}\n```\n");
        let block = &blocks::read(&page)[0];
        let failure = session.run(block).await.expect_err(&page);
        assert!(failure.contains(told), "{failure}");
    }
}

#[test]
fn the_blocks_that_are_not_run_are_these_and_say_why() {
    let pages = pages();
    let all = pages.iter().flat_map(|(page, blocks)| {
        let reasons = blocks.iter().filter_map(Block::reason);
        reasons.map(move |reason| (page.as_str(), reason))
    });
    let found: BTreeSet<_> = all.collect();
    assert_eq!(found, NOT_RUN.iter().copied().collect());
}

#[test]
fn every_block_of_the_pages_is_of_a_kind_that_a_test_reads() {
    for (page, blocks) in pages() {
        for block in blocks {
            let kind = block.kind();
            assert!(
                KINDS.contains(&kind),
                "{page}:{}: a block of {kind:?} is checked by nobody",
                block.line
            );
        }
    }
}

/// `text` is shown and means nothing; `sql` is compared by the tests of the store, `rust` with the examples.
const KINDS: [&str; 6] = ["console", "toml", "json", "rust", "sql", "text"];

/// The pages by their names from the root, with their fenced blocks.
fn pages() -> Vec<(String, Vec<Block>)> {
    let read = |(name, text): (String, String)| (name, blocks::read(&text));
    texts().into_iter().map(read).collect()
}

/// The pages by their names from the root.
fn texts() -> Vec<(String, String)> {
    let docs = fs::read_dir(root().join("docs")).expect("a folder of pages");
    let mut names: Vec<_> = docs
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| format!("docs/{}", name.to_string_lossy()))
        .filter(|name| name.ends_with(".md"))
        .collect();
    names.sort_unstable();
    names.extend(["README.md", "crates/host/README.md"].map(str::to_owned));
    let read = |name: String| {
        let text = fs::read_to_string(root().join(&name)).expect("a page");
        (name, text)
    };
    names.into_iter().map(read).collect()
}

/// The folder of the workspace.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}
