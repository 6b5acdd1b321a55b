//! Where the instructions of a program go, by callgrind: what stands behind a goal that was missed.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::runner::{self, Invocation};
use crate::section::Table;
use crate::{BoxError, Context, format};

/// The instructions of one run, by whom they belong to.
#[derive(Debug)]
pub(crate) struct Profile(BTreeMap<String, u64>);

impl Profile {
    /// Runs a program, which has its symbols, under callgrind; `None` where there is no valgrind.
    ///
    /// # Errors
    /// The program failed, or what callgrind wrote is not understood.
    pub(crate) async fn of(context: &Context, run: Invocation) -> Result<Option<Self>, BoxError> {
        let Some(valgrind) = context.found("valgrind") else {
            return Ok(None);
        };
        let out = context.folder("profile")?.join("callgrind.out");
        let run = counted(run, valgrind, &out, &[]).limit(Duration::from_secs(120));
        runner::measure(context, &run).await?;
        let written = std::fs::read_to_string(&out)?;
        Ok(Some(Self(by_owner(&written)?)))
    }

    /// The largest shares.
    pub(crate) fn table(&self, caption: &str) -> Table {
        let all: u64 = self.0.values().sum();
        let mut table = Table::new(caption, &["", "instructions", "share"]);
        let mut owners: Vec<_> = self.0.iter().collect();
        owners.sort_by_key(|(_, instructions)| std::cmp::Reverse(**instructions));
        let share =
            |part: u64| format!("{:.1} %", format::lossy(part) / format::lossy(all) * 100.0);
        let (shown, rest) = owners.split_at(SHOWN.min(owners.len()));
        for (owner, instructions) in shown {
            let instructions = **instructions;
            table.row([
                (*owner).clone(),
                format::count(instructions),
                share(instructions),
            ]);
        }
        let rest: u64 = rest.iter().map(|(_, instructions)| **instructions).sum();
        table.row(["all others".to_owned(), format::count(rest), share(rest)]);
        table
    }
}

/// The same run under callgrind, which writes to `out`, with `more` of its options.
pub(crate) fn counted(run: Invocation, valgrind: PathBuf, out: &Path, more: &[&str]) -> Invocation {
    let words = [
        "--tool=callgrind".to_owned(),
        format!("--callgrind-out-file={}", out.display()),
    ];
    let more = more.iter().map(|&word| word.to_owned());
    run.under(valgrind, words.into_iter().chain(more))
}

/// A table of where the instructions of `run`, of our program, go: of the same program with its symbols, which
/// `cargo xtask bench` puts beside the benches. None where there is no valgrind.
///
/// # Errors
/// As [`Profile::of`]; there is no such program.
pub(crate) async fn of_doorkey(
    context: &Context,
    what: &str,
    run: Invocation,
) -> Result<Option<Table>, BoxError> {
    let run = run.of(context.program("doorkey-with-symbols")?);
    let profile = Profile::of(context, run).await?;
    Ok(profile.map(|profile| profile.table(&format!("Where the instructions of {what} go"))))
}

/// The instructions of what callgrind wrote (its manual, "Callgrind Format Specification"), by the owners of functions.
fn by_owner(written: &str) -> Result<BTreeMap<String, u64>, BoxError> {
    let mut owners = BTreeMap::new();
    let (mut objects, mut functions) = (HashMap::new(), HashMap::new());
    let (mut object, mut function) = (String::new(), String::new());
    // The line after a call is what the callee took, which is counted where it runs.
    let mut after_call = false;
    for line in written.lines() {
        if let Some(named) = line.strip_prefix("ob=") {
            object = name(named, &mut objects);
        } else if let Some(named) = line.strip_prefix("fn=") {
            function = name(named, &mut functions);
        } else if let Some(named) = line.strip_prefix("cob=") {
            name(named, &mut objects);
        } else if let Some(named) = line.strip_prefix("cfn=") {
            name(named, &mut functions);
        } else if line.starts_with("calls=") {
            after_call = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first))
            && !std::mem::take(&mut after_call)
        {
            let cost = line.split_ascii_whitespace().nth(1).unwrap_or_default();
            *owners.entry(owner(&object, &function)).or_default() += cost.parse::<u64>()?;
        }
    }
    Ok(owners)
}

