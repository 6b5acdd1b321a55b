//! A login beside the nearest host program: Codex, from its npm package.

mod install;

use std::path::{Path, PathBuf};
use std::time::Instant;

use doorkey_store::{Grant, GrantKey, Store};
use doorkey_testkit::{Leg, RecordedRequest};

use crate::cold::world::World;
use crate::format;
use crate::profile;
use crate::rounds::{self, Contender, Series};
use crate::runner::{self, Invocation, Usage};
use crate::section::{Bound, Outline, Section, Table};
use crate::{BoxError, Context};

/// What is measured here.
pub static OUTLINE: Outline = Outline {
    id: "codex",
    title: "A login, beside Codex",
    how: "`doorkey login NAME` and `codex mcp login NAME`, each in a new home for every round, sign in to the same servers of \
          the testkit on loopback: over http, and over https of a private authority that `SSL_CERT_FILE` names. Both open \
          the same browser program, and the person approves at once. Codex comes from its npm package, pinned in \
          `benches/codex`; its binary is started without Node in front of it. Requests are counted at the servers, and \
          those of the browser are not among them. doorkey tries the new token on the server (the proof) before it says \
          that somebody is signed in; Codex does not.",
    goals: &[
        "`doorkey login` takes at most 0.4 of the time of `codex mcp login`.",
        "It needs at most a fifth of its memory.",
        "It makes 5 requests and those of the proof; Codex makes 9 with the page that the browser opens.",
    ],
};

/// Measures the section.
///
/// # Errors
/// A login failed.
pub async fn run(context: &Context) -> Result<Section, BoxError> {
    let codex = match install::codex(context).await {
        Ok(codex) => codex,
        Err(why) => return Ok(not_measured(&why)),
    };
    let mut section = Section::new(&OUTLINE);
    let mut table = Table::new("Medians", &["", "time", "processor", "peak"]);
    let mut requests = Table::new(
        "Requests of one login, in their order",
        &["", "count", "requests"],
    );
    let mut found = Vec::new();
    let mut profiles = Vec::new();
    for (name, tls) in [("http", false), ("https", true)] {
        let world = World::start(context, &format!("codex-{name}"), tls).await?;
        let codex = Signing::new(context, &world, name, Program::Codex(&codex))?;
        let doorkey = Signing::new(context, &world, name, Program::Doorkey)?;
        let compared = Compared::of(context, &doorkey, &codex).await?;
        for (signing, series) in [(&doorkey, &compared.ours), (&codex, &compared.rival)] {
            table.row(row(&format!("{}, {name}", signing.name()), series));
        }
        for (signing, sent) in [(&doorkey, &compared.sent.0), (&codex, &compared.sent.1)] {
            let what = format!("{}, {name}", signing.name());
            requests.row([what, format::count(sent.len() as u64), sent.join(", ")]);
        }
        found.push(compared);
        let what = format!("a login over {name}");
        let profile = profile::of_doorkey(context, &what, doorkey.prepared(context)?);
        profiles.extend(profile.await?);
    }
    let waits = Waits::measure(context).await?;
    section.tables.extend([table, requests, waits.table()]);
    section.tables.extend(profiles);
    judge(&mut section, &found, &waits);
    Ok(section)
}

fn judge(section: &mut Section, found: &[Compared], waits: &Waits) {
    let worst = |figure: fn(&Usage) -> f64| {
        let ratios = found
            .iter()
            .map(|one| one.ours.beside(&one.rival, figure).ratio);
        ratios.fold(f64::NEG_INFINITY, f64::max)
    };
    let floor = || {
        let shares = found.iter().map(|one| {
            let cpu = one.ours.beside(&one.rival, Usage::cpu_seconds);
            format::ratio(cpu.ratio)
        });
        let shares: Vec<_> = shares.collect();
        let left = found.iter().map(|one| {
            let [ours, rival] = [&one.ours, &one.rival].map(|one| one.median(Usage::wall_seconds));
            let waits = waits.start + waits.records;
            format!(
                "{}, for which it takes {}",
                format::milliseconds(MOST * rival - waits),
                format::milliseconds(ours - waits)
            )
        });
        format!(
            "{} go to the start and the end of the program, its arguments read, and {} to {RECORDS} records, each of which is \
             durable before the next step. For the requests, their TLS, the browser program and the servers the goal leaves \
             {} (http; https). Of processor time it takes {} of Codex's.",
            format::milliseconds(waits.start),
            format::milliseconds(waits.records),
            left.collect::<Vec<_>>().join("; "),
            shares.join(" and ")
        )
    };
    let memory = || {
        "Its peak is the pages of the program that a login goes through: `--version` in the section before shows how many a \
         start alone touches."
            .to_owned()
    };
    section.judge(
        worst(Usage::wall_seconds),
        "times, the worse of http and https",
        Bound::AtMost(MOST),
        floor,
    );
    section.judge(
        worst(Usage::peak_bytes),
        "times, the worse of http and https",
        Bound::AtMost(0.2),
        memory,
    );
    judge_requests(section, found);
}

