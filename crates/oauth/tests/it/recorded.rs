//! What is recorded before the page opens, and that nothing else judges the answer (AZ-14, RSP-02,
//! RSP-11, RSP-15, RSP-17).

use std::sync::Arc;
use std::time::Duration;

use doorkey_http::Leg;
use doorkey_oauth::{
    BoxFuture, Callback, CallbackVerdict, Challenges, Channel, Error, Interaction,
    InteractionError, InteractionRequest, InvalidResponse, LoginReport, Prompt, Scopes,
    TokenSource,
};
use doorkey_store::Store;
use serde_json::json;

use crate::browser::{Act, Browser};
use crate::world::{ISSUER, SERVER, World};

type Change = fn(&World);

/// A person who approves, while something happens; the answer ends with `suffix`.
#[derive(Clone, Debug)]
struct Meanwhile {
    browser: Browser,
    world: WorldAt,
    suffix: &'static str,
}

#[derive(Clone)]
struct WorldAt(World, Change);

impl std::fmt::Debug for WorldAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WorldAt")
    }
}

struct Page {
    inner: Box<dyn Channel>,
    world: WorldAt,
    suffix: &'static str,
}

impl Meanwhile {
    fn new(world: &World, change: Change, suffix: &'static str) -> Arc<Self> {
        Arc::new(Self {
            browser: Browser::new(world),
            world: WorldAt(world.clone(), change),
            suffix,
        })
    }
}

impl Interaction for Meanwhile {
    fn open<'a>(
        &'a self,
        request: InteractionRequest,
    ) -> BoxFuture<'a, Result<Box<dyn Channel>, InteractionError>> {
        Box::pin(async move {
            let page = Page {
                inner: self.browser.open(request).await?,
                world: self.world.clone(),
                suffix: self.suffix,
            };
            Ok(Box::new(page) as Box<dyn Channel>)
        })
    }
}

impl Channel for Page {
    fn redirect_uri(&self) -> &str {
        self.inner.redirect_uri()
    }

    fn present<'a>(
        &'a mut self,
        prompt: &'a Prompt,
    ) -> BoxFuture<'a, Result<(), InteractionError>> {
        let WorldAt(world, change) = &self.world;
        change(world);
        self.inner.present(prompt)
    }

    fn next<'a>(&'a mut self) -> BoxFuture<'a, Result<Callback, InteractionError>> {
        Box::pin(async move {
            let callback = self.inner.next().await?;
            Ok(Callback::new(format!(
                "{}{}",
                callback.query(),
                self.suffix
            )))
        })
    }
}

async fn login(source: &TokenSource, person: Arc<Meanwhile>) -> Result<LoginReport, Error> {
    source.login(&Challenges::default(), person).await
}

fn nothing(_: &World) {}

fn another_issuer(world: &World) {
    world.set().issuers = vec![String::from("https://evil.example")];
    world.set().metadata["issuer"] = json!("https://evil.example");
}

fn another_token_endpoint(world: &World) {
    world.set().metadata["token_endpoint"] = json!("https://evil.example/token");
}

fn another_resource(world: &World) {
    world.set().resource = String::from("https://mcp.example");
}

fn other_scopes(world: &World) {
    world.set().resource_scopes = Some(vec!["admin"]);
}

fn promise(world: &World) {
    world.set().metadata["authorization_response_iss_parameter_supported"] = json!(true);
}

fn no_promise(world: &World) {
    world.set().metadata["authorization_response_iss_parameter_supported"] = json!(false);
}

fn no_documents(world: &World) {
    for leg in [Leg::ResourceMetadata, Leg::AuthorizationServerMetadata] {
        for _ in 0..4 {
            world.script(leg, 500, "");
        }
    }
}

