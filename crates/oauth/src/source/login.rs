//! Login in a task of its own: one at a time, saved before it is reported (AZ-22, TOK-21).

use std::pin::{Pin, pin};
use std::sync::Arc;

use doorkey_discovery::{Challenges, Issuer, Scopes};
use doorkey_store::{Grant, Registration, Stored};

use tracing::Instrument as _;

use super::flight::Interest;
use super::inner::Inner;
use super::{class, conclude, started, turn};
use crate::access_token::same_secret;
use crate::client::ClientOrigin;
use crate::error::Error;
use crate::events::tell;
use crate::exchange::is_invalid_client;
use crate::interaction::Interaction;
use crate::learned;
use crate::registration::kept::{Kept, of_client};
use crate::registration::manage::{Known, known};
use crate::registration::{refuse_scopes, suspect};
use crate::report::LoginReport;
use crate::sign_in::{Failed, Previous, SignedIn, Wish, sign_in};

/// See [`TokenSource::login`](crate::TokenSource::login).
pub(super) async fn anew(
    inner: &Arc<Inner>,
    challenges: &Challenges,
    interaction: Arc<dyn Interaction>,
) -> Result<LoginReport, Error> {
    start(inner, challenges, Kind::Anew, interaction).await
}

/// A login that a challenge leads to.
pub(super) async fn login(
    inner: &Arc<Inner>,
    challenges: &Challenges,
    interaction: Arc<dyn Interaction>,
) -> Result<LoginReport, Error> {
    start(inner, challenges, Kind::Challenged, interaction).await
}

/// A login for exactly these scopes and what the host adds.
pub(super) async fn step_up(
    inner: &Arc<Inner>,
    challenges: &Challenges,
    scopes: Scopes,
    interaction: Arc<dyn Interaction>,
) -> Result<LoginReport, Error> {
    start(inner, challenges, Kind::StepUp(scopes), interaction).await
}

/// What a login comes from.
enum Kind {
    /// Somebody asked for it.
    Anew,
    Challenged,
    StepUp(Scopes),
}

impl Kind {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Anew => "asked",
            Self::Challenged => "challenged",
            Self::StepUp(_) => "step-up",
        }
    }
}

async fn start(
    inner: &Arc<Inner>,
    challenges: &Challenges,
    kind: Kind,
    interaction: Arc<dyn Interaction>,
) -> Result<LoginReport, Error> {
    inner.config.check_settings()?;
    let start = |interest| {
        let inner = Arc::clone(inner);
        let span = tell::login_span(&inner.config);
        let cause = kind.as_str();
        let is_anew = matches!(kind, Kind::Anew);
        let step_up = match kind {
            Kind::StepUp(scopes) => Some(scopes),
            Kind::Anew | Kind::Challenged => None,
        };
        let wish = Wish {
            challenges: challenges.clone(),
            previous: None,
            step_up,
            interaction,
        };
        async move {
            tell::login_started(&inner.config, cause);
            let outcome = Box::pin(run(&inner, wish, is_anew, interest)).await;
            outcome.inspect_err(|error| tell::login_failed(&inner.config, error))
        }
        .instrument(span)
    };
    inner.logins.join(&inner.tasks, || None, start).await
}

async fn run(
    inner: &Inner,
    mut wish: Wish,
    is_anew: bool,
    interest: Interest<LoginReport>,
) -> Result<LoginReport, Error> {
    let mut gone = pin!(interest.lost());
    // Held to the end: one login at a time, in whatever process (AZ-22).
    let turn = turn::take(inner, wish.interaction.as_ref(), gone.as_mut()).await?;
    if let Some(report) = turn::adopt(inner, &turn, &wish) {
        return Ok(report);
    }
    started::note_start(inner).await?;
    wish.previous = turn.found.as_ref().map(previous);
    let anew = is_anew.then(|| class::Anew::begin_asked(inner));
    if let (None, Some(found)) = (&anew, &turn.found) {
        class::pin(inner, &found.value);
    }
    match signed_in(inner, &wish, gone.as_mut()).await {
        // What it found is in force before this is over.
        Ok(signed) => conclude::finish(inner, signed).await,
        Err(error) => {
            if let Some(anew) = anew {
                anew.restore().await;
            }
            Err(error)
        }
    }
}

/// The login itself, twice at most: a registration that turned out to be gone is replaced.
async fn signed_in(
    inner: &Inner,
    wish: &Wish,
    mut gone: Pin<&mut (dyn Future<Output = ()> + Send)>,
) -> Result<SignedIn, Error> {
    match sign_in(inner.parts(), wish, gone.as_mut()).await {
        Ok(signed) => Ok(signed),
        Err(failed) if another_client_may_do(inner, &failed).await => {
            tracing::info!("the registration of this client does not serve, another is needed");
            match sign_in(inner.parts(), wish, gone.as_mut()).await {
                Ok(signed) => Ok(signed),
                Err(failed) => {
                    // Twice is enough, but the next login shall not begin with a client that is refused.
                    another_client_may_do(inner, &failed).await;
                    Err(failed.error)
                }
            }
        }
        Err(failed) => Err(failed.error),
    }
}

