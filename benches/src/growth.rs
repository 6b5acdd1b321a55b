//! Growth: the same figures at 1, 10, 100, 1,000 and 10,000 servers or sessions, and how fast they grow.

pub mod sessions;

use std::path::Path;

use crate::cold::list;
use crate::rounds::{self, Contender, Series};
use crate::runner::{self, Invocation, Usage};
use crate::section::{Line, Outline, Plot, Section, Table};
use crate::server::Server;
use crate::{BoxError, Context, exponent, format};
use sessions::Sessions;

/// What is measured here.
pub static OUTLINE: Outline = Outline {
    id: "growth",
    title: "Growth",
    how: "`doorkey list --json` over one home that grows from 1 to 10,000 servers, each with a login in a plain file, beside \
          `bare-list.rs`, which reads the same files with the same parsers; processor time and peak of memory of whole processes, in \
          turns. Sessions are those of one process (`growth-sessions.rs`): each a client, a `TokenSource` and an `AuthorizedClient` that \
          share connections, its login in a memory store; each reads its token once, then tokens are read in turn, and at last all are \
          expired and renew, 64 at once. Beside each figure stands its exponent: the slope of a line through the logarithms by least \
          squares, where 1 is linear. What a process costs before its first server flattens that line, so the slope between the two \
          largest sizes is told as well, and it is the one that is judged; its limit leaves a tenth for what machines do besides.",
    goals: &[
        "`list --json` grows no worse than linearly at the largest sizes, in processor time and memory: exponent at most 1.1.",
        "Opening sessions grows no worse than linearly at the largest sizes, in time and memory: exponent at most 1.1.",
        "A refresh costs as much among many sessions as among few at the largest sizes: exponent at most 0.1.",
        "A token read among 10,000 sessions takes no lock and no search: at most 1 µs.",
    ],
};

/// Measures the section.
///
/// # Errors
/// A program failed.
pub async fn run(context: &Context) -> Result<Section, BoxError> {
    let sizes = if context.quick() { &SIZES[..4] } else { SIZES };
    let mut section = Section::new(&OUTLINE);
    lists(context, sizes, &mut section).await?;
    opened(context, sizes, &mut section).await?;
    Ok(section)
}

/// A figure at each size.
struct Curve {
    name: &'static str,
    points: Vec<(f64, f64)>,
}

impl Curve {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            points: Vec::new(),
        }
    }

    fn line(&self) -> Line {
        Line {
            name: self.name.to_owned(),
            points: self.points.clone(),
        }
    }

    fn last(&self) -> f64 {
        exponent::of_last_two(&self.points)
    }

    fn rows(curves: &[&Self]) -> Table {
        let mut table = Table::new(
            "Exponents",
            &["figure", "over all sizes", "between the two largest"],
        );
        for curve in curves {
            let over_all = exponent::by_least_squares(&curve.points);
            table.row([
                curve.name.to_owned(),
                format::ratio(over_all),
                format::ratio(curve.last()),
            ]);
        }
        table
    }
}

async fn lists(context: &Context, sizes: &[usize], section: &mut Section) -> Result<(), BoxError> {
    let home = context.folder("growth-list")?;
    let [mut time, mut bare_time] =
        ["processor time of `list --json`", "… of two parsers alone"].map(Curve::new);
    let [mut peak, mut bare_peak] =
        ["peak of `list --json`", "… of two parsers alone"].map(Curve::new);
    let mut table = Table::new(
        "`list --json`, medians",
        &["servers", "processor", "bare", "ratio", "peak", "bare peak"],
    );
    let mut filled = 0;
    for &size in sizes {
        list::fill(&home, filled..size).await?;
        filled = size;
        let rounds = context.rounds(if size > 1_000 { 3 } else { 9 });
        let [ours, bare] = &listed(context, &home, rounds).await?[..] else {
            return Err("two contenders have two series".into());
        };
        let compared = ours.beside(bare, Usage::cpu_seconds);
        let (ours_peak, bare_held) = (
            ours.median(Usage::peak_bytes),
            bare.median(Usage::peak_bytes),
        );
        let x = float(size);
        time.points.push((x, compared.ours * 1e3));
        bare_time.points.push((x, compared.rival * 1e3));
        peak.points.push((x, ours_peak / MIB));
        bare_peak.points.push((x, bare_held / MIB));
        table.row([
            format::count(size as u64),
            format::milliseconds(compared.ours),
            format::milliseconds(compared.rival),
            format::ratio(compared.ratio),
            format::bytes(ours_peak),
            format::bytes(bare_held),
        ]);
    }
    section.tables.push(table);
    section
        .tables
        .push(Curve::rows(&[&time, &bare_time, &peak, &bare_peak]));
    section.plots.push(plot(
        "growth-list-time",
        "Processor time of a list",
        "servers",
        "ms",
        &[&time, &bare_time],
    ));
    section.plots.push(plot(
        "growth-list-memory",
        "Memory of a list",
        "servers",
        "MiB",
        &[&peak, &bare_peak],
    ));
    linear(section, &time, &peak);
    Ok(())
}

