//! The blocks of TOML and JSON on the pages are what they seem.

use std::fs;

use doorkey::{Config, Home};

use super::{pages, root};

const HEAD: &str = "[mcp_servers.work]\nurl = \"https://mcp.example.com/mcp\"\n";

#[test]
fn every_piece_of_configuration_on_the_pages_is_read_without_a_warning() {
    let mut read = 0;
    for (page, blocks) in pages() {
        for block in blocks.iter().filter(|block| block.kind() == "toml") {
            if block.has("manifest") || block.has("quirks") {
                continue;
            }
            let place = format!("{page}:{}", block.line);
            let mut text = match block.text.contains("url = \"https://mcp") {
                true => block.text.clone(),
                false => format!("{HEAD}{}", block.text),
            };
            if text.contains(".oauth.workload]") && !text.contains(".oauth]") {
                text.push_str("[mcp_servers.work.oauth]\nflow = \"workload_identity\"\n");
            }
            let config = Config::parse(&Home::at("/nonexistent"), &text);
            let config = config.unwrap_or_else(|error| panic!("{place}: {error}"));
            assert!(
                config.warnings().is_empty(),
                "{place}: {:?}",
                config.warnings()
            );
            read += 1;
        }
    }
    assert!(read >= 10, "{read} were read");
}

#[test]
fn every_json_of_the_pages_is_json() {
    for (page, blocks) in pages() {
        for block in blocks.iter().filter(|block| block.kind() == "json") {
            let read = serde_json::from_str::<serde_json::Value>(&block.text);
            assert!(read.is_ok(), "{page}:{}: {read:?}", block.line);
        }
    }
}

#[test]
fn every_piece_of_rust_on_the_pages_is_part_of_an_example() {
    let folders = ["oauth", "store", "rmcp", "host"].map(|name| format!("crates/{name}/examples"));
    let mut programs = Vec::new();
    for folder in folders
        .into_iter()
        .chain(["tests/parity/tests/migrated".to_owned()])
    {
        let Ok(entries) = fs::read_dir(root().join(folder)) else {
            continue;
        };
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let sources = paths.filter(|path| path.extension().is_some_and(|it| it == "rs"));
        programs.extend(sources.map(|path| fs::read_to_string(path).expect("a source")));
    }
    let mut found = 0;
    for (page, blocks) in pages() {
        // The README's is compared by `cargo xtask manifest`, which knows where it begins.
        for block in blocks
            .iter()
            .filter(|block| block.kind() == "rust" && page != "README.md")
        {
            let is_part = programs.iter().any(|program| program.contains(&block.text));
            assert!(
                is_part,
                "{page}:{} is in no example:\n{}",
                block.line, block.text
            );
            found += 1;
        }
    }
    assert!(found >= 4, "{found} were found");
}
