//! A login beside the nearest host program: Codex, from its npm package.

mod install;

use std::path::{Path, PathBuf};

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
    section.tables.extend([table, requests]);
    section.tables.extend(profiles);
    judge(&mut section, &found);
    Ok(section)
}

fn judge(section: &mut Section, found: &[Compared]) {
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
        format!(
            "Of processor time it takes {} of Codex's (http, https); the rest of its time is spent on files that are durable \
             before the next request, on the browser program and on the servers, which both wait for. Its peak is the pages \
             of the program that a login goes through: `--version` in the section before shows how many a start alone touches.",
            shares.join(" and ")
        )
    };
    section.judge(
        worst(Usage::wall_seconds),
        "times, the worse of http and https",
        Bound::AtMost(0.4),
        floor,
    );
    section.judge(
        worst(Usage::peak_bytes),
        "times, the worse of http and https",
        Bound::AtMost(0.2),
        floor,
    );
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
    section.conclude(shown.join("; "), met, floor);
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
    let time =
        |figure: fn(&Usage) -> f64| format!("{} ms", format::number(series.median(figure) * 1e3));
    [
        what.to_owned(),
        time(Usage::wall_seconds),
        time(Usage::cpu_seconds),
        format::bytes(series.median(Usage::peak_bytes)),
    ]
}

const SERVER: &str = "bench";
const TOKEN: &str = "token";
/// The page of the authorization server, which the browser opens for either program.
const PAGE: usize = 1;
const ROUNDS: usize = 21;
