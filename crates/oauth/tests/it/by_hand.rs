//! Where no browser comes back: a code on another device in place of a page, and codes that a person types here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use doorkey_oauth::{
    BoxFuture, Callback, CallbackVerdict, Channel, DevicePrompt, Error, Interaction,
    InteractionError, InteractionRequest, Prompt,
};
use doorkey_testkit::{
    AuthorizationServer, AuthorizationServerBuilder, DeviceGrant, Fault, FaultRule, IssParameter,
    Leg, McpServer, RegistrationUpdates, StaticClient,
};
use tokio::sync::{mpsc, oneshot};
use url::Url;

use crate::referee::{Referee, login};

/// Somebody without a browser at hand, who opens the page elsewhere and types here what it showed in the end.
#[derive(Debug)]
struct Typist {
    prefers_codes: bool,
    /// What is typed, one after the other: `C` for the code, `S` for its state.
    typed: &'static [&'static str],
    verdicts: Arc<Mutex<Vec<CallbackVerdict>>>,
    prompts: mpsc::UnboundedSender<DevicePrompt>,
}

struct Keyboard {
    lines: VecDeque<&'static str>,
    answer: Option<Url>,
    verdicts: Arc<Mutex<Vec<CallbackVerdict>>>,
    pending: Option<oneshot::Receiver<CallbackVerdict>>,
}

impl Typist {
    fn typing(typed: &'static [&'static str]) -> Arc<Self> {
        Arc::new(Self::new(typed, false).0)
    }

    fn new(
        typed: &'static [&'static str],
        prefers_codes: bool,
    ) -> (Self, mpsc::UnboundedReceiver<DevicePrompt>) {
        let (prompts, shown) = mpsc::unbounded_channel();
        let typist = Self {
            prefers_codes,
            typed,
            verdicts: Arc::default(),
            prompts,
        };
        (typist, shown)
    }

    fn verdicts(&self) -> Vec<CallbackVerdict> {
        self.verdicts.lock().unwrap().clone()
    }
}

impl Interaction for Typist {
    fn open<'a>(
        &'a self,
        _: InteractionRequest,
    ) -> BoxFuture<'a, Result<Box<dyn Channel>, InteractionError>> {
        let keyboard = Keyboard {
            lines: self.typed.iter().copied().collect(),
            answer: None,
            verdicts: Arc::clone(&self.verdicts),
            pending: None,
        };
        Box::pin(async { Ok(Box::new(keyboard) as Box<dyn Channel>) })
    }

    fn prefers_codes(&self) -> bool {
        self.prefers_codes
    }

    fn shows_codes(&self) -> Result<(), InteractionError> {
        Ok(())
    }

    fn present_code<'a>(
        &'a self,
        prompt: &'a DevicePrompt,
    ) -> BoxFuture<'a, Result<(), InteractionError>> {
        drop(self.prompts.send(prompt.clone()));
        Box::pin(async { Ok(()) })
    }
}

impl Channel for Keyboard {
    fn redirect_uri(&self) -> &'static str {
        "http://127.0.0.1:3118/callback"
    }

    fn present<'a>(
        &'a mut self,
        prompt: &'a Prompt,
    ) -> BoxFuture<'a, Result<(), InteractionError>> {
        Box::pin(async move {
            let browser = doorkey_testkit::Browser::new().stop_before_callback();
            let visit = browser.open(prompt.url.as_str()).await;
            let visit = visit.map_err(InteractionError::other)?;
            self.answer = Url::parse(&visit.callback).ok();
            Ok(())
        })
    }

    fn next<'a>(&'a mut self) -> BoxFuture<'a, Result<Callback, InteractionError>> {
        Box::pin(async move {
            if let Some(pending) = self.pending.take() {
                let verdict = pending.await.unwrap();
                self.verdicts.lock().unwrap().push(verdict);
            }
            let Some(line) = self.lines.pop_front() else {
                return Err(InteractionError::Abandoned);
            };
            let answer = self.answer.as_ref().unwrap();
            let value = |name: &str| {
                let mut pairs = answer.query_pairs();
                let (_, value) = pairs.find(|(known, _)| known == name).unwrap();
                value.into_owned()
            };
            let (code, state) = line.split_once('#').unwrap_or((line, ""));
            let code = code.replace('C', &value("code"));
            let state = state.replace('S', &value("state"));
            let state = (!state.is_empty()).then_some(state);
            let (reply, pending) = oneshot::channel();
            self.pending = Some(pending);
            Ok(Callback::of_code(&code, state.as_deref(), reply))
        })
    }
}

