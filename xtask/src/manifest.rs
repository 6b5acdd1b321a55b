//! `manifest`: every member states the same things in the same way, and nothing of this machine leaks into a file.

mod dependencies;
mod files;
mod package;
mod root;

use toml_edit::{DocumentMut, Item, TableLike};

use crate::failure::Failure;
use crate::step::Report;
use crate::workspace::Workspace;

/// A member and its manifest.
#[derive(Debug)]
struct Member {
    /// The folder from the root, with `/` between: `crates/http`.
    folder: String,
    manifest: DocumentMut,
}

impl Member {
    /// Whether the package goes to a registry. What tests and checks the others does not.
    fn is_published(&self) -> bool {
        self.folder.starts_with("crates/")
    }

    /// The manifest's path from the root.
    fn path(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }
}

/// Checks the manifests and the files that are under version control.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    let root = workspace.toml("Cargo.toml")?;
    let files = workspace.files()?;
    let members = files
        .iter()
        .filter_map(|file| file.strip_suffix("/Cargo.toml"))
        .filter(|folder| !strings(at(&root, &["workspace", "exclude"])).contains(folder))
        .map(|folder| {
            let manifest = workspace.toml(&format!("{folder}/Cargo.toml"))?;
            Ok(Member {
                folder: folder.to_owned(),
                manifest,
            })
        })
        .collect::<Result<Vec<_>, Failure>>()?;

    let mut broken = root::check(&root, &workspace.toml("clippy.toml")?, &members);
    for member in &members {
        broken.extend(package::check(member));
        broken.extend(dependencies::check_member(member));
    }
    broken.extend(files::check(workspace, &files, &members)?);
    Failure::unless_empty(broken)?;
    Ok(Report::note(format!(
        "{} members and {} files hold",
        members.len(),
        files.len()
    )))
}

/// The value at a path of keys.
fn at<'a>(document: &'a DocumentMut, path: &[&str]) -> Option<&'a Item> {
    path.iter()
        .try_fold(document.as_item(), |item, key| item.get(key))
}

/// The text at a path of keys.
fn text<'a>(document: &'a DocumentMut, path: &[&str]) -> Option<&'a str> {
    at(document, path)?.as_str()
}

/// The strings of an array; none where there is no array.
fn strings(item: Option<&Item>) -> Vec<&str> {
    let array = item.and_then(Item::as_array);
    array
        .into_iter()
        .flatten()
        .filter_map(|value| value.as_str())
        .collect()
}

/// Whether a key says `key.workspace = true`.
fn is_inherited(item: Option<&Item>) -> bool {
    item.and_then(|item| item.get("workspace"))
        .and_then(Item::as_bool)
        == Some(true)
}

/// A table's keys and values; none where there is no table.
fn entries(item: Option<&Item>) -> Vec<(&str, &Item)> {
    item.and_then(Item::as_table_like)
        .map(|table| TableLike::iter(table).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
