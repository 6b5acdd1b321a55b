//! Which addresses may be contacted: address classes and the rules over them (SEC-03 to SEC-07).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::leg::Leg;
use crate::network::Network;
use crate::origin::Origin;

/// Exceptions to the address rules that the user has made.
///
/// The rules: link-local addresses, cloud metadata services, multicast and the unspecified address
/// are never contacted. Public addresses always may be. Every other class (loopback, private,
/// reserved) may be contacted by four ways only: the origin is the one the user configured as
/// [`resource`](crate::HttpProfile::resource); that origin's own address is of the same class; the
/// origin is listed here; or the address belongs to a network that is listed here. Without a configured resource its class counts as public.
///
/// A fifth way is narrow and deep: see [`workload`](Self::workload).
///
/// A name is judged by the address that is connected to. Behind a proxy, which looks names up by
/// itself, only address literals and `localhost` can be judged.
///
/// The class of the resource's own address is never taken from a lookup, which anybody who serves
/// the name can answer as he likes. An address literal and `localhost` say it themselves; a name
/// has it from answers over TLS whose certificate was verified. Until there is one, and behind a
/// proxy, it counts as public.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddressPolicy {
    /// Origins that may have private, loopback or reserved addresses, such as an authorization
    /// server on the intranet of a public MCP server (setting `allow_origins`).
    pub allow: Vec<Origin>,
    /// Networks that may be contacted though it is a server that leads there (setting
    /// `allow_networks`): their addresses count as public ones. What is never contacted stays so,
    /// listed or not.
    pub networks: Vec<Network>,
    /// The class of the configured resource as it was at login, kept then from
    /// [`HttpClient::resource_class`](crate::HttpClient::resource_class); `None` until the first
    /// login. Others are measured by it until a connection of this process shows the resource to
    /// be farther away, and the resource's own origin has to keep to it: addresses of a less
    /// public class (from public over reserved and private to loopback) are refused, so that a
    /// name that is bound anew cannot turn a public server into one of the user's own network. It
    /// belongs to one URL: leave it out when the configured host changes. Without effect when that
    /// host is an address literal or `localhost`, which say their class themselves.
    pub class: Option<AddressClass>,
    /// Origins that the user has a workload's identity fetched from, such as a cloud's metadata
    /// service. They are the user's own word: for [`Leg::IdentityProvider`](crate::Leg) they may
    /// have any unicast address, and be asked over plain http, which then goes through no proxy.
    /// For every other leg they are nobody in particular.
    pub workload: Vec<Origin>,
}

impl AddressPolicy {
    /// Allows these origins.
    #[must_use]
    pub fn allowing(origins: impl IntoIterator<Item = Origin>) -> Self {
        Self {
            allow: origins.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Allows these networks, in place of those listed so far.
    #[must_use]
    pub fn with_networks(self, networks: impl IntoIterator<Item = Network>) -> Self {
        Self {
            networks: networks.into_iter().collect(),
            ..self
        }
    }

    /// Takes these origins for the user's own word on a workload's identity.
    #[must_use]
    pub fn with_workload(self, origins: impl IntoIterator<Item = Origin>) -> Self {
        Self {
            workload: origins.into_iter().collect(),
            ..self
        }
    }

    /// Whether a request of this purpose goes where the user said that a workload's identity is.
    pub(crate) fn is_users_workload(&self, leg: Leg, origin: &Origin) -> bool {
        leg == Leg::IdentityProvider && self.workload.contains(origin)
    }

    /// Holds the resource to the class it had at login.
    #[must_use]
    pub fn with_class(self, class: Option<AddressClass>) -> Self {
        Self { class, ..self }
    }
}

/// What kind of network an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressClass {
    /// The internet.
    Public,
    /// This machine (127.0.0.0/8, `::1`).
    Loopback,
    /// A local network: RFC 1918, shared (RFC 6598), unique local (RFC 4193), site-local.
    Private,
    /// Set aside for documentation, benchmarks, translation or the future.
    Reserved,
    /// One link (169.254.0.0/16, fe80::/10): never contacted on a server's word.
    LinkLocal,
    /// A cloud's metadata or credentials service: never contacted on a server's word.
    CloudMetadata,
    /// No address (0.0.0.0/8, `::`): never contacted.
    Unspecified,
    /// Multicast and broadcast: never contacted.
    Multicast,
}

impl AddressClass {
    /// The class of an address. IPv6 forms that carry an IPv4 address (mapped, compatible,
    /// translated, NAT64, 6to4, Teredo, ISATAP) are judged by that address as well.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => class_v4(address),
            IpAddr::V6(address) => class_v6(address),
        }
    }

    /// True for the classes that are contacted on nobody's word but the user's, and that for a
    /// [workload's identity](AddressPolicy::workload) alone.
    #[must_use]
    pub const fn is_never(self) -> bool {
        match self {
            Self::Public | Self::Loopback | Self::Private | Self::Reserved => false,
            Self::LinkLocal | Self::CloudMetadata | Self::Unspecified | Self::Multicast => true,
        }
    }
}

