//! Every rule about a server that behaves oddly, against a server that behaves so: with the rule a login does what it
//! should, and without it fails as the rule says.

mod chosen;
mod entra;
mod explained;
mod issuers;
mod program;
mod ways;

use doorkey::{Error, LoginOutcome, Silent};
use doorkey_oauth::{Effect, LoginReport, Quirk};
use doorkey_testkit::{AuthorizationServerBuilder, McpServerBuilder};
use integration::{Home, World};

/// The rule of that name.
fn rule(id: &str) -> Quirk {
    let (builtin, chosen) = (doorkey::builtin_quirks(), doorkey::quirks_by_choice());
    let rule = builtin.get(id).or_else(|| chosen.get(id));
    rule.unwrap_or_else(|| panic!("no quirk {id}")).clone()
}

/// Servers that are as `auth` and `mcp` say, with one rule in question.
struct Odd {
    id: &'static str,
    world: World,
    settings: String,
}

impl Odd {
    async fn new(
        id: &'static str,
        auth: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
        mcp: impl FnOnce(McpServerBuilder) -> McpServerBuilder,
    ) -> Self {
        Self::of(id, World::with(auth, mcp).await)
    }

    fn of(id: &'static str, world: World) -> Self {
        rule(id);
        Self {
            id,
            world,
            settings: String::new(),
        }
    }

    /// The same with more lines for the server's table.
    fn with_settings(mut self, settings: &str) -> Self {
        self.settings.push_str(settings);
        self.settings.push('\n');
        self
    }

    /// A home where the rule is used.
    fn with_rule(&self) -> Home {
        let chosen = format!("quirks_on = [{:?}]\n{}", self.id, self.settings);
        Home::new(&self.world, &chosen)
    }

    /// A home where no rule is.
    fn without(&self) -> Home {
        Home::new(&self.world, &format!("quirks = false\n{}", self.settings))
    }

    /// Signs in, to the proof that the server takes the token.
    async fn login(&self, home: &Home) -> Result<LoginReport, Error> {
        let person = self.world.person.interaction();
        let outcome = home.host().login(Home::SERVER, person, &Silent).await?;
        match outcome {
            LoginOutcome::SignedIn { report, .. } => Ok(report),
            other => panic!("{other:?}"),
        }
    }

    /// Signs in where that has to work.
    async fn signed_in(&self, home: &Home) -> LoginReport {
        let outcome = self.login(home).await;
        outcome.unwrap_or_else(|error| panic!("{}\n{:#?}", told(&error), self.world.story()))
    }

    /// Signs in without the rule, and returns what went wrong.
    async fn refused(&self) -> String {
        match self.login(&self.without()).await {
            Err(error) => told(&error),
            Ok(report) => panic!("{report:?}: {} is not needed", self.id),
        }
    }
}

/// Everything that is said of an error.
fn told(error: &Error) -> String {
    let told = error.explain(None);
    told.lines().collect::<Vec<_>>().join("\n")
}

#[test]
fn every_rule_is_tested_here() {
    let sources = [
        include_str!("chosen.rs"),
        include_str!("entra.rs"),
        include_str!("explained.rs"),
        include_str!("issuers.rs"),
        include_str!("ways.rs"),
    ];
    let (builtin, chosen) = (doorkey::builtin_quirks(), doorkey::quirks_by_choice());
    let all: Vec<_> = builtin.iter().chain(chosen.iter()).collect();
    assert!(all.len() > 30, "{} rules", all.len());
    for quirk in all {
        let named = format!("{:?}", quirk.id);
        let is_named = |source: &&str| source.contains(&named);
        assert!(sources.iter().any(is_named), "{named}");
        // What only explains is tested word by word.
        let explains = |effect: &Effect| matches!(effect, Effect::Explain(_));
        if quirk.effects.iter().any(explains) {
            assert!(is_named(&sources[2]), "{named} explains");
        }
    }
}