#[tokio::test]
async fn documents_that_change_while_the_person_is_at_the_page_change_nothing_az_14_rsp_15() {
    let changes: [(&str, Change); 7] = [
        ("another issuer", another_issuer),
        ("another token endpoint", another_token_endpoint),
        ("another resource", another_resource),
        ("other scopes", other_scopes),
        ("a promise of iss", promise),
        ("no documents any more", no_documents),
        ("all of it", |world| {
            another_issuer(world);
            another_token_endpoint(world);
            another_resource(world);
            other_scopes(world);
            promise(world);
        }),
    ];
    for (what, change) in changes {
        let world = World::new();
        let source = world.source(&Store::memory());
        let person = Meanwhile::new(&world, change, "");
        let report = login(&source, person.clone()).await.unwrap();
        assert_eq!(report.issuer.as_str(), ISSUER, "{what}");
        assert_eq!(report.resource.as_deref(), Some(SERVER), "{what}");
        assert_eq!(report.scopes, Scopes::parse("files:read"), "{what}");

        let requests = world.seen(Leg::Token);
        assert_eq!(requests.len(), 1, "{what}");
        assert_eq!(requests[0].url.as_str(), "https://as.example/token");
        assert_eq!(requests[0].form("resource"), [SERVER], "{what}");
        assert_eq!(requests[0].form("client_id"), ["client-1"], "{what}");
        let last = world.legs().pop();
        assert_eq!(last, Some(Leg::Token), "{what}: nobody is asked anew");

        let grant = source.grant().await.unwrap().unwrap().value;
        assert_eq!(grant.issuer, ISSUER, "{what}");
        assert_eq!(grant.token_endpoint, "https://as.example/token", "{what}");
        assert_eq!(grant.resource.as_deref(), Some(SERVER), "{what}");
        assert_eq!(grant.requested_scopes, ["files:read"], "{what}");
    }
}

#[tokio::test]
async fn the_answer_is_judged_by_the_record_and_not_by_documents_of_now_az_14_rsp_15() {
    const ISS: &str = "&iss=https%3A%2F%2Fas.example";
    const EVIL: &str = "&iss=https%3A%2F%2Fevil.example";
    // Before the page, while it is open, how the answer ends, and whether it is accepted.
    let cases: [(Change, Change, &str, bool); 7] = [
        (promise, no_promise, "", false),
        (promise, no_promise, ISS, true),
        (no_promise, promise, "", true),
        (no_promise, another_issuer, EVIL, false),
        (no_promise, another_issuer, ISS, true),
        (promise, another_issuer, EVIL, false),
        (promise, another_issuer, ISS, true),
    ];
    for (index, (before, change, suffix, accepted)) in cases.into_iter().enumerate() {
        let world = World::new();
        before(&world);
        let source = world.source(&Store::memory());
        let outcome = login(&source, Meanwhile::new(&world, change, suffix)).await;
        assert_eq!(outcome.is_ok(), accepted, "case {index}: {outcome:?}");
        assert_eq!(world.seen(Leg::Token).len(), usize::from(accepted));
        if let Err(error) = outcome {
            assert!(matches!(error, Error::IssuerMismatch { .. }), "{error:?}");
            assert!(source.grant().await.unwrap().is_none());
        }
    }
}

#[tokio::test]
async fn guessed_endpoints_have_the_base_as_their_issuer_rsp_17_leg_07() {
    let cases = [
        ("", true),
        ("&iss=https%3A%2F%2Fmcp.example", true),
        ("&iss=https%3A%2F%2Fmcp.example%2F", false),
        ("&iss=https%3A%2F%2Fmcp.example%2Fmcp", false),
        ("&iss=https%3A%2F%2Fas.example", false),
        ("&iss=", false),
    ];
    for (suffix, accepted) in cases {
        let world = World::new();
        for leg in [
            Leg::ResourceMetadata,
            Leg::ResourceMetadata,
            Leg::AuthorizationServerMetadata,
        ] {
            world.script(leg, 404, "");
        }
        let source = world.source(&Store::memory());
        let outcome = login(&source, Meanwhile::new(&world, nothing, suffix)).await;
        assert_eq!(outcome.is_ok(), accepted, "{suffix}: {outcome:?}");
        if let Err(error) = outcome {
            assert!(matches!(error, Error::IssuerMismatch { .. }), "{error:?}");
            assert!(world.seen(Leg::Token).is_empty(), "{suffix}");
            continue;
        }
        assert_eq!(outcome.unwrap().issuer.as_str(), "https://mcp.example");
        // Every other rule holds as it does elsewhere, at the refresh too.
        world.clock().advance(3600);
        source.token().await.unwrap().unwrap();
        let requests = world.seen(Leg::Token);
        assert_eq!(requests.len(), 2);
        for request in requests {
            assert_eq!(request.url.as_str(), "https://mcp.example/token");
            assert_eq!(request.form("resource"), [SERVER]);
        }
    }
}

