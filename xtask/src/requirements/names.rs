//! The ids that names of functions carry: `a_document_is_read_disc_05` says that it proves DISC-05.

use std::collections::BTreeSet;

use super::broken;
use super::page::Page;
use crate::failure::{Failure, Violation};
use crate::workspace::Workspace;

/// A function, and where it begins.
#[derive(Debug)]
pub(super) struct Function {
    name: String,
    file: String,
    line: usize,
}

/// Every function of every source of the workspace.
pub(super) fn sources(workspace: &Workspace) -> Result<Vec<Function>, Failure> {
    let mut functions = Vec::new();
    for file in workspace.files()? {
        if file.ends_with(".rs") {
            functions.extend(functions_of(&file, &workspace.read(&file)?));
        }
    }
    Ok(functions)
}

/// Their names.
pub(super) fn functions(sources: &[Function]) -> BTreeSet<String> {
    sources
        .iter()
        .map(|function| function.name.clone())
        .collect()
}

/// Names that carry an id which is no rule of the page.
pub(super) fn unknown_ids(sources: &[Function], page: &Page) -> Vec<Violation> {
    let known: BTreeSet<&str> = page.rows.iter().map(|row| row.id.as_str()).collect();
    let prefixes: BTreeSet<&str> = known.iter().filter_map(|id| prefix(id)).collect();
    let mut violations = Vec::new();
    for function in sources {
        let unknown = ids(&function.name)
            .filter(|id| prefix(id).is_some_and(|prefix| prefixes.contains(prefix)))
            .filter(|id| !known.contains(id.as_str()));
        for id in unknown {
            let place = format!("{}:{}", function.file, function.line);
            let problem = format!("`{}` names {id}, which is no rule", function.name);
            violations.push(broken(place, problem, "name the rule that it proves"));
        }
    }
    violations
}

fn prefix(id: &str) -> Option<&str> {
    id.split('-').next()
}

fn functions_of(file: &str, source: &str) -> Vec<Function> {
    let name = |line: &str| {
        let (before, rest) = line.split_once("fn ")?;
        let is_word = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphabetic());
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let is_function = end > 0 && before.split_whitespace().all(is_word);
        is_function.then(|| rest[..end].to_owned())
    };
    let lines = source.lines().enumerate();
    lines
        .filter_map(|(index, line)| {
            Some(Function {
                name: name(line)?,
                file: file.to_owned(),
                line: index + 1,
            })
        })
        .collect()
}

/// The ids in a name: each word before a number of two digits.
fn ids(name: &str) -> impl Iterator<Item = String> {
    let words: Vec<&str> = name.split('_').collect();
    let pairs: Vec<String> = words
        .windows(2)
        .filter(|pair| pair[1].len() == 2 && pair[1].bytes().all(|byte| byte.is_ascii_digit()))
        .map(|pair| format!("{}-{}", pair[0].to_uppercase(), pair[1]))
        .collect();
    pairs.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_of_a_name_are_read() {
        let read = |name| ids(name).collect::<Vec<_>>();
        assert_eq!(
            read("a_4xx_means_look_elsewhere_disc_17_as_10"),
            ["DISC-17", "AS-10"]
        );
        assert_eq!(read("the_example_of_rfc_6749_is_read"), [] as [&str; 0]);
        assert_eq!(read("rsp_02_to_rsp_14"), ["RSP-02", "RSP-14"]);
    }

    #[test]
    fn functions_are_found_with_their_lines() {
        let source = "//! fn no(\n#[test]\nfn one_as_07() {}\n\n    pub(crate) async fn two<T>() {}\n    let f: fn (u8);\nasync fn three_long_name(\n";
        let found: Vec<_> = functions_of("a.rs", source)
            .into_iter()
            .map(|function| (function.name, function.line))
            .collect();
        let expected = [("one_as_07", 3), ("three_long_name", 7)];
        assert_eq!(found, expected.map(|(name, line)| (name.to_owned(), line)));
    }
}
