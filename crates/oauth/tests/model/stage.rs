//! The stage: what waits to be let go, the locks, the clock, and which steps a schedule may take.

use std::collections::{HashMap, HashSet};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use doorkey_oauth::Clock;
use doorkey_store::{MemoryBackend, RawRecord, RecordId};
use tokio::sync::oneshot;

use crate::law::Law;
use crate::play::Action;
use crate::server::Server;

/// One process: a `TokenSource` with memory of its own. A number is never used again.
pub(crate) type Process = usize;

/// What a process is about to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Begin(Action),
    Lock(RecordId),
    Load,
    Save,
    Remove,
    /// A request that is about to reach the authorization server.
    Send,
    /// An answer that is about to leave it.
    Answer,
}

/// How an operation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Go {
    Well,
    /// Store: nothing happens and an error is returned. Server: 503. Lock: the limit has passed.
    Fails,
    /// Store: it happens, yet an error is returned. Server: the connection is cut.
    Lost,
}

/// What a schedule may do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Let(u64, Process, Op, Go),
    /// The access tokens expire.
    Expire,
    /// SIGKILL. Another process takes its place and does again what was not done.
    Kill(Process),
    /// The lease of a lock runs out while its holder does not notice.
    EndLease(Process),
}

impl Step {
    fn process(&self) -> Option<Process> {
        match self {
            Self::Let(_, process, ..) => Some(*process),
            _ => None,
        }
    }
}

/// How much may go wrong in one run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Budget {
    pub(crate) expiries: usize,
    pub(crate) store_faults: usize,
    pub(crate) wire_faults: usize,
    pub(crate) kills: usize,
    pub(crate) leases: usize,
    /// How often a process that could go on may be left for another; `None`: as often as there is a step.
    pub(crate) switches: Option<usize>,
}

/// A backend with one of these is not one: the laws have to show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flaw {
    #[default]
    None,
    /// Saves and removes whatever generation is expected.
    IgnoresGenerations,
    /// Lets everybody in.
    LocksNobodyOut,
    /// Says of the second save that it is done, and does nothing.
    ForgetsASave,
    /// Reads what was there before the last save.
    ReadsThePast,
    /// Says of a lease that has run out that it is held.
    HidesLostLeases,
    /// Comes back after a removal with what was removed.
    UndoesRemovals,
}

pub(crate) struct Waiting {
    pub(crate) ticket: u64,
    pub(crate) process: Process,
    pub(crate) op: Op,
    sender: oneshot::Sender<Go>,
}

/// Everything but the processes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Stage(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    memory: MemoryBackend,
    flaw: Flaw,
}

pub(crate) struct State {
    /// Nothing waits and nothing fails: before and after the scheduled part.
    pub(crate) free: bool,
    waiting: Vec<Waiting>,
    tickets: u64,
    dead: HashSet<Process>,
    pub(crate) locks: HashMap<RecordId, (Process, u64)>,
    last: Option<Process>,
    now: SystemTime,
    past: Option<RawRecord>,
    saves: usize,
    pub(crate) budget: Budget,
    pub(crate) server: Server,
    pub(crate) law: Law,
}

impl Stage {
    pub(crate) fn new(budget: Budget, flaw: Flaw) -> Self {
        Self(Arc::new(Inner {
            state: Mutex::new(State {
                free: true,
                waiting: Vec::new(),
                tickets: 0,
                dead: HashSet::new(),
                locks: HashMap::new(),
                last: None,
                past: None,
                saves: 0,
                now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
                budget,
                server: Server::default(),
                law: Law::default(),
            }),
            memory: MemoryBackend::new(),
            flaw,
        }))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    pub(crate) fn memory(&self) -> &MemoryBackend {
        &self.0.memory
    }

    pub(crate) fn has(&self, flaw: Flaw) -> bool {
        self.0.flaw == flaw
    }

    /// Waits until the schedule lets this operation go. A dead process waits for ever.
    pub(crate) async fn turn(&self, process: Process, op: Op) -> Go {
        let receiver = {
            let mut state = self.state();
            if !state.dead.contains(&process) {
                if state.free {
                    return Go::Well;
                }
                let (sender, receiver) = oneshot::channel();
                state.tickets += 1;
                let ticket = state.tickets;
                state.waiting.push(Waiting {
                    ticket,
                    process,
                    op,
                    sender,
                });
                Some(receiver)
            } else {
                None
            }
        };
        match receiver {
            Some(receiver) => match receiver.await {
                Ok(go) => go,
                Err(_) => pending().await,
            },
            None => pending().await,
        }
    }

    /// The steps that can be taken now; the first is what happens when nothing remarkable does.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let free_for_all = self.has(Flaw::LocksNobodyOut);
        let mut state = self.state();
        state.waiting.retain(|waiting| !waiting.sender.is_closed());
        let budget = state.budget;
        let ready = |waiting: &&Waiting| match &waiting.op {
            Op::Lock(id) => free_for_all || !state.locks.contains_key(id),
            _ => true,
        };
        let mut going: Vec<&Waiting> = state.waiting.iter().filter(ready).collect();
        // Whoever went last goes on, so that every other choice is a switch.
        going.sort_by_key(|waiting| (Some(waiting.process) != state.last, waiting.ticket));
        let goes_on = going
            .first()
            .is_some_and(|waiting| Some(waiting.process) == state.last);
        if goes_on && budget.switches == Some(0) {
            going.retain(|waiting| Some(waiting.process) == state.last);
        }
        let step = |waiting: &Waiting, go| {
            Step::Let(waiting.ticket, waiting.process, waiting.op.clone(), go)
        };
        let mut steps: Vec<Step> = going
            .iter()
            .map(|waiting| step(waiting, Go::Well))
            .collect();
        // No answer is on its way for an hour: requests have limits.
        let answering = state.waiting.iter().any(|w| w.op == Op::Answer);
        if budget.expiries > 0 && !state.waiting.is_empty() && !answering {
            steps.push(Step::Expire);
        }
        for waiting in going {
            let ways = faults_of(&waiting.op, budget);
            steps.extend(ways.iter().map(|go| step(waiting, *go)));
        }
        if budget.store_faults > 0 {
            let blocked = state.waiting.iter().filter(|waiting| !ready(waiting));
            steps.extend(blocked.map(|waiting| step(waiting, Go::Fails)));
        }
        let mut alive: Vec<Process> = state.waiting.iter().map(|w| w.process).collect();
        alive.dedup();
        if budget.kills > 0 {
            let begun = |p: &Process| {
                let of = |w: &&Waiting| w.process == *p;
                !matches!(
                    state.waiting.iter().find(of).map(|w| &w.op),
                    Some(Op::Begin(_))
                )
            };
            steps.extend(alive.iter().copied().filter(begun).map(Step::Kill));
        }
        if budget.leases > 0 {
            let mut holders: Vec<Process> = state.locks.values().map(|(p, _)| *p).collect();
            holders.sort_unstable();
            holders.dedup();
            steps.extend(holders.into_iter().map(Step::EndLease));
        }
        steps
    }

