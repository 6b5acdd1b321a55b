//! Which scopes to ask for (MCP authorization, Scope Selection and Step-Up; RFC 6750 §3.1).

use doorkey_discovery::Scopes;

/// Where the scopes of an authorization request come from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ScopeSources<'a> {
    /// The challenge's `scope`: authoritative for the request at hand (AZ-07).
    pub(crate) challenged: Option<&'a Scopes>,
    /// The protected resource metadata's `scopes_supported` (AZ-08).
    pub(crate) resource: Option<&'a Scopes>,
    /// What the host adds (AZ-10).
    pub(crate) configured: Option<&'a Scopes>,
    /// What was requested before, which a new authorization keeps (CH-11, UP-02).
    pub(crate) previous: Option<&'a Scopes>,
    /// The authorization server's `scopes_supported`: consulted for `offline_access` alone.
    pub(crate) server: Option<&'a Scopes>,
    /// Whether refresh tokens are wanted.
    pub(crate) offline: bool,
}

/// The scopes to request; empty means that the parameter is left out (AZ-09).
pub(crate) fn select(sources: ScopeSources<'_>) -> Scopes {
    let nothing = Scopes::default();
    let base = sources
        .challenged
        .filter(|scopes| !scopes.is_empty())
        .or(sources.resource)
        .unwrap_or(&nothing);
    let scopes = [sources.configured, sources.previous]
        .into_iter()
        .flatten()
        .fold(base.clone(), |sum, more| sum.union(more));
    let listed = sources
        .server
        .is_some_and(|scopes| scopes.contains(OFFLINE_ACCESS));
    // Alone it would replace the server's own default scopes, so it only ever joins others.
    if sources.offline && listed && !scopes.is_empty() {
        scopes.union(&Scopes::parse(OFFLINE_ACCESS))
    } else {
        scopes
    }
}

/// The scopes of `requested` that belong to the resource rather than to the authorization server.
pub(crate) fn without_offline_access(requested: &Scopes) -> Scopes {
    requested.difference(&Scopes::parse(OFFLINE_ACCESS))
}

/// The scope that asks for a refresh token (OpenID Connect Core §11, SEP-2207).
pub(crate) const OFFLINE_ACCESS: &str = "offline_access";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_selected_in_the_order_of_az_07_to_az_12() {
        // challenge, resource, configured, previous, server list, offline → result
        let cases = [
            ("a b", "x y", "", "", "", true, "a b"),
            ("", "x y", "", "", "", true, "x y"),
            ("", "", "", "", "", true, ""),
            ("a", "x", "c", "", "", true, "a c"),
            ("a", "x", "", "p", "", true, "a p"),
            (
                "a",
                "",
                "",
                "",
                "a offline_access",
                true,
                "a offline_access",
            ),
            ("a", "", "", "", "a offline_access", false, "a"),
            ("a", "", "", "", "a b", true, "a"),
            ("", "", "", "", "a offline_access", true, ""),
            ("", "", "", "", "a b c", true, ""),
        ];
        for (challenged, resource, configured, previous, server, offline, expected) in cases {
            let parsed = [challenged, resource, configured, previous, server].map(Scopes::parse);
            let some = |index: usize| Some(&parsed[index]).filter(|scopes| !scopes.is_empty());
            let selected = select(ScopeSources {
                challenged: some(0),
                resource: some(1),
                configured: some(2),
                previous: some(3),
                server: some(4),
                offline,
            });
            assert_eq!(
                selected,
                Scopes::parse(expected),
                "{challenged}|{resource}|{server}"
            );
        }
    }

    #[test]
    fn the_scope_for_a_refresh_token_is_none_of_the_resource() {
        let asked = Scopes::parse("files offline_access offline");
        let left = without_offline_access(&asked);
        assert_eq!(left.to_string(), "files offline");
    }

    #[test]
    fn every_challenged_scope_is_kept_up_03() {
        let challenged = Scopes::parse("files:read files");
        let selected = select(ScopeSources {
            challenged: Some(&challenged),
            previous: Some(&Scopes::parse("files")),
            ..ScopeSources::default()
        });
        assert!(selected.is_superset(&challenged));
    }
}
