//! Calls per second at rmcp's trait.

use std::time::Instant;

use super::caller::{Answer, Call, Target, auth_client, calls, calls_of_bytes, ours, rival};
use crate::rounds::{Comparison, Contender, interleaved};
use crate::section::Table;
use crate::server::{Server, TOKEN, Transport, Wire};
use crate::{BoxError, Context, format};

/// One case, and what came of it.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) way: &'static str,
    pub(super) transport: Transport,
    pub(super) answer: Answer,
    pub(super) in_flight: u64,
    /// Calls per second.
    pub(super) compared: Comparison,
}

/// The protocols that are compared: the first without TLS, which would hide what else there is.
pub(super) const TRANSPORTS: [Transport; 2] = [Transport::Plain, Transport::Http2];

/// Where the server is for callers.
pub(super) fn target(server: &Server, transport: Transport) -> Result<Target, BoxError> {
    Ok(Target {
        url: server.url(transport, Wire::Stateful).parse()?,
        authority: server.addresses().authority.clone(),
    })
}

pub(super) async fn at_the_trait(
    context: &Context,
    server: &Server,
) -> Result<Vec<Cell>, BoxError> {
    let mut cells = Vec::new();
    for transport in TRANSPORTS {
        let target = target(server, transport)?;
        let (ours, rival) = (ours(&target).await?, rival(&target)?);
        let (ours, rival) = (&ours, &rival);
        for answer in Answer::ALL {
            for in_flight in IN_FLIGHT {
                let call = &Call::new(&target.url, answer);
                let number = number(answer, in_flight);
                let series = interleaved(
                    context.rounds(rounds(answer)),
                    [
                        Contender::new("ours", || {
                            per_second(number, calls(ours, call, number, in_flight, None))
                        }),
                        Contender::new("rival", || {
                            per_second(number, calls(rival, call, number, in_flight, Some(TOKEN)))
                        }),
                    ],
                )
                .await?;
                let compared = series[0].beside(&series[1], |rate| *rate);
                cells.push(Cell {
                    way: "at the trait",
                    transport,
                    answer,
                    in_flight,
                    compared,
                });
            }
        }
    }
    Ok(cells)
}

/// Ours beside rmcp's own authorization, and what of either is reqwest's.
#[derive(Debug)]
pub(super) struct Beside {
    pub(super) transport: Transport,
    /// Calls per second.
    pub(super) compared: Comparison,
    /// The same of bytes, without messages.
    pub(super) bytes_alone: f64,
}

pub(super) async fn beside_auth_client(
    context: &Context,
    server: &Server,
) -> Result<Vec<Beside>, BoxError> {
    let mut cells = Vec::new();
    for transport in TRANSPORTS {
        let target = target(server, transport)?;
        let (ours, theirs) = (ours(&target).await?, auth_client(&target).await?);
        let (ours, theirs, bytes) = (&ours, &theirs, &rival(&target)?);
        let call = &Call::new(&target.url, Answer::Small);
        let in_flight = 256;
        let number = number(Answer::Small, in_flight);
        let series = interleaved(
            context.rounds(ROUNDS),
            [
                Contender::new("ours", || {
                    per_second(number, calls(ours, call, number, in_flight, None))
                }),
                Contender::new("AuthClient", || {
                    per_second(number, calls(theirs, call, number, in_flight, None))
                }),
            ],
        )
        .await?;
        // By themselves: between the two that are compared they would follow one of them more often.
        let alone = Contender::new("bytes alone", || {
            per_second(number, calls_of_bytes(bytes, call, number, in_flight))
        });
        let alone = interleaved(context.rounds(ROUNDS), [alone]).await?;
        cells.push(Beside {
            transport,
            compared: series[0].beside(&series[1], |rate| *rate),
            bytes_alone: alone[0].median(|rate| *rate),
        });
    }
    Ok(cells)
}

/// How many calls a second `work` makes, of which it makes `number`.
pub(super) async fn per_second(
    number: u64,
    work: impl Future<Output = Result<(), BoxError>>,
) -> Result<f64, BoxError> {
    let start = Instant::now();
    work.await?;
    Ok(f64::from(u32::try_from(number)?) / start.elapsed().as_secs_f64())
}

pub(super) fn table(cells: &[Cell]) -> Table {
    let mut table = Table::new(
        "Calls per second, beside rmcp's own client with a static bearer token",
        &[
            "",
            "answer",
            "in flight",
            "ours",
            "rival",
            "ratio",
            "ratio, paired",
        ],
    );
    for cell in cells {
        table.row([
            format!("{}, {}", name(cell.transport), cell.way),
            cell.answer.name().to_owned(),
            cell.in_flight.to_string(),
            format::number(cell.compared.ours),
            format::number(cell.compared.rival),
            format::ratio(cell.compared.ratio),
            format::ratio(cell.compared.paired),
        ]);
    }
    table
}

pub(super) fn table_beside_auth_client(cells: &[Beside]) -> Table {
    let mut table = Table::new(
        "Calls per second, 256 in flight, small answers, beside rmcp's own authorization",
        &[
            "",
            "ours",
            "`AuthClient`",
            "ratio",
            "ratio, paired",
            "reqwest, bytes alone",
        ],
    );
    for cell in cells {
        table.row([
            name(cell.transport).to_owned(),
            format::number(cell.compared.ours),
            format::number(cell.compared.rival),
            format::ratio(cell.compared.ratio),
            format::ratio(cell.compared.paired),
            format::number(cell.bytes_alone),
        ]);
    }
    table
}

pub(super) const fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::Plain => "HTTP/1.1",
        Transport::Http1 => "HTTP/1.1 over TLS",
        Transport::Http2 => "HTTP/2 over TLS",
    }
}

/// As many calls as take some hundredths of a second, several of each caller: what they begin and end with is not to count.
fn number(answer: Answer, in_flight: u64) -> u64 {
    match answer {
        Answer::Small => 1024.max(16 * in_flight),
        Answer::Large => 32.max(in_flight),
        Answer::Stream => 512.max(8 * in_flight),
    }
}

/// Large answers take long, and vary little.
const fn rounds(answer: Answer) -> usize {
    match answer {
        Answer::Large => 9,
        Answer::Small | Answer::Stream => ROUNDS,
    }
}

const IN_FLIGHT: [u64; 3] = [1, 16, 256];
const ROUNDS: usize = 15;
