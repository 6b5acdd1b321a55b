//! The class of the MCP server's address is fixed at login and kept with the grant (SEC-05, SEC-07): a name that is bound
//! anew cannot turn a public server into one of the user's own network.

use doorkey_http::AddressClass;
use doorkey_store::Grant;

use super::inner::Inner;

/// Holds the client to the class that the server of this grant had at its login, before anything is sent with it. A
/// grant that does not say leaves things as they are.
pub(super) fn pin(inner: &Inner, grant: &Grant) {
    if let Some(class) = of(grant) {
        inner.http.pin_resource_class(Some(class));
    }
}

/// Lets a login by a person fix the class anew.
pub(super) fn forget(inner: &Inner) {
    inner.http.pin_resource_class(None);
}

/// Notes the class in a grant that does not say it yet: that of an older version, or of a login that never looked the
/// server up.
pub(super) fn note(inner: &Inner, grant: &mut Grant) {
    if of(grant).is_none() {
        grant.resource_class = known(inner.http.resource_class());
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
