//! One process's view of the shared store: each operation on a grant waits for its turn, and the law looks on.

use std::fmt;
use std::time::Duration;

use doorkey_store::{
    Backend, BoxFuture, Defect, Error, Generation, HeldLock, Listing, LockGuard, Problem,
    RawRecord, RecordId, RecordKind, StoreDescription,
};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::law::Holding;
use crate::server::Token;
use crate::stage::{Flaw, Go, Op, Process, Stage};

#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) stage: Stage,
    pub(crate) process: Process,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

impl Shared {
    async fn stored(&self, id: &RecordId) -> Option<RawRecord> {
        self.stage.memory().load(id).await.unwrap()
    }

    async fn write(
        &self,
        id: &RecordId,
        bytes: Zeroizing<Vec<u8>>,
        expected: Option<Generation>,
    ) -> Result<Generation, Error> {
        let before = self.stored(id).await;
        let current = before.as_ref().map(|record| record.generation);
        let held = before.as_ref().map(holding);
        if self.stage.has(Flaw::ForgetsASave) && current == expected && self.stage.forgets() {
            return Ok(Generation::new(u64::MAX / 2));
        }
        let expected = match self.stage.has(Flaw::IgnoresGenerations) {
            true => current,
            false => expected,
        };
        let after = holding_in(&bytes);
        let saved = self.stage.memory().save(id, bytes, expected).await?;
        self.stage.remember(before);
        self.stage.saved(self.process, held, after);
        Ok(saved)
    }

    async fn take_away(&self, id: &RecordId, expected: Generation) -> Result<(), Error> {
        let before = self.stored(id).await;
        let current = before.as_ref().map(|record| record.generation);
        let expected = match (self.stage.has(Flaw::IgnoresGenerations), current) {
            (true, Some(current)) => current,
            _ => expected,
        };
        if !self.stage.has(Flaw::UndoesRemovals) || current != Some(expected) {
            self.stage.memory().remove(id, expected).await?;
        }
        if let Some(before) = &before {
            self.stage.removed(self.process, holding(before));
        }
        Ok(())
    }
}

impl Backend for Shared {
    fn load<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<Option<RawRecord>, Error>> {
        Box::pin(async move {
            if id.kind() == RecordKind::Grant {
                if self.stage.turn(self.process, Op::Load).await != Go::Well {
                    return Err(away("load"));
                }
                if let Some(past) = self.stage.past() {
                    return Ok(Some(past));
                }
            }
            Ok(self.stored(id).await)
        })
    }

    fn save<'a>(
        &'a self,
        id: &'a RecordId,
        bytes: Zeroizing<Vec<u8>>,
        expected: Option<Generation>,
    ) -> BoxFuture<'a, Result<Generation, Error>> {
        Box::pin(async move {
            if id.kind() != RecordKind::Grant {
                return self.stage.memory().save(id, bytes, expected).await;
            }
            match self.stage.turn(self.process, Op::Save).await {
                Go::Well => self.write(id, bytes, expected).await,
                Go::Fails => {
                    self.stage.state().law.save_failed(self.process);
                    Err(away("save"))
                }
                Go::Lost => {
                    self.write(id, bytes, expected).await?;
                    Err(away("save"))
                }
            }
        })
    }

    fn remove<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            if id.kind() != RecordKind::Grant {
                return self.stage.memory().remove(id, expected).await;
            }
            match self.stage.turn(self.process, Op::Remove).await {
                Go::Well => self.take_away(id, expected).await,
                Go::Fails => Err(away("remove")),
                Go::Lost => {
                    self.take_away(id, expected).await?;
                    Err(away("remove"))
                }
            }
        })
    }

    fn list(&self, kind: RecordKind) -> BoxFuture<'_, Result<Listing<RecordId>, Error>> {
        self.stage.memory().list(kind)
    }

    fn lock<'a>(
        &'a self,
        id: &'a RecordId,
        limit: Duration,
    ) -> BoxFuture<'a, Result<LockGuard, Error>> {
        Box::pin(async move {
            let go = self.stage.turn(self.process, Op::Lock(id.clone())).await;
            let mut state = self.stage.state();
            let taken = state.locks.contains_key(id) && !self.stage.has(Flaw::LocksNobodyOut);
            if go != Go::Well || taken {
                return Err(Error::LockTimeout {
                    id: id.clone(),
                    location: "the stage".to_owned(),
                    limit,
                });
            }
            let ticket = state.ticket();
            state.locks.insert(id.clone(), (self.process, ticket));
            Ok(LockGuard::new(Held {
                stage: self.stage.clone(),
                id: id.clone(),
                ticket,
            }))
        })
    }

    fn set_aside<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
        defect: Defect,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.stage.memory().set_aside(id, expected, defect)
    }

    fn discard_set_aside<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<usize, Error>> {
        self.stage.memory().discard_set_aside(id)
    }

    fn problems(&self) -> Vec<Problem> {
        self.stage.memory().problems()
    }

    fn describe(&self) -> StoreDescription {
        self.stage.memory().describe()
    }
}

#[derive(Debug)]
struct Held {
    stage: Stage,
    id: RecordId,
    ticket: u64,
}

impl Held {
    fn is_ours(&self) -> bool {
        let state = self.stage.state();
        let holder = state.locks.get(&self.id);
        holder.is_some_and(|(_, ticket)| *ticket == self.ticket)
    }
}

impl HeldLock for Held {
    fn is_held(&self) -> bool {
        self.stage.has(Flaw::HidesLostLeases) || self.is_ours()
    }

    fn release(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { drop(self) })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.is_ours() {
            self.stage.state().locks.remove(&self.id);
        }
    }
}

fn away(action: &'static str) -> Error {
    Error::Backend {
        store: "the stage",
        action,
        transient: true,
        source: "it is away".into(),
    }
}

pub(crate) fn holding(record: &RawRecord) -> Holding {
    holding_in(&record.bytes)
}

fn holding_in(bytes: &[u8]) -> Holding {
    let grant: Value = serde_json::from_slice(bytes).unwrap();
    let token = |name: &str| grant.get(name)?.as_str().and_then(Token::parse);
    Holding {
        access: token("access_token").unwrap(),
        refresh: token("refresh_token"),
    }
}