fn judge_requests(section: &mut Section, found: &[Compared]) {
    let counts: Vec<_> = found
        .iter()
        .map(|one| {
            (
                before_proof(&one.sent.0),
                one.sent.0.len(),
                one.sent.1.len(),
            )
        })
        .collect();
    let shown = counts.iter().map(|(login, all, rival)| {
        let (proof, page) = (all - login, rival + PAGE);
        format!("{login} and {proof} of the proof, against {page}")
    });
    let shown: Vec<_> = shown.collect();
    let met = counts
        .iter()
        .all(|(login, _, rival)| *login == 5 && rival + PAGE == 9);
    section.conclude(shown.join("; "), met, || {
        "The requests are in the table.".to_owned()
    });
}

/// How many requests were sent until the token was there.
fn before_proof(sent: &[String]) -> usize {
    sent.iter()
        .rposition(|what| what == TOKEN)
        .map_or(sent.len(), |at| at + 1)
}

fn not_measured(why: &str) -> Section {
    let mut section = Section::new(&OUTLINE);
    for _ in OUTLINE.goals {
        section.not_measured(why);
    }
    section
}

/// What a login waits for whatever it does with its requests, in seconds.
struct Waits {
    /// The start and the end of the program.
    start: f64,
    /// The records that have to be durable before it goes on.
    records: f64,
}

impl Waits {
    async fn measure(context: &Context) -> Result<Self, BoxError> {
        let version = &Invocation::new(context.doorkey()?).arg("--version");
        let start = Contender::new("start", move || async move {
            let measured = runner::measure(context, version).await?;
            Ok(measured.usage.wall_seconds())
        });
        let records = Contender::new("records", move || keep_records(context));
        let series = rounds::interleaved(context.rounds(ROUNDS), [start, records]).await?;
        let [start, records] = series.as_slice() else {
            return Err("two contenders have two series".into());
        };
        Ok(Self {
            start: start.median(|seconds| *seconds),
            records: records.median(|seconds| *seconds),
        })
    }

    fn table(&self) -> Table {
        let mut table = Table::new(
            "What a login waits for whatever becomes of its requests",
            &["", "time"],
        );
        let start = "the start and the end of the program, its arguments read (`--version`)";
        table.row([start.to_owned(), format::milliseconds(self.start)]);
        let records = format!("{RECORDS} records, one after another, each durable");
        table.row([records, format::milliseconds(self.records)]);
        table
    }
}

/// How long the records take that a login waits for: that it began, the client, the grant, and the grant with its proof.
async fn keep_records(context: &Context) -> Result<f64, BoxError> {
    let store = Store::file(context.folder("codex-records")?)?;
    let grant = Grant::new(
        "https://as.example.com",
        "client",
        "https://as.example.com/token",
    );
    let begun = Instant::now();
    for number in 0..RECORDS {
        let key = GrantKey::new("https://mcp.example.com/mcp", number.to_string());
        store.save_grant(&key, &grant, None).await?;
    }
    Ok(begun.elapsed().as_secs_f64())
}

/// Both programs' logins at one world.
struct Compared {
    ours: Series<Usage>,
    rival: Series<Usage>,
    sent: (Vec<String>, Vec<String>),
}

