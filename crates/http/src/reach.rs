//! The rules over address classes: who may be contacted on whose word (SEC-03, SEC-07).

use std::net::IpAddr;
use std::sync::Arc;

use crate::address::{AddressClass, AddressRefused};
use crate::class::Standing;
use crate::network::Network;

/// How far a request may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reach {
    /// The user allowed the origin: everything but what is never contacted.
    UsersWord,
    /// The MCP server that the user named: the same, but no closer than its class at login, if
    /// that is known.
    Own,
    /// The user has a workload's identity fetched there: everything that is one host.
    Workload,
    /// A server named it: public addresses and the class of the user's own URL.
    Guarded,
}

/// All that the verdict over an address depends on, and nothing else: two that are equal judge every
/// address alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Judgement {
    reach: Reach,
    /// The class at login for the user's own server, that of the user's server for others.
    class: Option<AddressClass>,
    networks: Arc<[Network]>,
}

impl Judgement {
    /// By this reach, as things stand, where the user allowed these networks.
    pub(crate) fn new(reach: Reach, standing: &Standing, networks: &Arc<[Network]>) -> Self {
        let class = match reach {
            Reach::UsersWord | Reach::Workload => None,
            Reach::Own => standing.at_login,
            Reach::Guarded => Some(standing.of_others),
        };
        // Without a class everything that may be contacted at all is allowed already.
        let networks = match class {
            None => Arc::default(),
            Some(_) => Arc::clone(networks),
        };
        Self {
            reach,
            class,
            networks,
        }
    }

    /// Whether `address` may be contacted.
    pub(crate) fn judge(&self, host: &str, address: IpAddr) -> Result<(), AddressRefused> {
        let by = Measure {
            user: self.class.unwrap_or(AddressClass::Public),
            at_login: self.class.filter(|_| self.reach == Reach::Own),
            networks: &self.networks,
        };
        judge(host, address, self.reach, &by)
    }
}

/// What an address is measured by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure<'a> {
    /// The class of the MCP server that the user named.
    pub(crate) user: AddressClass,
    /// The class it had at login, if that is known.
    pub(crate) at_login: Option<AddressClass>,
    /// The networks that the user allowed.
    pub(crate) networks: &'a [Network],
}

impl Measure<'_> {
    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(address))
    }
}

