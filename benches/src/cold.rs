//! The cold program: what one command costs from the start of its process to its end.

pub(crate) mod list;
pub(crate) mod world;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use doorkey_testkit::RecordedRequest;

use crate::format;
use crate::profile;
use crate::rounds::{self, Comparison, Contender, Series};
use crate::runner::{self, Invocation, Usage};
use crate::section::{Bound, Outline, Section, Table};
use crate::{BoxError, Context};
use world::World;

/// What is measured here.
pub static OUTLINE: Outline = Outline {
    id: "cold",
    title: "The cold program",
    how: "Processes, each started by a tiny one that waits for it, so that its peak of memory is its own; the contenders take \
          turns. `doorkey tools` has a fresh token in its store and asks a server of the testkit on loopback. The rival is \
          `benches/src/bin/bare-tools.rs`: reqwest, the token from a file, the same two requests. Before it is measured both \
          are recorded, and the run fails if they do not send the same headers and bodies. `doorkey list --json` has 200 \
          servers and as many logins in plain files; the rival, `bare-list.rs`, reads the same files with the same parsers.",
    goals: &[
        "`doorkey tools` with a fresh token takes at most 2.0 times what a bare reqwest program takes for the same requests.",
        "`doorkey list --json` of 200 servers takes at most 1.5 times what a bare Rust program takes that reads the same files.",
        "That list needs less than 12 MiB of memory.",
    ],
};

/// Measures the section.
///
/// # Errors
/// A program failed, or ours and the rival's did not send the same.
pub async fn run(context: &Context) -> Result<Section, BoxError> {
    let plain = Scene::new(context, "cold-http", false).await?;
    let secure = Scene::new(context, "cold-https", true).await?;
    let pairs = [
        plain.pair(context, "`tools` over http", Trust::Alone)?,
        secure.pair(
            context,
            "`tools` over https, one authority trusted",
            Trust::Alone,
        )?,
        secure.pair(
            context,
            "`tools` over https, the system's too",
            Trust::BesideTheSystems,
        )?,
        list_pair(context).await?,
    ];
    for (scene, pair) in [
        (&plain, &pairs[0]),
        (&secure, &pairs[1]),
        (&secure, &pairs[2]),
    ] {
        scene.sends_the_same(context, pair).await?;
    }
    let version = Invocation::new(context.doorkey()?).arg("--version");
    let all = pairs.iter().flat_map(|pair| [&pair.ours, &pair.rival]);
    let contenders = all.chain([&version]).map(|invocation| {
        Contender::new("", move || async move {
            Ok(runner::measure(context, invocation).await?.usage)
        })
    });
    let measured = rounds::interleaved(context.rounds(ROUNDS), contenders).await?;
    let mut section = section(&pairs, &measured);
    for pair in [&pairs[0], &pairs[3]] {
        let profile = profile::of_doorkey(context, pair.what, pair.ours.clone());
        section.tables.extend(profile.await?);
    }
    Ok(section)
}

fn section(pairs: &[Pair], measured: &[Series<Usage>]) -> Section {
    let mut section = Section::new(&OUTLINE);
    let mut table = Table::new(
        "Medians",
        &["", "time", "processor", "in the kernel", "peak"],
    );
    let compared: Vec<_> = measured
        .chunks_exact(2)
        .map(|pair| pair[0].beside(&pair[1], Usage::wall_seconds))
        .collect();
    for (pair, series) in pairs.iter().zip(measured.chunks_exact(2)) {
        table.row(row(pair.what, &series[0]));
        table.row(row(pair.rival_name, &series[1]));
    }
    let version = &measured[measured.len() - 1];
    table.row(row("`--version`", version));
    section.tables.push(table);
    let mut ratios = Table::new(
        "Ours beside the rival's",
        &["", "of the medians", "median of the rounds"],
    );
    for (pair, Comparison { ratio, paired, .. }) in pairs.iter().zip(&compared) {
        ratios.row([
            pair.what.to_owned(),
            format::ratio(*ratio),
            format::ratio(*paired),
        ]);
    }
    section.tables.push(ratios);
    let floor = |most: f64, series: &[Series<Usage>]| {
        let [ours, rival, start] =
            [&series[0], &series[1], version].map(|series| series.median(Usage::wall_seconds));
        let left = most * rival - start;
        format!(
            "The goal leaves it {}, of which the start and the end of the program, its arguments read (`--version`), take {}. For the \
             {} that are left it would have to do what the rival does in {}, its own start included, and all that the rival \
             leaves out; it takes {}.",
            format::milliseconds(most * rival),
            format::milliseconds(start),
            format::milliseconds(left),
            format::milliseconds(rival),
            format::milliseconds(ours - start),
        )
    };
    // The third pair is what a client does by default, not the least that a program could do.
    let worst = if compared[0].ratio > compared[1].ratio {
        0
    } else {
        1
    };
    for (at, most) in [(worst, 2.0), (3, 1.5)] {
        section.judge(compared[at].ratio, "times", Bound::AtMost(most), || {
            floor(most, &measured[2 * at..])
        });
    }
    let peak = measured[6].median(Usage::peak_bytes);
    section.conclude(format::bytes(peak), peak < LIST_PEAK, || {
        "The peak of `--version` is in the table.".to_owned()
    });
    section
}

