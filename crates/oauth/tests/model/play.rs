//! One run: the processes, what each is to do, and what came of it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use doorkey_oauth::{AuthorizationConfig, Challenges, Error, LogoutOptions, TokenSource};
use doorkey_store::{Backend as _, Proof, RecordId, RecordKind, Store};
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use crate::law::Cause;
use crate::server::{Server, Token};
use crate::stage::{Budget, Flaw, Go, LIFETIME, Op, Process, Stage, State, Step};
use crate::store::{Shared, holding};
use crate::wire::{self, Person};

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Asks for a token.
    Token,
    /// Asks for a token, uses it, and is refused all the same.
    Rejected,
    Login,
    Logout,
    /// Notes that the token works.
    Note,
}

/// What each process is to do, and what may go wrong.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) scripts: Vec<Vec<Action>>,
    pub(crate) budget: Budget,
    pub(crate) flaw: Flaw,
}

/// What a run came to.
pub(crate) struct Outcome {
    /// For each step: which was taken, of how many.
    pub(crate) choices: Vec<(usize, usize)>,
    pub(crate) story: Vec<String>,
    pub(crate) breaches: Vec<String>,
    /// Whether what is stored in the end is of no use, though nobody signed out.
    pub(crate) lost: bool,
    pub(crate) causes: Vec<Cause>,
}

/// Plays the plan; `choose` is shown the steps and says which is taken.
pub(crate) fn play(plan: &Plan, choose: impl FnMut(&[Step]) -> usize) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(run(plan, choose))
}

struct Running {
    source: TokenSource,
    script: Vec<Action>,
    task: JoinHandle<()>,
}

async fn run(plan: &Plan, mut choose: impl FnMut(&[Step]) -> usize) -> Outcome {
    let stage = Stage::new(plan.budget, plan.flaw);
    signed_in(&stage).await;
    stage.state().free = false;
    let mut running: HashMap<Process, Running> = HashMap::new();
    for (index, script) in plan.scripts.iter().enumerate() {
        running.insert(index + 1, start(&stage, index + 1, script.clone()));
    }
    let mut next = plan.scripts.len() + 1;
    let (mut choices, mut story) = (Vec::new(), Vec::new());
    loop {
        quiet().await;
        stage.state().look_for_reuse();
        if !stage.is_waiting() || !stage.state().law.breaches.is_empty() {
            break;
        }
        let mut steps = stage.steps();
        if steps.is_empty() {
            stage.state().law.breach("nobody can go on".to_owned());
            break;
        }
        let choice = choose(&steps).min(steps.len() - 1);
        choices.push((choice, steps.len()));
        let step = steps.swap_remove(choice);
        story.push(format!("{step:?}"));
        if choices.len() > LONGEST {
            stage.state().law.breach("it never ends".to_owned());
            break;
        }
        stage.take(&step);
        if let Step::Kill(process) = step {
            let killed = running.remove(&process).unwrap();
            killed.task.abort();
            let done = stage.done(process);
            let script = killed.script[done..].to_vec();
            running.insert(next, start(&stage, next, script));
            next += 1;
        }
    }
    if stage.state().law.breaches.is_empty() {
        settle(&stage, running).await;
    }
    let state = stage.state();
    let causes = state.law.causes.values().flatten().copied().collect();
    Outcome {
        choices,
        story,
        breaches: state.law.breaches.clone(),
        lost: state.law.lost,
        causes,
    }
}

