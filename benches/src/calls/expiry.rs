//! What happens when the token expires under calls in flight.

use super::caller::{Answer, Call, auth_client, calls, ours};
use super::matrix::target;
use crate::BoxError;
use crate::server::{Server, Transport};

/// Requests to the token endpoint.
#[derive(Debug)]
pub(super) struct Refreshes {
    pub(super) ours: u64,
    pub(super) auth_client: u64,
}

/// Counts them, for 256 calls at once whose token the server no longer takes.
pub(super) async fn count(server: &mut Server) -> Result<Refreshes, BoxError> {
    let target = target(server, Transport::Http2)?;
    let call = Call::new(&target.url, Answer::Small);
    let (client, theirs) = (ours(&target).await?, auth_client(&target).await?);
    // Once with the token that still is good, so that the connections are there.
    calls(&client, &call, IN_FLIGHT, IN_FLIGHT, None).await?;
    calls(&theirs, &call, IN_FLIGHT, IN_FLIGHT, None).await?;
    server.counts().await?;
    server.expire().await?;
    calls(&client, &call, IN_FLIGHT, IN_FLIGHT, None).await?;
    let ours = server.counts().await?.refreshes;
    calls(&theirs, &call, IN_FLIGHT, IN_FLIGHT, None).await?;
    let auth_client = server.counts().await?.refreshes;
    Ok(Refreshes { ours, auth_client })
}

const IN_FLIGHT: u64 = 256;
