//! The file of the figures on record.

use toml_edit::{DocumentMut, Item, Table, value};

use crate::failure::Failure;
use crate::workspace::Workspace;

use super::kind::Kind;

/// Figures by name, in the order in which they were counted.
pub(super) type Figures = Vec<(String, u64)>;

/// `benches/figures.toml`.
#[derive(Debug)]
pub(super) struct Record(Vec<(Kind, Figures)>);

impl Record {
    /// The file as it is in the checkout.
    pub(super) fn read(workspace: &Workspace) -> Result<Self, Failure> {
        let file = workspace.toml(FILE)?;
        let mut tables = Vec::new();
        for kind in Kind::ALL {
            let figures = match file.get(kind.table()) {
                Some(table) => figures(table).map_err(|what| Failure::Malformed {
                    path: workspace.path(FILE),
                    source: format!("[{kind}] holds no counts: {what}").into(),
                })?,
                None => Figures::new(),
            };
            tables.push((kind, figures));
        }
        Ok(Self(tables))
    }

    /// The figures of one kind, none where it has no table yet.
    pub(super) fn figures(&self, kind: Kind) -> &[(String, u64)] {
        let table = self.0.iter().find(|(of, _)| *of == kind);
        table.map_or(&[], |(_, figures)| figures)
    }

    /// Replaces the figures of one kind.
    pub(super) fn put(&mut self, kind: Kind, figures: &[(String, u64)]) {
        self.0.iter_mut().for_each(|(of, table)| {
            if *of == kind {
                *table = figures.to_vec();
            }
        });
    }

    /// Writes the file, with every kind that has figures.
    pub(super) fn write(&self, workspace: &Workspace) -> Result<(), Failure> {
        let mut file = DocumentMut::new();
        for (kind, figures) in self.0.iter().filter(|(_, figures)| !figures.is_empty()) {
            let mut table = Table::new();
            for (name, number) in figures {
                table.insert(name, value(i64::try_from(*number).unwrap_or(i64::MAX)));
            }
            table
                .decor_mut()
                .set_prefix(format!("\n# {}\n", kind.about()));
            file.insert(kind.table(), Item::Table(table));
        }
        let path = workspace.path(FILE);
        std::fs::write(&path, format!("{HEAD}{file}"))
            .map_err(|source| Failure::File { path, source })
    }
}

/// The counts of a table, or what is none.
fn figures(table: &Item) -> Result<Figures, &str> {
    let table = table.as_table().ok_or("no table")?;
    let number = |item: &Item| item.as_integer().and_then(|it| u64::try_from(it).ok());
    table
        .iter()
        .map(|(name, item)| Ok((name.to_owned(), number(item).ok_or(name)?)))
        .collect()
}

pub(super) const FILE: &str = "benches/figures.toml";

const HEAD: &str = "\
# What can be counted exactly. `cargo xtask figures` and `cargo xtask instructions` compare with it, and write it with
# `--update`: who changes a figure says why in the commit.
";