#[tokio::test]
async fn a_state_that_is_withheld_altered_or_repeated_is_not_ours_rsp_02_rsp_12() {
    let world = World::new();
    let source = world.source(&Store::memory());
    let foreign = [
        "code=c",
        "code=c&state=",
        "code=c&state=STATEx",
        "code=c&state=xSTATE",
        "code=c&state=%20STATE",
        "code=c&State=STATE",
        "code=c&state=STATE&state=STATE",
        "code=c&state=STATE&state=other",
        "code=c&state=other&state=STATE",
        "code=c#state=STATE",
        "error=server_error&state=STATE&state=STATE",
    ];
    let acts = foreign.iter().map(|query| Act::Answer(query));
    let acts = acts.chain([Act::Approve]).collect();
    let browser = Arc::new(Browser::acting(&world, acts));
    source
        .login(&Challenges::default(), browser.clone())
        .await
        .unwrap();
    let mut expected = vec![CallbackVerdict::Ignored; foreign.len()];
    expected.push(CallbackVerdict::Accepted);
    assert_eq!(browser.verdicts(), expected);
    assert_eq!(world.seen(Leg::Token).len(), 1);
}

#[tokio::test]
async fn each_login_has_a_state_and_a_verifier_of_its_own_az_02_az_06() {
    let world = World::new();
    let source = world.source(&Store::memory());
    let first = Arc::new(Browser::new(&world));
    source
        .login(&Challenges::default(), first.clone())
        .await
        .unwrap();
    // The state of a login before it is nobody's in this one.
    let old = format!("code=c&state={}", first.asked("state")[0][0]);
    let acts = vec![Act::Answer(old.leak()), Act::Approve];
    let second = Arc::new(Browser::acting(&world, acts));
    source
        .login(&Challenges::default(), second.clone())
        .await
        .unwrap();
    assert_eq!(
        second.verdicts(),
        [CallbackVerdict::Ignored, CallbackVerdict::Accepted]
    );
    for name in ["state", "code_challenge"] {
        assert_ne!(first.asked(name), second.asked(name), "{name}");
    }
    let requests = world.seen(Leg::Token);
    assert_ne!(
        requests[0].form("code_verifier"),
        requests[1].form("code_verifier")
    );
}

#[tokio::test]
async fn an_answer_that_comes_twice_is_used_once_rsp_11_rsp_15() {
    let world = World::new();
    let source = world.source(&Store::memory());
    let browser = Arc::new(Browser::acting(&world, vec![Act::Approve, Act::Approve]));
    source
        .login(&Challenges::default(), browser.clone())
        .await
        .unwrap();
    assert_eq!(browser.verdicts(), [CallbackVerdict::Accepted]);
    assert_eq!(world.seen(Leg::Token).len(), 1);
    assert_eq!(browser.open_channels(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_login_waits_longer_than_its_request_is_valid_rsp_11() {
    let ten_minutes = Duration::from_secs(600);
    let world = World::new();
    let mut config = world.config();
    config.interaction_limit = Duration::from_secs(3600);
    let source = world.source_with(config, &Store::memory());
    let nobody = Arc::new(Browser::acting(&world, vec![Act::Stay]));
    let started = tokio::time::Instant::now();
    let outcome = source.login(&Challenges::default(), nobody.clone()).await;
    assert!(matches!(outcome, Err(Error::LoginTimedOut { limit }) if limit == ten_minutes));
    assert!(started.elapsed() < ten_minutes + Duration::from_secs(1));
    assert_eq!(nobody.prompts()[0].expires_in, ten_minutes);

    let late = Meanwhile::new(&world, |world| world.clock().advance(601), "");
    let outcome = login(&source, late).await;
    let expired = InvalidResponse::Expired;
    assert!(
        matches!(&outcome, Err(Error::InvalidAuthorizationResponse(why)) if *why == expired),
        "{outcome:?}"
    );
    assert!(world.seen(Leg::Token).is_empty());
}
