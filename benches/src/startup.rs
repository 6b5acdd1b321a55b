//! A host that starts with many servers, and many sessions that rest in one process.

use serde::de::DeserializeOwned;

pub mod sessions;

use std::time::Duration;

use crate::runner::{Invocation, measure};
use crate::section::{Bound, Outline, Section, Table};
use crate::server::{Counts, Server, Transport, Wire};
use crate::startup::sessions::{Idle, Started, Who};
use crate::{BoxError, Context, format};

/// What this section measures.
pub const OUTLINE: Outline = Outline {
    id: "startup",
    title: "Start of a host, and sessions at rest",
    how: "A process opens 100 sessions at once at one MCP server over TLS, each with an account of its own, and lists the tools of each. Ours make their clients from one `Connections`; \
          rmcp's `AuthClient` is made 100 times, as its constructors do it, and rmcp's reqwest client once, with a token that never changes. Requests and connections are those that the \
          server counted. Then a process opens sessions and rests: an allocator that counts says how many bytes live, and what is left after those of rmcp's own session with a shared \
          reqwest client were taken away is ours.",
    goals: &[
        "100 servers with fresh tokens ask no authorization server, over one connection (HTTP/2) or at most 16 (HTTP/1.1).",
        "100 expired servers refresh 100 times, ask for metadata once at most, over as few connections, and the first is usable before the last has refreshed.",
        "An idle authorized session holds at most 8 KiB beyond rmcp's own.",
    ],
};

const SERVERS: u64 = 100;

/// Measures it.
///
/// # Errors
/// If a program cannot be run.
pub async fn run(context: &Context) -> Result<Section, BoxError> {
    let mut server = Server::start(context).await?;
    let authority = context.folder("startup")?.join("authority.pem");
    std::fs::write(&authority, &server.addresses().authority)?;
    let authority = authority.display().to_string();
    let mut section = Section::new(&OUTLINE);
    let mut runs = Vec::new();
    for how in STARTS {
        runs.push(start(context, &mut server, &authority, how).await?);
    }
    section.tables.push(table(&runs));
    judge(&runs, &mut section);
    let beyond = memory(context, &server, &authority, &mut section).await?;
    section.judge(beyond / 1024.0, "KiB", Bound::AtMost(8.0), || {
        FLOOR_OF_MEMORY.to_owned()
    });
    Ok(section)
}

fn table(runs: &[Start]) -> Table {
    let columns = [
        "",
        "first usable",
        "all usable",
        "requests",
        "of these, refreshes",
        "connections",
        "peak memory",
    ];
    Table {
        caption: "100 sessions at once".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: runs.iter().map(Start::row).collect(),
    }
}

/// The goals of a start.
fn judge(runs: &[Start], section: &mut Section) {
    let ours = |state| {
        let ours = runs.iter().filter(|run| run.who == Who::Ours);
        ours.filter(move |run| run.state == state)
    };
    let list = |state| ours(state).map(Start::shown).collect::<Vec<_>>().join("; ");
    let met = ours("fresh").all(|run| run.is_over_few() && run.counts.refreshes == 0);
    section.conclude(list("fresh"), met, || FLOOR.to_owned());
    let met = ours("expired").zip(ours("fresh")).all(|(run, fresh)| {
        run.is_over_few()
            && run.counts.refreshes == SERVERS
            // Beside the refreshes there is at most one request more, for metadata.
            && run.counts.requests <= fresh.counts.requests + SERVERS + 1
            && run.started.first < run.started.last
    });
    section.conclude(list("expired"), met, || FLOOR.to_owned());
}

const STARTS: [(Who, Transport, &str); 8] = [
    (Who::Ours, Transport::Http2, "fresh"),
    (Who::Ours, Transport::Http1, "fresh"),
    (Who::Reqwest, Transport::Http2, "fresh"),
    (Who::Reqwest, Transport::Http1, "fresh"),
    (Who::AuthClient, Transport::Http2, "fresh"),
    (Who::Ours, Transport::Http2, "expired"),
    (Who::Ours, Transport::Http1, "expired"),
    (Who::AuthClient, Transport::Http2, "expired"),
];

/// One way to start.
struct Start {
    who: Who,
    transport: Transport,
    state: &'static str,
    started: Started,
    counts: Counts,
    peak: u64,
}

impl Start {
    fn shown(&self) -> String {
        let Counts {
            requests,
            refreshes,
            connections,
        } = self.counts;
        let over = name(self.transport);
        format!("{over}: {requests} requests, {refreshes} refreshes, connections: {connections}")
    }

