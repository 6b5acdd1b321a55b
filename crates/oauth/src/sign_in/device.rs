//! The device authorization grant (RFC 8628): the person decides on another device.

use std::time::Duration;

use doorkey_discovery::{UrlError, url_of_server};
use doorkey_http::{Leg, clean_text, for_opener};
use http::StatusCode;
use secrecy::SecretString;
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep_until, timeout};
use url::Url;

use super::ahead::while_deciding;
use super::{Failed, Gone, Obtained, Parts, Settled, Wish, client, judge_page};
use crate::answer::Answer;
use crate::client::Client;
use crate::error::Error;
use crate::exchange::{Exchanged, TokenEndpoint, ask, exchange};
use crate::flow::DEVICE_CODE;
use crate::form::Form;
use crate::interaction::DevicePrompt;
use crate::learned;
use crate::member::{secret, take_text};
use crate::token_response::lifetime;

/// What the authorization server answered to the start (RFC 8628 §3.2).
struct Started {
    device_code: SecretString,
    user_code: String,
    verification_uri: Url,
    verification_uri_complete: Option<Url>,
    expires_in: Duration,
    interval: Duration,
}

/// Whether a code is to be shown where a page was asked for: the interaction is better served with one, and the
/// server offers them.
pub(super) fn is_preferred(wish: &Wish, settled: &Settled) -> bool {
    let server = &settled.found.server;
    wish.interaction.prefers_codes()
        && wish.interaction.shows_codes().is_ok()
        && server.device_authorization_endpoint.is_some()
        && server.supports_grant(DEVICE_CODE)
}

pub(super) async fn run(
    parts: Parts<'_>,
    wish: &Wish,
    settled: &Settled,
    mut gone: Gone<'_>,
) -> Result<Obtained, Failed> {
    let (client, started) = begin(parts, wish, settled, gone.as_mut()).await?;
    go_on(parts, wish, settled, (client, started, false), gone).await
}

/// The same in place of a page. `None`: the server, or the client it knows, has no codes after all. Nobody was asked
/// anything then, and a page will do. Any other failure is one of the login: a page would only hide it.
pub(super) async fn run_in_place_of_page(
    parts: Parts<'_>,
    wish: &Wish,
    settled: &Settled,
    mut gone: Gone<'_>,
) -> Result<Option<Obtained>, Failed> {
    let (client, started) = match begin(parts, wish, settled, gone.as_mut()).await {
        Ok(begun) => begun,
        Err(Failed { error, client, .. }) if is_without_codes(&error) => {
            tracing::info!(%error, "no code for another device is to be had, a page is shown");
            if let Some(client) = client {
                client::discard(parts, settled, &client).await;
            }
            return Ok(None);
        }
        Err(failed) => return Err(failed),
    };
    let obtained = go_on(parts, wish, settled, (client, started, true), gone).await?;
    Ok(Some(obtained))
}

/// Whether the server says that codes are not for this client, or has none in spite of its metadata.
fn is_without_codes(error: &Error) -> bool {
    match error {
        Error::TokenEndpoint { error: said, .. } => {
            WITHOUT_CODES.iter().any(|code| said.is(code)) && !error.is_transient()
        }
        Error::UnreadableResponse { leg, status, .. } => {
            *leg == Leg::Device
                && matches!(
                    *status,
                    StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
                )
        }
        // It registers no client of this kind, or the secret of this one may go nowhere before a person has seen whose
        // page it is.
        Error::RegistrationRefused { .. } => !error.is_transient(),
        Error::UnboundCredentials { .. } => true,
        _ => false,
    }
}

/// Everything before a person is asked.
async fn begin(
    parts: Parts<'_>,
    wish: &Wish,
    settled: &Settled,
    mut gone: Gone<'_>,
) -> Result<(Client, Started), Failed> {
    let server = &settled.found.server;
    let endpoint = settled.needed(
        server.device_authorization_endpoint.as_ref(),
        "device_authorization_endpoint",
    )?;
    wish.interaction.shows_codes().map_err(Error::from)?;
    if client::is_unmeant(parts, wish, settled) {
        let discovered = server.listed.clone();
        return Err(Error::UnboundCredentials { discovered }.into());
    }
    let mut client = client::obtain(parts, wish, settled, None).await?;
    let started = tokio::select! {
        biased;
        started = start(parts, settled, &mut client, endpoint) => started,
        () = gone.as_mut() => Err(Error::LoginAbandoned),
    };
    match started {
        Ok(started) => Ok((client, started)),
        Err(error) => Err(settled.failed(client, error)),
    }
}

