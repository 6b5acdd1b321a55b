//! The calls of one client from a command line, for the programs that count what they cost.

use rmcp::transport::streamable_http_client::StreamableHttpClient;

use super::caller::{Answer, Call, Target, auth_client, calls, ours, rival};
use crate::BoxError;
use crate::server::TOKEN;

/// Makes `CALLS` calls, one after another, as `CLIENT ANSWER CALLS URL AUTHORITY-FILE` say; `warm` is called when as many
/// were made before as warm everything up.
///
/// # Errors
/// The arguments are others, or a call fails.
pub async fn run(arguments: &[String], warm: impl FnOnce()) -> Result<(), BoxError> {
    let [client, answer, number, url, authority] = arguments else {
        return Err("arguments: CLIENT ANSWER CALLS URL AUTHORITY-FILE".into());
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
    let number = number.parse()?;
    match client.as_str() {
        "ours" => counted(&ours(&target).await?, &call, number, None, warm).await,
        "auth-client" => counted(&auth_client(&target).await?, &call, number, None, warm).await,
        "rival" => counted(&rival(&target)?, &call, number, Some(TOKEN), warm).await,
        _ => Err("a client is ours, rival or auth-client".into()),
    }
}

async fn counted<C: StreamableHttpClient + Sync>(
    client: &C,
    call: &Call,
    number: u64,
    bearer: Option<&str>,
    warm: impl FnOnce(),
) -> Result<(), BoxError> {
    calls(client, call, WARM, 1, bearer).await?;
    warm();
    calls(client, call, number, 1, bearer).await
}

const WARM: u64 = 50;