/// What a login keeps of the grant that is there.
pub(super) fn previous(stored: &Stored<Grant>) -> Previous {
    let grant = stored.value.clone();
    Previous {
        issuer: Issuer::new(grant.issuer),
        client_id: grant.client_id,
        resource: grant.resource,
        requested: grant.requested_scopes.into_iter().collect(),
        dpop_key: grant.dpop_key,
        flow: grant.flow,
    }
}

/// Draws the consequences of a failure for the registration that was used. `true`: an old one is
/// gone or too narrow, and another may succeed (REG-23).
pub(super) async fn another_client_may_do(inner: &Inner, failed: &Failed) -> bool {
    let Some(client) = &failed.client else {
        return false;
    };
    if is_invalid_client(&failed.error)
        && let Some(issuer) = &client.learned_at
    {
        learned::forget(&inner.store, issuer).await;
    }
    let Some(kept) = client.kept() else {
        return false;
    };
    let reused = matches!(client.origin, ClientOrigin::Reused(_));
    if is_invalid_client(&failed.error) || is_unknown_client(&failed.error) {
        let Kept { key, generation } = kept;
        let removed = inner.store.remove_registration(key, *generation).await;
        return reused && removed.is_ok();
    }
    if reused && matches!(failed.error, Error::LoginTimedOut { .. }) {
        // A server that no longer knows the client says so on its page only.
        doubt(inner, kept).await;
    }
    if reused && is_invalid_scope(&failed.error) {
        return change_registration(inner, kept, |registration| {
            refuse_scopes(registration, &failed.scopes)
        })
        .await;
    }
    false
}

/// Finds out whether a client that a person may have been refused with is still known, where the
/// server tells; else the next login registers anew.
async fn doubt(inner: &Inner, kept: &Kept) {
    let asked = async {
        let stored = inner.store.registration(&kept.key).await?;
        match stored.filter(|stored| stored.generation == kept.generation) {
            Some(stored) => known(&inner.http, &stored.value, inner.clock.now()).await,
            None => Ok(Known::Unsaid),
        }
    };
    match asked.await {
        Ok(Known::There(None)) => tracing::debug!("the registration is still known"),
        Ok(Known::There(Some(token))) => {
            change_registration(inner, kept, |registration| {
                registration.registration_access_token = Some(token);
                true
            })
            .await;
        }
        Ok(Known::Gone) => {
            let Kept { key, generation } = kept;
            if let Err(error) = inner.store.remove_registration(key, *generation).await {
                tracing::warn!(%error, "a registration that is gone could not be dropped");
            }
        }
        Ok(Known::Unsaid) | Err(_) => {
            change_registration(inner, kept, |registration| {
                suspect(registration);
                true
            })
            .await;
        }
    }
}

/// Whether the authorization server still knows the client that registered itself for the stored grant
/// (RFC 7592 §2.1); `None` where it does not say, or there is none. Nothing is removed.
pub(super) async fn client_is_known(inner: &Inner) -> Result<Option<bool>, Error> {
    let Some(stored) = inner.store.grant(&inner.key).await? else {
        return Ok(None);
    };
    let grant = &stored.value;
    let found = of_client(&inner.store, &grant.issuer, &grant.client_id).await?;
    let Some((kept, registration)) = found else {
        return Ok(None);
    };
    Ok(
        match known(&inner.http, &registration, inner.clock.now()).await? {
            Known::There(token) => {
                if let Some(token) = token {
                    // A new one has spent the old one (RFC 7592 §3).
                    change_registration(inner, &kept, |registration| {
                        let known = registration.registration_access_token.as_ref();
                        let is_new = known.is_none_or(|known| !same_secret(known, &token));
                        registration.registration_access_token = Some(token);
                        is_new
                    })
                    .await;
                }
                Some(true)
            }
            Known::Gone => Some(false),
            Known::Unsaid => None,
        },
    )
}

fn is_unknown_client(error: &Error) -> bool {
    matches!(error, Error::AuthorizationResponse(error)
        if error.is("unauthorized_client") || error.is("invalid_client"))
}

fn is_invalid_scope(error: &Error) -> bool {
    matches!(error, Error::AuthorizationResponse(error) if error.is("invalid_scope"))
}

/// Saves what `change` does to the record if it still is that version, unless it says `false`.
/// Whether it was saved.
pub(super) async fn change_registration(
    inner: &Inner,
    Kept { key, generation }: &Kept,
    change: impl FnOnce(&mut Registration) -> bool,
) -> bool {
    let outcome = async {
        let Some(stored) = inner.store.registration(key).await? else {
            return Ok(false);
        };
        let mut registration = stored.value;
        if stored.generation != *generation || !change(&mut registration) {
            return Ok(false);
        }
        inner
            .store
            .save_registration(key, &registration, Some(*generation))
            .await
            .map(|_| true)
    };
    outcome.await.unwrap_or_else(|error: doorkey_store::Error| {
        tracing::warn!(%error, "a registration could not be updated");
        false
    })
}
