//! Allocations and instructions of one call, ours and the rival's.

use std::path::{Path, PathBuf};

use super::caller::{Answer, Target};
use super::matrix::{Beside, name, target};
use crate::profile::{self, Profile};
use crate::runner::{Invocation, measure};
use crate::section::Table;
use crate::server::{Server, Transport};
use crate::{BoxError, Context, format};

/// One case, counted.
#[derive(Debug)]
pub(super) struct Counted {
    transport: Transport,
    answer: Answer,
    ours: Cost,
    rival: Cost,
    auth_client: Option<Cost>,
}

/// What one call costs.
#[derive(Clone, Copy, Debug)]
struct Cost {
    allocations: f64,
    bytes: f64,
    /// Absent without valgrind.
    executed: Option<Executed>,
}

/// What one call executes.
#[derive(Clone, Copy, Debug)]
struct Executed {
    instructions: f64,
    /// How often what is fetched, read or written is in no first cache: see [`FIRST_CACHES`].
    misses: f64,
}

impl Cost {
    fn instructions(&self) -> Option<f64> {
        self.executed.map(|executed| executed.instructions)
    }

    fn misses(&self) -> Option<f64> {
        self.executed.map(|executed| executed.misses)
    }
}

impl Counted {
    pub(super) fn more_allocations(&self) -> f64 {
        self.ours.allocations - self.rival.allocations
    }

    /// In per cent of the rival's; no number without valgrind.
    pub(super) fn more_instructions(&self) -> f64 {
        match (self.ours.instructions(), self.rival.instructions()) {
            (Some(ours), Some(rival)) => (ours / rival - 1.0) * 100.0,
            _ => f64::NAN,
        }
    }
}

/// Counts every case.
pub(super) async fn count(context: &Context, server: &Server) -> Result<Vec<Counted>, BoxError> {
    let mut counted = Vec::new();
    for (transport, answer) in CASES {
        let target = target(server, transport)?;
        let counting = Counting {
            context,
            target,
            answer,
        };
        let auth_client = match answer {
            Answer::Small => Some(counting.cost("auth-client").await?),
            _ => None,
        };
        counted.push(Counted {
            transport,
            answer,
            ours: counting.cost("ours").await?,
            rival: counting.cost("rival").await?,
            auth_client,
        });
    }
    Ok(counted)
}

/// Where the instructions of small calls over HTTP/1.1 go, ours and the rival's.
///
/// # Errors
/// As [`count`].
pub(super) async fn profiles(context: &Context, server: &Server) -> Result<Vec<Table>, BoxError> {
    let counting = Counting {
        context,
        target: target(server, Transport::Plain)?,
        answer: Answer::Small,
    };
    let (authority, program) = (counting.authority()?, context.program("calls-run")?);
    let mut tables = Vec::new();
    for (client, whose) in [("ours", "ours"), ("rival", "the rival")] {
        let run = counting.invocation(&program, client, MANY, &authority);
        let profile = Profile::of(context, run).await?;
        let caption = format!(
            "Where the instructions of {} calls go: {whose}",
            format::count(MANY.into())
        );
        tables.extend(profile.map(|profile| profile.table(&caption)));
    }
    Ok(tables)
}

/// What a call of ours allocates, in blocks, for those who guard it; each case with its name.
///
/// # Errors
/// A call fails, or a program is missing.
pub async fn allocations(context: &Context) -> Result<Vec<(String, u64)>, BoxError> {
    guarded(context, async |counting| {
        let (blocks, _) = counting.allocations("ours", &counting.authority()?).await?;
        Ok(blocks)
    })
    .await
}

/// The instructions of a call of ours, for those who guard them; each case with its name.
///
/// # Errors
/// As [`allocations`]; there is no valgrind.
pub async fn instructions(context: &Context) -> Result<Vec<(String, u64)>, BoxError> {
    guarded(context, async |counting| {
        let authority = counting.authority()?;
        let each = counting.executed_each("ours", &authority).await?;
        let each = each.ok_or_else(|| BoxError::from("there is no valgrind"))?;
        Ok(each.instructions)
    })
    .await
}