    fn is_over_few(&self) -> bool {
        let few = match self.transport {
            Transport::Http2 => 1,
            Transport::Plain | Transport::Http1 => LIMIT,
        };
        self.counts.connections <= few
    }

    fn row(&self) -> Vec<String> {
        let time = |nanoseconds| format::time(Duration::from_nanos(nanoseconds));
        let who = match self.who {
            Who::Ours => "ours",
            Who::Reqwest => "rmcp, reqwest and a static token",
            Who::AuthClient => "rmcp, `AuthClient`",
        };
        vec![
            format!("{who}, {}, {}", name(self.transport), self.state),
            time(self.started.first),
            time(self.started.last),
            format::count(self.counts.requests),
            format::count(self.counts.refreshes),
            format::count(self.counts.connections),
            format::bytes(format::lossy(self.peak)),
        ]
    }
}

const fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::Plain => "HTTP/1.1 without TLS",
        Transport::Http1 => "HTTP/1.1",
        Transport::Http2 => "HTTP/2",
    }
}

async fn start(
    context: &Context,
    server: &mut Server,
    authority: &str,
    (who, transport, state): (Who, Transport, &'static str),
) -> Result<Start, BoxError> {
    // By a name: connections are bounded where names are looked up.
    let url = server
        .url(transport, Wire::Stateful)
        .replace("127.0.0.1", "localhost");
    let invocation = Invocation::new(context.program("startup-sessions")?).args([
        who.name(),
        &SERVERS.to_string(),
        &url,
        authority,
        state,
    ]);
    let mut times = Vec::new();
    let mut counts = Counts::default();
    let mut peak = 0;
    for _ in 0..context.rounds(9) {
        server.counts().await?;
        let ended = measure(context, &invocation).await?;
        // The worst of all rounds.
        let seen = server.counts().await?;
        if seen.connections >= counts.connections {
            counts = seen;
        }
        peak = peak.max(ended.usage.peak);
        times.push(read::<Started>(&ended.stdout)?);
    }
    let median = |of: fn(&Started) -> u64| {
        let mut times: Vec<_> = times.iter().map(of).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    };
    let started = Started {
        first: median(|started| started.first),
        last: median(|started| started.last),
    };
    Ok(Start {
        who,
        transport,
        state,
        started,
        counts,
        peak,
    })
}

/// What a session of ours holds beyond one of rmcp's, in bytes.
async fn memory(
    context: &Context,
    server: &Server,
    authority: &str,
    section: &mut Section,
) -> Result<f64, BoxError> {
    let count = if context.quick() { 500 } else { 10_000 };
    let url = server.url(Transport::Http2, Wire::Stateful);
    let program = context.program("startup-memory")?;
    let rest = async |who: Who| {
        let invocation = Invocation::new(&program)
            .args([who.name(), &count.to_string(), &url, authority, "fresh"])
            .limit(Duration::from_secs(240));
        let ended = measure(context, &invocation).await?;
        read::<Idle>(&ended.stdout)
    };
    let (ours, rival) = (rest(Who::Ours).await?, rest(Who::Reqwest).await?);
    let each =
        |all: i64| format::lossy(u64::try_from(all).unwrap_or_default()) / format::lossy(count);
    let row = |who: &str, idle: Idle| {
        vec![
            who.to_owned(),
            format::bytes(each(idle.bytes)),
            format::number(each(idle.blocks)),
            format::bytes(each(idle.resident)),
        ]
    };
    section.tables.push(Table {
        caption: format!("{} idle sessions, for each", format::count(count)),
        columns: ["", "bytes that live", "blocks", "resident"]
            .map(str::to_owned)
            .to_vec(),
        rows: vec![
            row("ours", ours),
            row("rmcp, reqwest and a static token", rival),
        ],
    });
    section.say(
        "A session at rest has no timer of its own: nothing is refreshed before somebody asks for a token. Timers of requests are entries of the runtime's wheel, whose cost does not grow \
         with their number.",
    );
    Ok(each(ours.bytes) - each(rival.bytes))
}

fn read<T: DeserializeOwned>(line: &[u8]) -> Result<T, BoxError> {
    Ok(serde_json::from_slice(line)?)
}

/// Twice the limit over HTTP/1.1, beyond which connections are made one after the other.
const LIMIT: u64 = 16;

const FLOOR: &str = "Over HTTP/1.1 connections beyond the limit of 8 are made one every 20 ms, since no call may have to wait for a long one: the longer the start takes, the more \
                     there are.";

const FLOOR_OF_MEMORY: &str = "What a session owns beside rmcp's worker: its grant and token, its configuration, the layers of its client, and the channel of its events.";