    /// Takes a step; all but the processes' own part of a kill.
    pub(crate) fn take(&self, step: &Step) {
        let mut state = self.state();
        let switched = matches!((step.process(), state.last), (Some(one), Some(last)) if one != last
            && state.waiting.iter().any(|waiting| waiting.process == last));
        let budget = &mut state.budget;
        if switched {
            budget.switches = budget.switches.map(|left| left.saturating_sub(1));
        }
        match step {
            Step::Let(.., Go::Well) => {}
            Step::Let(_, _, Op::Send | Op::Answer, _) => budget.wire_faults -= 1,
            Step::Let(..) => budget.store_faults -= 1,
            Step::Expire => budget.expiries -= 1,
            Step::Kill(_) => budget.kills -= 1,
            Step::EndLease(_) => budget.leases -= 1,
        }
        match step {
            Step::Let(ticket, process, _, go) => {
                if *go != Go::Well {
                    state.law.faults += 1;
                }
                let found = state.waiting.iter().position(|w| w.ticket == *ticket);
                let waiting = state.waiting.remove(found.unwrap());
                state.last = Some(*process);
                // Nobody waits any more if the caller gave up in this very moment.
                let _unheard = waiting.sender.send(*go);
            }
            Step::Expire => {
                state.now += LIFETIME;
                state.law.expiries += 1;
            }
            Step::Kill(process) => {
                state.law.faults += 1;
                state.dead.insert(*process);
                state.waiting.retain(|waiting| waiting.process != *process);
                state.locks.retain(|_, (holder, _)| holder != process);
                state.law.killed(*process);
            }
            Step::EndLease(process) => {
                state.law.faults += 1;
                state.locks.retain(|_, (holder, _)| holder != process);
                state.law.lease_ended(*process);
            }
        }
    }

    /// Whether somebody waits to be let go.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.state().waiting.is_empty()
    }

    /// What a flawed store reads in place of what is there.
    pub(crate) fn past(&self) -> Option<RawRecord> {
        let state = self.state();
        let reads = self.has(Flaw::ReadsThePast) && !state.free;
        state.past.clone().filter(|_| reads)
    }

    pub(crate) fn remember(&self, past: Option<RawRecord>) {
        self.state().past = past;
    }

    /// Whether a flawed store forgets the save that is to be made: every second one.
    pub(crate) fn forgets(&self) -> bool {
        let mut state = self.state();
        state.saves += usize::from(!state.free);
        !state.free && state.saves.is_multiple_of(2)
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.state().now += time;
    }
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stage")
    }
}

impl Clock for Stage {
    fn now(&self) -> SystemTime {
        self.state().now
    }
}

impl State {
    pub(crate) fn now(&self) -> SystemTime {
        self.now
    }

    /// Whether the process holds a lock of a grant.
    pub(crate) fn holds_a_lock(&self, process: Process) -> bool {
        self.locks.values().any(|(holder, _)| *holder == process)
    }

    pub(crate) fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }
}

/// How else than well this may end.
fn faults_of(op: &Op, budget: Budget) -> &'static [Go] {
    let (left, ways): (usize, &[Go]) = match op {
        Op::Send => (budget.wire_faults, &[Go::Fails, Go::Lost]),
        Op::Answer => (budget.wire_faults, &[Go::Lost]),
        Op::Save | Op::Remove => (budget.store_faults, &[Go::Fails, Go::Lost]),
        Op::Load => (budget.store_faults, &[Go::Fails]),
        Op::Lock(_) | Op::Begin(_) => (0, &[]),
    };
    if left > 0 { ways } else { &[] }
}

/// How long an access token lives.
pub(crate) const LIFETIME: Duration = Duration::from_secs(3600);
