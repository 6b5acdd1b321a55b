//! Calls per second through rmcp's worker.

use doorkey_rmcp::{ConnectOptions, connect};
use rmcp::model::CallToolRequestParams;
use rmcp::service::{Peer, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{RoleClient, ServiceExt as _};

use super::caller::{Answer, Target, ours, rival, side_by_side};
use super::matrix::{Cell, TRANSPORTS, per_second, target};
use crate::rounds::{Contender, interleaved};
use crate::server::{Server, TOKEN, Transport};
use crate::{BoxError, Context};

type Session = RunningService<RoleClient, ()>;

pub(super) async fn through_the_worker(
    context: &Context,
    server: &Server,
) -> Result<Vec<Cell>, BoxError> {
    let mut cells = Vec::new();
    for transport in TRANSPORTS {
        let target = target(server, transport)?;
        for in_flight in [1, 16, 256] {
            cells.push(cell(context, &target, transport, in_flight).await?);
        }
    }
    Ok(cells)
}

async fn cell(
    context: &Context,
    target: &Target,
    transport: Transport,
    in_flight: u64,
) -> Result<Cell, BoxError> {
    let number = in_flight.div_ceil(AT_A_TIME);
    let client = ours(target).await?;
    let mut mine = Vec::new();
    for _ in 0..number {
        let options = ConnectOptions::default();
        mine.push(
            connect(client.clone(), &target.url, options, ())
                .await?
                .service,
        );
    }
    let client = rival(target)?;
    let mut theirs: Vec<Session> = Vec::new();
    for _ in 0..number {
        let config =
            StreamableHttpClientTransportConfig::with_uri(target.url.as_str()).auth_header(TOKEN);
        theirs.push(
            ().serve(StreamableHttpClientTransport::with_client(
                client.clone(),
                config,
            ))
            .await?,
        );
    }
    let (ours, rival) = (&mine, &theirs);
    let series = interleaved(
        context.rounds(ROUNDS),
        [
            Contender::new("ours", || per_second(CALLS, calls(ours, in_flight))),
            Contender::new("rival", || per_second(CALLS, calls(rival, in_flight))),
        ],
    )
    .await?;
    for session in mine.into_iter().chain(theirs) {
        session.cancel().await?;
    }
    let compared = series[0].beside(&series[1], |rate| *rate);
    Ok(Cell {
        way: "through the worker",
        transport,
        answer: Answer::Small,
        in_flight,
        compared,
    })
}

async fn calls(sessions: &[Session], in_flight: u64) -> Result<(), BoxError> {
    let each = CALLS / in_flight;
    let callers = (0..in_flight).map(|caller| {
        let at = usize::try_from(caller / AT_A_TIME)?;
        let session = sessions.get(at).ok_or("a session is missing")?;
        let peer: Peer<RoleClient> = session.peer().clone();
        Ok(async move {
            for _ in 0..each {
                peer.call_tool(CallToolRequestParams::new("echo")).await?;
            }
            Ok(())
        })
    });
    side_by_side(callers.collect::<Result<Vec<_>, BoxError>>()?).await
}

/// How many requests the transport of a session sends at a time.
const AT_A_TIME: u64 = 16;
const CALLS: u64 = 1024;
const ROUNDS: usize = 15;
