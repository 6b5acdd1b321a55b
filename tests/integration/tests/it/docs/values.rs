//! The blocks of TOML and JSON on the pages are what they seem.

use doorkey::{Config, Home};

use super::pages;

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