impl AddressClass {
    /// How near to the user the addresses of a class are. Classes that are never contacted have no
    /// place in this order: as a class at login they give no more than the public one.
    #[cfg(any(test, feature = "client"))]
    pub(crate) const fn closeness(self) -> u8 {
        match self {
            Self::Reserved => 1,
            Self::Private => 2,
            Self::Loopback => 3,
            Self::Public
            | Self::LinkLocal
            | Self::CloudMetadata
            | Self::Unspecified
            | Self::Multicast => 0,
        }
    }

    /// The class as a word for people and for records; read again by [`FromStr`].
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Reserved => "reserved",
            Self::LinkLocal => "link-local",
            Self::CloudMetadata => "cloud metadata",
            Self::Unspecified => "unspecified",
            Self::Multicast => "multicast",
        }
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no [`AddressClass`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a class of addresses, such as `public` or `private`")]
#[non_exhaustive]
pub struct UnknownAddressClass;

impl FromStr for AddressClass {
    type Err = UnknownAddressClass;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        ALL.into_iter()
            .find(|class| class.as_str() == text)
            .ok_or(UnknownAddressClass)
    }
}

/// An address that may not be contacted, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressRefused {
    /// No server may lead to this address.
    #[error("{host} has the address {address}, a {class} address, which is never contacted")]
    Never {
        /// The host of the URL.
        host: String,
        /// Its address.
        address: IpAddr,
        /// The class of the address.
        class: AddressClass,
    },
    /// The address is closer than the MCP server's own, and not by the user's word.
    #[error(
        "{host} has the address {address}, a {class} address{}, while the MCP server counts as \
         {user}; if this is meant, add the origin to the setting `allow_origins` or the network{} to \
         `allow_networks`", handed_out(*.address), known_network(*.address)
    )]
    Closer {
        /// The host of the URL.
        host: String,
        /// Its address.
        address: IpAddr,
        /// The class of the address.
        class: AddressClass,
        /// The class of the MCP server that the user configured.
        user: AddressClass,
    },
    /// The MCP server's own address is closer than it was at login.
    #[error(
        "{host} has the address {address}, a {class} address{}, while it was {at_login} at login \
         and may not come closer (has the network changed, is a VPN on or off?); only if this is \
         meant, log in again, or add the origin to the setting `allow_origins` or the network{} to \
         `allow_networks`", handed_out(*.address), known_network(*.address)
    )]
    CameCloser {
        /// The host of the URL.
        host: String,
        /// Its address.
        address: IpAddr,
        /// The class of the address.
        class: AddressClass,
        /// The class it had at login.
        at_login: AddressClass,
    },
}

/// Says of addresses that look strange to a person where they mostly come from.
fn handed_out(address: IpAddr) -> &'static str {
    match known_network(address) {
        "" => "",
        _ => " such as VPNs and proxies with fake addresses hand out",
    }
}

/// The network by which VPNs and fake-IP proxies are known, to be listed as a whole: single
/// addresses of it change.
fn known_network(address: IpAddr) -> &'static str {
    let IpAddr::V4(address) = address.to_canonical() else {
        return "";
    };
    match address.octets() {
        [198, 18..=19, ..] => " 198.18.0.0/15",
        [100, 64..=127, ..] => " 100.64.0.0/10",
        _ => "",
    }
}