/// A server that does not name itself in its answers.
fn without_iss() -> AuthorizationServerBuilder {
    AuthorizationServer::builder().iss_parameter(IssParameter::Absent)
}

fn with_codes() -> AuthorizationServerBuilder {
    let rules = DeviceGrant::new().interval(Duration::from_secs(1));
    AuthorizationServer::builder().device_grant(rules)
}

#[tokio::test]
async fn a_code_that_is_typed_signs_in_with_its_state_and_without_rsp_16() {
    for typed in [&["C"][..], &["C#S"][..]] {
        let referee = Referee::with(without_iss(), McpServer::builder()).await;
        let person = Typist::typing(typed);
        let tokens = referee.source(referee.config());
        login(&referee, &tokens, &person).await.unwrap();
        referee.calls(&tokens).await;
        assert_eq!(referee.tokens().len(), 1, "{typed:?}");
    }
}

#[tokio::test]
async fn a_code_that_the_server_does_not_take_may_be_typed_again() {
    let referee = Referee::with(without_iss(), McpServer::builder()).await;
    let person = Typist::typing(&["mistyped", "C#another", "C"]);
    let tokens = referee.source(referee.config());
    login(&referee, &tokens, &person).await.unwrap();
    let verdicts = person.verdicts();
    assert!(
        matches!(
            verdicts[..],
            [CallbackVerdict::Refused { .. }, CallbackVerdict::Ignored]
        ),
        "{verdicts:?}"
    );
    assert_eq!(
        referee.tokens().len(),
        2,
        "one for each code that was of use"
    );
}

#[tokio::test]
async fn a_typed_code_may_be_refused_in_whatever_words_and_is_asked_for_again() {
    for error in ["invalid_request", "bad_verification_code"] {
        let referee = Referee::with(without_iss(), McpServer::builder()).await;
        let rule = FaultRule::on(Leg::Token).times(1);
        let refusal = Fault::oauth_error(400, error, "no such code");
        referee.auth.fault(rule.respond(refusal));
        let person = Typist::typing(&["mistyped", "C"]);
        let tokens = referee.source(referee.config());
        login(&referee, &tokens, &person).await.unwrap();
        let verdicts = person.verdicts();
        assert!(
            matches!(verdicts[..], [CallbackVerdict::Refused { .. }]),
            "{verdicts:?}"
        );
    }
}

#[tokio::test]
async fn no_code_alone_reaches_a_server_that_names_itself_in_every_answer_rsp_05() {
    let auth = AuthorizationServer::builder().iss_parameter(IssParameter::Advertised);
    let referee = Referee::with(auth, McpServer::builder()).await;
    let person = Typist::typing(&["C", "C#S"]);
    let tokens = referee.source(referee.config());
    let error = login(&referee, &tokens, &person).await.unwrap_err();
    assert!(
        matches!(error, Error::Interaction(ref cause) if matches!(**cause, InteractionError::Abandoned)),
        "{error}"
    );
    assert_eq!(
        person.verdicts(),
        [CallbackVerdict::Insufficient, CallbackVerdict::Insufficient]
    );
    assert!(referee.tokens().is_empty());
}

#[tokio::test]
async fn without_a_browser_a_code_on_another_device_is_chosen_where_the_server_offers_it_dev_01() {
    let referee = Referee::with(with_codes(), McpServer::builder()).await;
    let (person, mut shown) = Typist::new(&[], true);
    let tokens = referee.source(referee.config());
    let deciding = async {
        let prompt = shown.recv().await.unwrap();
        assert!(prompt.in_place_of_page);
        assert!(referee.auth.approve_device(&prompt.user_code));
    };
    let person = Arc::new(person);
    let (outcome, ()) = tokio::join!(login(&referee, &tokens, &person), deciding);
    outcome.unwrap();
    assert_eq!(referee.recorder.count(Leg::Authorization), 0);
    let grant = tokens.grant().await.unwrap().unwrap().value;
    assert_eq!(grant.flow.as_deref(), Some("device"));
    // It is used and refreshed like any other.
    referee.advance(Duration::from_secs(3600));
    referee.calls(&tokens).await;
    assert_eq!(referee.auth.refreshes(), 1);
}

