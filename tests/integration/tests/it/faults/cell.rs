//! One leg under one condition: the command, what it left behind, and the way back.

use doorkey_store::RegistrationKey;
use doorkey_testkit::{Document, Fault, FaultRule, Leg as Recorded, Wire};
use integration::{Home, Run, World};
use serde_json::json;

use super::{condition::Condition, leg::Leg, loss, message};
use crate::support::{login, tools};

/// The servers of one cell.
pub(crate) struct Ground {
    leg: Leg,
    world: World,
}

impl Ground {
    pub(crate) async fn new(leg: Leg) -> Self {
        // The wire with a session, so that there is one to end.
        let world = World::with(|auth| auth, |mcp| mcp.wire(Wire::Stateful2025_11_25)).await;
        Self { leg, world }
    }

    /// Runs the command under `condition` and returns what the person read.
    pub(crate) async fn cell(&self, condition: Condition) -> String {
        let home = self.home(condition).await;
        let before = home.records();
        let pages = self.world.person.pages_opened();
        self.inflict(condition).await;
        let run = home.run(&self.leg.command()).await;
        let opened = self.world.person.pages_opened() - pages;
        let expected = self.expects_a_page(condition, &run);
        assert_eq!(opened, usize::from(expected), "pages, {condition}: {run}");
        loss::check(self.leg, condition, &run, &before, &home.records());
        message::check(self.leg, condition, &run);

        self.heal(condition).await;
        home.configure("");
        self.recover(condition, &home).await;
        let told = run.told(&self.world, &home);
        // Two clocks watch the same limit of the session's requests; either may be the first.
        let told = told.replace(LIMIT_OF_THE_REQUEST, LIMIT_OF_THE_SESSION);
        match self.leg {
            // A connection that is cut takes with it what was asked for beside; either may be told.
            Leg::ResourceMetadata => told.replace(CUT_BESIDE, CUT),
            _ => told,
        }
    }

    /// A home that has signed in before.
    async fn home(&self, condition: Condition) -> Home {
        let home = Home::new(&self.world, "");
        login(&self.world, &home).await;
        match self.leg {
            Leg::Refresh => home.expire().await,
            Leg::Registration => self.forget_registration(&home).await,
            _ => {}
        }
        // Only where something is meant to be late: a busy machine must not make other cells so.
        if condition == Condition::Slow {
            home.configure(IMPATIENT);
        }
        home
    }

    async fn forget_registration(&self, home: &Home) {
        let host = home.host();
        let key = RegistrationKey::new(self.world.auth.issuer(), None);
        let stored = host.store().registration(&key).await.expect("a store");
        let generation = stored.expect("a registration").generation;
        let removed = host.store().remove_registration(&key, generation);
        removed.await.expect("a writable store");
    }

    /// No page is opened in vain: only by a login, and only if it came that far.
    fn expects_a_page(&self, condition: Condition, run: &Run) -> bool {
        let succeeded = run.code == 0;
        self.leg.signs_in()
            && (succeeded
                || self.leg.is_behind_the_browser()
                || loss::is_challenge(self.leg, condition)
                || loss::is_after_the_login(self.leg, condition))
    }

    async fn inflict(&self, condition: Condition) {
        match condition.fault() {
            Some(fault) => {
                let rule = self.leg.rule().respond(fault);
                self.world.auth.fault(rule.clone());
                self.world.mcp.fault(rule);
            }
            None => self.refuse().await,
        }
    }

    /// Makes the connection of this leg be refused, and of no leg before it.
    async fn refuse(&self) {
        match self.leg {
            leg if leg.is_mcp() => self.world.mcp.stop().await,
            Leg::ResourceMetadata => {
                let challenge = format!("Bearer resource_metadata=\"{NOBODY}/metadata\"");
                let header = ("www-authenticate".to_owned(), challenge);
                let fault = Fault::Status(401, vec![header], String::new());
                let rule = FaultRule::on(Recorded::Resource).respond(fault);
                self.world.mcp.fault(rule);
            }
            Leg::Registration => self.publish("registration_endpoint", NOBODY, "register"),
            Leg::Token => self.publish("token_endpoint", NOBODY, "token"),
            _ => self.world.auth.stop().await,
        }
    }

    fn publish(&self, endpoint: &str, base: &str, path: &str) {
        let url = json!(format!("{base}/{path}"));
        self.world.auth.set_field(Document::Metadata, endpoint, url);
    }

    async fn heal(&self, condition: Condition) {
        self.world.auth.clear_faults();
        self.world.mcp.clear_faults();
        if condition == Condition::Refused {
            let issuer = self.world.auth.issuer();
            self.publish("registration_endpoint", &issuer, "register");
            self.publish("token_endpoint", &issuer, "token");
            self.world.restart().await;
        }
    }

    /// What was asked for works, now that nothing is wrong any more; without a person where none was needed before.
    async fn recover(&self, condition: Condition, home: &Home) {
        let uses = !self.leg.signs_in() && !self.leg.signs_out();
        if uses && !loss::spends_the_refresh_token(self.leg, condition) {
            let pages = self.world.person.pages_opened();
            if self.leg == Leg::Refresh && matches!(condition, Condition::Status(429 | 503)) {
                // It asked every process to wait, and the time passes.
                let waits = tools(home).await.expect_err("a wait");
                assert!(waits.is_transient(), "{condition}: {waits:?}");
                home.change(|grant| grant.refresh_not_before = None).await;
            }
            let tools = tools(home).await;
            assert!(
                tools.is_ok(),
                "{condition}: {tools:?}\n{:#?}",
                self.world.story()
            );
            assert_eq!(self.world.person.pages_opened(), pages, "{condition}");
            return;
        }
        if uses {
            let error = tools(home).await.expect_err("a spent refresh token");
            assert!(error.needs_login(), "{condition}: {error:?}");
        }
        login(&self.world, home).await;
    }
}

/// A port on which nobody listens: only root could.
const NOBODY: &str = "https://127.0.0.1:1";
const LIMIT_OF_THE_SESSION: &str =
    "error[timed-out]: \"it\" did not answer tools/list within 5 s (tool_timeout_sec)\n";
const LIMIT_OF_THE_REQUEST: &str = "error[timed-out]: tools/list of \"it\" failed
  caused by: resource request POST https://mcp.test/mcp: waiting for the response took longer than 5 s (settings `tool_timeout_sec` and `total_timeout_sec`)
";
const CUT: &str = "it wants a login; finding out where
error[answer-broken-off]: cannot sign in to \"it\"
  caused by: resource metadata could not be fetched
  caused by: resource metadata request GET https://mcp.test/.well-known/oauth-protected-resource/mcp: no valid response
";
const CUT_BESIDE: &str = "error[answer-broken-off]: cannot connect to \"it\"
  caused by: resource request POST https://mcp.test/mcp: no valid response
";
const IMPATIENT: &str = "tool_timeout_sec = 5\n[mcp_servers.it.network]\ntotal_timeout_sec = 4\n";
