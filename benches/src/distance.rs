//! What each way through takes from servers far away, in round trips.

mod far;
mod way;

use far::Far;
use way::{Kind, Taken};

use crate::rounds::median;
use crate::section::{Outline, Section, Table};
use crate::{BoxError, Context, format};

/// What is measured here.
pub static OUTLINE: Outline = Outline {
    id: "distance",
    title: "Far away",
    how: "An authorization server and an MCP server of the testkit on loopback, over TLS of a private authority, each behind a \
          port that passes bytes on 50 ms later, each way; a TCP connection costs a round trip there before its first byte \
          counts. The library goes each way in a home of its own, and the person approves at once. The critical path is not \
          timed: it is the longest chain of requests of which each was sent after the one before was answered, by what the \
          servers recorded, without the setting up of connections. The time leaves out what the browser took, is in units of the \
          round trip of 100 ms, and is the median. What a client takes that sends one request after the other is how many \
          there are.",
    goals: &[
        "On the stateless wire a login takes at most 6 round trips with registration and its proof.",
        "Without registration it takes at most 5.",
        "On the wire of 2025-11-25 a login takes as many.",
        "Warm `tools` take one or two round trips on the stateless wire.",
        "Once the person has decided, no connection is made.",
    ],
};

/// Measures the section.
///
/// # Errors
/// A way through failed.
pub async fn run(context: &Context) -> Result<Section, BoxError> {
    let mut section = Section::new(&OUTLINE);
    let columns = [
        "",
        "critical path",
        "requests",
        "connections after the page",
        "time, in round trips",
    ];
    let mut table = Table::new("", &columns);
    let mut taken = Vec::new();
    for kind in Kind::ALL {
        let mut rounds = Vec::new();
        for _ in 0..context.rounds(ROUNDS) {
            rounds.push(kind.taken(context).await?);
        }
        let time = median(rounds.iter().map(|round| round.time));
        let longest = rounds.into_iter().max_by_key(|round| round.path.len());
        let longest = longest.ok_or("no round")?;
        table.row([
            kind.name().to_owned(),
            format!("{}: {}", longest.path.len(), longest.path.join(", ")),
            format::count(longest.requests as u64),
            longest
                .connections
                .map_or_else(|| "—".to_owned(), |it| it.to_string()),
            format::number(time),
        ]);
        taken.push((kind, longest));
    }
    section.tables.push(table);
    judge(&mut section, &taken);
    Ok(section)
}

fn judge(section: &mut Section, taken: &[(Kind, Taken)]) {
    let length = |wanted: Kind| {
        let found = taken.iter().find(|(kind, _)| *kind == wanted);
        found.map_or(usize::MAX, |(_, taken)| taken.path.len())
    };
    let trips = |count: usize| format!("{count} round trips");
    let stateless = (length(Kind::Login), length(Kind::LoginAgain));
    section.conclude(trips(stateless.0), stateless.0 <= 6, String::new);
    section.conclude(trips(stateless.1), stateless.1 <= 5, String::new);
    let stateful = (length(Kind::LoginOf2025), length(Kind::LoginAgainOf2025));
    let shown = format!("{} with registration, {} without", stateful.0, stateful.1);
    section.conclude(shown, stateful.0 <= 6 && stateful.1 <= 5, || {
        HANDSHAKE.to_owned()
    });
    let tools = (length(Kind::Tools), length(Kind::ToolsKept));
    let shown = format!(
        "{}, or {} where the server lets its discovery be kept",
        tools.0, tools.1
    );
    section.conclude(shown, tools.0 <= 2 && tools.1 <= 1, String::new);
    let made = taken.iter().filter_map(|(_, taken)| taken.connections);
    let made = made.max().unwrap_or(usize::MAX);
    section.conclude(format!("{made} connections"), made == 0, || {
        "See the table: a connection was closed, or not made ahead.".to_owned()
    });
}

const ROUNDS: usize = 3;
const HANDSHAKE: &str = "Every round trip of it waits for the one before: `initialize` names the session, `notifications/initialized` \
    ends the handshake, and `tools/list` may come after that alone. To send both at once would save one, but over HTTP they \
    may arrive in either order, and a server may refuse what comes before the notification; deployed ones do.";