/// Ours, and who does the same with as little as possible.
struct Pair {
    what: &'static str,
    rival_name: &'static str,
    ours: Invocation,
    rival: Invocation,
}

/// Whom a program trusts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// The private authority, if there is one, and nobody else.
    Alone,
    /// The system's authorities as well.
    BesideTheSystems,
}

/// A world with a home that is signed in.
struct Scene {
    world: World,
    home: PathBuf,
    token: PathBuf,
}

impl Scene {
    async fn new(context: &Context, name: &str, tls: bool) -> Result<Self, BoxError> {
        let world = World::start(context, name, tls).await?;
        let configuration = format!(
            "[store]\nbackend = \"file\"\n\n[mcp_servers.{SERVER}]\nurl = \"{}\"\n",
            world.url()
        );
        let home = world.home("home", &configuration)?;
        let token = home.join("token");
        let scene = Self { world, home, token };
        let login = scene.ours(context, Trust::Alone)?.args(["login", SERVER]);
        runner::measure(context, &login).await?;
        fs::write(&scene.token, world::token(&scene.home).await?)?;
        // What a second process finds is what the first one learned.
        let tools = scene.ours(context, Trust::Alone)?.args(["tools", SERVER]);
        runner::measure(context, &tools).await?;
        Ok(scene)
    }

    fn ours(&self, context: &Context, trust: Trust) -> Result<Invocation, BoxError> {
        let invocation = self
            .world
            .at(context, &context.doorkey()?, &self.home)?
            .env("DOORKEY_HOME", &self.home);
        Ok(match (self.world.authority(), trust) {
            (None, _) => invocation,
            (Some(file), Trust::Alone) => invocation.env("SSL_CERT_FILE", file),
            (Some(file), Trust::BesideTheSystems) => invocation.env("DOORKEY_CA_CERTIFICATE", file),
        })
    }

    fn pair(&self, context: &Context, what: &'static str, trust: Trust) -> Result<Pair, BoxError> {
        let mut rival = Invocation::new(context.program("bare-tools")?);
        if trust == Trust::BesideTheSystems {
            rival = rival.arg("--system");
        }
        rival = rival.arg(self.world.url()).arg(&self.token);
        if let Some(file) = self.world.authority() {
            rival = rival.arg(file);
        }
        let ours = self.ours(context, trust)?.args(["tools", SERVER]);
        Ok(Pair {
            what,
            rival_name: "… reqwest alone",
            ours,
            rival,
        })
    }

    /// Whether both send the same requests.
    async fn sends_the_same(&self, context: &Context, pair: &Pair) -> Result<(), BoxError> {
        let mut sent = Vec::new();
        for invocation in [&pair.ours, &pair.rival] {
            drop(self.world.requests());
            runner::measure(context, invocation).await?;
            sent.push(
                self.world
                    .requests()
                    .iter()
                    .map(essence)
                    .collect::<Vec<_>>(),
            );
        }
        if sent[0] == sent[1] && sent[0].len() == REQUESTS {
            return Ok(());
        }
        Err(format!(
            "{}: ours sends {:#?}, the rival {:#?}",
            pair.what, sent[0], sent[1]
        )
        .into())
    }
}

/// All of a request that its server can tell it by, but for the order of headers and of what is in the body.
type Essence = (
    String,
    String,
    BTreeMap<String, Vec<String>>,
    serde_json::Value,
);

fn essence(request: &RecordedRequest) -> Essence {
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &request.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.entry(name.to_string()).or_default().push(value);
    }
    let body = request.json().unwrap_or_default();
    (
        request.method.to_string(),
        request.url.clone(),
        headers,
        body,
    )
}

async fn list_pair(context: &Context) -> Result<Pair, BoxError> {
    let home = context.folder("cold-list")?;
    list::fill(&home, 0..SERVERS).await?;
    let ours = Invocation::new(context.doorkey()?)
        .env("HOME", &home)
        .env("DOORKEY_HOME", &home);
    let ours = ours.args(["list", "--json"]);
    let rival = Invocation::new(context.program("bare-list")?).arg(&home);
    Ok(Pair {
        what: "`list --json` of 200 servers",
        rival_name: "… two parsers alone",
        ours,
        rival,
    })
}

fn row(what: &str, series: &Series<Usage>) -> [String; 5] {
    let time = |figure: fn(&Usage) -> f64| format::milliseconds(series.median(figure));
    [
        what.to_owned(),
        time(Usage::wall_seconds),
        time(Usage::cpu_seconds),
        time(|usage| usage.system.as_secs_f64()),
        format::bytes(series.median(Usage::peak_bytes)),
    ]
}

const SERVER: &str = "bench";
const SERVERS: usize = 200;
/// `server/discover` and `tools/list`.
const REQUESTS: usize = 2;
const ROUNDS: usize = 41;
const LIST_PEAK: f64 = 12.0 * 1024.0 * 1024.0;