/// Shows the code and asks until there are tokens.
async fn go_on(
    parts: Parts<'_>,
    wish: &Wish,
    settled: &Settled,
    (client, started, in_place_of_page): (Client, Started, bool),
    mut gone: Gone<'_>,
) -> Result<Obtained, Failed> {
    let mut prompt = prompt(parts, settled, &started);
    prompt.in_place_of_page = in_place_of_page;
    let limit = started.expires_in;
    let shown = tokio::select! {
        biased;
        shown = timeout(limit, wish.interaction.present_code(&prompt)) => match shown {
            Ok(shown) => shown.map_err(Error::from),
            Err(_) => Err(Error::LoginTimedOut { limit }),
        },
        () = gone.as_mut() => Err(Error::LoginAbandoned),
    };
    let outcome = match shown {
        Ok(()) => {
            let next = (Leg::Token, &settled.token_endpoint);
            let polling = poll(parts, settled, &client, &started, gone);
            while_deciding(parts, next, polling).await
        }
        Err(error) => Err(error),
    };
    match outcome {
        Ok(exchanged) => Ok(Obtained {
            client,
            redirect_uri: None,
            exchanged,
        }),
        Err(error) => Err(settled.failed(client, error)),
    }
}

/// Asks for the codes (DEV-02). Whichever way of client authentication works here is used on.
async fn start(
    parts: Parts<'_>,
    settled: &Settled,
    client: &mut Client,
    url: &Url,
) -> Result<Started, Error> {
    let endpoint = TokenEndpoint {
        tools: parts.tools(),
        leg: Leg::Device,
        url,
        client,
        key: None,
        shape: None,
    };
    let form = Form::device_authorization()
        .scopes(&settled.scopes)
        .resource(settled.resource.as_deref())
        .extended(
            settled
                .quirks(parts)
                .device_parameters(settled.resource.as_deref()),
        );
    let (mut started, method) = ask(endpoint, form, read).await?;
    judge(parts, settled, &mut started).await?;
    let issuer = settled.found.server.listed.as_str();
    learned::remember(parts.store, issuer, client.method, method).await;
    client.method = method;
    Ok(started)
}

/// Whether the page may be shown. The complete one is done without where it may not.
async fn judge(parts: Parts<'_>, settled: &Settled, started: &mut Started) -> Result<(), Error> {
    let issuer = &settled.found.server.listed;
    let page = ("verification_uri", &started.verification_uri);
    judge_page(parts, Leg::Device, issuer, page).await?;
    if let Some(complete) = &started.verification_uri_complete {
        let page = ("verification_uri_complete", complete);
        if let Err(error) = judge_page(parts, Leg::Device, issuer, page).await {
            tracing::warn!(%error, "the page with the code in it is not shown");
            started.verification_uri_complete = None;
        }
    }
    Ok(())
}

fn read(answer: &Answer) -> Result<Started, Error> {
    let mut object = answer.success()?;
    let missing = |why: &str| answer.unreadable(why);
    let device_code = secret(answer, &mut object, "device_code")?
        .ok_or_else(|| missing("there is no `device_code` in it"))?;
    let user_code = take_text(&mut object, "user_code")
        .map(|code| clean_text(&code, LONGEST_CODE))
        .filter(|code| !code.is_empty())
        .ok_or_else(|| missing("there is no `user_code` in it"))?;
    // Some servers keep the name that a draft had.
    let named = ["verification_uri", "verification_url"];
    let named = named
        .map(|name| page(&mut object, name))
        .into_iter()
        .flatten();
    let verification_uri = first_good(named)
        .ok_or_else(|| missing("there is no `verification_uri` in it"))?
        .map_err(|rule| missing(&format!("its `verification_uri` may not be opened: {rule}")))?;
    let complete = page(&mut object, "verification_uri_complete");
    Ok(Started {
        device_code,
        user_code,
        verification_uri,
        verification_uri_complete: complete.and_then(Result::ok),
        expires_in: object
            .get("expires_in")
            .and_then(lifetime)
            .unwrap_or(USUAL_LIFETIME)
            .min(LONGEST_WAIT),
        interval: object
            .get("interval")
            .and_then(lifetime)
            .unwrap_or(USUAL_INTERVAL)
            .clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL),
    })
}

/// A page for the person: https, or http on loopback (DEV-08).
fn page(object: &mut Map<String, Value>, name: &str) -> Option<Result<Url, UrlError>> {
    Some(url_of_server(&take_text(object, name)?))
}

/// The first page that may be opened, else the first reason why there is none.
fn first_good(pages: impl Iterator<Item = Result<Url, UrlError>>) -> Option<Result<Url, UrlError>> {
    pages.reduce(|first, other| first.or_else(|rule| other.map_err(|_| rule)))
}

