//! Allocations and instructions of one call, ours and the rival's.

use std::path::{Path, PathBuf};

use super::caller::{Answer, Target};
use super::matrix::{name, target};
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
    instructions: Option<f64>,
}

impl Counted {
    pub(super) fn more_allocations(&self) -> f64 {
        self.ours.allocations - self.rival.allocations
    }

    /// In per cent of the rival's; no number without valgrind.
    pub(super) fn more_instructions(&self) -> f64 {
        match (self.ours.instructions, self.rival.instructions) {
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
        let each = counting.instructions_each("ours", &authority).await?;
        each.ok_or_else(|| BoxError::from("there is no valgrind"))
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
        let instructions = self.instructions_each(client, &authority).await?;
        Ok(Cost {
            allocations,
            bytes,
            instructions,
        })
    }

    /// A file of what the server's certificate is checked by.
    fn authority(&self) -> Result<PathBuf, BoxError> {
        let authority = self.context.folder("calls-exact")?.join("authority.pem");
        std::fs::write(&authority, &self.target.authority)?;
        Ok(authority)
    }

    async fn instructions_each(
        &self,
        client: &str,
        authority: &Path,
    ) -> Result<Option<f64>, BoxError> {
        let few = self.instructions(client, FEW, authority).await?;
        let many = self.instructions(client, MANY, authority).await?;
        Ok(few
            .zip(many)
            .map(|(few, many)| (many - few) / f64::from(MANY - FEW)))
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

    /// All instructions of a run with so many calls; none where there is no valgrind.
    async fn instructions(
        &self,
        client: &str,
        calls: u32,
        authority: &Path,
    ) -> Result<Option<f64>, BoxError> {
        let Some(valgrind) = self.context.found("valgrind") else {
            return Ok(None);
        };
        let program = self.context.program("calls-run")?;
        let out = authority.with_file_name("callgrind.out");
        let invocation = self.invocation(&program, client, calls, authority);
        let invocation = profile::counted(invocation, valgrind, &out);
        let ended = measure(self.context, &invocation).await?;
        let said = String::from_utf8_lossy(&ended.stderr);
        let collected = said
            .lines()
            .find_map(|line| line.split_once("Collected : "));
        let (_, number) = collected.ok_or("callgrind told no number")?;
        Ok(Some(number.trim().parse()?))
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
                format::number(cost.instructions.unwrap_or(f64::NAN)),
            ]);
        }
    }
    table
}

/// What a call costs at least, from what was counted.
pub(super) fn floor(counted: &[Counted]) -> String {
    let lines = counted.iter().map(|case| {
        format!(
            "{} {}: {} instructions and {} allocations, the rival {} and {}",
            name(case.transport),
            case.answer.name(),
            format::number(case.ours.instructions.unwrap_or(f64::NAN)),
            format::number(case.ours.allocations),
            format::number(case.rival.instructions.unwrap_or(f64::NAN)),
            format::number(case.rival.allocations),
        )
    });
    format!(
        "Where the instructions of a call go is in the tables above, by crate: most are of HTTP and JSON, which both need. {}.",
        lines.collect::<Vec<_>>().join("; ")
    )
}

/// How much of a call of `AuthClient` is its own.
pub(super) fn floor_beside_auth_client(counted: &[Counted]) -> String {
    let lines = counted.iter().filter_map(|case| {
        let theirs = case.auth_client?.instructions?;
        Some(format!(
            "{}: {} of its {} instructions are beyond ours",
            name(case.transport),
            format::number(theirs - case.ours.instructions?),
            format::number(theirs)
        ))
    });
    format!(
        "Ours cannot be faster by more than what it leaves out, and the server takes its share of the time. {}.",
        lines.collect::<Vec<_>>().join("; ")
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
