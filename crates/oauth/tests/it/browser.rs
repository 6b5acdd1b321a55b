//! A person at a browser, as an `Interaction`.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use doorkey_oauth::{
    BoxFuture, Callback, CallbackVerdict, Channel, Interaction, InteractionError,
    InteractionRequest, Prompt,
};
use tokio::sync::oneshot;
use url::Url;

use crate::world::World;

/// What the person does; `STATE` in a query stands for the right state.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Approve,
    /// Comes back with exactly this query.
    Answer(&'static str),
    /// Never comes back.
    Stay,
}

#[derive(Clone)]
pub(crate) struct Browser {
    world: World,
    /// What is done at each prompt; the last entry also at all that follow.
    turns: Vec<Vec<Act>>,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    prompts: Mutex<Vec<Prompt>>,
    requests: Mutex<Vec<InteractionRequest>>,
    verdicts: Mutex<Vec<oneshot::Receiver<CallbackVerdict>>>,
    open: AtomicUsize,
    port: AtomicU16,
}

impl Browser {
    /// A person who approves.
    pub(crate) fn new(world: &World) -> Self {
        Self::acting(world, vec![Act::Approve])
    }

    /// A person who does this at every prompt.
    pub(crate) fn acting(world: &World, acts: Vec<Act>) -> Self {
        Self::in_turn(world, vec![acts])
    }

    /// A person who does another thing at each prompt.
    pub(crate) fn in_turn(world: &World, turns: Vec<Vec<Act>>) -> Self {
        let log = Log::default();
        log.port.store(3118, Ordering::Relaxed);
        Self {
            world: world.clone(),
            turns,
            log: Arc::new(log),
        }
    }

    /// A browser whose listener cannot have this port again.
    pub(crate) fn on_port(self, port: u16) -> Self {
        self.log.port.store(port, Ordering::Relaxed);
        self
    }

    pub(crate) fn prompts(&self) -> Vec<Prompt> {
        self.log.prompts.lock().unwrap().clone()
    }

    pub(crate) fn hints(&self) -> Vec<Vec<String>> {
        let requests = self.log.requests.lock().unwrap();
        requests.iter().map(|r| r.redirect_hint.clone()).collect()
    }

    /// How many channels are open now.
    pub(crate) fn open_channels(&self) -> usize {
        self.log.open.load(Ordering::SeqCst)
    }

    pub(crate) fn verdicts(&self) -> Vec<CallbackVerdict> {
        let mut verdicts = self.log.verdicts.lock().unwrap();
        verdicts.iter_mut().map(|v| v.try_recv().unwrap()).collect()
    }

    /// The values of an authorization parameter, for each prompt.
    pub(crate) fn asked(&self, name: &str) -> Vec<Vec<String>> {
        self.prompts()
            .iter()
            .map(|prompt| values(&prompt.url, name))
            .collect()
    }
}

pub(crate) fn values(url: &Url, name: &str) -> Vec<String> {
    url.query_pairs()
        .filter(|(n, _)| n == name)
        .map(|(_, value)| value.into_owned())
        .collect()
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser").finish_non_exhaustive()
    }
}

impl Interaction for Browser {
    fn open<'a>(
        &'a self,
        request: InteractionRequest,
    ) -> BoxFuture<'a, Result<Box<dyn Channel>, InteractionError>> {
        Box::pin(async move {
            let port = self.log.port.load(Ordering::Relaxed);
            self.log.requests.lock().unwrap().push(request);
            self.log.open.fetch_add(1, Ordering::SeqCst);
            let channel = Window {
                redirect_uri: format!("http://127.0.0.1:{port}/callback"),
                browser: self.clone(),
                callbacks: VecDeque::new(),
            };
            Ok(Box::new(channel) as Box<dyn Channel>)
        })
    }
}

struct Window {
    redirect_uri: String,
    browser: Browser,
    callbacks: VecDeque<String>,
}

impl Drop for Window {
    fn drop(&mut self) {
        self.browser.log.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Channel for Window {
    fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    fn present<'a>(
        &'a mut self,
        prompt: &'a Prompt,
    ) -> BoxFuture<'a, Result<(), InteractionError>> {
        Box::pin(async move {
            let state = values(&prompt.url, "state").concat();
            let turn = self
                .browser
                .prompts()
                .len()
                .min(self.browser.turns.len() - 1);
            for act in &self.browser.turns[turn] {
                match act {
                    Act::Approve => {
                        let query = self.browser.world.approve(&prompt.url);
                        self.callbacks.push_back(query);
                    }
                    Act::Answer(query) => self.callbacks.push_back(query.replace("STATE", &state)),
                    Act::Stay => {}
                }
            }
            self.browser
                .log
                .prompts
                .lock()
                .unwrap()
                .push(prompt.clone());
            Ok(())
        })
    }

    fn next<'a>(&'a mut self) -> BoxFuture<'a, Result<Callback, InteractionError>> {
        Box::pin(async move {
            let Some(query) = self.callbacks.pop_front() else {
                return std::future::pending().await;
            };
            let (sender, verdict) = oneshot::channel();
            self.browser.log.verdicts.lock().unwrap().push(verdict);
            Ok(Callback::with_reply(query, sender))
        })
    }
}
