//! The files of the settings: looked at aside, since a share that hangs must hold up nothing.

use std::sync::Arc;
use std::time::Instant;

use doorkey_http::HttpProfile;
use http::HeaderValue;
use tokio::sync::oneshot;

use super::Pauses;
use crate::network::stamp::{Stamp, Watched};
use crate::network::{NetworkError, NetworkInForce};

/// The files that are watched, and what is known of them.
pub(super) struct Files {
    watched: Arc<[Watched]>,
    /// What the profile in use was made of.
    seen: Vec<Stamp>,
    /// What could not be used, and when that is tried again though it is the same.
    refused: Option<(Vec<Stamp>, Instant)>,
    next_look: Instant,
    /// One look at a time: where it hangs, it is one thread that does.
    looking: Option<oneshot::Receiver<Look>>,
    /// What was last told of files that cannot be used.
    told: Option<String>,
}

/// What a look at the files found.
pub(super) struct Look {
    pub(super) stamps: Vec<Stamp>,
    /// What the files hold: `None` where they are as they were.
    pub(super) read: Option<Result<Read, NetworkError>>,
}

/// The values of headers, and the profile.
type Read = (Vec<Option<HeaderValue>>, HttpProfile);

impl Files {
    pub(super) fn new(watched: Vec<Watched>, seen: Vec<Stamp>, next_look: Instant) -> Self {
        Self {
            watched: watched.into(),
            seen,
            refused: None,
            next_look,
            looking: None,
            told: None,
        }
    }

    /// Whether it is time to look.
    pub(super) fn is_due(&self) -> bool {
        self.next_look().is_some_and(|time| Instant::now() >= time)
    }

    /// When it is; `None` if there is nothing to look at.
    pub(super) fn next_look(&self) -> Option<Instant> {
        (!self.watched.is_empty()).then_some(self.next_look)
    }

    /// Looks whether a file is another one than it was, and reads all of them if one is. `None` while
    /// they do not answer: what they say is asked for again later.
    pub(super) async fn look(
        &mut self,
        network: &Arc<NetworkInForce>,
        values: &[Option<HeaderValue>],
        pauses: Pauses,
    ) -> Option<Look> {
        let mut looking = match self.looking.take() {
            Some(looking) => looking,
            None => self.begin(network, values)?,
        };
        match tokio::time::timeout(pauses.patience, &mut looking).await {
            Ok(looked) => {
                self.next_look = Instant::now() + pauses.look;
                looked.ok()
            }
            Err(_) => {
                self.next_look = Instant::now() + pauses.slow;
                self.looking = Some(looking);
                self.tell(format!(
                    "they do not answer within {} s",
                    pauses.patience.as_secs_f32()
                ));
                None
            }
        }
    }

    /// The files are as they were, or as they were when they could not be used.
    pub(super) fn unchanged(&mut self, stamps: &[Stamp]) {
        if stamps == self.seen {
            (self.told, self.refused) = (None, None);
        }
    }

    /// What these files hold is in use now.
    pub(super) fn taken(&mut self, stamps: Vec<Stamp>) {
        self.seen = stamps;
        (self.told, self.refused) = (None, None);
    }

    /// What these files hold cannot be used.
    pub(super) fn refused(&mut self, stamps: Vec<Stamp>, error: &NetworkError, pauses: Pauses) {
        self.refused = Some((stamps, Instant::now() + pauses.again));
        self.tell(causes(error));
    }

    /// Not a task of the runtime, which would wait for it when the program ends.
    fn begin(
        &self,
        network: &Arc<NetworkInForce>,
        values: &[Option<HeaderValue>],
    ) -> Option<oneshot::Receiver<Look>> {
        let (watched, network) = (Arc::clone(&self.watched), Arc::clone(network));
        let (seen, values) = (self.seen.clone(), values.to_vec());
        let now = Instant::now();
        let refused = self.refused.as_ref().filter(|(_, until)| *until > now);
        let refused = refused.map(|(stamps, _)| stamps.clone());
        let (tell, looking) = oneshot::channel();
        let look = move || {
            let stamps = Watched::stamps(&watched);
            let is_known = stamps == seen || refused.as_ref() == Some(&stamps);
            let read = (!is_known).then(|| {
                let values = network.reread_values(values)?;
                let profile = network.profile(&values)?;
                Ok((values, profile))
            });
            // The session may have ended.
            drop(tell.send(Look { stamps, read }));
        };
        let name = "network files".to_owned();
        let thread = std::thread::Builder::new().name(name).spawn(look);
        thread.ok().map(|_detached| looking)
    }

    fn tell(&mut self, told: String) {
        if self.told.as_ref() != Some(&told) {
            tracing::warn!(
                "changed files of the network settings cannot be used, what they held before is used on: {told}"
            );
        }
        self.told = Some(told);
    }
}

#[cfg(test)]
impl Files {
    /// What was told, and when files that were refused are tried again.
    pub(super) fn trouble(&self) -> (Option<&str>, Option<Instant>) {
        let again = self.refused.as_ref().map(|(_, again)| *again);
        (self.told.as_deref(), again)
    }

    /// Lets the next look be due.
    pub(super) fn look_now(&mut self) {
        self.next_look = Instant::now();
    }

    /// Puts a look under way whose end the returned sender decides.
    pub(super) fn hang(&mut self) -> oneshot::Sender<Look> {
        let (tell, looking) = oneshot::channel();
        self.looking = Some(looking);
        tell
    }
}

fn causes(error: &NetworkError) -> String {
    let first: &(dyn std::error::Error + 'static) = error;
    let all = std::iter::successors(Some(first), |&error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
