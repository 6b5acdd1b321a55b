//! A login that the person gave up with Ctrl-C: what became of it, told as it is.

use doorkey::{ErrorCode, Host, Target};
use doorkey_store::Generation;

use crate::cli::exit::Failure;
use crate::cli::subject::shown;

/// What was stored before a login. Whoever presses Ctrl-C while the code is being exchanged gets the tokens that come of
/// it saved all the same, for nobody else could use them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before<'a> {
    target: Target<'a>,
    grant: Option<Generation>,
}

impl<'a> Before<'a> {
    /// What is stored now.
    pub(crate) async fn of(target: Target<'a>, host: &Host) -> Self {
        let grant = stored(target, host).await;
        Self { target, grant }
    }

    /// What to tell when the login was given up and everything that was under way has ended.
    pub(crate) async fn interrupted(self, host: &Host) -> Failure {
        let target = self.target;
        let now = stored(target, host).await;
        let (text, next) = match (self.grant, now) {
            (before, Some(now)) if before != Some(now) => (
                format!(
                    "interrupted, but you had already signed in: the login to {} is kept, and whether the server takes it was not \
                     found out",
                    shown(target)
                ),
                target.command("tools"),
            ),
            (Some(_), Some(_)) => (
                "interrupted; nothing was changed, and the login that you had is still there"
                    .to_owned(),
                target.command("login"),
            ),
            (Some(_), None) => (
                "interrupted, and the login that was there before can no longer be found"
                    .to_owned(),
                target.command("status"),
            ),
            (None, _) => (
                "interrupted; nothing was changed, and you are not signed in".to_owned(),
                target.command("login"),
            ),
        };
        Failure::Refused {
            text,
            next: Some(next),
            code: ErrorCode::LoginAbandoned,
        }
    }
}

/// The version of the grant; none where none can be read.
async fn stored(target: Target<'_>, host: &Host) -> Option<Generation> {
    let session = host.session(target).ok()?;
    let stored = session.tokens.grant().await.ok()??;
    Some(stored.generation)
}
