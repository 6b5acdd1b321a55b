//! What is the same on every machine: the bytes of the program, and what `benches/figures.toml` has on record.
//!
//! `cargo xtask figures` counts and compares in `ci`; this section shows the same figures beside the others, and takes
//! the program apart.

mod elf;

use std::path::Path;

use toml_edit::DocumentMut;

use crate::section::{Bound, Outline, Section, Table};
use crate::{BoxError, Context, format};

/// What this section sets out to measure.
pub const OUTLINE: Outline = Outline {
    id: "exact",
    title: "Exact figures",
    how: "The program is built as README.md says, with its default features, and is stripped by that. The other figures are those on \
          record in `benches/figures.toml`, which `cargo xtask ci` counts anew and compares.",
    goals: &["The release program, stripped, has at most 12 MiB."],
};

/// Measures it.
///
/// # Errors
/// If the program is not built, or the record cannot be read.
pub async fn run(context: &Context) -> Result<Section, BoxError> {
    let program = std::fs::read(context.doorkey()?)?;
    let parts = elf::parts(&program);
    let mut section = Section::new(&OUTLINE);
    let size = program.len() as f64 / MEBIBYTE;
    section.judge(size, "MiB", Bound::AtMost(12.0), || floor(&parts));
    section.tables.push(in_parts(&program, &parts));
    section.tables.extend(on_record(context.root())?);
    Ok(section)
}

/// What the program is made of, in words.
fn floor(parts: &[elf::Part]) -> String {
    let largest = parts.iter().take(4);
    let said =
        largest.map(|part| format!("{} in `{}`", format::bytes(part.bytes as f64), part.name));
    format!("Most of it is {}.", said.collect::<Vec<_>>().join(", "))
}

fn in_parts(program: &[u8], parts: &[elf::Part]) -> Table {
    let shown = parts.iter().take(PARTS);
    let rest = program.len() as u64 - shown.clone().map(|part| part.bytes).sum::<u64>();
    let row = |name: String, bytes: u64| vec![name, format::count(bytes)];
    let mut rows: Vec<_> = shown
        .map(|part| row(format!("`{}`", part.name), part.bytes))
        .collect();
    rows.push(row("the rest".to_owned(), rest));
    rows.push(row("the whole program".to_owned(), program.len() as u64));
    Table {
        caption: "The parts of the program".to_owned(),
        columns: vec![String::new(), "bytes".to_owned()],
        rows,
    }
}

/// A table for each kind on record.
fn on_record(root: &Path) -> Result<Vec<Table>, BoxError> {
    let file: DocumentMut = std::fs::read_to_string(root.join(RECORD))?.parse()?;
    let kinds = file
        .iter()
        .filter_map(|(kind, item)| Some((kind, item.as_table()?)));
    let tables = kinds
        .filter(|(kind, _)| *kind != "program")
        .map(|(kind, table)| {
            let about = table
                .decor()
                .prefix()
                .and_then(|it| it.as_str())
                .unwrap_or_default();
            let about = about
                .trim()
                .trim_start_matches('#')
                .trim()
                .trim_end_matches('.');
            let rows = table.iter().map(|(name, item)| {
                let number = item.as_integer().and_then(|it| u64::try_from(it).ok());
                vec![
                    name.to_owned(),
                    number.map(format::count).unwrap_or_default(),
                ]
            });
            Table {
                caption: about.to_owned(),
                columns: vec![String::new(), kind.to_owned()],
                rows: rows.collect(),
            }
        });
    Ok(tables.collect())
}

const MEBIBYTE: f64 = 1024.0 * 1024.0;
/// How many parts of the program are shown.
const PARTS: usize = 8;
const RECORD: &str = "benches/figures.toml";
