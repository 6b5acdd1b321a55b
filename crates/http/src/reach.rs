//! The rules over address classes: who may be contacted on whose word (SEC-03, SEC-07).

use std::net::IpAddr;

use crate::address::{AddressClass, AddressRefused};

/// How far a request may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The user named the origin: everything but what is never contacted.
    UsersWord,
    /// A server named it: public addresses and the class of the user's own URL.
    Guarded,
}

/// Whether `address` may be contacted; `user` is the class of the MCP server that the user named.
pub(crate) fn judge(
    host: &str,
    address: IpAddr,
    reach: Reach,
    user: AddressClass,
) -> Result<(), AddressRefused> {
    let class = AddressClass::of(address);
    let host = || host.to_owned();
    if class.is_never() {
        return Err(AddressRefused::Never {
            host: host(),
            address,
            class,
        });
    }
    if class == AddressClass::Public || reach == Reach::UsersWord || class == user {
        return Ok(());
    }
    Err(AddressRefused::Closer {
        host: host(),
        address,
        class,
        user,
    })
}

/// The class of a name by all its addresses: the one they share, else the least trusted, public.
pub(crate) fn common_class(addresses: &[IpAddr]) -> AddressClass {
    let mut classes = addresses.iter().copied().map(AddressClass::of);
    match classes.next() {
        Some(first) if classes.all(|class| class == first) => first,
        _ => AddressClass::Public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::AddressClass::{
        CloudMetadata, LinkLocal, Loopback, Private, Public, Reserved,
    };

    #[test]
    fn closer_addresses_need_the_users_word_or_class() {
        use Reach::{Guarded, UsersWord};
        for (address, reach, user, allowed) in [
            ("8.8.8.8", Guarded, Public, true),
            ("8.8.8.8", Guarded, Private, true),
            ("10.0.0.1", Guarded, Public, false),
            ("10.0.0.1", Guarded, Private, true),
            ("fd12::1", Guarded, Private, true),
            ("10.0.0.1", Guarded, Loopback, false),
            ("10.0.0.1", UsersWord, Public, true),
            ("127.0.0.1", Guarded, Public, false),
            ("127.0.0.1", Guarded, Private, false),
            ("::1", Guarded, Loopback, true),
            ("127.0.0.1", UsersWord, Public, true),
            ("198.18.0.1", Guarded, Public, false),
            ("198.18.0.1", Guarded, Reserved, true),
            ("169.254.1.1", UsersWord, LinkLocal, false),
            ("169.254.169.254", UsersWord, CloudMetadata, false),
            ("fd00:ec2::254", UsersWord, Private, false),
            ("0.0.0.0", UsersWord, Loopback, false),
        ] {
            let verdict = judge("as.example", address.parse().unwrap(), reach, user);
            assert_eq!(
                verdict.is_ok(),
                allowed,
                "{address} {reach:?} {user}: {verdict:?}"
            );
        }
    }

    #[test]
    fn a_refusal_names_the_rule_and_the_setting() {
        let address = "10.0.0.1".parse().unwrap();
        let refused = judge("as.example", address, Reach::Guarded, Public)
            .unwrap_err()
            .to_string();
        for part in [
            "as.example",
            "10.0.0.1",
            "private",
            "public",
            "addresses.allow",
        ] {
            assert!(refused.contains(part), "{part} in {refused}");
        }
        let address = "169.254.169.254".parse().unwrap();
        let never = judge("as.example", address, Reach::UsersWord, Public)
            .unwrap_err()
            .to_string();
        assert!(
            never.contains("never") && !never.contains("addresses.allow"),
            "{never}"
        );
    }

    #[test]
    fn a_name_with_mixed_addresses_counts_as_public() {
        let addresses = |texts: &[&str]| -> Vec<IpAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        for (texts, expected) in [
            (&["127.0.0.1", "::1"][..], Loopback),
            (&["10.0.0.1", "fd12::1"], Private),
            (&["10.0.0.1", "8.8.8.8"], Public),
            (&["10.0.0.1", "127.0.0.1"], Public),
            (&[], Public),
        ] {
            assert_eq!(common_class(&addresses(texts)), expected, "{texts:?}");
        }
    }
}