fn prompt(parts: Parts<'_>, settled: &Settled, started: &Started) -> DevicePrompt {
    DevicePrompt {
        verification_uri: for_opener(&started.verification_uri),
        verification_uri_complete: started.verification_uri_complete.as_ref().map(for_opener),
        user_code: started.user_code.clone(),
        issuer: settled.found.server.listed.clone(),
        server: parts.config.server.clone(),
        scopes: settled.scopes.clone(),
        expires_in: started.expires_in,
        in_place_of_page: false,
    }
}

/// Asks until the person has decided or the codes have expired (DEV-05 to DEV-07). Who went away is
/// heeded between two questions only: an answer on its way may carry the tokens.
async fn poll(
    parts: Parts<'_>,
    settled: &Settled,
    client: &Client,
    started: &Started,
    mut gone: Gone<'_>,
) -> Result<Exchanged, Error> {
    let limit = started.expires_in;
    let end = Instant::now() + limit;
    let mut interval = started.interval;
    loop {
        // The last question comes as the codes expire, however long the wait had become.
        let next_at = (Instant::now() + interval).min(end);
        tokio::select! {
            biased;
            () = gone.as_mut() => return Err(Error::LoginAbandoned),
            () = sleep_until(next_at) => {}
        }
        let resource = settled.resource.as_deref();
        let form = Form::device_code(&started.device_code)
            .resource(resource)
            .extended(settled.quirks(parts).token_parameters(resource));
        match exchange(settled.token_endpoint(parts, client), form).await {
            Ok(exchanged) => return Ok(exchanged),
            Err(error) => {
                let is_over = Instant::now() >= end;
                // A server that gave no answer is why nobody completed the login.
                let trouble = Some(error.clone()).filter(is_trouble);
                interval = next(error, interval, limit)?;
                if is_over {
                    return Err(trouble.unwrap_or(Error::LoginTimedOut { limit }));
                }
            }
        }
    }
}

/// Whether the server could not answer, which is not the person's doing.
fn is_trouble(error: &Error) -> bool {
    let is_about_pace =
        matches!(error, Error::TokenEndpoint { error: said, .. } if said.is("slow_down"));
    error.is_transient() && !is_about_pace
}

/// How long to wait for the next question, or why there is none.
fn next(error: Error, interval: Duration, limit: Duration) -> Result<Duration, Error> {
    if let Error::TokenEndpoint { error: said, .. } = &error {
        match said.code.as_str() {
            "authorization_pending" => return Ok(interval),
            "slow_down" => return Ok(interval + SLOWER),
            "access_denied" => return Err(Error::Denied(said.clone())),
            "expired_token" => return Err(Error::LoginTimedOut { limit }),
            _ => {}
        }
    }
    let asked = error.retry_after().unwrap_or_default();
    match error.is_transient() {
        true => Ok((interval * 2)
            .min(interval.max(LONGEST_PAUSE))
            .max(asked)
            .min(LONGEST_INTERVAL)),
        false => Err(error),
    }
}

/// What servers answer to a client that may not use codes (RFC 6749 §5.2).
const WITHOUT_CODES: [&str; 4] = [
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_client",
    "invalid_request",
];
/// RFC 8628 §3.2, §3.5.
const USUAL_INTERVAL: Duration = Duration::from_secs(5);
const SLOWER: Duration = Duration::from_secs(5);
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
const LONGEST_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// How long an outage makes the pauses: a person who has decided meanwhile is not kept waiting.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// `expires_in` is required; for a server that leaves it out.
const USUAL_LIFETIME: Duration = Duration::from_secs(10 * 60);
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
const LONGEST_CODE: usize = 64;

#[cfg(test)]
mod tests {
    use doorkey_http::RedactedUrl;

    use super::*;
    use crate::protocol_error::ProtocolError;

    fn said(code: &str, status: u16) -> Error {
        Error::TokenEndpoint {
            leg: Leg::Token,
            url: RedactedUrl::from(&Url::parse("https://as.example/token").unwrap()),
            status: StatusCode::from_u16(status).unwrap(),
            error: ProtocolError::new(code, None, None),
            retry_after: None,
        }
    }

    fn started(changes: &Value) -> Result<Started, Error> {
        let mut body = serde_json::json!({
            "device_code": "code", "user_code": "WDJB-MJHT",
            "verification_uri": "https://as.example/device",
        });
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        let bytes = bytes::Bytes::from(body.to_string());
        let url =
            RedactedUrl::from(&Url::parse("https://as.example/device_authorization").unwrap());
        let now = std::time::SystemTime::UNIX_EPOCH;
        read(&Answer::new(
            Leg::Device,
            url,
            http::Response::new(bytes),
            now,
        ))
    }

