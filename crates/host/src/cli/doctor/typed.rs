//! Whether what the doctor tells people to type can be typed, row by row of the table of faults.

use clap::Parser as _;
use doorkey::doctor::faults;
use doorkey::{Config, Home};

use crate::cli::Arguments;

/// A text of the table, filled in with what a run might know.
fn filled(text: &str) -> String {
    let values = [
        ("{name}", "it"),
        ("{login}", "it --account ada"),
        ("{url}", "https://mcp.example/mcp"),
        ("{at}", "https://mcp.example/mcp"),
        ("{origin}", "https://mcp.example"),
        ("{page}", "https://as.example"),
        ("{status}", "404"),
        ("{issuer}", "https://as.example"),
        ("{variable}", "TOKEN"),
        ("{value}", "https://as.example"),
        ("{list}", "\"admin\""),
    ];
    let put = |text: String, (hole, value): (&str, &str)| text.replace(hole, value);
    values.into_iter().fold(text.to_owned(), put)
}

#[test]
fn every_command_of_the_table_is_one_of_this_program() {
    let mut all = 0;
    for fault in faults().filter(|fault| !fault.command.is_empty()) {
        let command = filled(fault.command);
        assert!(!command.contains('{'), "{}: {command}", fault.id);
        if let Some(assignment) = command.strip_prefix("export ") {
            assert_eq!(assignment, "TOKEN=…", "{}", fault.id);
            continue;
        }
        let parsed = Arguments::try_parse_from(command.split(' '));
        assert!(
            parsed.is_ok(),
            "{}: {command}: {:?}",
            fault.id,
            parsed.err()
        );
        all += 1;
    }
    assert!(all > 30, "{all} commands");
}

#[test]
fn every_setting_of_the_table_is_taken_by_the_configuration() {
    let home = Home::at("/nowhere");
    let mut all = 0;
    for fault in faults().filter(|fault| !fault.setting.is_empty()) {
        let mut text = filled(fault.setting);
        assert!(!text.contains("{n") && !text.contains("{v"), "{text}");
        // What only the user knows.
        text = text
            .replace("\"https://…", "\"https://as.example")
            .replace("url = \"…\"", "url = \"https://other.example/mcp\"")
            .replace("issuer = \"…\"", "issuer = \"https://as.example\"")
            .replace("_endpoint = \"…\"", "_endpoint = \"https://as.example/e\"")
            .replace("[\"…\"]", "[\"https://as.example\"]")
            .replace('…', "X");
        if !text.contains("\nurl = ") {
            text = format!("{text}\n[mcp_servers.it]\nurl = \"https://mcp.example/mcp\"\n");
            // A table is written once.
            if let Some(rest) = text.strip_prefix("[mcp_servers.it]\n") {
                let (own, _) = rest.split_once("\n[mcp_servers.it]\n").expect("the second");
                let url = "url = \"https://mcp.example/mcp\"";
                text = format!("[mcp_servers.it]\n{url}\n{own}\n");
            }
        }
        let parsed = Config::parse(&home, &text).and_then(|it| it.server("it").map(drop));
        assert!(parsed.is_ok(), "{}: {text}\n{:?}", fault.id, parsed.err());
        all += 1;
    }
    assert!(all > 30, "{all} settings");
}
