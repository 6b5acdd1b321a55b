//! The calls of one client from a command line, for the programs that count what they cost.

use rmcp::transport::streamable_http_client::StreamableHttpClient;

use super::caller::{Answer, Call, Target, auth_client, calls, ours, rival};
use crate::BoxError;
use crate::server::TOKEN;

/// Makes `CALLS` calls as `CLIENT ANSWER CALLS URL AUTHORITY-FILE [IN-FLIGHT]` say, one after another if the last is left
/// out; `warm` is called when as many were made before as warm everything up.
///
/// # Errors
/// The arguments are others, or a call fails.
pub async fn run(arguments: &[String], warm: impl FnOnce()) -> Result<(), BoxError> {
    let (arguments, in_flight) = match arguments {
        [first @ .., in_flight] if first.len() == 5 => (first, in_flight.parse()?),
        all => (all, 1),
    };
    let [client, answer, number, url, authority] = arguments else {
        return Err("arguments: CLIENT ANSWER CALLS URL AUTHORITY-FILE [IN-FLIGHT]".into());
    };
    let target = Target {
        url: url.parse()?,
        authority: std::fs::read_to_string(authority)?,
    };
    let answer = Answer::ALL.into_iter().find(|known| known.name() == answer);
    let call = Call::new(
        &target.url,
        answer.ok_or("an answer is small, large or stream")?,
    );
    let number = (number.parse()?, in_flight);
    match client.as_str() {
        "ours" => counted(&ours(&target).await?, &call, number, None, warm).await,
        "auth-client" => counted(&auth_client(&target).await?, &call, number, None, warm).await,
        "rival" => counted(&rival(&target)?, &call, number, Some(TOKEN), warm).await,
        _ => Err("a client is ours, rival or auth-client".into()),
    }
}

async fn counted<C: StreamableHttpClient>(
    client: &C,
    call: &Call,
    (number, in_flight): (u64, u64),
    bearer: Option<&str>,
    warm: impl FnOnce(),
) -> Result<(), BoxError> {
    calls(client, call, WARM.max(in_flight), in_flight, bearer).await?;
    warm();
    calls(client, call, number, in_flight, bearer).await
}

const WARM: u64 = 50;
