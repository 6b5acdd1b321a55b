//! The examples of `docs/embedding.md`, which a host is to copy: each signs in to real servers.

use std::{sync::Arc, time::Duration};

use doorkey_oauth::{CallbackVerdict, Deny, Interaction};
use doorkey_store::Store;
use doorkey_testkit::{AuthorizationServer, Browser, Leg, McpServer, Recorder};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{sync::mpsc, task::JoinHandle};
use url::Url;

use own_backend::{Table, TableBackend};
use own_interaction::{Shown, Window};

#[path = "../../../../crates/store/examples/own_backend.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "the program in it is not run here"
)]
mod own_backend;
#[path = "../../../../crates/oauth/examples/own_http.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "the program in it is not run here"
)]
mod own_http;
#[path = "../../../../crates/oauth/examples/own_interaction.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "the program in it is not run here"
)]
mod own_interaction;
#[path = "../../../../crates/rmcp/examples/own_rmcp.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "the program in it is not run here"
)]
mod own_rmcp;

/// Servers on this machine, without TLS: the host's client of the example speaks none.
struct Servers {
    auth: AuthorizationServer,
    mcp: McpServer,
    recorder: Recorder,
}

impl Servers {
    async fn start() -> Self {
        let recorder = Recorder::new();
        let auth = AuthorizationServer::builder().recorder(&recorder);
        let auth = auth.start().await.expect("a free port");
        let mcp = McpServer::builder().authorization(&auth);
        let mcp = mcp.recorder(&recorder).start().await.expect("a free port");
        Self {
            auth,
            mcp,
            recorder,
        }
    }

    fn url(&self) -> Url {
        self.mcp.url().parse().expect("a URL")
    }
}

/// Somebody at the host's window, who first brings an answer that is nobody's. The verdicts come at the end.
fn somebody() -> (Window, JoinHandle<Vec<CallbackVerdict>>) {
    let (shown, mut window) = mpsc::unbounded_channel();
    let (browser, answers) = mpsc::unbounded_channel();
    let person = tokio::spawn(async move {
        let mut verdicts = Vec::new();
        while let Some(shown) = window.recv().await {
            match shown {
                Shown::Page(prompt) => {
                    browser.send("code=a&state=b".to_owned()).expect("a login");
                    let visit = Browser::new().stop_before_callback();
                    let visit = visit.open(prompt.url.as_str()).await.expect("a page");
                    let (_, query) = visit.callback.split_once('?').expect("an answer");
                    browser.send(query.to_owned()).expect("a login");
                }
                Shown::Answered(verdict) => verdicts.push(verdict),
                Shown::Waiting(wait) => panic!("nobody else signs in: {wait:?}"),
            }
        }
        verdicts
    });
    (Window::new(shown, answers), person)
}

#[tokio::test]
async fn a_host_with_its_own_window_signs_in_and_says_what_became_of_each_answer() {
    let servers = Servers::start().await;
    let (window, person) = somebody();
    let report = own_interaction::sign_in(servers.url(), window).await;
    assert_eq!(
        report.expect("a login").issuer.as_str(),
        servers.auth.issuer()
    );
    assert_eq!(
        person.await.expect("a window"),
        [CallbackVerdict::Ignored, CallbackVerdict::Accepted]
    );
    assert_eq!(servers.recorder.count(Leg::Token), 1);
}

#[tokio::test]
async fn a_host_with_its_own_http_client_signs_in_over_it() {
    let servers = Servers::start().await;
    let own = Client::builder(TokioExecutor::new()).build_http();
    let http = own_http::over(own, servers.url()).expect("a client");
    let nobody = Arc::new(Deny);
    let refused = own_http::ask(http.clone(), servers.url(), nobody, own_http::INITIALIZE).await;
    assert!(refused.expect_err("nobody is there").needs_login());

    let (window, _person) = somebody();
    let answer = own_http::ask(http, servers.url(), Arc::new(window), own_http::INITIALIZE).await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), 200);
    let body = answer.into_body().collect_limited(1 << 16).await;
    let body = String::from_utf8_lossy(&body.expect("a body")).into_owned();
    assert!(body.contains("\"serverInfo\""), "{body}");
    assert_eq!(servers.recorder.count(Leg::Token), 1);
}

#[tokio::test]
async fn a_host_with_its_own_store_and_its_own_rmcp_signs_in_once_for_every_later_process() {
    let servers = Servers::start().await;
    let table = Arc::new(Table::default());
    let (window, _person) = somebody();
    let people: [Arc<dyn Interaction>; 2] = [Arc::new(window), Arc::new(Deny)];
    for person in people {
        // Another source over another backend: what a later process is to find is in the table alone.
        let store = Store::new(TableBackend::new(Arc::clone(&table)));
        let (http, tokens) = own_rmcp::tokens(servers.url(), store).expect("a client");
        let listing = own_rmcp::tools(http, tokens, person);
        let tools = tokio::time::timeout(Duration::from_secs(30), listing).await;
        let tools = tools.expect("in time").expect("tools");
        assert!(tools.contains(&"echo".to_owned()), "{tools:?}");
    }
    assert_eq!(servers.recorder.count(Leg::Token), 1);
    assert_eq!(servers.recorder.count(Leg::Registration), 1);
}