/// Everything has run that can run.
async fn quiet() {
    // Paused time passes only when nothing is left to do.
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// A login of long ago, whose access token has just expired. It is made once and put back for each run.
async fn signed_in(stage: &Stage) {
    let seed = SEED.with_borrow(Clone::clone);
    if let Some((records, server)) = seed {
        for (id, bytes) in records {
            stage.memory().save(&id, bytes, None).await.unwrap();
        }
        stage.state().server = server;
    } else {
        let source = source(stage, 0);
        let person = Arc::new(Person(stage.clone()));
        source.login(&Challenges::default(), person).await.unwrap();
        source.drain(Duration::from_secs(60)).await.unwrap();
        let mut records = Vec::new();
        for kind in RecordKind::ALL {
            for id in stage.memory().list(kind).await.unwrap().entries {
                let record = stage.memory().load(&id).await.unwrap().unwrap();
                records.push((id, record.bytes));
            }
        }
        let server = stage.state().server.clone();
        SEED.set(Some((records, server)));
    }
    stage.pass(LIFETIME);
    let mut state = stage.state();
    state.law.expiries = 1;
    state.law.signed_in(0);
}

/// The records and the server's memory of the first login.
type Seed = (Vec<(RecordId, Zeroizing<Vec<u8>>)>, Server);

thread_local! {
    static SEED: RefCell<Option<Seed>> = const { RefCell::new(None) };
}

/// Everybody ends in good order; then a process that knows nothing asks for a token.
async fn settle(stage: &Stage, running: HashMap<Process, Running>) {
    stage.state().free = true;
    let mut running: Vec<_> = running.into_iter().collect();
    running.sort_by_key(|(process, _)| *process);
    for (_, process) in running {
        if !process.task.is_finished() {
            stage
                .state()
                .law
                .breach("somebody waits for ever".to_owned());
        }
        let drained = process.source.drain(Duration::from_secs(60)).await;
        if drained.is_err() {
            stage.state().law.breach("a task never ends".to_owned());
        }
    }
    let key = AuthorizationConfig::new(wire::SERVER.parse().unwrap()).grant_key();
    let record = stage.memory().load(&key.record_id()).await.unwrap();
    let stored = record.as_ref().map(holding);
    {
        let mut state = stage.state();
        let State { law, server, .. } = &mut *state;
        law.settled(server, stored);
    }
    stage.pass(LIFETIME);
    let honoured = stored
        .and_then(|stored| stored.refresh)
        .is_some_and(|token| stage.state().server.honours(token));
    let source = source(stage, 1000);
    let token = source.token().await;
    if honoured && !matches!(token, Ok(Some(_))) {
        let what =
            format!("the server honours what is stored, and the next process gets {token:?}");
        stage.state().law.breach(what);
    }
    stage.state().look_for_reuse();
}

fn source(stage: &Stage, process: Process) -> TokenSource {
    let config = AuthorizationConfig::new(wire::SERVER.parse().unwrap());
    let shared = Shared {
        stage: stage.clone(),
        process,
    };
    let http = wire::client(stage, process);
    TokenSource::builder(config, http, Store::new(shared))
        .clock(Arc::new(stage.clone()))
        .build()
}

fn start(stage: &Stage, process: Process, script: Vec<Action>) -> Running {
    let source = source(stage, process);
    let (stage, tokens, actions) = (stage.clone(), source.clone(), script.clone());
    let task = tokio::spawn(async move {
        for action in actions {
            if stage.turn(process, Op::Begin(action)).await == Go::Well {
                act(&stage, process, &tokens, action).await;
            }
        }
    });
    Running {
        source,
        script,
        task,
    }
}

async fn act(stage: &Stage, process: Process, source: &TokenSource, action: Action) {
    stage.begin(process, action);
    let began = stage.state().now();
    let nothing = Challenges::default();
    match action {
        Action::Token => {
            let token = source.token().await;
            stage.judge(process, began, token.map(|token| token.map(|t| name(&t))));
        }
        Action::Rejected => {
            let sent = source.token().await;
            let Ok(Some(sent)) = sent else {
                stage.judge(process, began, sent.map(|_| None));
                return stage.ended(process);
            };
            source.accepted(&sent);
            stage.state().law.rejections += 1;
            let token = source.rejected(Some(&sent), &nothing).await;
            stage.judge(process, began, token.map(|t| Some(name(&t))));
        }
        Action::Login => {
            let person = Arc::new(Person(stage.clone()));
            let outcome = source.login(&nothing, person).await;
            stage.judge(process, began, outcome.map(|_| None));
        }
        Action::Logout => {
            stage.state().law.logouts += 1;
            let report = source.logout(LogoutOptions::default()).await;
            assert!(report.is_ok(), "{report:?}");
        }
        Action::Note => {
            let outcome = source.record_proof(Proof::Accepted, None).await;
            stage.judge(process, began, outcome.map(|()| None));
        }
    }
    stage.ended(process);
}

fn name(token: &doorkey_oauth::AccessToken) -> Token {
    let header = token.header_value().unwrap();
    Token::parse(header.to_str().unwrap()).unwrap()
}

impl Stage {
    fn begin(&self, process: Process, action: Action) {
        self.state().law.doing.insert(process, action);
    }

    fn ended(&self, process: Process) {
        *self.state().law.done.entry(process).or_default() += 1;
    }

    fn done(&self, process: Process) -> usize {
        self.state()
            .law
            .done
            .get(&process)
            .copied()
            .unwrap_or_default()
    }

    /// Whether what somebody got fits what happened.
    fn judge(&self, of: Process, began: SystemTime, outcome: Result<Option<Token>, Error>) {
        let mut state = self.state();
        let State { law, server, .. } = &mut *state;
        let spoilt = law.logouts > 0 || !law.causes.is_empty();
        match outcome {
            Ok(Some(token)) => {
                if server.expiry(token).is_none_or(|end| end <= began) {
                    law.breach(format!(
                        "process {of} was given {token:?}, which had expired"
                    ));
                }
                let dead = server.families[token.family].dead.is_some();
                if dead && !spoilt {
                    law.breach(format!(
                        "process {of} was given {token:?}, which is revoked"
                    ));
                }
            }
            Ok(None) if law.doing.get(&of) == Some(&Action::Token) => {
                if law.logouts == 0 {
                    law.breach(format!("process {of} got nothing, and nobody signed out"));
                }
            }
            Ok(None) => {}
            Err(Error::TaskLost) => law.breach(format!("a task of process {of} was lost")),
            Err(error) if error.needs_login() => {
                if !spoilt {
                    law.breach(format!("process {of} was sent to sign in: {error}"));
                }
            }
            Err(error) => {
                if law.faults == 0 {
                    law.breach(format!("process {of} failed for nothing: {error:?}"));
                }
            }
        }
    }
}

/// Steps of one run; a run of four processes takes some eighty.
const LONGEST: usize = 400;
