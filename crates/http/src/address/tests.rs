//! Tables over address classes, and the rules over them.

use proptest::prelude::*;

use super::AddressClass::{
    CloudMetadata, LinkLocal, Loopback, Multicast, Private, Public, Reserved, Unspecified,
};
use super::*;

fn class(address: &str) -> AddressClass {
    AddressClass::of(address.parse().unwrap())
}

#[test]
fn every_address_has_its_class() {
    for (address, expected) in [
        ("1.1.1.1", Public),
        ("172.15.255.255", Public),
        ("172.32.0.0", Public),
        ("100.63.255.255", Public),
        ("100.128.0.0", Public),
        ("127.0.0.1", Loopback),
        ("127.255.255.254", Loopback),
        ("10.0.0.1", Private),
        ("172.16.0.1", Private),
        ("172.31.255.255", Private),
        ("192.168.1.1", Private),
        ("100.64.0.1", Private),
        ("169.254.0.1", LinkLocal),
        ("169.254.169.254", CloudMetadata),
        ("100.100.100.200", CloudMetadata),
        ("0.0.0.0", Unspecified),
        ("0.1.2.3", Unspecified),
        ("224.0.0.1", Multicast),
        ("255.255.255.255", Multicast),
        ("198.18.0.1", Reserved),
        ("203.0.113.9", Reserved),
        ("240.0.0.1", Reserved),
        ("2606:4700::1111", Public),
        ("::1", Loopback),
        ("::", Unspecified),
        ("fe80::1", LinkLocal),
        ("febf::1", LinkLocal),
        ("fc00::1", Private),
        ("fd12:3456::1", Private),
        ("fec0::1", Private),
        ("fd00:ec2::254", CloudMetadata),
        ("ff02::1", Multicast),
        ("2001:db8::1", Reserved),
        ("100::1", Reserved),
        ("5f00::1", Reserved),
    ] {
        assert_eq!(class(address), expected, "{address}");
    }
}

#[test]
fn an_ipv4_address_inside_an_ipv6_address_is_judged() {
    for (address, expected) in [
        ("::ffff:127.0.0.1", Loopback),
        ("::ffff:8.8.8.8", Public),
        ("::ffff:169.254.169.254", CloudMetadata),
        ("::127.0.0.1", Loopback),
        ("::8.8.8.8", Reserved),
        ("::ffff:0:10.0.0.1", Private),
        ("64:ff9b::10.0.0.1", Private),
        ("64:ff9b::8.8.8.8", Public),
        ("64:ff9b::a9fe:a9fe", CloudMetadata),
        ("64:ff9b:1::8.8.8.8", Private),
        ("64:ff9b:1:a9fe:a9:fe00::", CloudMetadata),
        ("2002:7f00:1::", Loopback),
        ("2002:a9fe:a9fe::1", CloudMetadata),
        ("2002:808:808::1", Public),
        // Teredo through 8.8.8.8 for the client 10.0.0.1.
        ("2001:0:808:808::f5ff:fffe", Private),
        ("2001:0:a00:1::f7f7:f7f7", Private),
        ("2606:4700::5efe:a00:1", Private),
        ("fe80::5efe:8.8.8.8", LinkLocal),
    ] {
        assert_eq!(class(address), expected, "{address}");
    }
}

proptest! {
    #[test]
    fn carrying_an_address_never_makes_it_more_public(bits in any::<u32>()) {
        let inner = Ipv4Addr::from(bits);
        let [a, b, c, d] = inner.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let forms = [
            inner.to_ipv6_mapped(),
            Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            Ipv6Addr::new(0x2001, 0, 0x808, 0x808, 0, 0, !high, !low),
        ];
        let own = AddressClass::of(inner.into());
        for form in forms {
            let class = AddressClass::of(form.into());
            prop_assert!(own == Public || class == own, "{form}: {class}, {inner}: {own}");
        }
    }
}

#[test]
fn a_class_is_read_again_from_its_word() {
    for class in ALL {
        assert_eq!(class.as_str().parse(), Ok(class));
        assert_eq!(class.to_string(), class.as_str());
    }
    for text in ["", "Public", "intranet"] {
        assert_eq!(text.parse::<AddressClass>(), Err(UnknownAddressClass));
    }
}