/// A name, which is written out once and then told by its number.
fn name(told: &str, known: &mut HashMap<String, String>) -> String {
    match told.split_once(' ') {
        Some((number, name)) => {
            known.insert(number.to_owned(), name.to_owned());
            name.to_owned()
        }
        None => known.get(told).cloned().unwrap_or_default(),
    }
}

/// The crate of a function; the C library by its parts.
fn owner(object: &str, function: &str) -> String {
    if object.contains("ld-linux") {
        return "the dynamic linker".to_owned();
    }
    if object.contains("libc.so") {
        let is = |names: &[&str]| names.iter().any(|name| function.contains(name));
        let part = match function {
            _ if is(&["alloc", "free", "sbrk", "unlink_chunk"]) => "allocation",
            _ if is(&["mem", "str"]) => "copies and comparisons of bytes",
            _ => "the rest of the C library",
        };
        return part.to_owned();
    }
    // Some of it has the names of where it comes from.
    if ["aws_lc", "fiat_", "bignum_"]
        .iter()
        .any(|name| function.contains(name))
    {
        return "aws-lc".to_owned();
    }
    let words = function.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let first = words.filter(|word| !word.is_empty()).find(|word| {
        // Of a generic function of the standard library the first other crate that is named, if there is one.
        !STANDARD.contains(word) && word.chars().next().is_some_and(|c| c.is_ascii_lowercase())
    });
    match first {
        Some(word) if function.contains(&format!("{word}::")) => word.to_owned(),
        _ => "the standard library".to_owned(),
    }
}

const SHOWN: usize = 14;
/// The crates of the standard library, and words that no crate is named by.
const STANDARD: &[&str] = &[
    "alloc",
    "core",
    "std",
    "as",
    "dyn",
    "impl",
    "mut",
    "for",
    "const",
    // Its modules, where they come first.
    "ops",
    "ptr",
    "slice",
    "str",
    "iter",
    "vec",
    "option",
    "result",
    "sync",
    "collections",
    "string",
    "fmt",
    "cell",
    "boxed",
    "num",
    "future",
    "pin",
    "task",
    "sys",
    "thread",
    "io",
    "fs",
    "u8",
    "u64",
    "usize",
    "i32",
    "bool",
    "pattern",
    "sip",
    "drop",
    "asher",
    "hasher",
    "memchr",
    "map",
    "raw",
    "unicode",
    "char",
    "any",
    "time",
    "env",
    "path",
    "process",
    "net",
    "rt",
    "panicking",
    "function",
    "traits",
    "iterator",
    "adapters",
    "drop_in_place",
    "raw_vec",
    "convert",
    "clone",
    "cmp",
    "hash",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_callee_took_is_counted_where_it_runs_and_names_are_told_by_their_numbers() {
        let written = "events: Ir\n\
            ob=(1) /bin/doorkey\nfn=(1) doorkey::main\n10 5\ncfn=(2) serde_json::de::parse\ncalls=1 20\n11 900\n12 1\n\n\
            fn=(2)\n20 700\n+1 200\n* 3\n\n\
            ob=(2) /lib/libc.so.6\nfn=(3) malloc\n1 40\nfn=(4) memcpy\n1 2\n";
        let owners = by_owner(written).unwrap();
        let known = [
            ("allocation", 40),
            ("copies and comparisons of bytes", 2),
            ("doorkey", 6),
            ("serde_json", 903),
        ];
        let known = known.map(|(owner, count)| (owner.to_owned(), count));
        assert_eq!(owners, BTreeMap::from(known));
    }

    #[test]
    fn a_generic_function_belongs_to_the_crate_that_it_was_made_for() {
        for (function, crate_of_it) in [
            (
                "<alloc::vec::Vec<T,A> as core::clone::Clone>::clone",
                "the standard library",
            ),
            (
                "core::ptr::drop_in_place<toml_edit::item::Item>",
                "toml_edit",
            ),
            ("<doorkey_store::file::Records>::read", "doorkey_store"),
            (
                "<core::slice::iter::IterMut<Z> as zeroize::Zeroize>::zeroize",
                "zeroize",
            ),
            ("aws_lc_0_47_0_sha256_block", "aws-lc"),
        ] {
            assert_eq!(owner("/bin/doorkey", function), crate_of_it, "{function}");
        }
    }
}