/// What `count` says of each guarded case, each with its name.
async fn guarded(
    context: &Context,
    count: impl AsyncFn(&Counting<'_>) -> Result<f64, BoxError>,
) -> Result<Vec<(String, u64)>, BoxError> {
    let server = Server::start(context).await?;
    let mut all = Vec::new();
    for (transport, answer) in GUARDED {
        let counting = Counting {
            context,
            target: target(&server, transport)?,
            answer,
        };
        all.push((label(transport, answer), whole(count(&counting).await?)?));
    }
    Ok(all)
}

fn label(transport: Transport, answer: Answer) -> String {
    format!("{}, {}", answer.name(), name(transport))
}

fn whole(figure: f64) -> Result<u64, BoxError> {
    Ok(format!("{figure:.0}").parse()?)
}

struct Counting<'a> {
    context: &'a Context,
    target: Target,
    answer: Answer,
}

impl Counting<'_> {
    async fn cost(&self, client: &str) -> Result<Cost, BoxError> {
        let authority = self.authority()?;
        let (allocations, bytes) = self.allocations(client, &authority).await?;
        let executed = self.executed_each(client, &authority).await?;
        Ok(Cost {
            allocations,
            bytes,
            executed,
        })
    }

    /// A file of what the server's certificate is checked by.
    fn authority(&self) -> Result<PathBuf, BoxError> {
        let authority = self.context.folder("calls-exact")?.join("authority.pem");
        std::fs::write(&authority, &self.target.authority)?;
        Ok(authority)
    }

    async fn executed_each(
        &self,
        client: &str,
        authority: &Path,
    ) -> Result<Option<Executed>, BoxError> {
        let few = self.executed(client, FEW, authority).await?;
        let many = self.executed(client, MANY, authority).await?;
        let each = |few: f64, many: f64| (many - few) / f64::from(MANY - FEW);
        Ok(few.zip(many).map(|(few, many)| Executed {
            instructions: each(few.instructions, many.instructions),
            misses: each(few.misses, many.misses),
        }))
    }

    fn invocation(&self, program: &Path, client: &str, calls: u32, authority: &Path) -> Invocation {
        Invocation::new(program)
            .args([
                client,
                self.answer.name(),
                &calls.to_string(),
                self.target.url.as_str(),
            ])
            .arg(authority)
    }

    async fn allocations(&self, client: &str, authority: &Path) -> Result<(f64, f64), BoxError> {
        let program = self.context.program("calls-allocations")?;
        let invocation = self.invocation(&program, client, MANY, authority);
        let ended = measure(self.context, &invocation).await?;
        let said = String::from_utf8(ended.stdout)?;
        let (blocks, bytes) = said.trim().split_once(' ').ok_or("no counts")?;
        let each = |all: &str| Ok::<_, BoxError>(all.parse::<f64>()? / f64::from(MANY));
        Ok((each(blocks)?, each(bytes)?))
    }

    /// What a run with so many calls executes; none where there is no valgrind.
    async fn executed(
        &self,
        client: &str,
        calls: u32,
        authority: &Path,
    ) -> Result<Option<Executed>, BoxError> {
        let Some(valgrind) = self.context.found("valgrind") else {
            return Ok(None);
        };
        let program = self.context.program("calls-run")?;
        let out = authority.with_file_name("callgrind.out");
        let invocation = self.invocation(&program, client, calls, authority);
        let invocation = profile::counted(invocation, valgrind, &out, FIRST_CACHES);
        let ended = measure(self.context, &invocation).await?;
        executed(&String::from_utf8_lossy(&ended.stderr)).map(Some)
    }
}

/// What callgrind says at its end, of the events in the order of its manual: instructions, reads and writes, then how many of
/// each were in no first cache, then how many in none.
fn executed(said: &str) -> Result<Executed, BoxError> {
    let mut lines = said.lines();
    let collected = lines.find_map(|line| line.split_once("Collected : "));
    let (_, numbers) = collected.ok_or("callgrind told no number")?;
    let numbers: Vec<f64> = numbers
        .split_ascii_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    match numbers.as_slice() {
        [instructions, _, _, fetched, read, written, ..] => Ok(Executed {
            instructions: *instructions,
            misses: fetched + read + written,
        }),
        _ => Err("callgrind counted no cache".into()),
    }
}

