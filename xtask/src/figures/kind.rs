//! The kinds of figures, each a table of `benches/figures.toml`, and how far one may be from what is on record.

use std::fmt;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The crates that a library crate brings.
    Crates,
    /// The bytes of the release program.
    Program,
    /// The requests of each way through the program.
    Requests,
    /// The blocks that a call allocates.
    Allocations,
    /// The instructions that a call takes.
    Instructions,
}

impl Kind {
    /// All of them, in the order of the file.
    pub(super) const ALL: [Self; 5] = [
        Self::Crates,
        Self::Program,
        Self::Requests,
        Self::Allocations,
        Self::Instructions,
    ];

    /// The name of its table.
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Crates => "crates",
            Self::Program => "program",
            Self::Requests => "requests",
            Self::Allocations => "allocations",
            Self::Instructions => "instructions",
        }
    }

    /// What stands above its table.
    pub(super) fn about(self) -> &'static str {
        match self {
            Self::Crates => {
                "How many other crates each library crate brings, on Linux: normal dependencies and theirs."
            }
            Self::Program => {
                "The release program, stripped, on x86-64 Linux. Within 2 %, for compilers differ."
            }
            Self::Requests => {
                "The requests of each way through the program, the browser's own apart."
            }
            Self::Allocations => {
                "The blocks that a call allocates in the client, the server's own apart, to the nearest whole one."
            }
            Self::Instructions => {
                "The instructions of a call in the client, on x86-64 Linux. Within 3 %, for compilers differ."
            }
        }
    }

    /// The step that compares it.
    pub(super) fn step(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            _ => "figures",
        }
    }

    /// How far from the record is no change, in parts of a thousand.
    pub(super) fn tolerance(self) -> u64 {
        match self {
            Self::Crates | Self::Requests | Self::Allocations => 0,
            Self::Program => 20,
            Self::Instructions => 30,
        }
    }

    /// What a figure may be at most, whatever is on record.
    pub(super) fn ceiling(self) -> Option<u64> {
        match self {
            Self::Program => Some(12 * 1024 * 1024),
            _ => None,
        }
    }

    /// Why it is not measured where it cannot be compared.
    pub(super) fn elsewhere(self) -> &'static str {
        "not compared: the record is of x86-64 Linux"
    }

    /// Whether its figures depend on the processor and the system.
    pub(super) fn is_of_one_platform(self) -> bool {
        matches!(self, Self::Program | Self::Instructions)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.table())
    }
}
