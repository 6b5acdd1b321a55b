//! What a tool call costs beside rmcp's own clients: calls per second, instructions, allocations, refreshes.

pub mod caller;
pub mod counted;
mod exact;
mod expiry;
mod matrix;
mod single;
mod worker;

pub use exact::{allocations, instructions};

use std::time::Duration;

use crate::section::{Bound, Outline, Section};
use crate::server::Server;
use crate::{BoxError, Context, format};

/// The section.
pub static OUTLINE: Outline = Outline {
    id: "calls",
    title: "A tool call",
    how: "Ours is rmcp's client with our adapter, the authorization layer and the HTTP client with a token from a store. The \
        rival is rmcp's own reqwest client with a static bearer token; `AuthClient` is rmcp's own authorization over that, with \
        its token in memory. All are in this process on one thread, each call that is in flight in a task of its own, and \
        ask one server in another process; they take turns. \
        *At the trait* the calls are made on rmcp's `StreamableHttpClient`; *through the worker* they are made with \
        `Peer::call_tool`, whose transport sends 16 at a time, so that 256 calls are those of 16 sessions. A small answer \
        is a text of two letters, a large one of 1 MiB; a stream has ten notifications before its answer, each an event of \
        two lines. Ratios above 1 are in our favour; goals are judged by the paired ones, the median of the ratios of each \
        round, since this machine may change its pace between two rounds. Instructions are callgrind's (two runs with \
        different numbers of calls, subtracted), allocations dhat's; both are exact but for how the network cuts what \
        arrives. *Bytes alone* is the rival's client with the request and the answer as bytes: no message is made or read, \
        and nothing is kept or looked at.",
    goals: &[
        "Calls per second: at least 1.00 times the rival's, in the median of all cases.",
        "Calls per second: never below 0.97 times the rival's.",
        "At most 6 allocations more than the rival in a call.",
        "At most 3 % more instructions than the rival in a call.",
        "The token is read without a lock.",
        "At 256 calls in flight at least 1.20 times the calls per second of `AuthClient`.",
        "When the token expires under 256 calls, one refresh.",
    ],
};

/// Measures it, on one thread of its own: between several, what is measured would be how they wake each other. What keeps
/// it from being measured is said in its place, so that the other sections are.
///
/// # Errors
/// There can be no such thread.
pub async fn run(context: &Context) -> Result<Section, BoxError> {
    let ran = std::thread::scope(|scope| scope.spawn(|| alone(context)).join());
    ran.map_err(|_| BoxError::from("the thread of the calls panicked"))?
}

fn alone(context: &Context) -> Result<Section, BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let limited = async { tokio::time::timeout(LONGEST, measured(context)).await };
    let why = match runtime.block_on(limited) {
        Ok(Ok(section)) => return Ok(section),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("it took longer than {} s", LONGEST.as_secs()),
    };
    let mut section = Section::new(&OUTLINE);
    for _ in OUTLINE.goals {
        section.not_measured(why.clone());
    }
    Ok(section)
}

async fn measured(context: &Context) -> Result<Section, BoxError> {
    let mut section = Section::new(&OUTLINE);
    let mut server = Server::start(context).await?;
    let mut cells = matrix::at_the_trait(context, &server).await?;
    cells.extend(worker::through_the_worker(context, &server).await?);
    let exact = exact::count(context, &server).await?;
    judge_rates(&mut section, &cells, &exact);
    judge_counts(&mut section, &exact);
    judge_token(&mut section, &single::measure(context).await?);
    let beside = matrix::beside_auth_client(context, &server).await?;
    judge_beside_auth_client(&mut section, &beside, &exact);
    section
        .tables
        .extend(exact::profiles(context, &server).await?);
    judge_refreshes(&mut section, &expiry::count(&mut server).await?);
    Ok(section)
}

fn judge_rates(section: &mut Section, cells: &[matrix::Cell], exact: &[exact::Counted]) {
    section.tables.push(matrix::table(cells));
    let ratios: Vec<f64> = cells.iter().map(|cell| cell.compared.paired).collect();
    let median = crate::rounds::median(ratios.iter().copied());
    let worst = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let floor = || exact::floor(exact);
    section.judge(median, "times", Bound::AtLeast(1.0), floor);
    let worst_case = "times in the worst case";
    section.judge(worst, worst_case, Bound::AtLeast(0.97), floor);
}

fn judge_counts(section: &mut Section, exact: &[exact::Counted]) {
    section.tables.push(exact::table(exact));
    let floor = || exact::floor(exact);
    let most = |figure: fn(&exact::Counted) -> f64| {
        exact.iter().map(figure).fold(f64::NEG_INFINITY, f64::max)
    };
    let allocations = most(exact::Counted::more_allocations);
    section.judge(allocations, "in the worst case", Bound::AtMost(6.0), floor);
    if exact.iter().any(|case| case.more_instructions().is_nan()) {
        section.not_measured("valgrind is not installed");
        return;
    }
    let instructions = most(exact::Counted::more_instructions);
    section.judge(
        instructions,
        "% in the worst case",
        Bound::AtMost(3.0),
        floor,
    );
}

fn judge_token(section: &mut Section, single: &single::Single) {
    section.tables.push(single::table(single));
    section.conclude(
        format!(
            "{} alone, {} while another thread reads it too; a test reads it while every lock is held",
            format::time(single.alone),
            format::time(single.contended)
        ),
        true,
        String::new,
    );
}

fn judge_beside_auth_client(
    section: &mut Section,
    beside: &[matrix::Beside],
    exact: &[exact::Counted],
) {
    section
        .tables
        .push(matrix::table_beside_auth_client(beside));
    let ratios = beside.iter().map(|cell| cell.compared.paired);
    section.judge(
        ratios.fold(f64::INFINITY, f64::min),
        "times in the worse case",
        Bound::AtLeast(1.2),
        || exact::floor_beside_auth_client(exact, beside),
    );
}

fn judge_refreshes(section: &mut Section, refreshes: &expiry::Refreshes) {
    section.conclude(
        format!(
            "ours {}, `AuthClient` {}",
            refreshes.ours, refreshes.auth_client
        ),
        refreshes.ours == 1,
        || "more than one refresh was sent".to_owned(),
    );
}

/// No run of the section takes as long.
const LONGEST: Duration = Duration::from_secs(300);
