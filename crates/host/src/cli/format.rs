//! Whether a command shows a table for a person or JSON for a program.

use clap::Args;

use super::output::Output;

/// `--json` and `--table`, for the commands that show something.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Format {
    /// As JSON, also on a terminal
    #[arg(long)]
    json: bool,
    /// As a table, also into a pipe or a file
    #[arg(long, conflicts_with = "json")]
    table: bool,
}

impl Format {
    /// JSON unless a person reads it; what was asked for wins.
    pub(crate) fn is_json(self, output: &Output) -> bool {
        self.json || (!self.table && !output.terminal().stdout)
    }
}
