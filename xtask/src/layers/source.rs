//! Law 2 in the sources: what only the program may do. Clippy finds most of it; this finds it also where a lint is
//! silenced or a target is not built.

use cargo_metadata::Package;

use crate::failure::{Failure, Violation};
use crate::workspace::Workspace;

/// Looks through the sources of one crate, its tests aside.
pub(super) fn check(
    package: &Package,
    workspace: &Workspace,
    files: &[String],
) -> Result<Vec<Violation>, Failure> {
    let folder = package
        .manifest_path
        .parent()
        .map(|folder| folder.join("src"));
    let mut broken = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.ends_with(".rs") && !is_tests(file))
    {
        if folder
            .as_ref()
            .is_some_and(|folder| workspace.path(file).starts_with(folder))
        {
            let found = deeds(&workspace.read(file)?);
            broken.extend(found.into_iter().map(|(line, deed)| {
                let problem = format!("{} in {file}, line {line}", deed.what);
                Violation::new(LAW, package.name.as_str(), problem, deed.instead)
            }));
        }
    }
    Ok(broken)
}

fn is_tests(file: &str) -> bool {
    file.ends_with("/tests.rs") || file.contains("/tests/")
}

/// Something that only the program may do.
#[derive(Debug, PartialEq, Eq)]
struct Deed {
    words: &'static [&'static str],
    what: &'static str,
    instead: &'static str,
}

/// The forbidden deeds of a source text with their lines, counted from 1. Comments and test modules are passed over.
fn deeds(source: &str) -> Vec<(usize, &'static Deed)> {
    let mut found = Vec::new();
    let mut lines = source.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let opens_tests = |next: &str| next.starts_with("mod ") && next.ends_with('{');
        if line.starts_with("#[cfg(test)]")
            && lines.peek().is_some_and(|(_, next)| opens_tests(next))
        {
            // rustfmt puts the closing brace of a top-level module alone in the first column.
            lines.by_ref().find(|(_, line)| *line == "}");
            continue;
        }
        let code = line.split_once("//").map_or(line, |(code, _)| code);
        let done = DEEDS
            .iter()
            .filter(|deed| deed.words.iter().any(|word| has_word(code, word)));
        found.extend(done.map(|deed| (index + 1, deed)));
    }
    found
}

/// Whether the words stand in the code and are not the tail of a longer name.
fn has_word(code: &str, words: &str) -> bool {
    code.match_indices(words).any(|(start, _)| {
        let before = code[..start].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

const LAW: &str =
    "law 2: below the host nothing prints, reads the environment, opens a browser or exits";

const DEEDS: &[Deed] = &[
    Deed {
        words: &[
            "print!(",
            "println!(",
            "eprint!(",
            "eprintln!(",
            "dbg!(",
            "io::stdout(",
            "io::stderr(",
        ],
        what: "prints",
        instead: "return a value, or log with tracing",
    },
    Deed {
        words: &[
            "env::var(",
            "env::var_os(",
            "env::vars(",
            "env::vars_os(",
            "env::args(",
            "env::home_dir(",
        ],
        what: "reads the environment",
        instead: "take the value as a parameter; the program reads it into its Environment",
    },
    Deed {
        words: &["process::exit(", "process::abort("],
        what: "ends the process",
        instead: "return an error",
    },
    Deed {
        words: &["webbrowser::open", "xdg-open"],
        what: "opens a browser",
        instead: "ask the Interaction",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deeds_are_found_with_their_lines_and_comments_and_tests_are_not_read() {
        let source = "\
//! println!(\"in the docs\")
fn one() { std::env::var(\"X\"); } // dbg!(1)
fn my_println() { my_println!(\"not it\"); }
#[cfg(test)]
mod tests {
    fn two() { println!(\"in a test\"); }
}
fn three() { std::process::exit(1) }
";
        let found: Vec<_> = deeds(source)
            .into_iter()
            .map(|(line, deed)| (line, deed.what))
            .collect();
        assert_eq!(
            found,
            [(2, "reads the environment"), (8, "ends the process")]
        );
    }

    #[test]
    fn every_deed_is_found_by_each_of_its_words() {
        for deed in DEEDS {
            for word in deed.words {
                assert_eq!(deeds(&format!("    std::{word}")), [(1, deed)], "{word}");
            }
        }
    }
}
