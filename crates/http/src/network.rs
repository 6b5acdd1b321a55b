//! A network by its prefix, as the user lists the ones that servers may lead to.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};

/// The addresses that share a prefix, such as `10.20.0.0/16` or `fd00::/8`; a single address is a
/// network of one (RFC 4632 §3.1, RFC 4291 §2.3).
///
/// Read from text by [`FromStr`]. Bits behind the prefix are dropped, and an IPv4 network in its
/// mapped IPv6 form (`::ffff:10.0.0.0/104`) is that IPv4 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

impl Network {
    /// Whether `address` belongs to it. A mapped IPv6 address counts as the IPv4 address it maps;
    /// no other form of an address inside an address does.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// A text that names no network.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is no network: expected something like `10.20.0.0/16`, `fd00::/8` or an address")]
pub struct NetworkError {
    text: String,
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let network = match text.parse::<IpAddr>() {
            Ok(address) => Some(IpNet::from(address)),
            Err(_) => text.parse::<IpNet>().ok(),
        };
        network
            .map(canonical)
            .map(Self)
            .ok_or_else(|| NetworkError {
                text: crate::redact::clean_text(text, SHOWN),
            })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn canonical(network: IpNet) -> IpNet {
    if let (IpNet::V6(network), Some(length)) = (network, network.prefix_len().checked_sub(96))
        && let Some(mapped) = network.addr().to_ipv4_mapped()
        && let Ok(network) = Ipv4Net::new(mapped, length)
    {
        return IpNet::V4(network.trunc());
    }
    network.trunc()
}

const SHOWN: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_network_holds_its_addresses_also_in_mapped_form() {
        for (network, address, inside) in [
            ("10.20.0.0/16", "10.20.255.1", true),
            ("10.20.0.0/16", "10.21.0.1", false),
            ("10.20.0.0/16", "::ffff:10.20.0.1", true),
            ("10.20.0.0/16", "64:ff9b::10.20.0.1", false),
            ("10.20.0.0/16", "2002:a14:1::", false),
            ("::ffff:10.20.0.0/112", "10.20.3.4", true),
            ("::ffff:10.20.0.1", "10.20.0.1", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fc12::1", false),
            ("fd00::/8", "10.0.0.1", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "2606:4700::1", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(
                network.contains(address.parse().unwrap()),
                inside,
                "{network} {address}"
            );
        }
    }

    #[test]
    fn a_network_is_shown_without_what_lies_behind_its_prefix() {
        for (text, shown) in [
            (" 10.20.3.4/16 ", "10.20.0.0/16"),
            ("FD00::1/8", "fd00::/8"),
            ("10.0.0.1", "10.0.0.1/32"),
            ("::1", "::1/128"),
            ("::ffff:10.20.3.4/112", "10.20.0.0/16"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_network_is_refused_with_an_example() {
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "intranet",
            "fd00::/129",
            "10.0.0.0/",
            "[::1]",
        ] {
            let told = text.parse::<Network>().unwrap_err().to_string();
            assert!(
                told.contains(text) && told.contains("10.20.0.0/16"),
                "{told}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_network_holds_exactly_what_shares_its_prefix(
            bits in any::<u32>(), address in any::<u32>(), length in 0_u32..=32,
        ) {
            let network: Network =
                format!("{}/{length}", IpAddr::V4(bits.into())).parse().unwrap();
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            let v4 = std::net::Ipv4Addr::from(address);
            prop_assert_eq!(network.contains(v4.into()), bits & mask == address & mask);
            prop_assert_eq!(
                network.contains(v4.to_ipv6_mapped().into()),
                network.contains(v4.into())
            );
        }
    }
}