/// Whether `address` may be contacted.
fn judge(
    host: &str,
    address: IpAddr,
    reach: Reach,
    by: &Measure<'_>,
) -> Result<(), AddressRefused> {
    let class = AddressClass::of(address);
    let host = || host.to_owned();
    let is_one_host = !matches!(class, AddressClass::Unspecified | AddressClass::Multicast);
    if class.is_never() && !(reach == Reach::Workload && is_one_host) {
        return Err(AddressRefused::Never {
            host: host(),
            address,
            class,
        });
    }
    if by.allows(address) {
        return Ok(());
    }
    match (reach, by.at_login) {
        (Reach::Own, Some(at_login)) if class.closeness() > at_login.closeness() => {
            Err(AddressRefused::CameCloser {
                host: host(),
                address,
                class,
                at_login,
            })
        }
        (Reach::UsersWord | Reach::Own | Reach::Workload, _) => Ok(()),
        (Reach::Guarded, _) if class == AddressClass::Public || class == by.user => Ok(()),
        (Reach::Guarded, _) => Err(AddressRefused::Closer {
            host: host(),
            address,
            class,
            user: by.user,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::AddressClass::{
        CloudMetadata, LinkLocal, Loopback, Private, Public, Reserved,
    };
    use crate::class::Moment;

    fn by(user: AddressClass, at_login: Option<AddressClass>) -> Measure<'static> {
        Measure {
            user,
            at_login,
            networks: &[],
        }
    }

    #[test]
    fn closer_addresses_need_the_users_word_or_class() {
        use Reach::{Guarded, UsersWord, Workload};
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
            ("169.254.169.254", Workload, Public, true),
            ("169.254.1.1", Workload, Public, true),
            ("fd00:ec2::254", Workload, Public, true),
            ("127.0.0.1", Workload, Public, true),
            ("10.0.0.1", Workload, Public, true),
            ("0.0.0.0", Workload, Public, false),
            ("224.0.0.1", Workload, Public, false),
        ] {
            let verdict = judge(
                "as.example",
                address.parse().unwrap(),
                reach,
                &by(user, None),
            );
            assert_eq!(
                verdict.is_ok(),
                allowed,
                "{address} {reach:?} {user}: {verdict:?}"
            );
        }
    }

    #[test]
    fn the_users_own_server_comes_no_closer_than_it_was_at_login() {
        let addresses = [
            ("8.8.8.8", Public),
            ("198.18.0.1", Reserved),
            ("10.0.0.1", Private),
            ("127.0.0.1", Loopback),
        ];
        for (rank, (_, at_login)) in addresses.into_iter().enumerate() {
            for (other, (address, class)) in addresses.into_iter().enumerate() {
                let own = |by| judge("mcp.example", address.parse().unwrap(), Reach::Own, &by);
                let verdict = own(by(at_login, Some(at_login)));
                assert_eq!(verdict.is_ok(), other <= rank, "{class} after {at_login}");
                let unknown = own(by(Public, None));
                assert!(unknown.is_ok(), "{class}");
            }
        }
        for at_login in [None, Some(LinkLocal), Some(Loopback)] {
            let address = "169.254.1.1".parse().unwrap();
            let verdict = judge("mcp.example", address, Reach::Own, &by(LinkLocal, at_login));
            assert!(
                matches!(verdict, Err(AddressRefused::Never { .. })),
                "{verdict:?}"
            );
        }
    }

    #[test]
    fn a_listed_network_may_be_contacted_but_for_what_never_is() {
        use Reach::{Guarded, Own, UsersWord};
        let networks = [
            "10.20.0.0/16",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "fe80::/10",
            "::/0",
        ];
        let networks = networks.map(|text| text.parse().unwrap());
        for (address, listed, allowed) in [
            ("10.20.1.1", 1, true),
            ("::ffff:10.20.1.1", 1, true),
            ("10.21.1.1", 1, false),
            ("127.0.0.1", 1, false),
            ("127.0.0.1", 2, true),
            ("169.254.1.1", 3, false),
            ("169.254.169.254", 3, false),
            ("::ffff:169.254.169.254", 5, false),
            ("fe80::1", 4, false),
            ("fd00:ec2::254", 5, false),
            ("64:ff9b::169.254.169.254", 5, false),
            ("fd12::1", 5, true),
            ("::", 5, false),
            ("ff02::1", 5, false),
        ] {
            for reach in [Guarded, Own] {
                let by = Measure {
                    user: Public,
                    at_login: Some(Public),
                    networks: &networks[..listed],
                };
                let verdict = judge("as.example", address.parse().unwrap(), reach, &by);
                assert_eq!(verdict.is_ok(), allowed, "{address} {reach:?}: {verdict:?}");
            }
            let by = Measure {
                user: Public,
                at_login: None,
                networks: &networks,
            };
            let never = AddressClass::of(address.parse().unwrap()).is_never();
            let verdict = judge("as.example", address.parse().unwrap(), UsersWord, &by);
            assert_eq!(verdict.is_err(), never, "{address}");
        }
    }

    #[test]
    fn a_judgement_says_what_the_rules_say_by_all_that_stands() {
        let classes = [Public, Reserved, Private, Loopback];
        let addresses = ["8.8.8.8", "198.18.0.1", "10.0.0.1", "10.1.0.1", "127.0.0.1"];
        let never = ["169.254.169.254", "169.254.1.1", "0.0.0.0", "224.0.0.1"];
        let listed: Arc<[Network]> = ["10.1.0.0/16", "169.254.0.0/16"]
            .map(|text| text.parse().unwrap())
            .into();
        let at_login = [None].into_iter().chain(classes.map(Some));
        for (at_login, of_others) in at_login.flat_map(|one| classes.map(|other| (one, other))) {
            let standing = Standing {
                at_login,
                of_others,
                changes: 0,
                forgotten: Moment::default(),
            };
            for networks in [&Arc::default(), &listed] {
                let by = Measure {
                    user: of_others,
                    at_login,
                    networks,
                };
                let reaches = [
                    Reach::UsersWord,
                    Reach::Own,
                    Reach::Workload,
                    Reach::Guarded,
                ];
                for (reach, address) in reaches.into_iter().flat_map(|reach| {
                    addresses
                        .iter()
                        .chain(&never)
                        .map(move |text| (reach, text))
                }) {
                    let address = address.parse().unwrap();
                    let judgement = Judgement::new(reach, &standing, networks);
                    assert_eq!(
                        judgement.judge("h", address),
                        judge("h", address, reach, &by),
                        "{address} {judgement:?} {by:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_server_that_came_closer_is_refused_with_the_rule_and_the_setting() {
        let address = "10.0.0.1".parse().unwrap();
        let refused = judge(
            "mcp.example",
            address,
            Reach::Own,
            &by(Public, Some(Public)),
        )
        .unwrap_err()
        .to_string();
        assert_eq!(
            refused,
            "mcp.example has the address 10.0.0.1, a private address, while it was public at login \
             and may not come closer (has the network changed, is a VPN on or off?); only if this is \
             meant, log in again, or add the origin to the setting `allow_origins` or the network to \
             `allow_networks`"
        );
    }

    #[test]
    fn a_refusal_names_the_network_that_vpns_and_fake_ip_proxies_hand_out() {
        for (address, network) in [
            ("198.18.0.1", Some("198.18.0.0/15")),
            ("198.19.255.1", Some("198.18.0.0/15")),
            ("100.64.0.1", Some("100.64.0.0/10")),
            ("::ffff:100.127.0.1", Some("100.64.0.0/10")),
            ("100.128.0.1", None),
            ("198.51.100.1", None),
            ("10.0.0.1", None),
            ("fd12::1", None),
        ] {
            for reach in [Reach::Own, Reach::Guarded] {
                let address: IpAddr = address.parse().unwrap();
                let verdict = judge("mcp.example", address, reach, &by(Public, Some(Public)));
                let Err(refused) = verdict else {
                    assert_eq!(network, None, "{address}");
                    continue;
                };
                let told = refused.to_string();
                assert_eq!(
                    told.contains("VPNs and proxies"),
                    network.is_some(),
                    "{told}"
                );
                let listed = network.map_or_else(
                    || "the network to `allow_networks`".to_owned(),
                    |network| {
                        assert!(network.parse::<Network>().unwrap().contains(address));
                        format!("the network {network} to `allow_networks`")
                    },
                );
                assert!(told.contains(&listed), "{told}");
            }
        }
    }

    #[test]
    fn a_refusal_names_the_rule_and_the_setting() {
        let address = "10.0.0.1".parse().unwrap();
        let refused = judge("as.example", address, Reach::Guarded, &by(Public, None))
            .unwrap_err()
            .to_string();
        for part in [
            "as.example",
            "10.0.0.1",
            "private",
            "public",
            "`allow_origins`",
            "`allow_networks`",
        ] {
            assert!(refused.contains(part), "{part} in {refused}");
        }
        let address = "169.254.169.254".parse().unwrap();
        let never = judge("as.example", address, Reach::UsersWord, &by(Public, None))
            .unwrap_err()
            .to_string();
        assert!(
            never.contains("never") && !never.contains("allow_origins"),
            "{never}"
        );
    }
}
