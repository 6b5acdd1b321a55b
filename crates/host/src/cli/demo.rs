//! `doorkey demo`: everything once, against servers on this machine.

mod world;

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use clap::Args;
use doorkey::{Config, Connection, Error, LoginOutcome, LogoutOutcome, Silent};
use doorkey_oauth::{LogoutOptions, StepOutcome};
use doorkey_testkit::{Leg, RecordedRequest};
use serde_json::{Map, json};

use super::content;
use super::exit::{Exit, Failure};
use super::output::Output;
use world::{SERVER, World};

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Keep the servers up, for trying the other commands from another terminal
    #[arg(long)]
    serve: bool,
}

/// A step that did not show what it should: its own word, or the failure behind it.
type Shown = Result<String, Box<dyn StdError + Send + Sync>>;

impl Demo {
    pub(crate) async fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let exit = walk(&start(BRIEF, output).await?, output).await?;
        if self.serve && exit == Exit::Done {
            output.data("")?;
            serve(&start(UNHURRIED, output).await?, output).await?;
        }
        Ok(exit)
    }

    /// Being interrupted is how serving ends.
    pub(crate) fn interrupted(&self) -> Result<Exit, Failure> {
        if self.serve {
            Ok(Exit::Done)
        } else {
            Err(Failure::Interrupted { login: false })
        }
    }
}

/// Servers whose access tokens live for `lifetime`.
async fn start(lifetime: Duration, output: &Output) -> Result<World, Failure> {
    let world = World::start(lifetime)
        .await
        .map_err(|error| cannot_start(&*error))?;
    output.data(&format!("an MCP server at        {}", world.mcp.url()))?;
    output.data(&format!(
        "an authorization server {}",
        world.authorization.issuer()
    ))?;
    Ok(world)
}

/// The steps in order; each is what a process of its own would do.
async fn walk(world: &World, output: &Output) -> Result<Exit, Failure> {
    let mut walk = Walk {
        world,
        output,
        failed: false,
    };
    walk.step("add", add(world).await)?;
    walk.step("login", login(world).await)?;
    walk.step("tools", tools(world).await)?;
    walk.step("call", call_echo(world).await)?;
    walk.step("wait", expiry().await)?;
    walk.step("tools, token expired", refreshed(world).await)?;
    walk.step("logout", logout(world).await)?;
    walk.step("tools, signed out", signed_out(world).await)?;
    Ok(if walk.failed { Exit::Other } else { Exit::Done })
}

struct Walk<'a> {
    world: &'a World,
    output: &'a Output,
    failed: bool,
}

impl Walk<'_> {
    /// One line: the step, how it went, and the requests it made.
    fn step(&mut self, name: &str, shown: Shown) -> Result<(), Failure> {
        if self.failed {
            return Ok(());
        }
        let requests = requests(&self.world.requests());
        match shown {
            Ok(text) => self
                .output
                .data(&format!("{name:<21} {text:<42} {requests}")),
            Err(error) => {
                self.failed = true;
                let causes =
                    std::iter::successors(Some(error.as_ref() as &dyn StdError), |&error| {
                        error.source()
                    });
                let text = causes
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(": ");
                self.output
                    .data(&format!("{name:<21} FAILED: {text}; requests: {requests}"))
            }
        }
    }
}

async fn add(world: &World) -> Shown {
    Config::add_server(&world.at_home(), &world.server())?;
    Ok(format!("added {SERVER}"))
}

async fn login(world: &World) -> Shown {
    let host = world.host()?;
    let person = world.person();
    let outcome = host.login(SERVER, person.clone(), &Silent).await;
    person.drain(CLOSE_LIMIT).await;
    host.drain(CLOSE_LIMIT).await;
    match outcome? {
        LoginOutcome::SignedIn { report, tools, .. } => {
            expect(
                report.resource.as_deref() == Some(world.mcp.resource()),
                "the resource is sent",
            )?;
            Ok(format!(
                "signed in, token proven ({} tools)",
                tools.unwrap_or_default()
            ))
        }
        _ => Err("the server asked for no login".into()),
    }
}

/// Connects as a new process would, and lists the tools.
async fn list(world: &World) -> Result<Vec<String>, Error> {
    let list = async |connection: &Connection<_>| connection.list_tools().await;
    let tools = world.host()?.with_connection(SERVER, list).await?;
    Ok(tools.iter().map(|tool| tool.name.to_string()).collect())
}

async fn tools(world: &World) -> Shown {
    let names = list(world).await?;
    expect(
        names.iter().any(|name| name == "echo"),
        "there is a tool echo",
    )?;
    Ok(names.join(", "))
}

