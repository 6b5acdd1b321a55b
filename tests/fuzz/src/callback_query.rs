//! The query of a callback (OAuth 2.1 §4.1.2, RFC 9207 §2.4), as it comes to the listener and as a person pastes it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use doorkey_oauth::{
    AuthorizationConfig, BoxFuture, Callback, CallbackVerdict, Challenges, Channel, ClientChoice,
    Error, Interaction, InteractionError, InteractionRequest, Prompt, TokenSource,
};
use doorkey_store::Store;
use tokio::sync::oneshot;
use url::Url;

use crate::servers::{ISSUER, Known, SERVER, STATE, Servers, Still, query, run};
use crate::shown::{assert_fit, assert_fit_text, assert_hidden, assert_without};

/// A query is judged as a naive reading of it says, what is foreign ends no login, and nothing shows the `state`.
pub fn callback_query(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for advertised in [false, true] {
        let expected = expected(&text, advertised);
        run(arrives(&text, advertised, &expected));
        run(is_pasted(&text, advertised, &expected));
    }
}

/// What a login has to make of a query.
#[derive(Debug, PartialEq)]
enum Expected {
    Foreign,
    Refused,
    Code(String),
}

/// The rules, read off the specifications as plainly as can be.
fn expected(query: &str, advertised: bool) -> Expected {
    let values = |name: &str| -> Vec<String> {
        query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .filter(|(known, _)| decoded(known) == name)
            .map(|(_, value)| decoded(value))
            .collect()
    };
    if values("state") != [STATE] {
        return Expected::Foreign;
    }
    let iss_fits = match values("iss").as_slice() {
        [] => !advertised,
        [iss] => iss == ISSUER,
        _ => false,
    };
    match (values("code").as_slice(), values("error").as_slice()) {
        ([code], []) if iss_fits && !code.is_empty() => Expected::Code(code.clone()),
        _ => Expected::Refused,
    }
}

/// Form decoding: `+` is a blank, `%` and two digits are a byte, and what is not UTF-8 is replaced.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            u8::from_str_radix(digits, 16).ok().filter(|_| all)
        });
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The query comes to the listener, and the genuine answer after it.
async fn arrives(text: &str, advertised: bool, expected: &Expected) {
    let (servers, source) = set_up(advertised);
    let browser = Browser::new(vec![text.to_owned(), genuine()]);
    let challenges = Challenges::default();
    let login = source.login(&challenges, Arc::new(browser.clone()));
    let outcome = login.await;
    let verdict = browser.first_verdict();
    match expected {
        Expected::Foreign => {
            assert_eq!(verdict, Some(CallbackVerdict::Ignored), "{text:?}");
            assert!(
                outcome.is_ok(),
                "a foreign answer ended the login: {text:?}"
            );
            assert_eq!(used_codes(&servers), ["genuine"]);
        }
        Expected::Code(code) => {
            assert_eq!(verdict, Some(CallbackVerdict::Accepted), "{text:?}");
            assert!(outcome.is_ok(), "{text:?}");
            assert_eq!(used_codes(&servers), [code.as_str()]);
        }
        Expected::Refused => {
            let Some(CallbackVerdict::Refused { message }) = verdict else {
                panic!("{verdict:?} for {text:?}");
            };
            assert_fit_text(&message);
            assert_without(&message, &[STATE]);
            refused(outcome.err());
            assert!(used_codes(&servers).is_empty());
        }
    }
    servers.assert_nobody_else_was_asked();
}

/// A person pastes it, to a login that was started before; then the genuine answer.
async fn is_pasted(text: &str, advertised: bool, expected: &Expected) {
    let (servers, source) = set_up(advertised);
    let redirect_uri = Some(REDIRECT.to_owned());
    let challenges = Challenges::default();
    let started = source.start_login(&challenges, redirect_uri);
    let started = started.await.expect("both servers are in order");
    assert_hidden(&started, &[STATE]);
    let address = format!("{REDIRECT}?{text}");
    let pasted = Url::parse(&address).expect("a URL with any query");
    // A fragment is no part of the query; then it is not what was judged above, and neither are blanks at its ends.
    let is_same = pasted.fragment().is_none() && pasted.query() == Some(text);
    let outcome = source.finish_login(&address).await;
    if !is_same {
        if let Err(error) = outcome {
            assert_fit(&error, &[STATE]);
        }
        return;
    }
    match (expected, outcome) {
        (Expected::Code(code), Ok(_)) => assert_eq!(used_codes(&servers), [code.as_str()]),
        (Expected::Refused, Err(error)) => refused(Some(error)),
        (Expected::Foreign, Err(error)) => {
            assert_fit(&error, &[STATE]);
            let after = source.finish_login(&genuine()).await;
            assert!(after.is_ok(), "a foreign answer ended the login: {text:?}");
        }
        (expected, outcome) => panic!("{expected:?}, yet {outcome:?}"),
    }
}

