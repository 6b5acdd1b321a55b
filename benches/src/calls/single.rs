//! Single figures, without a network: the token read, alone and in company, and a call over an answer in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use doorkey_http::{Body, HttpClient, HttpProfile};
use doorkey_oauth::TokenSource;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use url::Url;

use super::caller::{Answer, Call, call, over, signed_in};
use crate::rounds::median;
use crate::section::Table;
use crate::{BoxError, Context, format};

/// The figures.
#[derive(Debug)]
pub(super) struct Single {
    /// One read of the token.
    pub(super) alone: Duration,
    /// The same while another thread does nothing else.
    pub(super) contended: Duration,
    /// One call whose answer is in memory.
    pub(super) call: Duration,
}

pub(super) async fn measure(context: &Context) -> Result<Single, BoxError> {
    let url: Url = "http://127.0.0.1/mcp".parse()?;
    let http = HttpClient::with_service(&HttpProfile::new(url.clone()), tower::service_fn(answer))?;
    let tokens = signed_in(http.clone(), &url).await?;
    let alone = rounds(context, || reads(&tokens)).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let (other, stopped) = (tokens.clone(), Arc::clone(&stop));
    let reader = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.is_ok_and(|runtime| {
            runtime.block_on(async {
                while !stopped.load(Ordering::Relaxed) {
                    if other.token().await.is_err() {
                        return false;
                    }
                }
                true
            })
        })
    });
    let contended = rounds(context, || reads(&tokens)).await?;
    stop.store(true, Ordering::Relaxed);
    if !reader.join().is_ok_and(|read| read) {
        return Err("the other thread read no token".into());
    }
    let client = over(http, &url).await?;
    let what = Call::new(&url, Answer::Small);
    let (client, what) = (&client, &what);
    let call = rounds(context, || async move {
        for id in 0..CALLS {
            call(client, what, id.into(), None).await?;
        }
        Ok(CALLS)
    })
    .await?;
    Ok(Single {
        alone,
        contended,
        call,
    })
}

/// The median time of one of those that `work` does.
async fn rounds<F>(context: &Context, work: impl Fn() -> F) -> Result<Duration, BoxError>
where
    F: Future<Output = Result<u32, BoxError>>,
{
    work().await?;
    let mut times = Vec::new();
    for _ in 0..context.rounds(ROUNDS) {
        let start = Instant::now();
        let number = work().await?;
        times.push(start.elapsed().as_secs_f64() / f64::from(number));
    }
    Ok(Duration::from_secs_f64(median(times)))
}

async fn reads(tokens: &TokenSource) -> Result<u32, BoxError> {
    for _ in 0..READS {
        tokens.token().await?.ok_or("there is no token")?;
    }
    Ok(READS)
}

/// What the server says to a small call.
async fn answer(_: Request<Body>) -> Result<Response<Body>, BoxError> {
    let said = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"ok"}],"isError":false}}"#;
    let mut response = Response::new(Body::from(said));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

pub(super) fn table(single: &Single) -> Table {
    let mut table = Table::new("Single figures, without a network", &["", "time"]);
    table.row(["reading the token", &format::time(single.alone)]);
    table.row([
        "reading the token while another thread does",
        &format::time(single.contended),
    ]);
    table.row([
        "a call at the trait whose answer is in memory",
        &format::time(single.call),
    ]);
    table
}

const READS: u32 = 100_000;
const CALLS: u32 = 2_000;
const ROUNDS: usize = 9;