    #[test]
    fn what_a_server_leaves_out_has_a_bounded_default_dev_03_err_13() {
        let seconds = Duration::from_secs;
        for (changes, interval, expires_in) in [
            (r"{}", seconds(5), seconds(600)),
            (
                r#"{"interval":2,"expires_in":1800}"#,
                seconds(2),
                seconds(1800),
            ),
            (
                r#"{"interval":"7","expires_in":"60"}"#,
                seconds(7),
                seconds(60),
            ),
            (r#"{"interval":0,"expires_in":0}"#, seconds(5), seconds(600)),
            (r#"{"interval":0.1}"#, seconds(1), seconds(600)),
            (
                r#"{"interval":-1,"expires_in":-1e308}"#,
                seconds(5),
                seconds(600),
            ),
            (
                r#"{"interval":"NaN","expires_in":"inf"}"#,
                seconds(5),
                seconds(600),
            ),
            (
                r#"{"interval":18446744073709551615,"expires_in":1e308}"#,
                seconds(300),
                seconds(3600),
            ),
            (
                r#"{"interval":1e9,"expires_in":1e12}"#,
                seconds(300),
                seconds(3600),
            ),
        ] {
            let started = started(&serde_json::from_str(changes).unwrap()).unwrap();
            assert_eq!(
                (started.interval, started.expires_in),
                (interval, expires_in),
                "{changes}"
            );
        }
    }

    #[test]
    fn codes_and_pages_are_read_as_they_may_be_shown_dev_03_dev_08_sec_13() {
        let plain = started(&serde_json::json!({ "user_code": "A\u{1b}[31mB" })).unwrap();
        assert!(!plain.user_code.contains('\u{1b}'), "{}", plain.user_code);
        assert!(plain.verification_uri_complete.is_none());
        let complete = "https://as.example/device?user_code=WDJB-MJHT";
        let both = started(&serde_json::json!({ "verification_uri_complete": complete })).unwrap();
        assert_eq!(both.verification_uri_complete.unwrap().as_str(), complete);
        // A complete page that may not be opened is done without.
        let unsafe_page = serde_json::json!({ "verification_uri_complete": "javascript:1" });
        assert!(
            started(&unsafe_page)
                .unwrap()
                .verification_uri_complete
                .is_none()
        );
        let older = serde_json::json!({
            "verification_uri": null, "verification_url": "https://as.example/activate",
        });
        let older = started(&older).unwrap().verification_uri;
        assert_eq!(older.as_str(), "https://as.example/activate");
        for (page, rule) in [
            ("javascript:alert(1)", "neither https nor http"),
            ("file:///etc/passwd", "neither https nor http"),
            ("http://as.example/device", "neither https nor http"),
            ("https://u:p@as.example/", "a user name or password"),
            (
                "https://as.example\\@evil.example/",
                "a character that no URL may have",
            ),
            (
                "https://as.example/\u{202e}",
                "a character that no URL may have",
            ),
            ("https:as.example/device", "not an absolute URL"),
        ] {
            let error = started(&serde_json::json!({ "verification_uri": page }));
            let told = error.err().unwrap().to_string();
            assert!(
                told.contains("its `verification_uri` may not be opened: it "),
                "{told}"
            );
            assert!(told.contains(rule), "{page}: {told}");
        }
        for member in ["device_code", "user_code", "verification_uri"] {
            let error = started(&serde_json::json!({ member: null })).err().unwrap();
            assert!(error.to_string().contains(member), "{error}");
        }
    }

    #[test]
    fn each_answer_says_how_to_go_on_dev_06_dev_07() {
        let seconds = Duration::from_secs;
        let after = |code, status| next(said(code, status), seconds(5), seconds(600));
        assert_eq!(after("authorization_pending", 400).unwrap(), seconds(5));
        assert_eq!(after("slow_down", 400).unwrap(), seconds(10));
        assert_eq!(after("server_error", 500).unwrap(), seconds(10));
        assert!(matches!(after("access_denied", 400), Err(Error::Denied(_))));
        assert!(matches!(
            after("expired_token", 400),
            Err(Error::LoginTimedOut { .. })
        ));
        assert!(matches!(
            after("invalid_grant", 400),
            Err(Error::TokenEndpoint { .. })
        ));
        for (interval, expected) in [(40, 60), (60, 60), (200, 200)] {
            let slower = next(said("server_error", 503), seconds(interval), seconds(600));
            assert_eq!(slower.unwrap(), seconds(expected));
        }
    }
}
