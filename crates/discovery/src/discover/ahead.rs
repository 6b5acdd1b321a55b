//! Resource metadata that is asked for before the challenge is known (RFC 9728 §1; DISC-27).

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use doorkey_http::Leg;
use url::Url;

use super::fetch::{document, get};
use super::{Discovery, checked};
use crate::ResourceMetadata;
use crate::attempt::Failure;
use crate::error::Error;
use crate::well_known::located_resource_metadata;

/// The request for the metadata at the first well-known place of a server, made beside the request that the server
/// is going to challenge: where it names that very place, or none, what is wanted is there a round trip earlier.
///
/// A challenge overrides what was found ahead of it: metadata that it names elsewhere are fetched from there. Handed
/// to [`Discovery::with_ahead`]; it is used once.
pub struct Ahead {
    place: Url,
    asking: Asking,
    outcome: Option<Outcome>,
}

type Outcome = Result<ResourceMetadata, Failure>;
type Asking = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What was asked for ahead, if it was, until somebody takes it.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept(Arc<Mutex<Option<Ahead>>>);

impl Discovery {
    /// The request for the metadata of `server` at its first well-known place. Nothing is sent before
    /// [`Ahead::beside`].
    ///
    /// # Errors
    /// [`Error::ServerUrl`]: the server may not be asked anything.
    pub fn ahead(&self, server: &Url) -> Result<Ahead, Error> {
        let server = checked(server)?;
        let mut places = located_resource_metadata(&server).into_iter();
        let place = places.next().map_or(server, |(_, place)| place);
        let (http, options) = (self.http.clone(), self.options.clone());
        let of = place.clone();
        let asking = async move {
            // Both requests set out as soon as there is a connection, whichever needed it first.
            let _otherwise_told: Result<(), _> = http.warm(Leg::ResourceMetadata, &of).await;
            let body = get(&http, &options, Leg::ResourceMetadata, &of).await?;
            document(body.as_ref())
        };
        Ok(Ahead {
            place,
            asking: Box::pin(asking),
            outcome: None,
        })
    }

    /// The same with what was asked for ahead.
    #[must_use]
    pub fn with_ahead(self, ahead: Ahead) -> Self {
        Self {
            ahead: Kept(Arc::new(Mutex::new(Some(ahead)))),
            ..self
        }
    }
}

impl Ahead {
    /// Waits for `other`, and asks beside it. What has no answer by then is waited for where it is used.
    pub async fn beside<T>(&mut self, other: impl Future<Output = T>) -> T {
        let mut other = pin!(other);
        poll_fn(|context| {
            let done = other.as_mut().poll(context);
            if done.is_pending()
                && self.outcome.is_none()
                && let Poll::Ready(outcome) = self.asking.as_mut().poll(context)
            {
                self.outcome = Some(outcome);
            }
            done
        })
        .await
    }

    async fn outcome(self) -> Outcome {
        match self.outcome {
            Some(outcome) => outcome,
            None => self.asking.await,
        }
    }
}

impl Kept {
    /// What came of the request for `place`, if it was asked already. `None` too where addresses were judged before
    /// the server itself had answered, which may be judged otherwise by now.
    pub(super) async fn take(&self, place: &Url) -> Option<Outcome> {
        let ahead = {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.take_if(|ahead| ahead.place == *place)
        };
        match ahead?.outcome().await {
            Err(Failure::Http(doorkey_http::Error::AddressRefused { .. })) => None,
            outcome => Some(outcome),
        }
    }
}

impl fmt::Debug for Ahead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ahead")
            .field("place", &doorkey_http::RedactedUrl::from(&self.place))
            .finish_non_exhaustive()
    }
}