async fn listed(
    context: &Context,
    home: &Path,
    rounds: usize,
) -> Result<Vec<Series<Usage>>, BoxError> {
    let ours = Invocation::new(context.doorkey()?)
        .env("HOME", home)
        .env("DOORKEY_HOME", home)
        .args(["list", "--json"]);
    let bare = Invocation::new(context.program("bare-list")?).arg(home);
    let contenders = [("doorkey", &ours), ("bare-list", &bare)].map(|(name, invocation)| {
        Contender::new(name, move || async move {
            Ok(runner::measure(context, invocation).await?.usage)
        })
    });
    rounds::interleaved(rounds, contenders).await
}

async fn opened(context: &Context, sizes: &[usize], section: &mut Section) -> Result<(), BoxError> {
    let server = Server::start(context).await?;
    let authority = context.folder("growth-sessions")?.join("ca.pem");
    std::fs::write(&authority, &server.addresses().authority)?;
    let mut time = Curve::new("time to open all sessions");
    let mut memory = Curve::new("memory of all sessions");
    let mut refresh = Curve::new("time of one refresh");
    let mut read = Curve::new("time of one token read");
    let mut table = Table::new("Sessions in one process, medians", OF_SESSIONS);
    for &size in sizes {
        let [all, held, one_read, one_refresh] =
            sessions_of(context, &server, &authority, size).await?;
        let x = float(size);
        time.points.push((x, all / 1e6));
        memory.points.push((x, held.max(PAGE) / MIB));
        read.points.push((x, one_read));
        refresh.points.push((x, one_refresh / 1e3));
        table.row([
            format::count(size as u64),
            format::milliseconds(all / 1e9),
            format!("{} µs", format::number(all / x / 1e3)),
            format::bytes(held / x),
            format!("{} ns", format::number(one_read)),
            format!("{} µs", format::number(one_refresh / 1e3)),
        ]);
    }
    section.tables.push(table);
    section
        .tables
        .push(Curve::rows(&[&time, &memory, &refresh, &read]));
    section.plots.push(plot(
        "growth-sessions-time",
        "Opening sessions",
        "sessions",
        "ms",
        &[&time],
    ));
    section.plots.push(plot(
        "growth-sessions-memory",
        "Memory of idle sessions",
        "sessions",
        "MiB",
        &[&memory],
    ));
    section.plots.push(plot(
        "growth-sessions-each",
        "One refresh among many sessions",
        "sessions",
        "µs",
        &[&refresh],
    ));
    linear(section, &time, &memory);
    flat(section, &refresh, &read);
    Ok(())
}

/// Of so many sessions: the time to open all and their memory, the time of one read and of one refresh.
async fn sessions_of(
    context: &Context,
    server: &Server,
    authority: &Path,
    size: usize,
) -> Result<[f64; 4], BoxError> {
    let child = Invocation::new(context.program("growth-sessions")?)
        .arg(size.to_string())
        .arg(&server.addresses().tls)
        .arg(authority);
    let mut found: Vec<Sessions> = Vec::new();
    for _ in 0..context.rounds(if size > 1_000 { 3 } else { 5 }) {
        let ended = runner::measure(context, &child).await?;
        found.push(serde_json::from_slice(&ended.stdout)?);
    }
    let median = |figure: fn(&Sessions) -> f64| rounds::median(found.iter().map(figure));
    Ok([
        median(|it| it.opened as f64),
        median(|it| it.memory as f64),
        median(|it| it.read),
        median(|it| it.refreshed),
    ])
}

fn linear(section: &mut Section, time: &Curve, memory: &Curve) {
    let (of_time, of_memory) = (time.last(), memory.last());
    let measured = format!(
        "{} and {}",
        format::beside(of_time, LINEAR),
        format::beside(of_memory, LINEAR)
    );
    section.conclude(measured, of_time <= LINEAR && of_memory <= LINEAR, || {
        "The table above shows from which size on the figure leaves the line.".to_owned()
    });
}

fn flat(section: &mut Section, refresh: &Curve, read: &Curve) {
    let grown = refresh.last();
    section.conclude(format::beside(grown, FLAT), grown <= FLAT, || {
        "The table above shows from which size on a refresh costs more.".to_owned()
    });
    let slowest = read.points.iter().map(|point| point.1).fold(0.0, f64::max);
    let measured = format!("{} ns", format::beside(slowest, READ));
    section.conclude(measured, slowest <= READ, || {
        "Sessions in turn are in no cache of the processor: a read waits for memory.".to_owned()
    });
}

fn plot(name: &str, title: &str, x: &str, y: &str, curves: &[&Curve]) -> Plot {
    Plot {
        name: name.to_owned(),
        title: title.to_owned(),
        x: x.to_owned(),
        y: y.to_owned(),
        lines: curves.iter().map(|curve| curve.line()).collect(),
    }
}

fn float(size: usize) -> f64 {
    size as f64
}

const SIZES: &[usize] = &[1, 10, 100, 1_000, 10_000];
const OF_SESSIONS: &[&str] = &[
    "sessions",
    "opening all",
    "each",
    "memory of each",
    "one token read",
    "one refresh",
];
const LINEAR: f64 = 1.1;
const FLAT: f64 = 0.1;
/// Nanoseconds.
const READ: f64 = 1_000.0;
const MIB: f64 = 1_048_576.0;
/// Memory comes in pages: of less nothing is seen.
const PAGE: f64 = 4_096.0;