#[tokio::test]
async fn with_a_browser_the_page_is_shown_although_the_server_offers_codes() {
    let referee = Referee::with(
        with_codes().iss_parameter(IssParameter::Absent),
        McpServer::builder(),
    )
    .await;
    let tokens = referee.source(referee.config());
    login(&referee, &tokens, &Typist::typing(&["C"]))
        .await
        .unwrap();
    assert_eq!(referee.recorder.count(Leg::DeviceAuthorization), 0);
}

#[tokio::test]
async fn a_client_that_may_not_use_codes_is_shown_the_page_after_all() {
    let client = StaticClient::public("fixed").redirect_uri("http://127.0.0.1:3118/callback");
    let auth = with_codes()
        .iss_parameter(IssParameter::Absent)
        .static_client(client.grant_types(["authorization_code", "refresh_token"]));
    let referee = Referee::with(auth, McpServer::builder()).await;
    let mut config = referee.config();
    config.client = doorkey_oauth::ClientChoice::Static {
        client_id: "fixed".to_owned(),
        client_secret: None,
        signing_key: None,
        issuer: None,
        auth_method: None,
    };
    let (person, mut shown) = Typist::new(&["C"], true);
    let tokens = referee.source(config);
    login(&referee, &tokens, &Arc::new(person)).await.unwrap();
    assert_eq!(referee.recorder.count(Leg::DeviceAuthorization), 1);
    assert!(shown.try_recv().is_err(), "nobody was shown a code");
}

#[tokio::test]
async fn the_page_follows_where_the_server_has_no_codes_for_this_client_and_one_client_stays() {
    let refusal = |error| Fault::oauth_error(400, error, "not for you");
    for fault in [
        refusal("unauthorized_client"),
        refusal("unsupported_grant_type"),
        refusal("invalid_request"),
        Fault::oauth_error(401, "invalid_client", "not for you"),
        Fault::status(404),
        Fault::status(405),
    ] {
        let auth = with_codes().iss_parameter(IssParameter::Absent);
        let auth = auth.registration_updates(RegistrationUpdates::Allowed);
        let referee = Referee::with(auth, McpServer::builder()).await;
        let told = format!("{fault:?}");
        referee
            .auth
            .fault(FaultRule::on(Leg::DeviceAuthorization).respond(fault));
        let (person, mut shown) = Typist::new(&["C"], true);
        let tokens = referee.source(referee.config());
        login(&referee, &tokens, &Arc::new(person)).await.unwrap();
        assert!(shown.try_recv().is_err(), "{told}");
        referee.calls(&tokens).await;
        let stored = referee.store.registrations().await.unwrap().entries;
        assert_eq!(stored.len(), 1, "{told}");
        let managed = referee.recorder.of(Leg::ClientConfiguration);
        let methods: Vec<_> = managed.iter().map(|it| it.method.as_str()).collect();
        assert_eq!(methods, ["DELETE"], "{told}: the one for codes is gone");
    }
}

#[tokio::test]
async fn any_other_failure_of_a_code_is_told_and_hidden_by_no_page() {
    for fault in [
        Fault::status(500),
        Fault::oauth_error(429, "slow_down", "wait"),
        Fault::oauth_error(503, "invalid_request", "later"),
        Fault::oauth_error(400, "access_denied", "no"),
        Fault::oauth_error(400, "invalid_scope", "no such scope"),
        Fault::Html,
        Fault::json(
            200,
            &serde_json::json!({
                "device_code": "d", "user_code": "u", "verification_uri": "http://192.0.2.1/device"
            }),
        ),
    ] {
        let auth = with_codes().iss_parameter(IssParameter::Absent);
        let referee = Referee::with(auth, McpServer::builder()).await;
        let told = format!("{fault:?}");
        referee
            .auth
            .fault(FaultRule::on(Leg::DeviceAuthorization).respond(fault));
        let (person, mut shown) = Typist::new(&["C"], true);
        let tokens = referee.source(referee.config());
        let error = login(&referee, &tokens, &Arc::new(person)).await;
        let error = error.expect_err(&told);
        assert!(
            !matches!(error, Error::LoginAbandoned | Error::Interaction(_)),
            "{told}: {error}"
        );
        assert!(shown.try_recv().is_err(), "{told}");
        assert_eq!(referee.recorder.count(Leg::Authorization), 0, "{told}");
        assert_eq!(referee.auth.registrations(), 1, "{told}");
    }
}