fn class_v4(address: Ipv4Addr) -> AddressClass {
    if METADATA_V4.contains(&address) {
        return AddressClass::CloudMetadata;
    }
    match address.octets() {
        [0, ..] => AddressClass::Unspecified,
        [127, ..] => AddressClass::Loopback,
        [169, 254, ..] => AddressClass::LinkLocal,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => {
            AddressClass::Private
        }
        [224..=239, ..] | [255, 255, 255, 255] => AddressClass::Multicast,
        [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18..=19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [240..=255, ..] => AddressClass::Reserved,
        _ => AddressClass::Public,
    }
}

fn class_v6(address: Ipv6Addr) -> AddressClass {
    if METADATA_V6.contains(&address) {
        return AddressClass::CloudMetadata;
    }
    let own = own_class_v6(address);
    // The carried address counts when it is the worse of the two.
    let carried = carried_v4(address).into_iter().flatten().map(class_v4);
    carried
        .filter(|class| *class != AddressClass::Public)
        .fold(
            own,
            |worst, class| {
                if worst.is_never() { worst } else { class }
            },
        )
}

fn own_class_v6(address: Ipv6Addr) -> AddressClass {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => AddressClass::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => AddressClass::Loopback,
        // Mapped (RFC 4291 §2.5.5.2) and NAT64 (RFC 6052): as public as what they carry.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => AddressClass::Public,
        // NAT64 inside one network (RFC 8215).
        [0x64, 0xff9b, 1, ..] | [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => {
            AddressClass::Private
        }
        [0xfe80..=0xfebf, ..] => AddressClass::LinkLocal,
        [0xff00..=0xffff, ..] => AddressClass::Multicast,
        [0x2001, 0xdb8, ..] | [0x2001, 0x2, 0, ..] | [0x2001, 0x10..=0x1f, ..] | [0x3fff, ..] => {
            AddressClass::Reserved
        }
        // Global unicast (RFC 4291 §2.4 as allocated).
        [0x2000..=0x3fff, ..] => AddressClass::Public,
        _ => AddressClass::Reserved,
    }
}

/// The IPv4 addresses that an IPv6 address carries, by the forms that carry one.
fn carried_v4(address: Ipv6Addr) -> [Option<Ipv4Addr>; 3] {
    let octets = address.octets();
    let at = |start: usize| match octets.get(start..start + 4) {
        Some(&[a, b, c, d]) => Some(Ipv4Addr::new(a, b, c, d)),
        _ => None,
    };
    match address.segments() {
        // The two addresses of IPv6's own that look like IPv4-compatible ones.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => [None; 3],
        // Compatible, mapped, translated (RFC 2765) and NAT64 at the end.
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => [at(12), None, None],
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => [at(12), None, None],
        // RFC 8215: a prefix of any length of RFC 6052 §2.2 may be in use below this one.
        [0x64, 0xff9b, 1, ..] => {
            let around = Ipv4Addr::new(octets[6], octets[7], octets[9], octets[10]);
            // Positions that are not in use are mostly zeros, which say nothing.
            let used = |v4: &Ipv4Addr| class_v4(*v4) != AddressClass::Unspecified;
            [at(12), Some(around), at(9)].map(|v4| v4.filter(used))
        }
        // 6to4 (RFC 3056).
        [0x2002, ..] => [at(2), None, None],
        // Teredo (RFC 4380 §4): the server, and the client with its bits flipped.
        [0x2001, 0, ..] => [
            at(4),
            at(12).map(|client| Ipv4Addr::from(!u32::from(client))),
            None,
        ],
        // ISATAP (RFC 5214 §6.1).
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => [at(12), None, None],
        _ => [None; 3],
    }
}

const ALL: [AddressClass; 8] = [
    AddressClass::Public,
    AddressClass::Loopback,
    AddressClass::Private,
    AddressClass::Reserved,
    AddressClass::LinkLocal,
    AddressClass::CloudMetadata,
    AddressClass::Unspecified,
    AddressClass::Multicast,
];

/// Metadata and credential services of clouds, where they have fixed addresses.
const METADATA_V4: [Ipv4Addr; 6] = [
    Ipv4Addr::new(169, 254, 169, 254), // nearly all
    Ipv4Addr::new(169, 254, 170, 2),   // AWS, container credentials
    Ipv4Addr::new(169, 254, 170, 23),  // AWS, pod identity
    Ipv4Addr::new(100, 100, 100, 200), // Alibaba
    Ipv4Addr::new(168, 63, 129, 16),   // Azure
    Ipv4Addr::new(192, 0, 0, 192),     // Oracle
];

const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), // AWS
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),  // AWS, pod identity
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),  // Google
];

#[cfg(test)]
mod tests;