pub(super) fn table(counted: &[Counted]) -> Table {
    let columns = [
        "",
        "answer",
        "client",
        "allocations",
        "bytes allocated",
        "instructions",
        "first-cache misses",
    ];
    let mut table = Table::new("One call, counted", &columns);
    for case in counted {
        let clients = [
            ("ours", Some(case.ours)),
            ("rival", Some(case.rival)),
            ("`AuthClient`", case.auth_client),
        ];
        for (client, cost) in clients {
            let Some(cost) = cost else { continue };
            table.row([
                name(case.transport).to_owned(),
                case.answer.name().to_owned(),
                client.to_owned(),
                format::number(cost.allocations),
                format::bytes(cost.bytes),
                format::number(cost.instructions().unwrap_or(f64::NAN)),
                format::number(cost.misses().unwrap_or(f64::NAN)),
            ]);
        }
    }
    table
}

/// What a call costs at least, from what was counted.
pub(super) fn floor(counted: &[Counted]) -> String {
    let told = |figure: Option<f64>| figure.map_or_else(|| "uncounted".to_owned(), format::number);
    let lines = counted.iter().map(|case| {
        format!(
            "{} {}: {} instructions with {} misses, the rival {} with {}",
            name(case.transport),
            case.answer.name(),
            told(case.ours.instructions()),
            told(case.ours.misses()),
            told(case.rival.instructions()),
            told(case.rival.misses()),
        )
    });
    let has_more = |case: &Counted| case.ours.misses() > case.rival.misses();
    let why = match counted.iter().any(has_more) {
        true => {
            "Where ours has fewer instructions and more misses, the misses are the floor: a call of ours goes through more functions, each of \
             them short (limits, header scopes, address rules, the token, and for a stream a limit for each event and each wait), so that \
             more of what it touches has left the processor's first caches since the call before, and is fetched again. "
        }
        false => "",
    };
    format!(
        "{why}As callgrind counts instructions and simulates first caches, {}. Where the instructions go is in the tables above, by crate: \
         most are of HTTP and JSON, which both need.",
        lines.collect::<Vec<_>>().join("; ")
    )
}

/// How much of a call of `AuthClient` is its own, and of the time beyond bytes alone how much ours takes.
pub(super) fn floor_beside_auth_client(counted: &[Counted], beside: &[Beside]) -> String {
    let lines = counted.iter().filter_map(|case| {
        let theirs = case.auth_client?.instructions()?;
        Some(format!(
            "{}: {} of its {} instructions are beyond ours",
            name(case.transport),
            format::number(theirs - case.ours.instructions()?),
            format::number(theirs)
        ))
    });
    let beyond = beside.iter().map(|cell| {
        let bytes = 1.0 / cell.bytes_alone;
        let [ours, theirs] =
            [cell.compared.ours, cell.compared.rival].map(|rate| 1.0 / rate - bytes);
        format!(
            "{}: {} µs against {} µs a call",
            name(cell.transport),
            format::number(ours * 1e6),
            format::number(theirs * 1e6)
        )
    });
    format!(
        "Ours cannot be faster by more than what it leaves out, and both are HTTP for the most part. {}. Beyond what reqwest takes \
         for the same bytes: {}.",
        lines.collect::<Vec<_>>().join("; "),
        beyond.collect::<Vec<_>>().join("; ")
    )
}

const CASES: [(Transport, Answer); 3] = [
    (Transport::Plain, Answer::Small),
    (Transport::Plain, Answer::Stream),
    (Transport::Http2, Answer::Small),
];
/// Those whose numbers repeat from run to run.
const GUARDED: [(Transport, Answer); 2] = [
    (Transport::Plain, Answer::Small),
    (Transport::Http2, Answer::Small),
];
const FEW: u32 = 100;
const MANY: u32 = 300;
/// The first caches of a usual processor, whatever this one has, so that the numbers compare: callgrind simulates them.
const FIRST_CACHES: &[&str] = &[
    "--cache-sim=yes",
    "--I1=32768,8,64",
    "--D1=49152,12,64",
    "--LL=2097152,16,64",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_in_no_first_cache_is_fetched_read_or_written() {
        let said = "==7== Events    : Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw\n==7== Collected : 1000 300 200 10 7 5 1 2 3\n";
        let counted = executed(said).unwrap();
        assert_eq!((counted.instructions, counted.misses), (1000.0, 22.0));
        assert!(executed("==7== Collected : 1000\n").is_err() && executed("").is_err());
    }
}
