//! The links between the pages lead somewhere.

use std::fs;

use super::root;

#[test]
fn every_link_of_a_page_leads_to_a_file_and_to_a_heading_that_are_there() {
    let mut followed = 0;
    for (page, text) in super::texts() {
        let folder = root().join(&page);
        let folder = folder.parent().expect("a folder");
        for link in links(&text) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => root().join(&page),
                path => folder.join(path),
            };
            assert!(target.exists(), "{page}: nothing is at {link}");
            if !heading.is_empty() {
                let there = fs::read_to_string(&target).expect("a page");
                let found = there
                    .lines()
                    .any(|line| anchor(line) == Some(heading.to_owned()));
                assert!(found, "{page}: no heading is at {link}");
            }
            followed += 1;
        }
    }
    assert!(followed > 30, "{followed} links");
}

/// What is linked to on this site, outside of fenced blocks.
fn links(page: &str) -> impl Iterator<Item = &str> {
    let text = page.split("```").step_by(2);
    let targets = text.flat_map(|part| part.split("](").skip(1));
    let links = targets.filter_map(|rest| rest.split(')').next());
    links.filter(|link| !link.contains("://") && !link.contains(' '))
}

/// What a heading is linked to by.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').trim();
    let kept = heading
        .chars()
        .filter(|it| it.is_alphanumeric() || "_- ".contains(*it));
    let lower = kept.flat_map(char::to_lowercase);
    Some(lower.map(|it| if it == ' ' { '-' } else { it }).collect())
}

#[test]
fn links_and_headings_are_found() {
    let page = "[a](b.md#c) ```x\n[no](no.md)\n``` [d](https://e) [f](#g)";
    assert_eq!(links(page).collect::<Vec<_>>(), ["b.md#c", "#g"]);
    assert_eq!(
        anchor("## `[network]` and `[a.NAME.b]`").as_deref(),
        Some("network-and-anameb")
    );
    assert_eq!(anchor("text"), None);
}
