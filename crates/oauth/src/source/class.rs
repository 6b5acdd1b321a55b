//! The class of the MCP server's address is fixed at login and kept with the grant (SEC-05, SEC-07): a name that is bound
//! anew cannot turn a public server into one of the user's own network.

use std::sync::Mutex;

use doorkey_http::AddressClass;
use doorkey_store::Grant;

use super::inner::Inner;
use crate::shared::lock;

/// What the client is held to.
#[derive(Debug, Default)]
pub(super) struct Pin(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How many logins by a person are under way, which find the class out.
    logins: usize,
    pinned: Option<AddressClass>,
}

/// Holds the client to the class that the server of this grant had at its login, before anything is sent with it. A
/// grant that does not say holds it to nothing. While a person signs in, what they find counts, whatever grant others
/// come across meanwhile.
pub(super) fn pin(inner: &Inner, grant: &Grant) {
    hold(inner, of(grant));
}

/// Holds the client to nothing any more: the grant is gone.
pub(super) fn forget(inner: &Inner) {
    hold(inner, None);
}

fn hold(inner: &Inner, class: Option<AddressClass>) {
    let mut state = lock(&inner.pin.0);
    // What was learned without a pin need not be learned again.
    if state.logins == 0 && (class.is_some() || state.pinned.is_some()) {
        state.pinned = class;
        inner.http.pin_resource_class(class);
    }
}

/// Lets a login by a person find the class out anew, until this is dropped; then the client is held to the current
/// grant again, which after a login is its own.
#[must_use]
pub(super) struct Anew<'a>(&'a Inner);

impl<'a> Anew<'a> {
    pub(super) fn begin(inner: &'a Inner) -> Self {
        Self::with(inner, None)
    }

    /// The login that follows at once upon [what a person asked first](crate::TokenSource::asked_by_a_person): what was
    /// found then counts, since metadata that came with it are not asked for again, and so teach nothing again.
    pub(super) fn begin_asked(inner: &'a Inner) -> Self {
        Self::with(inner, inner.ahead.class())
    }

    /// The second half of a login: what the first one found counts.
    pub(super) fn go_on(inner: &'a Inner, draft: &Grant) -> Self {
        Self::with(inner, of(draft))
    }

    fn with(inner: &'a Inner, class: Option<AddressClass>) -> Self {
        let mut state = lock(&inner.pin.0);
        state.logins += 1;
        state.pinned = class;
        inner.http.pin_resource_class(class);
        Self(inner)
    }

    /// The end of a login that came to nothing: the grant that is stored stays, and so does what its login fixed.
    pub(super) async fn restore(self) {
        let inner = self.0;
        let stored = inner.store.known_grant(&inner.key).await;
        drop(self);
        match stored {
            Ok(Some(stored)) => pin(inner, &stored.value),
            Ok(None) => forget(inner),
            // What memory has was put in force already.
            Err(error) => {
                tracing::warn!(%error, "the grant could not be read after a login that failed");
            }
        }
    }
}

impl Drop for Anew<'_> {
    fn drop(&mut self) {
        let logins = {
            let mut state = lock(&self.0.pin.0);
            state.logins -= 1;
            state.logins
        };
        match self.0.current() {
            _ if logins > 0 => {}
            Some(held) => pin(self.0, &held.grant),
            None => {}
        }
    }
}

/// Notes the class in a grant that does not say it yet: that of an older version, or of a login that never asked the
/// server directly.
pub(super) fn note(inner: &Inner, grant: &mut Grant) {
    if of(grant).is_none() {
        grant.resource_class = known(inner.http.resource_class());
    }
}

/// The same for a grant that others renew, who are not to take over what a login has not finished to find out.
pub(super) fn note_renewed(inner: &Inner, grant: &mut Grant) {
    if lock(&inner.pin.0).logins == 0 {
        note(inner, grant);
    }
}

/// The class as a record has it.
pub(crate) fn known(class: Option<AddressClass>) -> Option<String> {
    class.map(|class| class.as_str().to_owned())
}

/// A word that is not known, say of a later version, says nothing.
fn of(grant: &Grant) -> Option<AddressClass> {
    grant.resource_class.as_ref()?.parse().ok()
}