fn refused(error: Option<Error>) {
    let error = error.expect("the login was refused");
    assert_fit(&error, &[STATE]);
    let fits = matches!(
        error,
        Error::InvalidAuthorizationResponse(_)
            | Error::IssuerMismatch { .. }
            | Error::Denied(_)
            | Error::AuthorizationResponse(_)
    );
    assert!(fits, "{error:?}");
}

fn genuine() -> String {
    format!("code=genuine&state={STATE}&iss=https%3A%2F%2Fas.example")
}

fn used_codes(servers: &Servers) -> Vec<String> {
    let asked = servers.asked_of("https://as.example/token");
    asked.iter().flat_map(|asked| asked.form("code")).collect()
}

fn set_up(advertised: bool) -> (Servers, TokenSource) {
    let promise = r#""authorization_response_iss_parameter_supported":true,"#;
    let servers = Servers::new(if advertised { promise } else { "" });
    let tokens = r#"{"access_token":"access-1","token_type":"Bearer","expires_in":3600}"#;
    servers.answer("https://as.example/token", 200, tokens);
    let mut config = AuthorizationConfig::new(Url::parse(SERVER).expect("a URL"));
    config.client = ClientChoice::Static {
        client_id: "client-1".to_owned(),
        client_secret: None,
        signing_key: None,
        issuer: None,
        auth_method: None,
    };
    let source = TokenSource::builder(config, servers.http(), Store::memory())
        .clock(Arc::new(Still))
        .random(Arc::new(Known))
        .build();
    (servers, source)
}

/// Comes back with these answers, one after the other.
#[derive(Clone)]
pub(crate) struct Browser {
    answers: Vec<String>,
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    verdicts: Vec<oneshot::Receiver<CallbackVerdict>>,
    prompts: Vec<Prompt>,
}

impl Browser {
    pub(crate) fn new(answers: Vec<String>) -> Self {
        let log = Arc::default();
        Self { answers, log }
    }

    /// The pages that were to be opened.
    pub(crate) fn prompts(&self) -> Vec<Prompt> {
        self.log().prompts.clone()
    }

    fn first_verdict(&self) -> Option<CallbackVerdict> {
        let mut log = self.log();
        log.verdicts.first_mut()?.try_recv().ok()
    }

    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser").finish_non_exhaustive()
    }
}

impl Interaction for Browser {
    fn open<'a>(
        &'a self,
        _: InteractionRequest,
    ) -> BoxFuture<'a, Result<Box<dyn Channel>, InteractionError>> {
        let mut answers = self.answers.clone();
        answers.reverse();
        let window = Window {
            browser: self.clone(),
            answers,
        };
        Box::pin(async move { Ok(Box::new(window) as Box<dyn Channel>) })
    }
}

struct Window {
    browser: Browser,
    /// The next one is the last.
    answers: Vec<String>,
}

impl Channel for Window {
    fn redirect_uri(&self) -> &str {
        REDIRECT
    }

    fn present<'a>(
        &'a mut self,
        prompt: &'a Prompt,
    ) -> BoxFuture<'a, Result<(), InteractionError>> {
        assert_eq!(query(&prompt.url, "state"), [STATE]);
        self.browser.log().prompts.push(prompt.clone());
        Box::pin(async { Ok(()) })
    }

    fn next<'a>(&'a mut self) -> BoxFuture<'a, Result<Callback, InteractionError>> {
        let (reply, verdict) = oneshot::channel();
        self.browser.log().verdicts.push(verdict);
        let next = self.answers.pop();
        Box::pin(async move {
            let answer = next.ok_or(InteractionError::Abandoned)?;
            Ok(Callback::with_reply(answer, reply))
        })
    }
}

pub(crate) const REDIRECT: &str = "http://127.0.0.1:3118/callback";