async fn call_echo(world: &World) -> Shown {
    let arguments = Map::from_iter([("text".to_owned(), json!("hello"))]);
    let call = async |connection: &Connection<_>| {
        connection.call_tool("echo", Some(arguments.clone())).await
    };
    let result = world.host()?.with_connection(SERVER, call).await?;
    let text = result
        .content
        .iter()
        .map(content::shown)
        .collect::<String>();
    expect(text.contains("hello"), "echo answers its argument")?;
    Ok(format!("echo answered: {text}"))
}

async fn expiry() -> Shown {
    tokio::time::sleep(BRIEF).await;
    Ok(format!(
        "{} s, until the token has expired",
        BRIEF.as_secs()
    ))
}

async fn refreshed(world: &World) -> Shown {
    let before = world.authorization.refreshes();
    tools(world).await?;
    expect(
        world.authorization.refreshes() == before + 1,
        "there is one refresh",
    )?;
    Ok("refreshed once, no browser".to_owned())
}

async fn logout(world: &World) -> Shown {
    let host = world.host()?;
    match host.logout(SERVER, LogoutOptions::default()).await?.login {
        LogoutOutcome::Complete(report) => {
            expect(
                matches!(report.revoked_refresh, StepOutcome::Done),
                "it is revoked",
            )?;
            expect(
                matches!(report.removed_local, StepOutcome::Done),
                "it is removed",
            )?;
            Ok("revoked and removed".to_owned())
        }
        _ => Err("nothing was revoked".into()),
    }
}

async fn signed_out(world: &World) -> Shown {
    match list(world).await {
        Err(error) if error.needs_login() => Ok("login required, as it should be".to_owned()),
        Err(error) => Err(error.into()),
        Ok(_) => Err("the tools were listed without a login".into()),
    }
}

fn expect(holds: bool, what: &str) -> Result<(), Box<dyn StdError + Send + Sync>> {
    if holds {
        Ok(())
    } else {
        Err(format!("expected that {what}").into())
    }
}

/// The requests in order, equal neighbours counted.
fn requests(requests: &[RecordedRequest]) -> String {
    let mut shown: Vec<(String, usize)> = Vec::new();
    for request in requests {
        let what = match (&request.rpc_method, request.leg) {
            (Some(method), _) => format!("mcp {method}"),
            (None, Leg::Resource) => format!("mcp {}", request.method),
            (None, leg) => leg.to_string(),
        };
        let refused = request.status.filter(|status| *status >= 400);
        let what = refused.map_or(what.clone(), |status| format!("{what} {status}"));
        match shown.last_mut() {
            Some((last, count)) if *last == what => *count += 1,
            _ => shown.push((what, 1)),
        }
    }
    if shown.is_empty() {
        return "no request".to_owned();
    }
    let shown: Vec<_> = shown
        .into_iter()
        .map(|(what, count)| {
            if count == 1 {
                what
            } else {
                format!("{count}× {what}")
            }
        })
        .collect();
    shown.join(" · ")
}

/// Says how to go on from another terminal, and waits to be interrupted.
async fn serve(world: &World, output: &Output) -> Result<(), Failure> {
    Config::add_server(&world.at_home(), &world.server())?;
    let (home, certificate) = (world.home(), world.certificate());
    let certificate = certificate.display();
    output.data(&format!(
        "\nThe servers stay up until you press Ctrl-C. In another terminal:\n\n  \
         export DOORKEY_HOME='{}'\n  \
         export DOORKEY_CA_CERTIFICATE='{certificate}'\n  \
         export BROWSER='curl --silent --location --output /dev/null --cacert {certificate} %s'\n\n  \
         doorkey login {SERVER}\n  doorkey list\n  doorkey tools {SERVER}\n  \
         doorkey call {SERVER} echo --args '{{\"text\": \"hello\"}}'\n  doorkey logout {SERVER}\n\n\
         Without that BROWSER, login shows a page for a browser of yours, which will warn of the \
         private certificate authority; the authorization server approves by itself.",
        home.display(),
    ))?;
    loop {
        tokio::time::sleep(IDLE).await;
    }
}

fn cannot_start(error: &(dyn StdError + Send + Sync)) -> Failure {
    Failure::Output(io::Error::other(format!(
        "the demonstration cannot start: {error}"
    )))
}

const CLOSE_LIMIT: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(3600);
/// Tokens of the walk live so long: enough for a few commands, and short enough to wait for.
const BRIEF: Duration = Duration::from_secs(3);
const UNHURRIED: Duration = Duration::from_secs(3600);