impl Compared {
    async fn of(
        context: &Context,
        ours: &Signing<'_>,
        rival: &Signing<'_>,
    ) -> Result<Self, BoxError> {
        let sent = (
            ours.recorded(context).await?,
            rival.recorded(context).await?,
        );
        let contenders = [ours, rival]
            .map(|signing| Contender::new(signing.name(), move || signing.run(context)));
        let series = rounds::interleaved(context.rounds(ROUNDS), contenders).await?;
        let [ours, rival] =
            <[_; 2]>::try_from(series).map_err(|_| "two contenders have two series")?;
        Ok(Self { ours, rival, sent })
    }
}

#[derive(Clone, Copy)]
enum Program<'a> {
    Doorkey,
    Codex(&'a Path),
}

/// One program that signs in at one world.
struct Signing<'a> {
    world: &'a World,
    program: Program<'a>,
    path: PathBuf,
    home: String,
}

impl<'a> Signing<'a> {
    fn new(
        context: &Context,
        world: &'a World,
        name: &str,
        program: Program<'a>,
    ) -> Result<Self, BoxError> {
        let (path, who) = match program {
            Program::Doorkey => (context.doorkey()?, "doorkey"),
            Program::Codex(path) => (path.to_owned(), "codex"),
        };
        Ok(Self {
            world,
            program,
            path,
            home: format!("{who}-{name}"),
        })
    }

    fn name(&self) -> &'static str {
        match self.program {
            Program::Doorkey => "`doorkey login`",
            Program::Codex(_) => "`codex mcp login`",
        }
    }

    /// Signs in once, in a home that knows the server and nothing else.
    async fn run(&self, context: &Context) -> Result<Usage, BoxError> {
        Ok(runner::measure(context, &self.prepared(context)?)
            .await?
            .usage)
    }

    fn prepared(&self, context: &Context) -> Result<Invocation, BoxError> {
        let server = format!("[mcp_servers.{SERVER}]\nurl = \"{}\"\n", self.world.url());
        let (files, variable, words) = match self.program {
            Program::Doorkey => (
                "[store]\nbackend = \"file\"\n\n",
                "DOORKEY_HOME",
                &["login", SERVER][..],
            ),
            Program::Codex(_) => (
                "mcp_oauth_credentials_store = \"file\"\n\n",
                "CODEX_HOME",
                &["mcp", "login", SERVER][..],
            ),
        };
        let home = self.world.home(&self.home, &format!("{files}{server}"))?;
        let invocation = self
            .world
            .at(context, &self.path, &home)?
            .env(variable, &home)
            .args(words);
        Ok(match self.world.authority() {
            Some(file) => invocation.env("SSL_CERT_FILE", file),
            None => invocation,
        })
    }

    /// The requests of one login, in their order, without those of the browser.
    async fn recorded(&self, context: &Context) -> Result<Vec<String>, BoxError> {
        drop(self.world.requests());
        self.run(context).await?;
        let requests = self.world.requests();
        Ok(requests
            .iter()
            .filter(|request| request.leg != Leg::Authorization)
            .map(shown)
            .collect())
    }
}

fn shown(request: &RecordedRequest) -> String {
    match (request.leg, &request.rpc_method) {
        (Leg::Resource, Some(method)) => method.clone(),
        (Leg::Token, _) => TOKEN.to_owned(),
        (Leg::Registration, _) => "registration".to_owned(),
        (Leg::Resource, None) => format!("{} at the server", request.method),
        _ => format!("{} {}", request.method, request.path()),
    }
}

fn row(what: &str, series: &Series<Usage>) -> [String; 4] {
    let time = |figure: fn(&Usage) -> f64| format::milliseconds(series.median(figure));
    [
        what.to_owned(),
        time(Usage::wall_seconds),
        time(Usage::cpu_seconds),
        format::bytes(series.median(Usage::peak_bytes)),
    ]
}

/// How much of Codex's time a login may take.
const MOST: f64 = 0.4;
/// See [`keep_records`]; what is remembered of the server is written beside other steps.
const RECORDS: usize = 4;
const SERVER: &str = "bench";
const TOKEN: &str = "token";
/// The page of the authorization server, which the browser opens for either program.
const PAGE: usize = 1;
const ROUNDS: usize = 21;
